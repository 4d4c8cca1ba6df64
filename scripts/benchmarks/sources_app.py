"""Both stand-ins with state, in a process of their own; each answer of Supabase's takes so many seconds.

Usage: sources_app.py SUPABASE_PORT NOTION_PORT ROWS PAGES SECONDS
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

import uvloop

from hookbridge.standins import NotionStandin, PostgrestStandin

KEY, TOKEN = "sb_secret_for_the_benchmark", "ntn_for_the_benchmark"
DATABASE = "11111111-1111-4111-8111-111111111111"
MARKDOWN = "GET /v1/pages/{id}/markdown"
COLUMNS = {"id": "bigint", "name": "text", "email": "text", "updated_at": "timestamptz"}
SENTENCE = "The quick brown fox jumps over the lazy dog, and nobody has counted how often it did that before. "


async def main(supabase_port: int, notion_port: int, rows: int, pages: int, seconds: float) -> None:
    """Serve until killed."""
    ago = timedelta(minutes=pages + 10)
    async with (
        PostgrestStandin(key=KEY, port=supabase_port) as supabase,
        NotionStandin(token=TOKEN, port=notion_port, clock=lambda: datetime.now(UTC) - ago) as notion,
    ):
        supabase.create_table("users", COLUMNS, changed_at="updated_at")
        supabase.insert_many(
            "users", ({"id": n, "name": f"Ada Lovelace {n}", "email": f"ada{n}@example.com"} for n in range(rows))
        )
        notion.create_database("Tasks", {"Name": "title"}, database_id=DATABASE)
        (source,) = notion.data_source_ids(DATABASE)
        for number in range(pages):
            notion.create_page(source, {"Name": f"Task {number}"}, markdown=f"# Task {number}\n{SENTENCE * 10}")
            ago -= timedelta(minutes=1)  # a database that grew in the course of time
        ago = timedelta()
        if seconds:
            supabase.faults.slow(seconds)
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            for page in list(notion.pages)[: int(line)]:
                notion.update_page(page, {"Name": f"Edited {page}"})
            asked = notion.requests.by_route
            print(f"edited {sum(asked.values())} {asked[MARKDOWN]}", flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        first, second, table, database = map(int, sys.argv[1:5])
        runner.run(main(first, second, table, database, float(sys.argv[5])))
