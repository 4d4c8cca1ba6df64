"""How a command reaches the running service: over its API.

It decides where the service is, who may call it, and whether what answers is a hookbridge at all: an answer without the
fields that a command reads is refused here, so that no command meets one.  What is printed is each command's business.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import msgspec

from hookbridge.api.errors import ErrorBody, InvalidFieldsBody
from hookbridge.api.health import Health, Readiness, ReadinessSummary
from hookbridge.api.webhooks import Taken
from hookbridge.cli.ending import program
from hookbridge.config import Settings
from hookbridge.errors import ConfigError, HookbridgeError
from hookbridge.settings import admin_token
from hookbridge.settings.certificates import tls_problem, trusted
from hookbridge.settings.secrets import is_http_url

if TYPE_CHECKING:
    import httpx  # a tenth of a second, which `serve` and `--help` need not wait for

T = TypeVar("T")

URL_VARIABLE = "HOOKBRIDGE_URL"
SERVER = "hookbridge"
"""What a hookbridge says in ``Server``."""
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 15.0
"""So long an answer may take that is held back no longer."""
DELIVERY_SECONDS = 30.0
"""An ack waits for a disk; more than this is no answer."""


class NotRunning(HookbridgeError):
    """Nobody answers where the service should be."""


class Refused(HookbridgeError):
    """The service answered with an error, or what answered is none."""

    def __init__(self, status: int, message: str, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code


class Api:
    """The running service, as its operator; or as whoever only reads."""

    def __init__(self, url: str, token: str | None, *, reads: bool = False) -> None:
        import httpx

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # A proof or a pass takes as long as the source needs.
        timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
        try:
            if not is_http_url(url):
                raise ValueError(url)
            self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=False, verify=trusted())
        except (ValueError, httpx.InvalidURL):
            problem = f"The service's address is no http or https URL: {url}"
            hint = f"correct --url or {URL_VARIABLE}, such as http://127.0.0.1:8080"
            raise ConfigError([problem], hint=hint) from None
        self.url = url
        self.token = token
        self._reads = reads

    @classmethod
    def of(cls, settings: Settings, url: str | None = None, *, reads: bool = False) -> Api:
        """Find the service: where the user says that it is, else where the settings say that it listens.

        Who only ``reads`` shows the read token where there is one.
        """
        token = settings.secrets.read_token if reads else ""
        return cls(named(url) or address(settings), token or admin_token.known(settings), reads=reads)

    def ask(self, method: str, path: str, kind: type[T], body: object = None, **query: object) -> T:
        """Send one request and give the decoded answer, every number with all its digits.

        Raises NotRunning or Refused.
        """
        return self._read(self._answered(method, path, params=_given(query), **_json(body)), kind)

    def held(self, path: str, kind: type[T], seconds: float, **query: object) -> T:
        """Ask for something that the service may hold back for so many seconds, and give the decoded answer.

        A connection that went without a word, as while a laptop sleeps, is noticed.  Raises NotRunning or Refused.
        """
        import httpx

        timeout = httpx.Timeout(seconds + ANSWER_SECONDS, connect=CONNECT_SECONDS)
        return self._read(self._answered("GET", path, params=_given({**query, "wait": seconds}), timeout=timeout), kind)

    def delete(self, path: str) -> None:
        """Have something removed.  Raises NotRunning or Refused."""
        self._answered("DELETE", path)

    def readiness(self) -> Readiness | ReadinessSummary:
        """Give ``/readyz``, which says 503 when webhooks cannot be taken.  Raises NotRunning or Refused.

        It answers whoever asks, and an operator more: a token that gets no more is a wrong one.
        """
        answer = self._answered("GET", "/readyz", besides=HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            return self._read(answer, Readiness)
        except Refused:
            seen = self._read(answer, ReadinessSummary)
            if "tables" in msgspec.json.decode(answer.content):
                raise  # an operator's, in words of another version
        if self.token:
            raise token_refused()
        return seen

    def deliver(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """POST a webhook as a sender does, without the admin token; gives what the service answered.

        Raises NotRunning, or Refused when that is no answer of a hookbridge.
        """
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
            answer = self._http.send(request)
        if not answer.is_success and _refusal(answer.content) is None:
            raise self._refused(answer, path)
        if answer.is_success:
            self._read(answer, Taken)
        return answer

    def lines(self, path: str, body: object, decoder: msgspec.json.Decoder[T]) -> Iterator[T]:
        """Send one request and give the lines of its answer as they come.  Raises NotRunning or Refused."""
        with self._reached(), self._http.stream("POST", path, **_json(body)) as answer:
            if not answer.is_success:
                answer.read()
                raise self._refused(answer, path)
            for line in answer.iter_lines():
                yield self._decoded(answer, line.encode(), decoder)

    def is_running(self) -> bool:
        """Whether a hookbridge answers."""
        try:
            self.ask("GET", "/healthz", Health)
        except (NotRunning, Refused):
            return False
        return True

    def stranger(self) -> Refused:
        """Give what to raise where what answers is no hookbridge."""
        message = f"What answers at {self.url} is no hookbridge"
        return Refused(HTTPStatus.OK, message, hint=f"check --url and {URL_VARIABLE}")

    def of_another_version(self, status: int, problem: str) -> Refused:
        """Give what to raise where a hookbridge answers what this one cannot read."""
        message = f"The hookbridge at {self.url} answers what this command does not know: {problem}"
        hint = "the two are of different versions: run the command that belongs to the service"
        return Refused(status, message, hint=hint)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    @contextmanager
    def _reached(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            if (problem := tls_problem(self.url, error)) is not None:
                raise Refused(0, problem[0], hint=problem[1]) from None
            raise NotRunning(
                f"No hookbridge answers at {self.url} ({type(error).__name__})", hint=_starting()
            ) from None

    def _answered(self, method: str, path: str, *, besides: int | None = None, **asked: Any) -> httpx.Response:  # noqa: ANN401  httpx's
        """Give the answer; a status that is no success is one where it is ``besides``."""
        with self._reached():
            answer = self._http.request(method, path, **asked)
        if not answer.is_success and answer.status_code != besides:
            raise self._refused(answer, path)
        return answer

    def _read(self, answer: httpx.Response, kind: type[T]) -> T:
        return self._decoded(answer, answer.content, msgspec.json.Decoder(kind, float_hook=Decimal))

    def _decoded(self, answer: httpx.Response, content: bytes, decoder: msgspec.json.Decoder[T]) -> T:
        try:
            return decoder.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if answer.headers.get("Server") != SERVER:  # behind a proxy it may be the proxy's
                raise self.stranger() from None
            raise self.of_another_version(answer.status_code, str(error)) from None

    def _refused(self, answer: httpx.Response, path: str) -> HookbridgeError:
        """Say what an answer means that is no success."""
        status = answer.status_code
        if answer.is_redirect:
            target = str(answer.url.join(answer.headers.get("Location", "")))
            message = f"{self.url} redirects to {target}"
            return Refused(status, message, hint=f"--url {target.partition(path)[0].rstrip('/')}")
        refusal = _refusal(answer.content)
        if isinstance(refusal, InvalidFieldsBody):
            wrong = "; ".join(f"{one.loc[-1] if one.loc else 'body'}: {one.msg}" for one in refusal.detail)
            return Refused(status, wrong, code="invalid_fields")
        if refusal is None and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            # A proxy is there, and nothing behind it.
            return NotRunning(f"No hookbridge answers at {self.url} ({status})", hint=_starting())
        if refusal is None:
            return self.stranger()
        if status == HTTPStatus.UNAUTHORIZED:
            return token_refused(refusal.error, reads=self._reads)
        hint = refusal.hint or ("look at the service's log" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "")
        return Refused(status, refusal.message, hint=hint, code=refusal.error)


def token_refused(code: str = "", *, reads: bool = False) -> Refused:
    """Give what to raise where the service does not take this machine's token."""
    message, hint = "The admin token is missing or wrong", "set HOOKBRIDGE_ADMIN_TOKEN"
    if reads:
        message = "The read token is missing or wrong"
        hint = "set HOOKBRIDGE_READ_TOKEN as the service has it, or HOOKBRIDGE_ADMIN_TOKEN"
    return Refused(HTTPStatus.UNAUTHORIZED, message, hint=hint, code=code)


