"""Keeps a Typesense collection equal to the copies: a document for each record, and the place in one of its own.

HOOKBRIDGE_URL=http://localhost:8080 HOOKBRIDGE_READ_TOKEN=… TYPESENSE_URL=http://localhost:8108 TYPESENSE_KEY=… \
python3 to_typesense.py
"""

import hashlib
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

BRIDGE, TYPESENSE = os.environ["HOOKBRIDGE_URL"], os.environ["TYPESENSE_URL"]
READER = {"Authorization": f"Bearer {os.environ['HOOKBRIDGE_READ_TOKEN']}"}
KEY = {"X-TYPESENSE-API-KEY": os.environ["TYPESENSE_KEY"]}
RECORDS, PLACES = "/collections/records", "/collections/hookbridge_places"
ANY = {"name": ".*", "type": "auto"}


def ask(method: str, url: str, headers: dict[str, str], *documents: Any, fine: int | None = None) -> str | None:
    """Give the text of an answer; none where its status is the one that is ``fine`` as well."""
    data = "\n".join(map(json.dumps, documents)).encode() if documents else None
    request = urllib.request.Request(url, data, {**headers, "Content-Type": "text/plain"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read(), "utf-8")
    except urllib.error.HTTPError as error:
        if error.code != fine:
            raise  # whoever runs this starts it again, at the place before
        return None


def collection(path: str, *fields: dict[str, Any]) -> None:
    """Make a collection, unless it is there."""
    name = path.rpartition("/")[2]
    schema = {"name": name, "enable_nested_fields": True, "fields": [*fields, ANY]}
    ask("POST", f"{TYPESENSE}/collections", KEY, schema, fine=409)


def put(path: str, *documents: dict[str, Any]) -> None:
    """Put documents into a collection, each in the place of the one with its id."""
    # A column whose type is another than at first is converted, or left out of the index.
    url = f"{TYPESENSE}{path}/documents/import?action=upsert&dirty_values=coerce_or_drop"
    if documents:
        done = [json.loads(line) for line in (ask("POST", url, KEY, *documents) or "").splitlines()]
        if failed := [one for one in done if not one["success"]]:  # each document's; the answer as a whole is 200
            raise SystemExit(f"Typesense: {failed[0]['error']}")


def document(one: dict[str, Any], round_: int) -> dict[str, Any]:
    """What is found of a record; its id is hashed, because Typesense's stand in URLs."""
    content = (one.get("content") or {}).get("markdown") or ""
    about = {name: one[name] for name in ("source", "table", "title", "data")}
    return {"id": id_of(one), "record_id": one["id"], **about, "content": content, "round": round_}


def id_of(one: dict[str, Any]) -> str:
    return hashlib.sha256(f"{one['source']}:{one['table']}:{one['id']}".encode()).hexdigest()


collection(RECORDS, {"name": "round", "type": "int32"})
collection(PLACES)
kept = ask("GET", f"{TYPESENSE}{PLACES}/documents/records", KEY, fine=404)
place: dict[str, Any] = json.loads(kept) if kept else {"id": "records", "since": "0", "round": 0}

while True:
    if place["since"] == "0":
        # A snapshot, at whose end everything of earlier rounds goes; of one, too, that was begun and not ended.
        place = {**place, "round": place["round"] + 1}
        put(PLACES, place)
    query = urllib.parse.urlencode({"since": place["since"], "include": "data,content", "limit": 500, "wait": 30})
    told = ask("GET", f"{BRIDGE}/api/v1/changes?{query}", READER, fine=410)
    if told is None:
        place = {**place, "since": "0"}  # it is gone
    else:
        answer = json.loads(told)
        changes = answer["changes"]
        put(RECORDS, *(document(one, place["round"]) for one in changes if one["type"] == "upsert"))
        for one in changes:
            if one["type"] == "delete":
                ask("DELETE", f"{TYPESENSE}{RECORDS}/documents/{id_of(one)}", KEY, fine=404)
            elif one["type"] == "snapshot_end":
                rest = urllib.parse.urlencode({"filter_by": f"round:<{place['round']}"})
                ask("DELETE", f"{TYPESENSE}{RECORDS}/documents?{rest}", KEY)
        if changes:  # its place comes last: what was done before it may be done twice, and nothing is left out
            place = {**place, "since": answer["next"]}
            put(PLACES, place)
