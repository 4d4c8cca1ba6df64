"""Asks Notion for edited pages and announces them to hookbridge, signed.  Needs notion-client 3 or newer.

    NOTION_TOKEN=ntn_… NOTION_DATABASE=… WEBHOOK_SECRET=… python3 notion_poller.py https://hooks.example.com

A database has data sources, and these are queried: `databases.query` is gone from the client.  hookbridge polls its
listed databases by itself; this is for a machine that may ask Notion and run nothing but this.
"""

import json
import os
import runpy
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from notion_client import Client

sign = runpy.run_path(str(Path(__file__).parents[1] / "signing" / "sign.py"))  # as it stands: signed_headers

POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "60"))


def edited_since(notion: Client, source: str, since: str | None) -> list[Any]:
    """Give the pages of a data source that were edited at this time or later, the earliest first; all for None."""
    query: dict[str, Any] = {"sorts": [{"timestamp": "last_edited_time", "direction": "ascending"}]}
    if since is not None:
        query["filter"] = {"timestamp": "last_edited_time", "last_edited_time": {"on_or_after": since}}
    pages: list[Any] = []
    while True:
        answer: Any = notion.data_sources.query(data_source_id=source, **query)
        pages += answer["results"]
        if not answer["has_more"]:
            return pages
        query["start_cursor"] = answer["next_cursor"]


def announce(url: str, database: str, page_id: str) -> None:
    """Tell hookbridge that a page may have changed.

    Without `data`, because hookbridge reads the page itself, and without `timestamp`, because Notion's times are whole
    minutes: with one, the second edit of a minute would be a repetition of the first.
    """
    event = {"event_type": "update", "source": "notion", "table_name": database, "record_id": page_id}
    body = json.dumps(event).encode()
    headers = {"Content-Type": "application/json"}
    if secret := os.environ.get("WEBHOOK_SECRET"):
        headers |= sign["signed_headers"](body, secret)
    request = urllib.request.Request(f"{url}/api/v1/webhooks/notion", data=body, headers=headers)
    urllib.request.urlopen(request, timeout=10).close()  # raises unless 2xx


def main() -> None:
    """Announce every page once, and from then on what is edited."""
    url = sys.argv[1].rstrip("/")
    database = os.environ["NOTION_DATABASE"]
    base_url = os.environ.get("NOTION_BASE_URL", "https://api.notion.com")
    notion = Client(auth=os.environ["NOTION_TOKEN"], base_url=base_url)
    found: Any = notion.databases.retrieve(database_id=database)
    since: dict[str, str] = {}
    while True:
        for source in (entry["id"] for entry in found["data_sources"]):
            # The last minute is asked for again: what was edited later in it has the same time.
            for page in edited_since(notion, source, since.get(source)):
                announce(url, database, page["id"])
                since[source] = page["last_edited_time"]
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
