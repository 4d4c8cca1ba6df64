"""What Postgres has no form for is nowhere, and what people are shown of a record has one."""

from collections.abc import Awaitable, Callable

import pytest

from hookbridge.store.postgres import PostgresStore
from hookbridge.store.values import EventFilter, RecordFilter
from tests.support.events import copy, document_of, event, key

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]


@pytest.mark.parametrize("odd", ["\0", "a\0", "\ud800"])
async def test_what_has_no_form_is_nowhere(url: str, opened: Opened, odd: str) -> None:
    store = await opened(url)
    await store.append([event("a")], 1.0)
    await store.put(copy(key("a"), await store.ticket()), document_of(key("a"), "a"), exclusive=False)
    for events in (EventFilter(text=f"a {odd}"), EventFilter(tables=(odd,)), EventFilter(record_ids=(odd,))):
        assert (await store.events(events, before=None, limit=10)).events == ()
    for records in (
        RecordFilter(tables=(odd,)),
        RecordFilter(record_ids=(odd,)),
        RecordFilter(tables=("public.users",), record_ids=(odd,)),
        RecordFilter(state="waiting", text=odd),
        RecordFilter(state="waiting", tables=(odd,)),
        RecordFilter(state="waiting", record_ids=(odd,)),
    ):
        assert (await store.records(records, after=None, limit=10)).records == ()


async def test_a_title_with_a_zero_is_shown_with_a_sign_for_it(url: str, opened: Opened) -> None:
    store = await opened(url)
    read = copy(key(1), await store.ticket(), b'{"name":"a\\u0000b"}', title="a\0b", content="\0")
    await store.put(read, None, exclusive=False)
    kept = await store.copy(key(1))
    assert kept is not None
    assert (kept.data, kept.title, kept.content) == (read.data, "a\N{SYMBOL FOR NULL}b", "\N{SYMBOL FOR NULL}")
