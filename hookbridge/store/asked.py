"""How far a search may look, and how its words are named, the same in every engine."""

from __future__ import annotations

from hashlib import blake2b

CANDIDATES_MAX = 1_000
CANDIDATES_BYTES_MAX = 8 * 1024 * 1024
"""Of their copies, all together."""

TERMS_MAX = 32
"""Of a query, and tokens of one of its phrases; whoever ranks the candidates looks for the others, too."""


def place_token(source: str, table: str | None) -> str:
    """Name a source, or one of its tables, by a token that no text has."""
    if table is None:
        return f"@{source}"
    return "@" + blake2b(f"{source}:{table}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
