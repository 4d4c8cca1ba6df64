"""How a command reaches the service: over the API of the one that runs, else by opening it in this process.

A command does what the API does, so both ways give the same lines.  It decides where the service is and who may call
it, and what a failure means for the exit code; what is printed is each command's own business.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from hookbridge.config import Settings
from hookbridge.errors import HookbridgeError
from hookbridge.settings import admin_token

URL_VARIABLE = "HOOKBRIDGE_URL"
CONNECT_SECONDS = 3.0

FINE = 0
NO = 1
"""The command ran, and its answer is no: a difference, a check that failed."""
CANNOT = 2
"""It could not be done: a wrong option, no service, no token."""


class NotRunning(HookbridgeError):
    """Nobody answers where the service should be."""


class Refused(HookbridgeError):
    """The service answered with an error."""

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class Api:
    """The running service, as its operator."""

    def __init__(self, url: str, token: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # A proof or a pass takes as long as the source needs.
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=httpx.Timeout(None, connect=CONNECT_SECONDS), trust_env=False
        )
        self.url = url

    @classmethod
    def of(cls, settings: Settings, url: str | None = None) -> Api:
        """Find the service: ``--url``, else ``HOOKBRIDGE_URL``, else where the settings say that it listens."""
        server = settings.config.server
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104  compared, not bound
        shown = f"[{host}]" if ":" in host else host
        return cls(url or os.environ.get(URL_VARIABLE) or f"http://{shown}:{server.port}", admin_token.known(settings))

    def ask(self, method: str, path: str, body: object = None, **query: object) -> Any:  # noqa: ANN401  any JSON
        """Send one request and give the decoded answer.  Raises NotRunning or Refused."""
        parameters = {name: str(value) for name, value in query.items() if value is not None}
        try:
            answer = self._http.request(method, path, params=parameters, **_json(body))
        except httpx.HTTPError as error:
            raise self._silent(error) from None
        if answer.is_error:
            raise _refused(answer.status_code, answer.content)
        return msgspec.json.decode(answer.content) if answer.content else None

    def lines(self, path: str, body: object) -> Iterator[dict[str, Any]]:
        """Send one request and give the lines of its answer as they come.  Raises NotRunning or Refused."""
        try:
            with self._http.stream("POST", path, **_json(body)) as answer:
                if answer.is_error:
                    raise _refused(answer.status_code, answer.read())
                for line in answer.iter_lines():
                    yield msgspec.json.decode(line)
        except httpx.HTTPError as error:
            raise self._silent(error) from None

    def is_running(self) -> bool:
        """Whether anybody answers."""
        try:
            return self._http.get("/healthz", timeout=CONNECT_SECONDS).is_success
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _silent(self, error: httpx.HTTPError) -> NotRunning:
        return NotRunning(
            f"No hookbridge answers at {self.url} ({type(error).__name__})",
            hint=f"start it with: python -m hookbridge, or name another one with --url or {URL_VARIABLE}",
        )


def _json(body: object) -> dict[str, Any]:
    if body is None:
        return {}
    return {"content": msgspec.json.encode(body), "headers": {"Content-Type": "application/json"}}


def _refused(status: int, body: bytes) -> Refused:
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        said = {}
    if status == httpx.codes.UNAUTHORIZED:
        return Refused(status, "The admin token is missing or wrong", hint="set HOOKBRIDGE_ADMIN_TOKEN")
    if "detail" in said:
        wrong = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in said["detail"])
        return Refused(status, wrong)
    return Refused(status, said.get("message", f"The service answered {status}"), hint=said.get("hint", ""))
