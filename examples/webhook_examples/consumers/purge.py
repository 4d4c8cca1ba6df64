"""Purges the pages of each record that changes from a cache that speaks PURGE: Varnish, nginx, Fastly.

It is a destination: hookbridge keeps its place, and sends again what was not purged. PURGE /* has to empty the cache:
NGINX Plus knows that, and Varnish where vcl_recv answers it by ban("req.url ~ .").

    [[destinations]]
    name = "purge"
    url = "http://localhost:8090"
    secret = "{env:PURGE_SECRET}"
    start = "now"                 # what was cached before is as true as it was

PURGE_SECRET=whsec_… CACHE_URL=http://localhost:6081 PAGES='/{table}/{id} /{table}' python3 purge.py 8090
"""

import base64
import hmac
import http.server
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from typing import Any

KEY = base64.b64decode(os.environ["PURGE_SECRET"].removeprefix("whsec_"))
CACHE, PAGES = os.environ["CACHE_URL"], os.environ["PAGES"].split()


def is_signed(headers: Message, body: bytes) -> bool:
    """Whether hookbridge signed this, in the last five minutes (Standard Webhooks)."""
    id_, sent, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    digest = hmac.digest(KEY, f"{id_}.{sent}.".encode() + body, "sha256")
    expected = f"v1,{base64.b64encode(digest).decode()}"
    fresh = sent.isdigit() and abs(time.time() - int(sent)) < 300
    return fresh and any(hmac.compare_digest(expected.encode(), one.encode()) for one in signatures.split())


def pages_of(change: dict[str, Any]) -> list[str]:
    """Name the pages that show a record: a path for each of PAGES, {table} without its schema."""
    table, id_ = (urllib.parse.quote(text, safe="") for text in (change["table"].rpartition(".")[2], change["id"]))
    return [page.format(table=table, id=id_) for page in PAGES]


def purge(path: str) -> None:
    """Have the cache forget a page.  Raises OSError."""
    try:
        urllib.request.urlopen(urllib.request.Request(CACHE + path, method="PURGE"), timeout=5).close()
    except urllib.error.HTTPError as error:
        if error.code not in (404, 412):  # nginx says so of what it has not
            raise


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Take a message: 204 when everything in it was purged."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not is_signed(self.headers, body):
            return self._answer(401)
        changes = json.loads(body)["changes"]
        try:
            if any(one["type"] == "snapshot_begin" for one in changes):
                purge("/*")  # the place was gone: nobody knows any more which records went meanwhile
            for path in dict.fromkeys(path for one in changes if "id" in one for path in pages_of(one)):
                purge(path)
        except OSError as error:
            print(error, file=sys.stderr)
            return self._answer(503)  # hookbridge sends it again
        return self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
