"""A body's markdown without its syntax: what its reader sees is words, and what only Notion reads is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookbridge.sources.notion.plain_text import plain_text
from hookbridge.sources.notion.words import fields
from hookbridge.text import TOKENS_MAX, WORDS_MAX, Fields, field_tokens, is_cut, parse, snippet, tokens

SIGNED = (
    "https://prod-files-secure.s3.us-west-2.amazonaws.com/a/b/plan.pdf?X-Amz-Date=20260101T000000Z&X-Amz-Signature=ab"
)
PAGE = {"properties": {"Name": {"type": "title", "title": [{"plain_text": "Plan"}]}}}

CASES = {
    "headings and their attributes": ('## Launch *day* {toggle="true" color="blue_bg"}', "Launch day"),
    "bullets, boxes and quotes": ("- [x] one\n\t* two\n> three\n1. four", "one two three 1. four"),
    "a callout": ('::: callout {icon="🚀" color="red"}\nBeware\n:::', "Beware"),
    "a callout as a tag": ('<callout icon="🚀" color="red">\n\tBeware\n</callout>', "Beware"),
    "marks within a word": ('un**do**ne, ~~o~~ld and <span color="red">r</span>ed', "undone, old and red"),
    "what is escaped stands for itself": (r"\*a\* \[b\](c) 5 \> 3 \<b\> \`d\` \$5", "*a* [b](c) 5 > 3 <b> `d` $5"),
    "names with signs": ("C# and c++ in `std::c++`", "C# and c++ in std::c++"),
    "links": ("see [the **plan**](https://example.com/p_(1)) or <https://example.com/q?id=3>", "see the plan or"),
    "an address as it is": ("see https://example.com/page?id=3 now", "see https://example.com/page?id=3 now"),
    "a signed address": (f"see {SIGNED} now", "see now"),
    "pictures and files": (f'![A map]({SIGNED})\n<file src="{SIGNED}">The plan</file>', "A map The plan"),
    "an exclamation in front of a link": ("Hello![all](https://example.com)", "Hello!all"),
    "citations": ("true[^https://example.com/proof].", "true."),
    "mentions": (
        'ask <mention-user url="https://n/u">Ada</mention-user> on <mention-date start="2026-03-12" end="2026-03-14"/>',
        "ask Ada on 2026-03-12 2026-03-14",
    ),
    "pages and what has no form": (
        '<page url="https://n/p">Child</page>\n<unknown url="https://n/u" alt="bookmark"/><empty-block/>',
        "Child",
    ),
    "tables": ("<table><tr><td>a</td><td>b<br>c</td></tr></table>\n| d | e |\n|:--|---|\n---", "a b c d e"),
    "equations": ("$`E=mc^2`$ and\n$$\nx+y\n$$", "E=mc^2 and x+y"),
    "code is as it is written, its language is not shown": (
        "```python\na[*b*](c) # <d>\n```\n*e*",
        "a[*b*](c) # <d> e",
    ),
    "code that does not end": ("````\n```\n*a*", "``` *a*"),
    "nothing but syntax": ("#\n> - [ ] \n**\n|||\n", "#"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_a_reader_sees_is_said(case: tuple[str, str]) -> None:
    markdown, said = case
    assert " ".join(plain_text(markdown, WORDS_MAX).split()) == said


LINES = st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"]))


@given(LINES)
def test_every_text_that_is_escaped_as_notion_does_has_its_own_words(text: str) -> None:
    escaped = "".join(f"\\{one}" if one in r"\*~`$[]<>{}|^" else one for one in text)
    assert tokens(plain_text(escaped, WORDS_MAX)) == tokens(text)


@given(st.text(st.sampled_from("[]()!<>a=\"'{}`*~$|\\-#:/ \n\t^hts?&+.")))
def test_anything_is_markdown(text: str) -> None:
    assert len(plain_text(text, WORDS_MAX)) <= 2 * len(text)


def test_syntax_takes_no_room_and_of_a_long_body_the_beginning_is_read() -> None:
    assert WORDS_MAX < len(plain_text("word\n" * 400_000, WORDS_MAX)) < 2 * WORDS_MAX
    assert plain_text("word " * 400_000, WORDS_MAX).startswith("word word")  # one line of 2 MB
    pictures = f"![]({SIGNED})\n" * 5_000  # ten times what the index takes
    assert tokens(fields(PAGE, None, f"{pictures}behind").body) == ["behind"]


@pytest.mark.parametrize(
    ("body", "cut"),
    [
        ("w" * (WORDS_MAX - len("Plan")), False),
        ("w" * (WORDS_MAX - len("Plan") + 1), True),
        ("w " * (TOKENS_MAX - 1), False),
        ("w " * TOKENS_MAX, True),
        ("word\n" * 400_000, True),
    ],
    ids=["as many characters", "one too many", "as many words", "one word too many", "2 MB"],
)
def test_what_the_index_does_not_take_is_known(body: str, *, cut: bool) -> None:
    found = fields(PAGE, None, body)
    assert is_cut(found) is cut
    assert sum(map(len, found.texts)) <= WORDS_MAX
    assert sum(map(len, field_tokens(found))) <= TOKENS_MAX


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("needle", "…hay hay hay hay hay hay hay [needle] hay hay hay"),
        ("thread needle", "…hay hay hay hay hay hay hay [thread] and [needle] hay hay hay"),
        ('"silver spoon"', "…hay hay hay hay hay hay hay [silver spoon] hay hay hay"),
    ],
    ids=["one word", "where both stand", "a phrase"],
)
def test_of_a_long_body_the_words_around_the_best_place_are_shown(query: str, shown: str) -> None:
    hay = "hay " * 5_000
    body = f"thread {hay}needle {hay}thread and needle {hay}silver spoon {hay}"
    assert snippet(parse(query), Fields("Title", "properties", body)).startswith(shown)
