"""Which table a page belongs to, by what Notion answers and by what senders say."""

from typing import Any

import pytest

from hookbridge.config import NotionConfig, NotionDatabase
from hookbridge.sources.notion.places import LEARNT_MAX, STANDALONE, Hint, Places

DATABASE = "5a000000-0000-4000-8000-00000000000a"
SOURCE = "5a000000-0000-4000-8000-0000000000aa"
SECOND = "5a000000-0000-4000-8000-0000000000ab"
OTHER = "6a000000-0000-4000-8000-00000000000b"
OTHERS = "6a000000-0000-4000-8000-0000000000bb"
WHOLE = {"type": "data_source_id", "data_source_id": SOURCE, "database_id": DATABASE}
OLD = {"type": "database_id", "database_id": DATABASE}
UNLISTED = f"the database {DATABASE} is not listed in [[notion.databases]]"


def places(*listed: str, readable: bool = True, **config: Any) -> Places:  # noqa: ANN401  as the fields are
    databases = tuple(NotionDatabase(id=one) for one in listed)
    return Places(NotionConfig(databases=databases, **config), readable=readable)


# What Notion answers


@pytest.mark.parametrize("asked", [DATABASE, SOURCE, OTHER, "our-tasks", STANDALONE])
@pytest.mark.parametrize(
    ("listed", "table"), [((), DATABASE), ((SOURCE,), SOURCE), ((DATABASE,), DATABASE), ((OTHER, SOURCE), SOURCE)]
)
def test_a_page_has_one_name_whatever_it_was_asked_for_as(asked: str, listed: tuple[str, ...], table: str) -> None:
    assert places(*listed).name(asked, WHOLE) == table


@pytest.mark.parametrize("asked", [SOURCE, DATABASE.replace("-", "").upper(), "our-tasks"])
def test_the_listed_id_names_a_page_however_it_is_written(asked: str) -> None:
    bare = {name: value.replace("-", "").upper() if "id" in name else value for name, value in WHOLE.items()}
    assert places(SOURCE.replace("-", "").upper()).name(asked, bare) == SOURCE


@pytest.mark.parametrize(
    ("parent", "table"),
    [
        ({"type": "page_id", "page_id": DATABASE}, STANDALONE),
        ({"type": "block_id", "block_id": DATABASE}, STANDALONE),
        ({"type": "workspace", "workspace": True}, STANDALONE),
        (OLD, DATABASE),
        (None, SOURCE),
        ({"type": "database_id", "database_id": "a:b"}, SOURCE),
        ({"type": ["database_id"], "database_id": 7}, STANDALONE),
    ],
)
def test_a_page_lies_where_its_parent_is(parent: object, table: str) -> None:
    assert places(standalone_pages="accept").name(SOURCE, parent) == table


@pytest.mark.parametrize(
    ("asked", "parent", "table"),
    [
        (SOURCE, {"type": "page_id", "page_id": OTHER}, None),
        (SOURCE, {"type": "data_source_id", "data_source_id": OTHERS, "database_id": OTHER}, None),
        (SOURCE, {"type": "data_source_id", "data_source_id": SECOND, "database_id": DATABASE}, None),
        (OTHERS, {"type": "data_source_id", "data_source_id": OTHERS, "database_id": OTHER}, OTHER),
        (STANDALONE, {"type": "page_id", "page_id": OTHER}, STANDALONE),
        ("our-tasks", {"type": "page_id", "page_id": OTHER}, STANDALONE),
    ],
)
def test_what_lies_where_nothing_is_followed_is_given_only_to_who_asks_for_it(
    asked: str, parent: object, table: str | None
) -> None:
    assert places(SOURCE, unlisted_databases="ignore").name(asked, parent) == table


# What senders say


@pytest.mark.parametrize(
    "parent",
    [
        {"id": DATABASE, "data_source_id": SOURCE},
        {"id": DATABASE, "type": "database", "data_source_id": SOURCE},
        {"id": SOURCE, "type": "data_source"},
        WHOLE,
        {"type": "data_source_id", "data_source_id": SOURCE},
        {"id": SOURCE},
    ],
)
@pytest.mark.parametrize("unlisted", ["accept", "ignore"])
def test_a_parent_that_names_the_listed_id_is_exact(parent: dict[str, Any], unlisted: str) -> None:
    assert places(SOURCE, unlisted_databases=unlisted).hint(parent) == Hint(table=SOURCE, exact=True)