def _starting() -> str:
    return f"start it with: {program()}, or name another one with --url or {URL_VARIABLE}"


def named(url: str | None) -> str | None:
    """Give the service's address where the user says it, by option or variable."""
    return url or os.environ.get(URL_VARIABLE) or None


def address(settings: Settings) -> str:
    """Give the address at which the settings say that the service listens."""
    server = settings.config.server
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104  compared, not bound
    return f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"


def record_path(source: str, table: str, record_id: str) -> str:
    """Give the path of a record.  Raises ConfigError for a name that no path can hold."""
    wrong = {"the table": table, "the record's id": record_id}
    problems = [f"{what} cannot be {value!r}" for what, value in wrong.items() if value in {"", ".", ".."}]
    if problems:
        raise ConfigError(problems)
    # An id may hold a slash, a percent sign or a comma of its own.
    return f"/api/v1/records/{source}/{quote(table, safe='')}/{quote(record_id, safe='')}"


def _given(query: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


def _json(body: object) -> dict[str, Any]:
    if body is None:
        return {}
    return {"content": msgspec.json.encode(body), "headers": {"Content-Type": "application/json"}}


def _refusal(content: bytes) -> ErrorBody | InvalidFieldsBody | None:
    """Read the body of an error; None where it is not in one of the forms that hookbridge has."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(content, type=ErrorBody)
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(content, type=InvalidFieldsBody)
    return None
