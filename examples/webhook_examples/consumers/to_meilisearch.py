"""Keeps a Meilisearch index equal to the copies: a document for each record, and the place in an index of its own.

HOOKBRIDGE_URL=http://localhost:8080 HOOKBRIDGE_READ_TOKEN=… MEILI_URL=http://localhost:7700 MEILI_KEY=… \
python3 to_meilisearch.py
"""

import hashlib
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

BRIDGE, MEILI = os.environ["HOOKBRIDGE_URL"], os.environ["MEILI_URL"]
TOKEN, KEY = os.environ["HOOKBRIDGE_READ_TOKEN"], os.environ["MEILI_KEY"]
RECORDS, PLACES = "/indexes/records", "/indexes/hookbridge_places"


def ask(token: str, method: str, url: str, body: Any = None) -> Any:
    """Send a request with JSON, and give the JSON of its answer."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as answer:
        return json.load(answer)


def do(method: str, path: str, body: Any) -> None:
    """Have Meilisearch do something, and wait until it is done: it only queues it, and may fail later."""
    task = {"uid": ask(KEY, method, MEILI + path, body)["taskUid"], "status": "enqueued"}
    while task["status"] in ("enqueued", "processing"):
        time.sleep(0.05)
        task = ask(KEY, "GET", f"{MEILI}/tasks/{task['uid']}")
    if task["status"] != "succeeded":
        raise SystemExit(f"Meilisearch: {task['error']}")  # whoever runs this starts it again, at the place before


def document(one: dict[str, Any], round_: int) -> dict[str, Any]:
    """What is found of a record.  Meilisearch takes no colon in an id, and an id of any length is hashed."""
    content = (one.get("content") or {}).get("markdown")
    about = {name: one[name] for name in ("source", "table", "title", "data")}
    return {"id": id_of(one), "record_id": one["id"], **about, "content": content, "round": round_}


def id_of(one: dict[str, Any]) -> str:
    return hashlib.sha256(f"{one['source']}:{one['table']}:{one['id']}".encode()).hexdigest()


do("PUT", f"{RECORDS}/settings/filterable-attributes", ["round"])
try:
    place = ask(KEY, "GET", f"{MEILI}{PLACES}/documents/records")
except urllib.error.HTTPError as error:
    if error.code != 404:
        raise
    place = {"id": "records", "since": "0", "round": 0}

while True:
    if place["since"] == "0":
        # A snapshot, at whose end everything of earlier rounds goes; of one, too, that was begun and not ended.
        place = {**place, "round": place["round"] + 1}
        do("POST", f"{PLACES}/documents?primaryKey=id", [place])
    query = urllib.parse.urlencode({"since": place["since"], "include": "data,content", "limit": 500, "wait": 30})
    try:
        answer = ask(TOKEN, "GET", f"{BRIDGE}/api/v1/changes?{query}")
    except urllib.error.HTTPError as error:
        if error.code != 410:
            raise
        place = {**place, "since": "0"}  # it is gone
    else:
        changes = answer["changes"]
        if there := [document(one, place["round"]) for one in changes if one["type"] == "upsert"]:
            do("POST", f"{RECORDS}/documents?primaryKey=id", there)
        if gone := [id_of(one) for one in changes if one["type"] == "delete"]:
            do("POST", f"{RECORDS}/documents/delete-batch", gone)
        if any(one["type"] == "snapshot_end" for one in changes):
            do("POST", f"{RECORDS}/documents/delete", {"filter": f"round < {place['round']}"})
        if changes:  # its place comes last: what was done before it may be done twice, and nothing is left out
            place = {**place, "since": answer["next"]}
            do("POST", f"{PLACES}/documents?primaryKey=id", [place])
