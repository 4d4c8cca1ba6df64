"""Keeps an SQLite file equal to the copies: the records, and the place up to which they were told.

HOOKBRIDGE_URL=http://localhost:8080 HOOKBRIDGE_READ_TOKEN=… python3 consumer.py
"""

import json
import os
import sqlite3
from urllib.error import HTTPError
from urllib.request import Request, urlopen

URL = f"{os.environ['HOOKBRIDGE_URL']}/api/v1/changes?limit=500&wait=30&since="
HEADERS = {"Authorization": f"Bearer {os.environ['HOOKBRIDGE_READ_TOKEN']}"}
NAME = "{source}:{table}:{id}"
mine = sqlite3.connect("mine.db")
mine.execute("CREATE TABLE IF NOT EXISTS records (name TEXT PRIMARY KEY, data TEXT, round INTEGER)")
mine.execute("CREATE TABLE IF NOT EXISTS place AS SELECT '0' AS since, 1 AS round")
while True:
    since, round_ = mine.execute("SELECT since, round FROM place").fetchone()
    try:
        answer = json.load(urlopen(Request(URL + since, headers=HEADERS), timeout=60))
    except HTTPError as error:
        if error.code != 410:
            raise  # whoever runs this starts it again
        # The place is gone: a snapshot, at whose end everything of earlier rounds goes.
        answer, round_ = {"changes": [], "next": "0"}, round_ + 1
    with mine:  # one transaction: the changes, and the place behind them
        for one in answer["changes"]:
            if one["type"] == "upsert":
                row = (NAME.format_map(one), json.dumps(one["data"]), round_)
                mine.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", row)
            elif one["type"] == "delete":
                mine.execute("DELETE FROM records WHERE name = ?", (NAME.format_map(one),))
            else:  # snapshot_end
                mine.execute("DELETE FROM records WHERE round < ?", (round_,))
        mine.execute("UPDATE place SET since = ?, round = ?", (answer["next"], round_))
