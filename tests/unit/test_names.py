"""What tables and UUIDs are called: one spelling of each, whichever part of the product reads it."""

import tomllib
from contextlib import nullcontext
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookbridge import names
from hookbridge.cli.init import config_text
from hookbridge.cli.samples import Sample, body_of
from hookbridge.config import CacheConfig, CacheKeys, Config, Secrets, SignaturesConfig, SupabaseConfig, SupabaseTable
from hookbridge.errors import InvalidParameter
from hookbridge.handlers import Bridge
from hookbridge.model import Change, RecordKey, SourceName
from hookbridge.settings.checks import check_together
from hookbridge.sources.source import unordered
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.steps.external import RedisKeys
from hookbridge.testing import change

ID = "123e4567-e89b-12d3-a456-426614174abc"
BARE = ID.replace("-", "")
AT = "2026-11-28T10:00:00Z"

TABLES = [
    ("users", "public.users"),
    ("public.users", "public.users"),
    ("crm.users", "crm.users"),
    ("crm.users.2026", "crm.users.2026"),  # a table's name may have dots: the first one ends the schema
]
DATABASES = [(ID, ID), (ID.upper(), ID), (BARE, ID), (BARE.upper(), ID), ("our-tasks", "our-tasks")]
# Almost UUIDs: their dashes stand elsewhere, so they are other names.
DATABASES += [(odd, odd) for odd in ("page-id", ID + "0", "g" * 32, ID[:-1], BARE[:30] + "-" + BARE[30:])]
WRITTEN: list[tuple[SourceName, str, str]] = [
    *[("supabase", *one) for one in TABLES],
    *[("notion", *one) for one in DATABASES],
]

SUPABASE = SupabaseSource(SupabaseConfig(), SignaturesConfig(), Secrets(), unordered)


@pytest.mark.parametrize(("source", "written", "table"), WRITTEN)
def test_a_table_has_one_name_however_it_is_written(source: SourceName, written: str, table: str) -> None:
    assert names.table_of(source, written) == table
    assert names.table_of(source, table) == table


@pytest.mark.parametrize(("source", "written", "table"), WRITTEN)
def test_handlers_tests_and_cache_keys_read_a_table_alike(source: SourceName, written: str, table: str) -> None:
    async def handle(change: Change) -> None: ...

    bridge = Bridge()
    bridge.on(source, table=written)(handle)
    assert bridge.listens(source, table)
    assert bridge.matching(change(source, written)) == [handle]
    keys = RedisKeys(
        CacheConfig(keys=(CacheKeys(source=source, table=written, templates=("a",)),)), "redis://localhost"
    )
    assert keys.listens(source, table)


@pytest.mark.parametrize(("written", "table"), TABLES)
def test_commands_and_source_read_a_table_alike(written: str, table: str) -> None:
    schema, name = names.split(table)
    (block,) = tomllib.loads(config_text([written], []))["supabase"]["tables"]
    assert (block["schema"], block["name"]) == (schema, name)
    assert SupabaseTable(schema=schema, name=name).full_name == table
    assert SUPABASE.table(written) == table


@pytest.mark.parametrize("form", ["guide", "database_webhook"])
@pytest.mark.parametrize(("written", "table"), TABLES)
def test_a_sample_is_of_the_table_that_was_named(form: str, written: str, table: str) -> None:
    sample = Sample(source="supabase", table=written, id="1", format=form, type="update", at=AT, event_id="")
    delivery: Any = SUPABASE.decode({}, body_of(sample))
    assert delivery.events[0].record == RecordKey("supabase", table, "1")


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("users", True),
        ("ein Name\u00a0mit Lücke", True),
        ("a" * 255, True),
        ("", False),
        ("a" * 256, False),
        ("a:b", False),
        ("a\nb", False),
        ("a\x85b", False),
    ],
)
def test_what_can_be_a_name_is_the_same_for_settings_handlers_and_requests(text: str, *, fits: bool) -> None:
    assert names.is_name(text) is fits
    keys = CacheConfig(keys=(CacheKeys(source="supabase", table=text, templates=("a",)),))
    problems: list[str] = []
    check_together(Config(cache=keys), Secrets(redis_url="redis://localhost"), problems)
    assert (not problems) is fits
    with nullcontext() if fits else pytest.raises(InvalidParameter, match="expected 1 to 255 characters"):
        SUPABASE.table(text)
    with nullcontext() if fits else pytest.raises(ValueError, match="expected 1 to 255 characters"):
        Bridge().on("supabase", table=text)


@given(st.uuids())
def test_a_uuid_comes_back_from_each_of_its_forms(uuid: UUID) -> None:
    for written in (str(uuid), str(uuid).upper(), uuid.hex, uuid.hex.upper()):
        assert names.dashed(written) == str(uuid)
    assert names.is_id(str(uuid))
    assert names.is_uuid(str(uuid).upper())


@pytest.mark.parametrize("text", [ID.upper(), BARE, "page-id", "", ID + "0"])
def test_only_the_one_form_is_an_id_that_notion_made(text: str) -> None:
    assert not names.is_id(text)


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("a" * 2_000, "a" * (names.TITLE_CHARACTERS_MAX - 1) + "…"),
        ("two\nlines\r\n\tand \u2028 more", "two lines and more"),
        ("\x1b]0;owned\x07\x1b[31mred\x00\x9b", "]0;owned [31mred"),
        ("\N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET} 7", "\N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET} 7"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467 family", "\U0001f468\u200d\U0001f469\u200d\U0001f467 family"),
        ("half \ud83d of a pair", "half \N{REPLACEMENT CHARACTER} of a pair"),
    ],
)
def test_a_title_is_one_line_of_characters(written: str, title: str) -> None:
    assert names.one_line(written) == title
    assert names.one_line(title) == title