@pytest.mark.parametrize("parent", [{"id": DATABASE, "type": "database"}, OLD, {"id": DATABASE}])
@pytest.mark.parametrize("unlisted", ["accept", "ignore"])
def test_the_database_of_a_listed_data_source_is_understood_once_an_answer_has_shown_it(
    parent: dict[str, Any], unlisted: str
) -> None:
    known = places(OTHER, SOURCE, unlisted_databases=unlisted)
    known.name(SOURCE, WHOLE)
    assert known.hint(parent) == Hint(table=SOURCE, exact=False)
    assert known.hint_of(DATABASE) == Hint(table=SOURCE, exact=False)


def test_a_data_source_of_a_listed_database_is_understood_likewise() -> None:
    known = places(DATABASE, unlisted_databases="ignore")
    known.learn(SECOND, DATABASE)
    parent = {"type": "data_source_id", "data_source_id": SECOND}
    assert known.hint(parent) == known.hint_of(SECOND) == Hint(table=DATABASE, exact=True)


@pytest.mark.parametrize("parent", [{"id": DATABASE, "type": "database"}, OLD])
def test_what_may_be_listed_is_read_and_not_ignored_until_it_is_known(parent: dict[str, Any]) -> None:
    known = places(SOURCE, unlisted_databases="ignore")
    assert known.hint(parent) == Hint(table=SOURCE, exact=False)
    known.learn(SOURCE, OTHER)
    assert known.hint(parent).ignored == UNLISTED


def test_of_a_data_source_it_is_asked_as_well_where_it_lies() -> None:
    known = places(OTHER, unlisted_databases="ignore")
    parent = {"type": "data_source_id", "data_source_id": SOURCE}
    assert known.hint(parent) == Hint(table=OTHER, exact=False)
    known.learn(SOURCE, DATABASE)
    assert known.hint(parent) == Hint(table=DATABASE, exact=False, ignored=UNLISTED)


@pytest.mark.parametrize("parent", [WHOLE, OLD])
def test_without_credentials_only_the_listed_id_itself_is_known(parent: dict[str, Any]) -> None:
    assert places(OTHER, readable=False, unlisted_databases="ignore").hint(parent).ignored == UNLISTED


def test_a_senders_own_name_is_a_name_and_ignored_where_only_listed_ones_count() -> None:
    assert places(SOURCE).hint_of("our-tasks") == Hint(table="our-tasks", exact=False)
    assert places(SOURCE, unlisted_databases="ignore").hint_of("our-tasks").ignored is not None


@pytest.mark.parametrize(
    ("parent", "ignored"),
    [
        ({"id": OTHER, "type": "page"}, "the page lies in no database"),
        ({"id": OTHER, "type": "space"}, "the page lies in no database"),
        (None, "the event names no database of the page"),
        ({}, "the event names no database of the page"),
        ({"type": "database"}, "the event names no database of the page"),
        ({"id": OTHER}, "the event names no database of the page"),
    ],
)
def test_an_event_without_a_database_is_ignored_unless_such_pages_are_wanted(
    parent: dict[str, Any] | None, ignored: str
) -> None:
    assert places(SOURCE).hint(parent) == Hint(table=STANDALONE, exact=False, ignored=ignored)
    assert places(SOURCE, standalone_pages="accept").hint(parent) == Hint(table=STANDALONE, exact=False)


def test_what_was_learnt_is_bounded_and_what_is_listed_is_not_forgotten() -> None:
    known = places(SOURCE)
    known.learn(SOURCE, DATABASE)
    for number in range(3 * LEARNT_MAX):
        known.learn(f"5a000000-0000-4000-9000-{number:012}", OTHER)
    assert known.database_of(SOURCE) == DATABASE
    remembered = [known.database_of(f"5a000000-0000-4000-9000-{number:012}") for number in range(3 * LEARNT_MAX)]
    assert len([one for one in remembered if one is not None]) <= LEARNT_MAX
