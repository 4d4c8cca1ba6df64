"""The steps: what verification concludes, what is written, which words, which keys, which handlers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from hookbridge.config import HandlersConfig
from hookbridge.errors import CacheUnavailable, HandlerFailed, SourceUnavailable
from hookbridge.handlers import Bridge
from hookbridge.model import Change, Columns, Copy, Document, Effects, RecordKey, SourceName, Truth, Verification
from hookbridge.sources import carrying
from hookbridge.sources.source import Source
from hookbridge.steps.cache import Cache
from hookbridge.steps.handlers import Handlers
from hookbridge.steps.index import Index
from hookbridge.steps.verify import Verify
from tests.support.events import USERS, copy, event, key, stored
from tests.support.tables import TableSource

ADA = {"id": 1, "name": "Ada", "at": "2026-01-02"}


async def eight() -> int:
    """A ticket."""
    return 8


def change(type_: str = "update", claims: Columns | None = None, previous: Copy | None = None) -> Change:
    """One event that claims these columns."""
    body = b"" if claims is None else msgspec.json.encode(claims)
    return Change(record=key(1), events=(stored(1, event(1, type=type_, body=body)),), copy=previous)


def table(row: Columns | None = None, *, has_credentials: bool = True, ids_are_global: bool = False) -> TableSource:
    source = TableSource(has_credentials=has_credentials, ids_are_global=ids_are_global)
    if row is not None:
        source.rows[key(1)] = row
    return source


# data_verification


@pytest.mark.parametrize(
    ("row", "type_", "claims", "verdict"),
    [
        (ADA, "insert", ADA, "verified"),
        (ADA, "update", {"name": "Ada"}, "verified"),
        (ADA, "update", None, "verified"),  # the event claims nothing
        (ADA, "update", {}, "verified"),
        (ADA, "update", {"name": "Old", "at": "2026-01-01"}, "superseded"),
        (ADA, "update", {"name": "Old"}, "superseded"),  # nothing tells which is newer
        (ADA, "update", {"name": "Forged", "at": "2999-01-01"}, "contradicted"),
        (ADA, "delete", ADA, "contradicted"),
        (ADA, "delete", None, "contradicted"),
        (ADA, "delete", {"id": 1, "name": "Old"}, "superseded"),  # it was deleted, and inserted again with another name
        (None, "delete", ADA, "absent"),
        (None, "update", ADA, "absent"),
        (None, "insert", None, "absent"),
    ],
)
async def test_whatever_the_verdict_what_goes_on_is_the_truth(
    row: Columns | None, type_: str, claims: Columns | None, verdict: str
) -> None:
    found = await Verify(table(row))(change(type_, claims), Effects())
    assert (found.verification, found.columns) == (Verification(verdict), row)
    assert found.truth is not None
    assert found.truth.data == (None if row is None else msgspec.json.encode(row))


@pytest.mark.parametrize(
    ("before", "occurred_at", "verdict"),
    [
        (("insert", ADA), None, "superseded"),  # the insertion overtook the deletion
        (("insert", {"name": "Old"}), None, "contradicted"),
        (("delete", ADA), None, "contradicted"),
        (None, "2025-12-31T23:59:59Z", "superseded"),
        (None, "2026-01-01T00:00:00Z", "contradicted"),
        (None, "2026-01-02T00:00:00Z", "contradicted"),
        (None, "yesterday", "contradicted"),
    ],
)
async def test_a_deletion_of_a_record_that_was_inserted_again_is_superseded(
    before: tuple[str, Columns] | None, occurred_at: str | None, verdict: str
) -> None:
    class Dated(TableSource):
        async def read(self, record: RecordKey) -> Truth:
            return msgspec.structs.replace(await super().read(record), changed_at="2026-01-01T00:00:00Z")

    source = Dated(has_credentials=True)
    source.rows[key(1)] = ADA
    events = [] if before is None else [stored(1, event(1, type=before[0], body=msgspec.json.encode(before[1])))]
    events.append(stored(2, event(1, type="delete", occurred_at=occurred_at)))
    found = await Verify(source)(Change(record=key(1), events=tuple(events)), Effects())
    assert found.verification == Verification(verdict)


@pytest.mark.parametrize(
    ("type_", "claims", "columns"), [("insert", ADA, ADA), ("update", None, None), ("delete", ADA, None)]
)
async def test_without_credentials_the_events_own_data_is_taken_and_nothing_is_read(
    type_: str, claims: Columns | None, columns: Columns | None
) -> None:
    source = table({"id": 1, "name": "not to be seen"}, has_credentials=False)
    found = await Verify(source)(change(type_, claims), Effects())
    assert (found.verification, found.columns, found.truth) == (Verification.SKIPPED, columns, None)
    assert source.reads == 0


@pytest.mark.parametrize("with_a_webhook", [False, True])
async def test_without_credentials_what_the_reconciler_had_read_before_is_still_taken(with_a_webhook: bool) -> None:  # noqa: FBT001
    data = msgspec.json.encode(ADA)
    truth = Truth(record=key(1), data=data, fingerprint=data, ticket=7)
    found = event(1, format=carrying.FORMAT, origin="poll", body=carrying.body_of(truth))
    before = [stored(1, event(1, body=b'{"name":"Old"}'))] if with_a_webhook else []
    both = Change(record=key(1), events=(*before, stored(2, found)))
    effects = await Verify(table(has_credentials=False), clock=lambda: 1.0)(both, Effects())
    assert effects.columns == ADA
    assert (effects.truth is None) is with_a_webhook  # which may be later than that reading


async def test_only_the_newest_event_is_judged() -> None:
    old, new = event(1, body=b'{"name":"Old"}'), event(1, body=b'{"name":"Ada"}')
    both = Change(record=key(1), events=(stored(1, old), stored(2, new)))
    assert (await Verify(table(ADA))(both, Effects())).verification is Verification.VERIFIED
    skipped = await Verify(table(has_credentials=False))(both, Effects())
    assert skipped.columns == {"name": "Ada"}


OLD, NEW = "2020-01-01T10:00:00.5+00:00", "2020-01-01T10:00:07.5+00:00"


@pytest.mark.parametrize(
    ("event_at", "copy_at", "kept"),
    [
        ({"occurred_at": OLD}, {"occurred_at": NEW}, True),
        ({"occurred_at": NEW}, {"occurred_at": OLD}, False),
        ({"occurred_at": OLD}, {"occurred_at": OLD}, False),
        ({"occurred_at": "2020-01-01T11:00:05+01:00"}, {"occurred_at": NEW}, True),
        ({"body": b'{"id":1,"at":"2020-01-01T10:00:00.5Z"}'}, {"changed_at": NEW}, True),
        ({"body": b'{"id":1,"at":"2020-01-02"}'}, {"changed_at": NEW}, False),
        ({"occurred_at": OLD}, {"changed_at": NEW}, False),  # two clocks
        ({"occurred_at": "yesterday"}, {"occurred_at": NEW}, False),
        ({"occurred_at": "2020-01-01T10:00:00Z"}, {"occurred_at": NEW}, True),
        ({"occurred_at": "2020-01-01T09:59:00Z"}, {"occurred_at": NEW}, True),
        ({"occurred_at": NEW}, {"occurred_at": "2999-01-01T00:00:00.5Z"}, False),  # nobody believes that
        ({"type": "delete", "occurred_at": OLD}, {"occurred_at": NEW}, True),
        ({}, {}, False),
    ],
)
async def test_without_credentials_an_event_from_before_the_copy_leaves_it_as_it_is(
    event_at: dict[str, Any], copy_at: dict[str, str], *, kept: bool
) -> None:
    source = table(has_credentials=False)
    old = stored(1, event(1, **{"body": b'{"id":1}', **event_at}))
    known = copy(key(1), 7, b'{"id":1,"name":"Ada"}', **copy_at)
    found = await Verify(source)(Change(record=key(1), events=(old,), copy=known), Effects())
    written = (await Cache(source, eight, None)(Change(record=key(1), events=(old,), copy=known), found)).copy
    if kept:
        assert (found.verification, found.columns) == (Verification.SUPERSEDED, {"id": 1, "name": "Ada"})
        assert written is None
    else:
        assert found.verification is Verification.SKIPPED
        assert written is not None
        assert written.occurred_at == event_at.get("occurred_at")


@pytest.mark.parametrize(("minute", "verdict"), [("10:00", Verification.SKIPPED), ("09:59", Verification.SUPERSEDED)])
async def test_whole_minutes_are_compared_as_such_where_the_source_has_no_others(
    minute: str, verdict: Verification
) -> None:
    source = table(has_credentials=False)
    source.times_are_minutes = True
    hint = stored(1, event(1, body=b'{"id":1}', occurred_at=f"2020-01-01T{minute}:00Z"))
    known = copy(key(1), 7, b'{"id":1,"name":"Ada"}', occurred_at=NEW)
    found = await Verify(source)(Change(record=key(1), events=(hint,), copy=known), Effects())
    assert found.verification is verdict


async def test_without_credentials_the_event_that_happened_last_counts_whatever_the_order_of_arrival() -> None:
    new = stored(1, event(1, body=b'{"name":"New"}', occurred_at=NEW))
    old = stored(2, event(1, body=b'{"name":"Old"}', occurred_at=OLD))
    found = await Verify(table(has_credentials=False))(Change(record=key(1), events=(new, old)), Effects())
    assert (found.columns, found.occurred_at) == ({"name": "New"}, NEW)


async def test_what_the_reconciler_read_a_moment_ago_is_not_read_again_and_what_waited_is() -> None:
    source = table(ADA)
    read = await source.read(key(1))
    found = event(1, format=carrying.FORMAT, origin="poll", body=carrying.body_of(read))
    one = Change(record=key(1), events=(stored(1, found, received_at=1_000.0),))
    assert (await Verify(source, clock=lambda: 1_000.0)(one, Effects())).truth == read
    assert source.reads == 1
    source.rows.clear()
    later = await Verify(source, clock=lambda: 1_000.0 + 3_600.0)(one, Effects())
    assert (later.verification, source.reads) == (Verification.ABSENT, 2)


async def test_a_source_that_cannot_be_read_is_not_hidden() -> None:
    source = table(ADA)
    source.failure = SourceUnavailable("down")
    with pytest.raises(SourceUnavailable):
        await Verify(source)(change(), Effects())


# cache_invalidation


class ListedKeys:
    """The user's cache as a list of what was deleted: the contract's own seam."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.versions: list[Columns] = []
        self.deleted: list[str] = []
        self._failure = failure

    def listens(self, source: SourceName, table: str) -> bool:
        return (source, table) == ("supabase", USERS)

    def keys(self, change: Change, versions: Sequence[Columns]) -> list[str]:
        self.versions = list(versions)
        return [f"name:{one['name']}" for one in versions]

    async def delete(self, keys: Sequence[str]) -> None:
        if self._failure is not None:
            raise self._failure
        self.deleted += keys


