"""What an answer about a body says: its text, what it leaves out, and which of its links change on every read.

Pure.  A block that an answer leaves out stands in its text as ``<unknown url="…#BLOCK" alt="…"/>`` and is named in
``unknown_block_ids``; links to files have a signature and an end (https://developers.notion.com/reference/file-object).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from hookbridge.errors import RecordImpossible
from hookbridge.model import Columns
from hookbridge.names import dashed, is_id

_UNKNOWN = re.compile(r"<unknown\b[^<>]*>")

# A link without a query is taken as well: else each "http" within a long one would be looked at to its end again.
_LINK = re.compile(r"(https?://[^\s<>\"'()\[\]?]+)(?:\?([^\s<>\"'()\[\]]+))?")

_SIGNATURES = ("X-Amz-Signature=", "signature=", "Signature=")
"""The signed links of an S3 store, of Notion's own file server, and of CloudFront."""


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A body as far as it was read."""

    text: str
    truncated: bool
    """Whether something is left out that nothing names, or that could not be read."""
    unknown: tuple[str, ...] = ()
    """The blocks that were left out and can be asked for, in the order of the text."""
    met: frozenset[str] = frozenset()
    """The blocks that were asked for."""


def read_of(answer: Columns) -> Read:
    """Take the text of an answer.  Raises RecordImpossible where it has none."""
    text = answer.get("markdown")
    if not isinstance(text, str):
        raise RecordImpossible("Notion answered with a body that is no text")
    named = answer.get("unknown_block_ids")
    named = named if isinstance(named, list) else []
    ids = [dashed(one) for one in named if isinstance(one, str)]
    unknown = tuple(dict.fromkeys(one for one in ids if is_id(one)))
    # Notion cuts texts between the halves of a character; what cannot be stored is shown as a question mark.
    whole = text.encode(errors="replace").decode()
    is_cut = (answer.get("truncated") is True and not unknown) or not all(map(is_id, ids))
    return Read(text=whole, truncated=is_cut, unknown=unknown)


def completed(read: Read, block: str, part: Read | None) -> Read:
    """Put what was read of a block where the text leaves it out; None where it cannot be read."""
    met = read.met | {block}
    left = tuple(one for one in read.unknown if one != block)
    if part is None:
        return Read(text=read.text, truncated=True, unknown=left, met=met)
    more = tuple(one for one in part.unknown if one not in met and one not in left)
    # A block that leaves itself out, or one that was asked for, is asked for once.
    is_cut = read.truncated or part.truncated or len(more) < len(part.unknown)
    return Read(text=_put(read.text, block, part.text), truncated=is_cut, unknown=(*more, *left), met=met)


def _put(text: str, block: str, part: str) -> str:
    bare = block.replace("-", "")
    for tag in _UNKNOWN.finditer(text):
        if bare in tag[0].replace("-", ""):
            return f"{text[: tag.start()]}{part}{text[tag.end() :]}"
    return f"{text}\n\n{part}"


def without_signatures(text: str) -> str:
    """Give a text as every answer has it: the path of a link names its file, and another file has another one."""
    return _LINK.sub(lambda link: link[1] if _is_signed(link[2]) else link[0], text)


def links_expire_at(text: str) -> datetime | None:
    """Say when the first of the signed links stops to work; None where there is none that does."""
    ends = (end for link in _LINK.finditer(text) if _is_signed(link[2]) for end in _ends(link[2]))
    return min(ends, default=None)


def _is_signed(query: str | None) -> bool:
    return query is not None and any(name in query for name in _SIGNATURES)


def _ends(query: str) -> Iterator[datetime]:
    parts = dict(part.partition("=")[::2] for part in query.replace("&amp;", "&").split("&"))
    try:
        if "X-Amz-Date" in parts:
            signed = datetime.strptime(parts["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            yield signed + timedelta(seconds=int(parts.get("X-Amz-Expires", "")))
        elif "expirationTimestamp" in parts:
            yield datetime.fromtimestamp(int(parts["expirationTimestamp"]) / 1000, UTC)
        elif "Expires" in parts:
            yield datetime.fromtimestamp(int(parts["Expires"]), UTC)
    except (ValueError, OverflowError, OSError):
        return  # what somebody wrote that only looks like a signed link
