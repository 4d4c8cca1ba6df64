"""Search without an engine: the table of cases, and what tokens are whatever the text."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hookbridge.text import Fields, parse, rank, snippet, tokens
from hookbridge.text.tokens import TOKEN_CHARACTERS_MAX, TOKENS_MAX
from tests.support.search_cases import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.about}: {case.query[:30]}")
def test_what_is_asked_is_found_in_its_order_and_shown(case: Case) -> None:
    query = parse(case.query)
    ranks = {place: rank(query, fields) for place, fields in enumerate(case.records)}
    found = sorted((place for place, one in ranks.items() if one is not None), key=lambda place: (ranks[place], place))
    assert tuple(found) == case.found
    scores = [one.score for place in found if (one := ranks[place]) is not None]
    assert scores == sorted(scores, reverse=True)
    if case.shown is not None:
        assert snippet(query, case.records[found[0]]) == case.shown


def test_the_table_knows_many_languages_and_scripts() -> None:
    assert len({case.about.partition(",")[0] for case in CASES if case.about[0].isupper()}) >= 30


@given(st.text())
def test_a_token_is_of_a_few_signs_and_of_what_is_not_ascii(text: str) -> None:
    for token in tokens(text):
        assert re.fullmatch(r"[a-z0-9+#.\x80-\U0010ffff]{1,64}", token)
        assert not re.search(r"\s", token)
        assert tokens(token)[0].startswith(token[0])


@given(st.text(), st.text())
def test_what_stands_between_spaces_is_a_matter_of_its_own(one: str, other: str) -> None:
    assert tokens(f"{one} {other}") == tokens(one) + tokens(other)


@given(
    st.lists(st.sampled_from(["a", "Z9", "c++", ".net", "#", "_", "-", ".", "@", "\n", "\x7f", "x" * 70])).map("".join)
)
def test_a_text_has_the_same_tokens_alone_and_many_times(text: str) -> None:
    assert tokens(" ".join([text] * 99)) == tokens(text) * 99


@given(st.text(max_size=40))
@example('0"--0')
def test_every_text_is_found_by_itself(text: str) -> None:
    words = " ".join(re.sub(r'["“”„\x00-\x1f]', " ", text).split())
    query = parse(re.sub(r"(^| )-+", " ", words))
    assert (rank(query, Fields(text)) is not None) == bool(query.terms)
    snippet(query, Fields(text))


def test_long_texts_and_long_words_have_an_end() -> None:
    assert len(tokens("word " * 2 * TOKENS_MAX)) == TOKENS_MAX
    assert len(tokens("京" * 2 * TOKENS_MAX)) == TOKENS_MAX
    assert {len(token) for token in tokens("x" * 1000)} == {TOKEN_CHARACTERS_MAX, 1000 % TOKEN_CHARACTERS_MAX}


@pytest.mark.parametrize(
    ("query", "text", "shown"),
    [
        ("grin 😀", "grin 😀-👩\u200d👩\u200d👧", "[grin] [😀]-👩\u200d👩\u200d👧"),
        ("fahr", "Straße/fahrt ﬁn", "Straße/[fahrt] ﬁn"),
        ("слово", "Моё слово-👍🏽", "Моё [слово]-👍🏽"),
    ],
)
def test_a_word_is_marked_alone_whatever_stands_beside_it(query: str, text: str, shown: str) -> None:
    assert snippet(parse(query), Fields(body=text)) == shown