async def cached(source: Source, what: Change, found: Effects, external: ListedKeys | None = None) -> Copy:
    result = await Cache(source, eight, external, clock=lambda: 50.0)(what, found)
    assert result.copy is not None
    assert result.exclusive is source.ids_are_global
    return result.copy


async def test_a_verified_copy_is_the_truth_with_the_ticket_of_its_read() -> None:
    source = table(ADA)
    found = await Verify(source)(change(claims={"name": "Forged"}), Effects())
    assert found.truth is not None
    written = await cached(source, change(), found)
    assert written == Copy(
        record=key(1),
        data=found.truth.data,
        changed_at="2026-01-02",
        fingerprint=source.fingerprint(ADA),
        ticket=found.truth.ticket,
        read_at=50.0,
        title="Ada",
    )
    assert written.verified


async def test_a_record_that_the_source_does_not_have_leaves_an_absence() -> None:
    source = table(ids_are_global=True)
    found = await Verify(source)(change(), Effects())
    written = await cached(source, change(), found)
    assert (written.data, written.verified) == (None, True)


async def test_an_unverified_copy_says_so_and_has_a_ticket_of_its_own() -> None:
    source = table(has_credentials=False)
    found = await Verify(source)(change(claims=ADA), Effects())
    written = await cached(source, change(), found)
    assert written.data is not None
    assert msgspec.json.decode(written.data) == ADA
    assert (written.changed_at, written.ticket, written.verified) == ("2026-01-02", 8, False)


