"""What people call a record, as a part of a line.  Pure."""

from __future__ import annotations

from hookbridge.api.events import EventSummary
from hookbridge.api.reconcile import TableProof, TableStatus, Unproven
from hookbridge.api.records import Named
from hookbridge.names import short

SHOWN_MAX = 60
"""So many characters of a title or a label are shown in a line."""


def called(one: EventSummary | Named) -> str:
    """Give the title in quotes, and the table's label where its name says something else; empty where ids say as much.

    It is a line's last part: nothing stands behind it that letters written from right to left could carry along.
    """
    id_ = one.id if isinstance(one, Named) else one.record_id
    title = titled(one.title) if one.title != id_ else ""
    return " ".join(filter(None, (title, in_table(one))))


def titled(title: str) -> str:
    """Give a title as a line's last part."""
    return f'"{_cut(title)}"'


def in_table(one: EventSummary | Named | TableProof | Unproven) -> str:
    """Give the label of its table as a line's last part; empty where its name says as much."""
    return f'in "{_cut(one.table_label)}"' if one.table_label != short(one.source, one.table) else ""


def table_called(table: TableStatus) -> str:
    """Give a followed table with its label behind it, where that says more than its name."""
    label = table.table_label or ""
    return table.table if label in ("", short(table.source, table.table)) else f'{table.table} "{_cut(label)}"'


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1].rstrip() + "…"
