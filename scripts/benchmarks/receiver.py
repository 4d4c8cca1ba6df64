"""A destination beside the service: it takes every message, and knows when how many changes had come."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from scripts.benchmarks.machine import CannotMeasure

SECRET = "whsec_" + "YmVuY2htYXJr" * 4


class Receiver:
    """Listens on a port of its own while it is entered."""

    def __init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                at = time.monotonic()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._came(body.count(b'"type":"upsert"'), at)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._changed = threading.Condition()
        self._times: list[float] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def as_destination(self, *, start: str, batch: int) -> str:
        """Give the list of destinations that has this one, as the service's environment has it."""
        url = f"http://127.0.0.1:{self._server.server_port}/"
        return json.dumps([{"name": "bench", "url": url, "secret": SECRET, "start": start, "batch": batch}])

    def changes_at(self, number: int, seconds: float) -> float:
        """Give the monotonic time at which so many changes had come; waits so long for it.  Raises CannotMeasure."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._times) >= number, seconds):
                raise CannotMeasure(f"{len(self._times)} of {number} changes came", "look at the service's log")
            return self._times[number - 1]

    def _came(self, changes: int, at: float) -> None:
        with self._changed:
            self._times += [at] * changes
            self._changed.notify_all()