async def test_an_event_without_data_and_without_a_source_to_ask_leaves_us_knowing_nothing() -> None:
    source = table(has_credentials=False)
    found = await Verify(source)(change(claims=None), Effects())
    written = await cached(source, change(), found)
    assert (written.data, written.verified) == (None, False)


async def test_the_keys_of_the_record_before_and_after_the_change_are_deleted() -> None:
    before = copy(key(1), 1, b'{"name":"Before"}')
    external = ListedKeys()
    await cached(table(ADA), change(previous=before), Effects(columns=ADA), external)
    assert external.deleted == ["name:Before", "name:Ada"]
    await cached(table(), change("delete", previous=before), Effects(), external)
    assert external.deleted == ["name:Before", "name:Ada", "name:Before"]


async def test_a_change_without_keys_does_not_ask_the_users_cache() -> None:
    external = ListedKeys(CacheUnavailable("gone"))
    await cached(table(), change(previous=copy(key(1), 1, None)), Effects(), external)
    assert external.versions == []


async def test_a_cache_that_cannot_be_reached_is_not_hidden() -> None:
    with pytest.raises(CacheUnavailable):
        await cached(table(ADA), change(), Effects(columns=ADA), ListedKeys(CacheUnavailable("gone")))


# index_update


@pytest.mark.parametrize(
    ("now", "title", "properties"),
    [({"name": "Ada", "of": "Św. Anna"}, "ada", "sw anna"), ({"name": "", "b": ""}, "", ""), (None, "", "")],
)
async def test_the_words_are_those_of_the_record_as_it_is_now(now: Columns | None, title: str, properties: str) -> None:
    previous = copy(key(1), 1, b'{"name":"Ada"}')  # what the claim brought, and the index may no longer have
    found = await Index(table())(change(previous=previous), Effects(columns=now))
    assert found.document == Document(key(1), title, properties)


