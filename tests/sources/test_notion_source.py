"""Notion behind the contract of sources: names, credentials, keys of signatures, and what its reads lead to."""

import hashlib
import hmac
import subprocess
import sys
from collections.abc import Mapping

import msgspec
import pytest

from hookbridge.config import NotionConfig, Secrets, SignaturesConfig
from hookbridge.errors import HandshakeRefused, InvalidParameter, InvalidSignature
from hookbridge.model import Change, Content, Effects, RecordKey, Truth
from hookbridge.sources.notion import NotionSource
from hookbridge.sources.source import Delivery, Handshake, Source, unordered
from hookbridge.steps.cache import Cache
from hookbridge.steps.verify import Verify
from hookbridge.text import Fields
from tests.support.events import event, stored
from tests.support.workspace import Tasks, tasks

ID = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
BARE = ID.replace("-", "")
HANDSHAKE = b'{"verification_token":"secret_learnt-of-notion"}'


def make(*, verify: bool = False, learnt: str | None = None, notion_token: str = "", **config: object) -> NotionSource:
    settings = msgspec.convert(config, NotionConfig)
    return NotionSource(
        settings, SignaturesConfig(verify=verify), Secrets(notion_token=notion_token), unordered, learnt
    )


def signed(body: bytes, token: str) -> Mapping[str, str]:
    return {"X-Notion-Signature": "sha256=" + hmac.new(token.encode(), body, hashlib.sha256).hexdigest()}


def test_it_is_a_source() -> None:
    source: Source = make()
    assert (source.name, source.ids_are_global) == ("notion", True)


def test_ids_have_one_form_however_they_are_written() -> None:
    source = make()
    assert source.table(BARE) == source.table(ID.upper()) == ID
    assert source.table("database-id") == "database-id"
    assert source.key(BARE, BARE.upper()) == RecordKey("notion", ID, ID)


@pytest.mark.parametrize(("table", "id_"), [("a:b", ID), ("", ID), (ID, ""), (ID, "a\nb")])
def test_what_cannot_name_a_record_is_refused(table: str, id_: str) -> None:
    with pytest.raises(InvalidParameter):
        make().key(table, id_)


def test_a_table_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        make().table("a:b")


@pytest.mark.parametrize(
    ("token", "doubtful"), [("", False), ("ntn_x", False), ("secret_x", False), ("eyJhbGciOi", True)]
)
async def test_a_token_that_looks_like_something_else_is_doubted(token: str, *, doubtful: bool) -> None:
    source = make(notion_token=token)
    assert source.has_credentials is bool(token)
    assert (source.credential_warning is not None) is doubtful
    assert token == "" or token not in str(source.credential_warning)
    await source.close()


def test_a_learnt_token_verifies_until_it_is_forgotten() -> None:
    source = make(verify=True, handshake="accept")
    assert isinstance(source.decode({}, HANDSHAKE), Handshake)
    source.authenticate({}, HANDSHAKE, 0.0)
    source.learn("secret_learnt-of-notion")
    source.authenticate(signed(b"{}", "secret_learnt-of-notion"), b"{}", 0.0)
    with pytest.raises(HandshakeRefused):
        source.authenticate({}, HANDSHAKE, 0.0)
    source.forget()
    with pytest.raises(InvalidSignature):
        source.authenticate(signed(b"{}", "secret_learnt-of-notion"), b"{}", 0.0)


def test_a_token_of_an_earlier_start_verifies_at_once() -> None:
    source = make(verify=True, learnt="secret_kept")
    source.authenticate(signed(b"{}", "secret_kept"), b"{}", 0.0)
    with pytest.raises(InvalidSignature):
        source.authenticate(signed(b"{}", "secret_other"), b"{}", 0.0)


def test_what_arrives_is_decoded_with_its_columns() -> None:
    body = b'{"event_type":"update","source":"notion","table_name":"db","record_id":"p","data":{"properties":{"A":1}}}'
    delivery = make().decode({}, body)
    assert isinstance(delivery, Delivery)
    assert make().columns_of(delivery.events[0]) == {"properties": {"A": 1}}


@pytest.mark.parametrize("format_", ["guide", "automation", "integration"])
def test_an_event_without_a_body_claims_nothing(format_: str) -> None:
    assert make().columns_of(event(source="notion", format=format_)) is None


