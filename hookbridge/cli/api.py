"""How a command reaches the service: over the API of the one that runs, else by opening it in this process.

A command does what the API does, so both ways give the same lines.  It decides where the service is and who may call
it, and what a failure means for the exit code; what is printed is each command's own business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from hookbridge.config import Settings
from hookbridge.errors import ConfigError, HookbridgeError
from hookbridge.settings import admin_token
from hookbridge.settings.secrets import is_http_url

if TYPE_CHECKING:
    import httpx  # a tenth of a second, which `serve` and `--help` need not wait for

URL_VARIABLE = "HOOKBRIDGE_URL"
CONNECT_SECONDS = 3.0
DELIVERY_SECONDS = 30.0
"""An ack waits for a disk; more than this is no answer."""

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
        import httpx

        if not is_http_url(url):
            problem = f"The service's address is no http or https URL: {url}"
            raise ConfigError([problem], hint=f"correct --url or {URL_VARIABLE}, such as http://127.0.0.1:8080")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # A proof or a pass takes as long as the source needs.
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=httpx.Timeout(None, connect=CONNECT_SECONDS), trust_env=False
        )
        self.url = url
        self.token = token

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
        with self._reached():
            answer = self._http.request(method, path, params=parameters, **_json(body))
        if answer.is_error:
            raise _refused(answer.status_code, answer.content)
        return _decoded(msgspec.json.decode, answer.content) if answer.content else None

    def exact(self, path: str) -> Any:  # noqa: ANN401  any JSON
        """GET a record or a body: every number with all its digits.  Raises NotRunning or Refused."""
        with self._reached():
            answer = self._http.get(path)
        if answer.is_error:
            raise _refused(answer.status_code, answer.content)
        return _decoded(_decode_exactly, answer.content)

    def readiness(self) -> dict[str, Any]:
        """Give ``/readyz``, which says 503 when webhooks cannot be taken.  Raises NotRunning or Refused."""
        with self._reached():
            answer = self._http.get("/readyz")
        if answer.is_error and answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
            raise _refused(answer.status_code, answer.content)
        found: dict[str, Any] = _decoded(msgspec.json.decode, answer.content)
        return found

    def deliver(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """POST a webhook as a sender does, without the admin token.  Raises NotRunning; gives every answer."""
        request = self._http.build_request(
            "POST",
            path,
            content=body,
            headers={"Content-Type": "application/json", **headers},
            timeout=DELIVERY_SECONDS,
        )
        if "Authorization" not in headers:
            request.headers.pop("Authorization", None)
        with self._reached():
            return self._http.send(request)

    def lines(self, path: str, body: object) -> Iterator[dict[str, Any]]:
        """Send one request and give the lines of its answer as they come.  Raises NotRunning or Refused."""
        with self._reached(), self._http.stream("POST", path, **_json(body)) as answer:
            if answer.is_error:
                raise _refused(answer.status_code, answer.read())
            for line in answer.iter_lines():
                yield msgspec.json.decode(line)

    def is_running(self) -> bool:
        """Whether anybody answers."""
        try:
            with self._reached():
                return self._http.get("/healthz", timeout=CONNECT_SECONDS).is_success
        except NotRunning:
            return False

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    @contextmanager
    def _reached(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotRunning(
                f"No hookbridge answers at {self.url} ({type(error).__name__})",
                hint=f"start it with: python -m hookbridge, or name another one with --url or {URL_VARIABLE}",
            ) from None


_decode_exactly = msgspec.json.Decoder(float_hook=Decimal).decode


def _decoded(decode: Callable[[bytes], Any], content: bytes) -> Any:  # noqa: ANN401  any JSON
    try:
        return decode(content)
    except msgspec.DecodeError:
        raise Refused(HTTPStatus.OK, "What answers is no hookbridge", hint=f"check --url and {URL_VARIABLE}") from None


def _json(body: object) -> dict[str, Any]:
    if body is None:
        return {}
    return {"content": msgspec.json.encode(body), "headers": {"Content-Type": "application/json"}}


def _refused(status: int, body: bytes) -> Refused:
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        said = None
    if not isinstance(said, dict):
        said = {}
    if status == HTTPStatus.UNAUTHORIZED:
        return Refused(status, "The admin token is missing or wrong", hint="set HOOKBRIDGE_ADMIN_TOKEN")
    if "detail" in said:
        wrong = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in said["detail"])
        return Refused(status, wrong)
    return Refused(status, said.get("message", f"The service answered {status}"), hint=said.get("hint", ""))