# handlers


def handlers(*functions: Callable[[Change], Awaitable[None]], **config: float) -> Handlers:
    bridge = Bridge()
    for function in functions:
        bridge.on("supabase", table="users")(function)
    return Handlers(bridge, msgspec.convert(config, HandlersConfig))


async def test_handlers_are_given_the_truth_the_verdict_and_the_copy_before_in_their_order() -> None:
    seen: list[tuple[str, Change]] = []

    async def first(what: Change) -> None:
        seen.append(("first", what))

    async def second(what: Change) -> None:
        seen.append(("second", what))

    previous = copy(key(1), 1, b'{"name":"Before"}')
    given = replace(change(previous=previous), attempt=2)
    truth = Truth(record=key(1), data=b"{}")
    so_far = Effects(truth=truth, verification=Verification.VERIFIED, columns=ADA, steps=("data_verification",))
    assert await handlers(first, second)(given, so_far) is so_far
    assert [name for name, _ in seen] == ["first", "second"]
    what = seen[0][1]
    assert (what.truth, what.verification, what.columns) == (truth, Verification.VERIFIED, ADA)
    assert (what.previous, what.copy, what.attempt, what.events) == ({"name": "Before"}, previous, 2, given.events)


async def test_a_handler_of_another_table_is_not_called() -> None:
    async def never(_what: Change) -> None:
        raise AssertionError

    elsewhere = event(1, table="public.orders")
    await handlers(never)(Change(record=elsewhere.record, events=(stored(1, elsewhere),)), Effects())


async def test_what_a_handler_raises_is_the_changes_failure_and_the_next_one_is_not_called() -> None:
    called = []

    async def fails(_what: Change) -> None:
        called.append("fails")
        raise KeyError("mine")

    async def never(_what: Change) -> None:
        called.append("never")

    with pytest.raises(HandlerFailed, match=r"fails \(test_steps\.py:\d+\): KeyError: 'mine'$"):
        await handlers(fails, never)(change(), Effects())
    assert called == ["fails"]


