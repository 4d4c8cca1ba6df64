"""Search as one pure thing: text → tokens, query → tokens, rank, snippet.  Knows no source, no store, no HTTP.

Engines store the tokens of three fields and find candidates; whether one matches, which comes first and what is shown
of it is decided here, over the record's text, made anew from its copy.
"""

from __future__ import annotations

from hookbridge.text.fields import WORDS_MAX, Fields
from hookbridge.text.query import Query, parse
from hookbridge.text.rank import Rank, field_tokens, is_cut, rank, rank_of, titled
from hookbridge.text.snippet import snippet
from hookbridge.text.tokens import TOKENS_MAX, tokens

__all__ = [
    "TOKENS_MAX",
    "WORDS_MAX",
    "Fields",
    "Query",
    "Rank",
    "field_tokens",
    "is_cut",
    "parse",
    "rank",
    "rank_of",
    "snippet",
    "titled",
    "tokens",
]
