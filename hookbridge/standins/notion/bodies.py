"""A page's body as markdown: what a request shows of it, and the commands that edit it.

A body is lines, and each line counts as a block.  Of a body with more blocks than one answer may hold, the rest is two
subtrees, shown as ``<unknown>`` tags; their ids are asked of the same endpoint, and cut in the same way.  Child pages
stand at the end; one that is not shared is unknown as well, and asking for it finds nothing.

Sources: Notion API reference, "Retrieve a page as markdown", "Update a page's content as markdown"; the guide "Working
with markdown content".
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

from hookbridge.standins.notion import errors
from hookbridge.standins.notion.properties import Json
from hookbridge.standins.notion.workspace import Page

BLOCKS_MAX = 20_000
"""So many blocks one answer holds; Notion says "approximately"."""


class Part(NamedTuple):
    """Lines of a page's body, from one to before another; what an id of ``unknown_block_ids`` stands for."""

    page: Page
    first: int
    behind: int

    @property
    def id(self) -> str:
        """The same in every read."""
        return str(uuid5(NAMESPACE_URL, f"{self.page.id}#{self.first}-{self.behind}"))


class Shown(NamedTuple):
    """What one answer shows."""

    markdown: str
    unknown: list[str]
    parts: list[Part]
    """Those of the unknown ones that can be asked for."""


def whole(page: Page, limit: int, visible: Callable[[Page], bool]) -> Shown:
    """Show a page's body and its child pages."""
    blocks = page.markdown.count("\n") + 1 if page.markdown else 0
    shown = subtree(Part(page, 0, blocks), limit)
    children = [child for child in page.children.values() if not child.in_trash]
    tags = [_child(child) if visible(child) else _unknown(page, child.id, "child_page") for child in children]
    hidden = [child.id for child in children if not visible(child)]
    return Shown("\n".join([shown.markdown, *tags] if shown.markdown else tags), shown.unknown + hidden, shown.parts)


def subtree(part: Part, limit: int) -> Shown:
    """Show some lines of a body, as they are now."""
    page, first, behind = part
    cut = min(behind, first + limit)
    middle = (cut + behind + 1) // 2
    rest = [Part(page, *ends) for ends in ((cut, middle), (middle, behind)) if ends[0] < ends[1]]
    tags = [_unknown(page, one.id, "toggle") for one in rest]
    return Shown("\n".join([*page.markdown.split("\n")[first:cut], *tags]), [one.id for one in rest], rest)


def answer(object_id: str, shown: Shown) -> dict[str, Json]:
    """Word an answer."""
    return {
        "object": "page_markdown",
        "id": object_id,
        "markdown": shown.markdown,
        "truncated": bool(shown.unknown),
        "unknown_block_ids": list[Json](shown.unknown),
    }


def edited(markdown: str, body: Mapping[str, object]) -> str:
    """Give the markdown after a command: ``replace_content`` or ``update_content``; the older two are not known."""
    kind = body.get("type")
    command = body.get(str(kind))
    if kind == "replace_content" and isinstance(command, dict) and isinstance(new := command.get("new_str"), str):
        return new
    updates = command.get("content_updates") if kind == "update_content" and isinstance(command, dict) else None
    if not isinstance(updates, list):
        raise errors.validation("body failed validation: body.type should be `replace_content` or `update_content`.")
    for update in updates:
        markdown = _updated(markdown, update)
    return markdown


def _updated(markdown: str, update: object) -> str:
    old, new = (update.get("old_str"), update.get("new_str")) if isinstance(update, dict) else (None, None)
    if not isinstance(old, str) or not isinstance(new, str):
        raise errors.validation("body failed validation: an update should have `old_str` and `new_str`.")
    found = markdown.count(old) if old else 0
    if found == 0 or (found > 1 and not (isinstance(update, dict) and update.get("replace_all_matches") is True)):
        raise errors.validation(f"old_str should match exactly one location in the page, matched {found}.")
    return markdown.replace(old, new)


def _child(page: Page) -> str:
    return f'<page url="{_url(page.id)}">{page.title}</page>'


def _unknown(page: Page, block_id: str, kind: str) -> str:
    return f'<unknown url="{_url(page.id)}#{_bare(block_id)}" alt="{kind}"/>'


def _url(page_id: str) -> str:
    return f"https://app.notion.com/p/{_bare(page_id)}"


def _bare(object_id: str) -> str:
    return object_id.replace("-", "")