async def test_a_handler_that_takes_too_long_fails_with_a_timeout_and_is_cancelled() -> None:
    ended = []

    async def hangs(_what: Change) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(
        HandlerFailed, match=r"hangs \(test_steps\.py:\d+\): TimeoutError: it did not end within 0\.01 s"
    ):
        await handlers(hangs, timeout_seconds=0.01)(change(), Effects())
    assert ended == [True]


async def test_no_more_handlers_run_at_once_than_configured() -> None:
    running, most = 0, 0
    gate = asyncio.Event()

    async def counts(_what: Change) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            gate.set()
        await gate.wait()
        running -= 1

    step = handlers(counts, concurrency=2)
    await asyncio.gather(*[step(change(), Effects()) for _ in range(10)])
    assert most == 2


# A record that lies in another table than the event says (ids are global)

NAMED, LAY, LIES = (key("p", table=table, source="notion") for table in ("named", "lay", "lies"))


def _of_page(*, before: RecordKey | None = None) -> Change:
    hint = event("p", table="named", source="notion")
    previous = None if before is None else copy(before, 1, b'{"name":"Before"}')
    return Change(record=NAMED, events=(stored(1, hint),), copy=previous)


def _read(record: RecordKey, data: bytes | None = b"{}") -> Effects:
    columns = None if data is None else ADA
    verdict = Verification.ABSENT if data is None else Verification.VERIFIED
    return Effects(truth=Truth(record=record, data=data), verification=verdict, columns=columns)


@pytest.mark.parametrize(
    ("before", "read", "told"),
    [
        (None, _read(LIES), [(LIES, True)]),
        (LIES, _read(LIES), [(LIES, True)]),
        (LAY, _read(LIES), [(LAY, False), (LIES, True)]),
        (NAMED, _read(LIES), [(NAMED, False), (LIES, True)]),
        (LAY, _read(NAMED, None), [(LAY, False)]),
        (None, _read(NAMED, None), [(NAMED, False)]),
    ],
    ids=["new", "only named otherwise", "moved", "moved from where it is named", "gone", "gone and never known"],
)
async def test_handlers_are_told_of_a_record_where_it_lies_and_of_its_absence_where_it_lay(
    before: RecordKey | None, read: Effects, told: list[tuple[RecordKey, bool]]
) -> None:
    seen: list[tuple[RecordKey, bool]] = []
    bridge = Bridge()
    for table in ("named", "lay", "lies"):

        async def handler(what: Change) -> None:
            seen.append((what.record, what.columns is not None))

        bridge.on("notion", table=table)(handler)
    await Handlers(bridge, HandlersConfig())(_of_page(before=before), read)
    assert seen == told


async def test_keys_of_a_record_are_deleted_in_each_table_in_which_it_is_known() -> None:
    deleted: list[str] = []

    class Keys:
        def listens(self, source: SourceName, table: str) -> bool:
            return source == "notion" and table != "another"

        def keys(self, change: Change, versions: Sequence[Columns]) -> list[str]:
            return ["one for all", *(f"{change.record.table}:{one['name']}" for one in versions)]

        async def delete(self, keys: Sequence[str]) -> None:
            deleted.extend(keys)

    await Cache(TableSource(ids_are_global=True), eight, Keys())(_of_page(before=LAY), _read(LIES))
    assert deleted == [
        "one for all",
        *("named:Before", "named:Ada", "lay:Before", "lay:Ada", "lies:Before", "lies:Ada"),
    ]


@pytest.mark.parametrize(
    ("format_", "lies", "verdict"),
    [
        (carrying.FORMAT, LIES, Verification.VERIFIED),
        (carrying.FORMAT, NAMED, Verification.CONTRADICTED),
        ("native", LIES, Verification.CONTRADICTED),
    ],
)
async def test_that_a_listing_does_not_show_a_record_any_more_is_true_of_one_that_moved(
    format_: str, lies: RecordKey, verdict: Verification
) -> None:
    class Elsewhere(TableSource):
        async def read(self, record: RecordKey) -> Truth:
            return Truth(record=lies, data=b"{}", ticket=5)

    gone = event("p", table="named", source="notion", type="delete", format=format_, origin="sweep")
    found = await Verify(Elsewhere())(Change(record=NAMED, events=(stored(1, gone),)), Effects())
    assert found.verification is verdict