@pytest.mark.parametrize(
    ("occurred", "changed", "newer"),
    [
        ("2026-01-01T10:01:00Z", "2026-01-01T10:00:00.000Z", True),
        ("2026-01-01T10:00:59.9Z", "2026-01-01T10:00:00.000Z", False),
        ("2026-01-01T12:00:00+02:00", "2026-01-01T10:00:00.000Z", False),
        ("2026-01-01T09:00:00Z", "2026-01-01T10:00:00.000Z", False),
        (None, "2026-01-01T10:00:00.000Z", False),
        ("2026-01-01T10:01:00Z", None, False),
    ],
)
def test_an_event_is_newer_only_by_whole_minutes(occurred: str | None, changed: str | None, *, newer: bool) -> None:
    hint = stored(1, event(ID, table=ID, source="notion", occurred_at=occurred))
    truth = Truth(record=hint.event.record, data=b"{}", changed_at=changed)
    assert make().newer_than_truth(hint, truth) is newer


def test_a_pages_change_time_is_its_last_edit() -> None:
    source, record = make(), RecordKey("notion", ID, ID)
    assert source.changed_at(record, {"last_edited_time": "2026-01-01T10:00:00.000Z"}) == "2026-01-01T10:00:00.000Z"
    assert source.changed_at(record, {}) is None


def test_the_index_of_a_database_is_its_own_however_its_id_is_written() -> None:
    source = make(databases=[{"id": BARE, "index": ["Status"]}])
    page = {"properties": {"Name": {"title": [{"plain_text": "a"}]}, "Status": {"select": {"name": "b"}}}}
    assert source.fields(RecordKey("notion", ID, ID), page, None) == Fields("", "b")
    assert source.fields(RecordKey("notion", "other", ID), page, None) == Fields("a", "b")
    body = Content(markdown="**c**", truncated=False, edited_at=None)
    assert source.fields(RecordKey("notion", ID, ID), page, body) == Fields("", "b"), "its database asks for none"
    asking = make(databases=[{"id": BARE, "index": ["Status"], "content": True}])
    assert asking.fields(RecordKey("notion", ID, ID), page, body) == Fields("", "b", "c")
    assert asking.fields(RecordKey("notion", "other", ID), page, body) == Fields("a", "b")
    assert source.title(RecordKey("notion", ID, ID), page) == "a", "whatever search finds it by"


async def cached(workspace: Tasks, record: RecordKey) -> Effects:
    hint = stored(1, event(record.id, table=record.table, source="notion"))
    change = Change(record=record, events=(hint,))
    found = await Verify(workspace.source)(change, Effects())
    return await Cache(workspace.source, unordered, None)(change, found)


async def test_the_copy_of_a_page_that_moved_is_of_where_it_lies_and_the_only_one() -> None:
    async with tasks() as workspace:
        record = workspace.page()
        other = workspace.notion.create_database("Other", {"Name": "title"})
        workspace.notion.move_page(record.id, workspace.notion.data_source_ids(other)[0])
        for asked in (record, workspace.key(record.id, other)):
            found = await cached(workspace, asked)
            assert found.copy is not None
            assert (found.copy.record.table, found.copy.data is None, found.exclusive) == (other, False, True)


async def test_a_page_in_the_trash_is_gone_from_every_table() -> None:
    async with tasks() as workspace:
        record = workspace.page()
        workspace.notion.trash(record.id)
        found = await cached(workspace, record)
        assert found.copy is not None
        assert (found.copy.data, found.exclusive) == (None, True)


def test_without_a_token_the_sdk_is_not_even_imported() -> None:
    program = """
import sys
from hookbridge.config import NotionConfig, Secrets, SignaturesConfig
from hookbridge.sources.notion import NotionSource
from hookbridge.sources.source import unordered
NotionSource(NotionConfig(), SignaturesConfig(), Secrets(), unordered, None)
print("notion_client" in sys.modules or "httpx" in sys.modules)
NotionSource(NotionConfig(), SignaturesConfig(), Secrets(notion_token="ntn_x"), unordered, None)
print("notion_client" in sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["False", "True"]
