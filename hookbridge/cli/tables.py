"""What commands print as tables.  Titles, reasons and names in them are words of others: nothing of it is markup."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from hookbridge.cli.command import printable


class Rows(Table):
    """A table whose cells show what they are given, and drive no terminal."""

    def row(self, *cells: str, style: str = "") -> None:
        """Add a row; ``style`` is that of its last cell."""
        *first, last = (Text(printable(cell)) for cell in cells)
        last.stylize(style)
        self.add_row(*first, last)
