"""``send``: webhooks as their senders make them, to the running service.

It sends what it prints that it sends, signed like a sender of that format; what the service makes of it is the
service's answer, shown as it came.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hookbridge.api.lanes import VerificationToken
from hookbridge.cli import burst
from hookbridge.cli.api import Api, Refused
from hookbridge.cli.awaiting import until_settled
from hookbridge.cli.burst import Post
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    SourceArgument,
    UrlOption,
    note,
    print_json,
    print_pretty,
    read_input,
    refuse_ignored,
    say,
    settings_of,
)
from hookbridge.cli.ending import FINE, NO, program
from hookbridge.cli.samples import DATABASE, FORMATS, PAGE, ChangeType, Sample, body_of
from hookbridge.config import Settings
from hookbridge.errors import ConfigError
from hookbridge.model import Outcome, SourceName
from hookbridge.names import full_name

EPILOG = """
Examples:

  ./scripts/run send supabase   a sample insert of users

  ./scripts/run send supabase --type update --id 42 --data '{"name": "Ada"}'

  ./scripts/run send supabase --format database_webhook --type delete --id 42

  ./scripts/run send notion --format integration --id PAGE --table DATABASE

  ./scripts/run send supabase --body my-event.json --test   not stored

  ./scripts/run send supabase --count 1000 --rate 200       200 a second

Formats: guide and database_webhook of supabase; guide, integration and automation of notion. A sample is a hint like
any other: with credentials the record is read from its source, without them the sample itself is applied.

With --count up to 16 are under way at a time, and the rate that was reached is said.

Exit codes: 0 accepted (with --wait: applied), 1 refused (or not applied, or still open after --timeout), 2 not sent.
"""

WAIT_SECONDS = 30.0

FormatOption = Annotated[str | None, typer.Option("--format", help="How it is worded, see below; guide without it.")]
TypeOption = Annotated[ChangeType | None, typer.Option("--type", help="insert, update or delete; insert without it.")]
TableOption = Annotated[str | None, typer.Option("--table", help="The table, or the id of the Notion database.")]
IdOption = Annotated[str | None, typer.Option("--id", help="The record; with --count the same one every time.")]
DataOption = Annotated[str | None, typer.Option("--data", help="Its columns or properties, a JSON object.")]
BodyOption = Annotated[Path | None, typer.Option("--body", help="Send this file instead of a sample; - is stdin.")]
UnsignedOption = Annotated[bool, typer.Option("--unsigned", help="Without a signature.")]
TestOption = Annotated[bool, typer.Option("--test", help="To the test endpoint: checked, not stored.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait until it is processed, and say how it ended.")]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", min=0.0, help="Seconds to wait at most, with --wait; 30 without it.")
]
CountOption = Annotated[int, typer.Option("--count", min=1, help="So many, each a record of its own.")]
RateOption = Annotated[float | None, typer.Option("--rate", min=0.001, help="At most so many a second.")]


def send(
    source: SourceArgument,
    type_: TypeOption = None,
    format_: FormatOption = None,
    table: TableOption = None,
    id_: IdOption = None,
    data: DataOption = None,
    body: BodyOption = None,
    unsigned: UnsignedOption = False,
    test: TestOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    count: CountOption = 1,
    rate: RateOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Send a sample webhook, or your own, and print what was answered."""
    if body is not None:
        worded = {"--data": data, "--type": type_, "--table": table, "--id": id_}
        refuse_ignored(worded, "it stands in --body already")
    if count > 1 or test:
        refuse_ignored({"--wait": wait}, "only for one event that is stored")
    if not wait:
        refuse_ignored({"--timeout": timeout}, "only with --wait")
    if count == 1:
        refuse_ignored({"--rate": rate}, "only with --count")
    settings = settings_of(config)
    sample = _sample(settings, source, type_ or "insert", format_ or "guide", table, id_, data)
    own = None if body is None else read_input(body)
    with closing(Api.of(settings, url)) as api:
        sign = None if unsigned else _signer(settings, api, sample.format)
        bodies = _bodies(sample, own, count=count, same=id_ is not None)
        posts = (Post(body=one, headers={} if sign is None else sign(one)) for one in bodies)
        path = f"/api/v1/webhooks/test?source={source}" if test else f"/api/v1/webhooks/{source}"
        if count > 1:
            fine = burst.send(api, path, posts, rate, as_json=as_json)
        else:
            seconds = (WAIT_SECONDS if timeout is None else timeout) if wait else None
            fine = _deliver(api, path, next(posts), wait_seconds=seconds, as_json=as_json)
    if sign is None and not unsigned:
        note("It was sent unsigned, because WEBHOOK_SECRET is not set")
    raise typer.Exit(FINE if fine else NO)


def _sample(
    settings: Settings,
    source: SourceName,
    type_: ChangeType,
    format_: str,
    table: str | None,
    id_: str | None,
    data: str | None,
) -> Sample:
    if format_ not in FORMATS[source]:
        raise ConfigError([f"--format: {source} has no {format_!r}"], hint=f"one of {', '.join(FORMATS[source])}")
    sample = Sample(
        source=source,
        format=format_,
        type=type_,
        table=table or ("users" if source == "supabase" else DATABASE),
        id=id_ or PAGE,
        data=None if data is None else _columns(data),
        at="",
        event_id="",
    )
    return _keyed(sample, settings, id_) if source == "supabase" else sample


