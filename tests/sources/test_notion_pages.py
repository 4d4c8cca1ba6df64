"""What pages say: what is content, what agrees, what search finds."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hookbridge.model import Columns
from hookbridge.sources.notion.agreement import agree
from hookbridge.sources.notion.pages import fingerprint, is_gone
from hookbridge.sources.notion.words import SPEAKING, fields
from hookbridge.text import WORDS_MAX

ID = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
OTHER = "7855b161-f63e-4683-b7c7-8ca6e97ee266"
SIGNED = "https://files.example/{}/plan.pdf?X-Amz-Signature={}"


def rich(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": {"content": text}, "annotations": {"bold": True}, "plain_text": text}]


def file(name: str, signature: str) -> dict[str, Any]:
    return {"url": SIGNED.format(name, signature), "expiry_time": f"2026-01-01T1{signature}:00:00.000Z"}


PROPERTIES: Columns = {
    "Name": {"id": "title", "type": "title", "title": rich("Project Alpha")},
    "Notes": {"id": "a", "type": "rich_text", "rich_text": [*rich("two "), *rich("spans")]},
    "Status": {"id": "b", "type": "select", "select": {"id": "s", "name": "In Progress", "color": "blue"}},
    "State": {"id": "b2", "type": "status", "status": {"id": "s", "name": "Doing", "color": "blue"}},
    "Tags": {"id": "c", "type": "multi_select", "multi_select": [{"id": "1", "name": "x"}, {"id": "2", "name": "y"}]},
    "Points": {"id": "d", "type": "number", "number": 3.5},
    "Done": {"id": "e", "type": "checkbox", "checkbox": True},
    "Due": {"id": "f", "type": "date", "date": {"start": "2026-01-01T10:00:00.000+01:00", "end": None}},
    "Who": {"id": "g", "type": "people", "people": [{"object": "user", "id": ID, "name": "Ada"}]},
    "Linked": {"id": "h", "type": "relation", "relation": [{"id": ID}, {"id": OTHER}], "has_more": False},
    "Mail": {"id": "i", "type": "email", "email": "ada@example.com"},
    "Phone": {"id": "j", "type": "phone_number", "phone_number": "+44 1"},
    "Site": {"id": "k", "type": "url", "url": "https://example.com"},
    "Plans": {"id": "l", "type": "files", "files": [{"name": "plan.pdf", "type": "file", "file": file("p", "1")}]},
    "Sum": {"id": "m", "type": "formula", "formula": {"type": "string", "string": "computed"}},
    "All": {
        "id": "n",
        "type": "rollup",
        "rollup": {"type": "array", "array": [{"type": "title", "title": rich("up")}]},
    },
    "No": {"id": "o", "type": "unique_id", "unique_id": {"prefix": "TASK", "number": 7}},
    "Edited": {"id": "p", "type": "last_edited_time", "last_edited_time": "2026-01-01T10:00:00.000Z"},
    "Empty": {"id": "q", "type": "select", "select": None},
}
PAGE: Columns = {
    "object": "page",
    "id": ID,
    "last_edited_time": "2026-01-01T10:00:00.000Z",
    "last_edited_by": {"object": "user", "id": ID},
    "icon": {"type": "file", "file": file("icon", "1")},
    "cover": None,
    "parent": {"type": "data_source_id", "data_source_id": OTHER, "database_id": ID},
    "in_trash": False,
    "archived": False,
    "properties": PROPERTIES,
    "url": "https://app.notion.com/p/Project-Alpha-a1b2",
}


def with_property(name: str, value: object) -> Columns:
    return {**PAGE, "properties": {**PROPERTIES, name: value}}


def test_a_page_is_gone_when_either_word_says_so() -> None:
    assert [is_gone(page) for page in ({"in_trash": True}, {"archived": True}, {"in_trash": False}, {})] == [
        True,
        True,
        False,
        False,
    ]


# Fingerprints


@pytest.mark.parametrize(
    "same",
    [
        {**PAGE, "request_id": "other"},
        {**PAGE, "last_edited_time": "2026-02-01T10:00:00.000Z", "last_edited_by": {"object": "user", "id": OTHER}},
        {name: value for name, value in PAGE.items() if name != "archived"},
        {**PAGE, "icon": {"type": "file", "file": file("icon", "2")}},
        {**PAGE, "url": "https://www.notion.so/Project-Alpha-a1b2"},
        dict(reversed(PAGE.items())),
        with_property("Points", {"id": "d", "type": "number", "number": Decimal("3.50")}),
        with_property("Edited", {"id": "p", "type": "last_edited_time", "last_edited_time": "2026-02-01T10:00:00Z"}),
        with_property(
            "Plans",
            {"id": "l", "type": "files", "files": [{"name": "plan.pdf", "type": "file", "file": file("p", "2")}]},
        ),
    ],
    ids=["answer", "edit", "no archived", "signed icon", "host", "order", "number", "edited", "signed file"],
)
def test_what_is_no_content_leaves_the_fingerprint_alone(same: Columns) -> None:
    assert fingerprint(same) == fingerprint(PAGE)


@pytest.mark.parametrize(
    "changed",
    [
        {**PAGE, "in_trash": True},
        {**PAGE, "icon": {"type": "file", "file": file("other", "1")}},
        {**PAGE, "icon": {"type": "external", "external": {"url": "https://a.example/?1"}}},
        {**PAGE, "parent": {"type": "data_source_id", "data_source_id": ID, "database_id": ID}},
        with_property("Points", {"id": "d", "type": "number", "number": 3}),
        with_property("Done", {"id": "e", "type": "checkbox", "checkbox": False}),
        with_property("Sum", {"id": "m", "type": "formula", "formula": {"type": "string", "string": "else"}}),
        with_property("Site", {"id": "k", "type": "url", "url": "https://example.com?1"}),
        with_property("Odd", {"id": "k", "type": ["a", "list"]}),
    ],
    ids=["trash", "icon", "external icon", "parent", "number", "checkbox", "formula", "url", "no type"],
)
def test_what_is_content_changes_the_fingerprint(changed: Columns) -> None:
    assert fingerprint(changed) != fingerprint(PAGE)
    assert len(fingerprint(changed)) == 16


def test_a_checkbox_is_not_a_number() -> None:
    one = with_property("Done", {"type": "checkbox", "checkbox": True})
    other = with_property("Done", {"type": "checkbox", "checkbox": 1})
    assert fingerprint(one) != fingerprint(other)


# Agreement


def test_a_page_agrees_with_itself() -> None:
    assert agree(PAGE, PAGE)


AGREED: dict[str, dict[str, Any]] = {
    "the guide's title": {"Name": {"type": "title", "title": [{"plain_text": "Project Alpha"}]}},
    "the guide's select": {"Status": {"type": "select", "select": {"name": "In Progress"}}},
    "nothing": {},
    "text cut in other spans": {"Notes": {"rich_text": [{"plain_text": "two spans"}]}},
    "text as it is written": {"Notes": {"rich_text": [{"text": {"content": "two spans"}}]}},
    "a plain value": {"Name": "Project Alpha", "Points": 3.5, "Done": True, "Status": "In Progress"},
    "a status": {"State": {"status": {"name": "Doing"}}},
    "options in another order": {"Tags": {"multi_select": [{"name": "y"}, {"name": "x"}]}},
    "a decimal": {"Points": {"number": Decimal("3.50")}},
    "the instant in another zone": {"Due": {"date": {"start": "2026-01-01T09:00:00Z"}}},
    "people by their id": {"Who": {"people": [{"id": ID.replace("-", "")}]}},
    "relations in another order": {"Linked": {"relation": [{"id": OTHER}, {"id": ID}]}},
    "a relation that was cut": {"Linked": {"relation": [{"id": ID}], "has_more": True}},
    "a file signed anew": {"Plans": {"files": [{"name": "plan.pdf", "file": file("p", "9")}]}},
    "no value": {"Name": {"id": "title", "type": "title"}},
    "an empty select": {"Empty": {"type": "select", "select": None}},
    "a part of a formula": {"Sum": {"type": "formula", "formula": {"string": "computed"}}},
    "an edit time": {"Edited": {"last_edited_time": "2026-01-01T11:00:00+01:00"}},
    "a unique id": {"No": {"unique_id": {"number": Decimal(7)}}},
}

DISPUTED: dict[str, dict[str, Any]] = {
    "another title": {"Name": {"type": "title", "title": [{"plain_text": "Project Beta"}]}},
    "another plain title": {"Name": "Project Beta"},
    "an unknown property": {"Nobody": {"type": "number", "number": 1}},
    "another type": {"Points": {"type": "rich_text", "rich_text": []}},
    "another option": {"Status": {"select": {"name": "Done"}}},
    "no option": {"Status": {"select": None}},
    "an option where there is none": {"Empty": {"select": {"name": "x"}}},
    "fewer options": {"Tags": {"multi_select": [{"name": "x"}]}},
    "another number": {"Points": {"number": 4}},
    "no number": {"Points": {"number": None}},
    "a number beyond all doubles": {"Points": {"number": 10**400}},
    "another checkbox": {"Done": {"checkbox": False}},
    "a number for a checkbox": {"Done": {"checkbox": 1}},
    "another day": {"Due": {"date": {"start": "2026-01-02"}}},
    "another person": {"Who": {"people": [{"id": OTHER}]}},
    "fewer relations": {"Linked": {"relation": [{"id": ID}]}},
    "another file": {"Plans": {"files": [{"name": "other.pdf"}]}},
    "another formula": {"Sum": {"formula": {"string": "else"}}},
    "another mail": {"Mail": {"email": "eve@example.com"}},
}


@pytest.mark.parametrize("claimed", AGREED.values(), ids=AGREED)
def test_what_means_the_same_agrees(claimed: dict[str, Any]) -> None:
    assert agree(PAGE, {"properties": claimed})


@pytest.mark.parametrize("claimed", DISPUTED.values(), ids=DISPUTED)
def test_what_means_something_else_does_not_agree(claimed: dict[str, Any]) -> None:
    assert not agree(PAGE, {"properties": claimed})


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [({"in_trash": True}, False), ({"archived": True}, False), ({"in_trash": False}, True), ({"title": "x"}, True)],
)
def test_beside_properties_only_the_trash_is_claimed(claimed: Columns, *, expected: bool) -> None:
    assert agree(PAGE, claimed) is expected


# Words


def words(page: Columns, index: tuple[str, ...] | None) -> str:
    """All that search finds."""
    return "\n".join(text for text in fields(page, index).texts if text)


def test_the_words_of_a_page_are_what_a_person_reads_in_it() -> None:
    assert words(PAGE, None).split("\n") == [
        "Project Alpha",
        "two spans",
        "In Progress",
        "Doing",
        "x",
        "y",
        "3.5",
        "2026-01-01T10:00:00.000+01:00",
        "Ada",
        "ada@example.com",
        "+44 1",
        "https://example.com",
        "plan.pdf",
        "computed",
        "up",
        "TASK-7",
    ]


CASES = Path(__file__).parents[1] / "fixtures" / "notion_answers"


def case(name: str) -> Any:  # noqa: ANN401  JSON
    return json.loads((CASES / name).read_text())


def test_places_verifications_and_the_people_of_a_page_have_words() -> None:
    recorded = case("08_place_and_verification_values.json")
    assert words({"properties": {"Where": recorded["place"]}}, None) == "Berlin, Germany"
    assert words({"properties": {"Is": recorded["verification"]}}, None) == "verified\nZoe Example\n2026-01-01"
    assert words({"properties": {"By": recorded["created_by"]}}, None) == "Zoe Example"
    edited_by = {"type": "last_edited_by", "last_edited_by": recorded["created_by"]["created_by"]}
    assert words({"properties": {"Last": edited_by}}, None) == "Zoe Example"
    named = {"type": "place", "place": {**recorded["place"]["place"], "name": "Office"}}
    assert words({"properties": {"Where": named}}, None) == "Office\nBerlin, Germany"
    rolled = {"type": "rollup", "rollup": {"type": "array", "array": [recorded["place"], recorded["created_by"]]}}
    assert words({"properties": {"All": rolled}}, None) == "Berlin, Germany\nZoe Example"


@pytest.mark.parametrize("kind", ["place", "verification", "created_by", "last_edited_by"])
@pytest.mark.parametrize("value", [None, {}, [], 7, "x"])
def test_what_has_no_words_in_it_says_none(kind: str, value: object) -> None:
    assert words({"properties": {"It": {"type": kind, kind: value}}}, None) == ""


WORDLESS = frozenset(
    (
        "checkbox",
        "button",
        "relation",  # ids of other pages
        "created_time",  # the page's own times: every page has them, and an edit of its text moves the second
        "last_edited_time",
    )
)


def test_every_type_of_property_that_notion_has_speaks_or_is_known_to_have_no_words() -> None:
    assert documented_types() == WORDLESS | frozenset(SPEAKING)


def documented_types() -> set[str]:
    """Give the types of https://developers.notion.com/reference/page-property-values."""
    said = "button checkbox created_by created_time date email files formula last_edited_by last_edited_time number"
    more = "multi_select people phone_number place relation rich_text rollup select status title unique_id url"
    last = "verification"
    return {*said.split(), *more.split(), last}


