"""Keeps an SQLite file equal to the copies: the records, and the place up to which they were told.

HOOKBRIDGE_URL=http://localhost:8080 HOOKBRIDGE_READ_TOKEN=… python3 consumer.py
"""

import json
import os
import sqlite3
import urllib.error
import urllib.parse
import urllib.request

URL, TOKEN = os.environ["HOOKBRIDGE_URL"], os.environ["HOOKBRIDGE_READ_TOKEN"]
mine = sqlite3.connect("mine.db")
mine.executescript("""
CREATE TABLE IF NOT EXISTS records (name TEXT PRIMARY KEY, data TEXT, round INTEGER);
CREATE TABLE IF NOT EXISTS place (since TEXT, round INTEGER);
INSERT INTO place SELECT '0', 1 WHERE NOT EXISTS (SELECT * FROM place);
""")
while True:
    since, round_ = mine.execute("SELECT since, round FROM place").fetchone()
    query = urllib.parse.urlencode({"since": since, "limit": 500, "wait": 30})
    request = urllib.request.Request(f"{URL}/api/v1/changes?{query}", headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        answer = json.load(urllib.request.urlopen(request, timeout=60))
    except urllib.error.HTTPError as error:
        if error.code != 410:
            raise  # whoever runs this starts it again
        with mine:  # the place is gone: a snapshot, at whose end everything of earlier rounds goes
            mine.execute("UPDATE place SET since = '0', round = round + 1")
        continue
    with mine:  # one transaction: the changes, and the place behind them
        for one in answer["changes"]:
            if one["type"] == "snapshot_end":
                mine.execute("DELETE FROM records WHERE round < ?", (round_,))
                continue
            name = f"{one['source']}:{one['table']}:{one['id']}"
            mine.execute("DELETE FROM records WHERE name = ?", (name,))
            if one["type"] == "upsert":
                mine.execute("INSERT INTO records VALUES (?, ?, ?)", (name, json.dumps(one["data"]), round_))
        mine.execute("UPDATE place SET since = ?", (answer["next"],))