def _columns(data: str) -> dict[str, msgspec.Raw]:
    """Read columns as they were typed: a number keeps its digits.  Raises ConfigError."""
    try:
        return msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise ConfigError([f"--data: {error}"], hint='a JSON object, such as \'{"name": "Ada"}\'') from None


def _keyed(sample: Sample, settings: Settings, id_: str | None) -> Sample:
    """Give the sample of a row with its table's key columns.  Raises ConfigError for an id of another number."""
    # Knowing a table means knowing the source: no other command shall wait for that.
    from hookbridge.sources.supabase.payloads import normal_id, table_config

    config = settings.config.supabase
    key = table_config(config, config.root(full_name(sample.table))).key
    try:
        normal = normal_id(_numbered(sample, key, 1) if id_ is None else id_, len(key))
    except ValueError as error:
        problem = f"--id: {error}, one for each of {', '.join(key)}"
        raise ConfigError([problem], hint=f"--id {_numbered(sample, key, 1)}") from None
    return msgspec.structs.replace(sample, key=key, id=normal)


def _bodies(sample: Sample, own: bytes | None, *, count: int, same: bool) -> Iterator[bytes]:
    """Word each event when its turn comes: two of the same time and record would be one event."""
    for number in range(1, count + 1):
        if own is not None:
            yield own
            continue
        at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        id_ = sample.id if same or count == 1 else _numbered(sample, sample.key, number)
        yield body_of(msgspec.structs.replace(sample, at=at, id=id_, event_id=str(uuid.uuid4())))


def _numbered(sample: Sample, key: tuple[str, ...], number: int) -> str:
    """Give the id of one of many."""
    if sample.source == "supabase":
        return ",".join([*("1" for _ in key[1:]), str(number)])
    return str(uuid.UUID(int=(4 << 76) | (8 << 60) | number))


def _signer(settings: Settings, api: Api, format_: str) -> Callable[[bytes], dict[str, str]] | None:
    """Give what signs as the senders of a format do, with the newest secret; None where there is none."""
    # Knowing how they sign means knowing the sources: no other command shall wait for that.
    from hookbridge.sources.notion.signature import HEADER
    from hookbridge.sources.signing import headers, hmac_hex

    if format_ == "integration":
        token = _notion_token(settings, api)
        return lambda body: {HEADER: hmac_hex(token, body)}
    secrets = settings.secrets.webhook_secrets
    return (lambda body: headers(secrets[0], body, now=time.time())) if secrets else None


def _notion_token(settings: Settings, api: Api) -> str:
    """Give what Notion signs with: configured, or learnt by the service.  Raises ConfigError where there is none."""
    if settings.secrets.notion_webhook_secrets:
        return settings.secrets.notion_webhook_secrets[0]
    try:
        return api.ask("GET", "/api/v1/notion/verification-token", VerificationToken).verification_token
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND or not error.code:
            raise
    problem = "There is no verification token, with which Notion signs this format"
    hint = "set NOTION_WEBHOOK_SECRET here and for the service, or send it with --unsigned"
    raise ConfigError([problem], hint=hint)


def _deliver(api: Api, path: str, post: Post, *, wait_seconds: float | None, as_json: bool) -> bool:
    answer = api.deliver(path, post.body, post.headers)
    event = answer.headers.get("X-Hookbridge-Event")
    body = _decoded(answer.content)
    if as_json:
        print_json({"status": answer.status_code, "event": event, "answer": body})
    else:
        duplicate = ", known already" if "X-Hookbridge-Duplicate" in answer.headers else ""
        about = f" event {event}{duplicate}" if event else ""
        say(f"{answer.status_code} {answer.reason_phrase}{about}", style="green" if answer.is_success else "red")
        print_pretty(body)
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        note(f"try: {program()} events rejected, which says what was wrong with the signature")
    if wait_seconds is None or not answer.is_success or event is None:
        return answer.is_success
    return _ended(api, event.split(",")[-1], wait_seconds, as_json=as_json)


def _decoded(content: bytes) -> Any:  # noqa: ANN401  any JSON
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        return content.decode(errors="replace")


def _ended(api: Api, event_id: str, wait_seconds: float, *, as_json: bool) -> bool:
    """Wait until the event is settled, and show how it ended."""
    event, why = until_settled(api, event_id, wait_seconds)
    if event.state == "open":
        still = f"still open after {wait_seconds:g} s" + (f": {why}" if why else "")
        if as_json:
            print_json(event)
            note(still)
        else:
            say(still, style="yellow")
    elif as_json:
        print_json(event)
    else:
        verification = f", verification {event.verification}" if event.verification else ""
        reason = f": {event.reason}" if event.reason else ""
        say(f"{event.outcome}{verification}{reason}")
    return event.outcome in {Outcome.APPLIED, Outcome.COALESCED}