def test_two_reads_of_one_page_agree_wherever_its_files_are_shown() -> None:
    for name in ("06_rollup_of_signed_files_two_reads.json", "11_signed_file_two_reads.json"):
        read = case(name)
        assert agree(read["first"], read["second"])
        assert fingerprint(read["first"]) == fingerprint(read["second"])
    rolled = case("06_rollup_of_signed_files_two_reads.json")
    other = json.loads(json.dumps(rolled["second"]).replace("inner.docx", "other.docx"))
    assert not agree(rolled["first"], other)
    inside = {
        "type": "files",
        "files": [{"name": "inner.docx", "type": "external", "external": {"url": "https://a/?1"}}],
    }
    external = {"properties": {"R": {"type": "rollup", "rollup": {"type": "array", "array": [inside]}}}}
    elsewhere = json.loads(json.dumps(external).replace("?1", "?2"))
    assert not agree(external, elsewhere), "what is not signed is compared whole"


def test_only_configured_properties_are_found_in_their_order() -> None:
    assert words(PAGE, ("Status", "Name", "Nobody")) == "Project Alpha\nIn Progress"
    assert fields(PAGE, ("Status", "Labels", "Name")).title == "Project Alpha"
    assert fields(PAGE, ("Status",)).title == ""
    assert words(PAGE, ()) == ""


def test_trimmed_properties_and_plain_values_have_words_too() -> None:
    trimmed = {"properties": {"Name": {"title": [{"plain_text": "Alpha"}]}, "Status": {"select": {"name": "Open"}}}}
    assert words(trimmed, None) == "Alpha\nOpen"
    plain = {"name": "Alpha", "id": ID, "at": "2026-01-01T10:00:00Z", "link": "https://a.example", "n": 1, "x": None}
    assert words(plain, None) == "Alpha"


@pytest.mark.parametrize("broken", [None, 1, [], {}, {"type": 7}, {"type": "select", "select": 7}, {"type": "title"}])
def test_a_property_without_words_has_none(broken: object) -> None:
    assert words({"properties": {"Odd": broken}}, None) == ""


def test_a_page_brings_no_more_than_the_limit() -> None:
    long = with_property("Name", {"type": "title", "title": rich("a" * 2 * WORDS_MAX)})
    assert len(words(long, None)) == WORDS_MAX
