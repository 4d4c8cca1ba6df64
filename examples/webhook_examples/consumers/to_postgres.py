"""Keeps a Postgres table equal to the copies: the records, and the place up to which they were told.

pip install aiohttp asyncpg
HOOKBRIDGE_URL=http://localhost:8080 HOOKBRIDGE_READ_TOKEN=… DATABASE_URL=postgresql://… python3 to_postgres.py
"""

import asyncio
import os

import aiohttp
import asyncpg

TABLES = """
CREATE TABLE IF NOT EXISTS records (
    source text, "table" text, id text, title text, data jsonb NOT NULL, round int NOT NULL,
    PRIMARY KEY (source, "table", id)
);
CREATE TABLE IF NOT EXISTS place (
    is_it boolean PRIMARY KEY DEFAULT true CHECK (is_it), since text DEFAULT '0', round int DEFAULT 1
);
INSERT INTO place DEFAULT VALUES ON CONFLICT DO NOTHING;
"""
# Postgres takes the answer apart itself: three statements for 500 changes, and each number keeps all its digits.
TOLD = """jsonb_to_recordset($1::jsonb -> 'changes')
    AS told (type text, source text, "table" text, id text, title text, data jsonb)"""
UPSERT = f"""
INSERT INTO records SELECT source, "table", id, title, data, (SELECT round FROM place) FROM {TOLD} WHERE type = 'upsert'
ON CONFLICT (source, "table", id)
DO UPDATE SET title = excluded.title, data = excluded.data, round = excluded.round
"""
DELETE = f"""
DELETE FROM records USING {TOLD} WHERE told.type = 'delete'
AND (records.source, records."table", records.id) = (told.source, told."table", told.id)
"""
DELETE_THE_REST = f"""
DELETE FROM records USING {TOLD} WHERE told.type = 'snapshot_end' AND records.round < (SELECT round FROM place)
"""
ADVANCE = "UPDATE place SET since = $1::jsonb ->> 'next'"
BEGIN_AGAIN = "UPDATE place SET since = '0', round = round + 1"


async def main() -> None:
    mine = await asyncpg.connect(os.environ["DATABASE_URL"])
    await mine.execute(TABLES)
    headers = {"Authorization": f"Bearer {os.environ['HOOKBRIDGE_READ_TOKEN']}"}
    async with aiohttp.ClientSession(os.environ["HOOKBRIDGE_URL"], headers=headers) as bridge:
        while True:
            query = {"since": await mine.fetchval("SELECT since FROM place"), "limit": 500, "wait": 30}
            async with bridge.get("/api/v1/changes", params=query) as answer:
                if answer.status == 410:
                    # The place is gone: a snapshot, at whose end everything of earlier rounds goes.
                    await mine.execute(BEGIN_AGAIN)
                    continue
                answer.raise_for_status()  # whoever runs this starts it again
                told = await answer.text()
            async with mine.transaction():  # the changes, and the place behind them
                for statement in (UPSERT, DELETE, DELETE_THE_REST, ADVANCE):
                    await mine.execute(statement, told)


asyncio.run(main())
