"""The two local sources of the demonstration, and the edits that are made in them.

Invariant: the same seed makes the same edits, whatever the service does meanwhile.  Each edit leaves its webhook in the
outbox; whether it ever arrives is decided elsewhere.  An edit of the table that is pulled leaves its message in an
outbox of Supabase's own, where the service takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import msgspec

from hookbridge.demo.comparison import Known
from hookbridge.model import SOURCES, RecordKey, SourceName
from hookbridge.standins import NotionStandin, PostgrestStandin, Standin, Webhook
from hookbridge.standins.notion.objects import page_object

TABLE = "customers"
COLUMNS = {"id": "bigint", "name": "text", "city": "text", "updated_at": "timestamptz"}
PULLED = "orders"
PULLED_COLUMNS = {"id": "bigint", "work": "text", "status": "text", "updated_at": "timestamptz"}
DATABASE = "Projects"
SCHEMA = {"Name": "title", "Status": "select"}
NOTION_VERSION = "2025-09-03"

ROWS = 40
PULLED_ROWS = 20
PAGES = 24
FEWEST = 12
"""With fewer records than this, a source gets a new one instead of losing another."""

NAMES = (
    "Ada",
    "Grace",
    "Edsger",
    "Barbara",
    "Donald",
    "Radia",
    "Tim",
    "Frances",
    "Niklaus",
    "Sophie",
    "Alan",
    "Margaret",
)
CITIES = ("Zürich", "Nairobi", "Lima", "Osaka", "Kraków", "Toronto", "Lagos", "Hanoi", "São Paulo", "Reykjavík")
WORKS = ("Website", "Invoice run", "Map of pipes", "Winter catalogue", "Data move", "Office plants", "Price list")
STATUSES = ("Open", "In progress", "Blocked", "Done")


class Calendar:
    """The time of the demonstration's Notion: some weeks ago, with a minute of its own for each batch of edits.

    Notion's times are whole minutes.  A body that was read within the minute of its edit is read once more when that is
    over, and what nobody announced is found then: two minutes are longer than anybody watches.
    """

    def __init__(self) -> None:
        self._ago = timedelta(days=30)

    def __call__(self) -> datetime:
        """Give its time now."""
        return datetime.now(UTC) - self._ago

    def next_minute(self) -> None:
        """Go on to the next minute."""
        self._ago -= timedelta(minutes=1)


class Told(msgspec.Struct, frozen=True):
    """One webhook that waits in the outbox."""

    source: SourceName
    webhook: Webhook


class Places:
    """Both sources with some records, and the outbox of their webhooks."""

    def __init__(
        self, supabase: PostgrestStandin, notion: NotionStandin, random: Random, calendar: Calendar | None = None
    ) -> None:
        """``calendar`` is Notion's clock, where it has one of the demonstration's."""
        self.supabase = supabase
        self.notion = notion
        self._random = random
        self._calendar = calendar or Calendar()
        self._newest = 0
        self.outbox: list[Told] = []
        supabase.create_table(TABLE, COLUMNS, changed_at="updated_at")
        supabase.create_table(PULLED, PULLED_COLUMNS, changed_at="updated_at")
        self.database = notion.create_database(DATABASE, SCHEMA)
        (self._data_source,) = notion.data_source_ids(self.database)
        for _ in range(ROWS):
            self._insert_row()
        for _ in range(PULLED_ROWS):
            self._insert_row(PULLED)
        for _ in range(PAGES):
            self._create_page()
        self._seen = set(self.truths())
        # What was there before the service is found by its first sweep: no webhook tells of it, and no outbox.
        supabase.pull(PULLED)
        supabase.listen(lambda webhook: self.outbox.append(Told("supabase", webhook)))
        notion.listen(lambda webhook: self.outbox.append(Told("notion", webhook)))

    def standin(self, source: SourceName) -> Standin:
        """Give the server of a source."""
        return self.supabase if source == "supabase" else self.notion

    def edit(self, source: SourceName, times: int) -> None:
        """Edit a source so many times, at random."""
        self._calendar.next_minute()
        kinds = self._row_edits() if source == "supabase" else self._page_edits()
        for edit in self._random.choices(list(kinds), weights=list(kinds.values()), k=times):
            edit()
        self._seen |= set(self.truths())

    def edit_pulled(self, times: int) -> None:
        """Edit the table whose changes the service takes so many times, at random."""
        kinds = self._row_edits()
        for edit in self._random.choices(list(kinds), weights=list(kinds.values()), k=times):
            edit(PULLED)
        self._seen |= set(self.truths())

    def take_outbox(self) -> list[Told]:
        """Empty the outbox, in an order of chance."""
        told, self.outbox = self.outbox, []
        self._random.shuffle(told)
        return told

    def truths(self) -> dict[RecordKey, Known]:
        """Give every record that the sources have now, as they show it."""
        found = {
            RecordKey("supabase", f"public.{table}", str(row["id"])): Known(row)
            for table in (TABLE, PULLED)
            for row in self.supabase.rows(table)
        }
        for page in self.notion.pages.values():
            if not page.in_trash:
                shown = page_object(page, NOTION_VERSION)
                found[RecordKey("notion", self.database, page.id)] = Known(shown, page.markdown)
        return found

    def expected(self) -> dict[RecordKey, Known | None]:
        """Give every record that there ever was; None for those that are gone."""
        return {**dict.fromkeys(self._seen), **self.truths()}

    # Edits

    def _row_edits(self) -> Mapping[Callable[..., None], int]:
        return {self._insert_row: 2, self._update_row: 6, self._delete_row: 2}

    def _page_edits(self) -> Mapping[Callable[[], None], int]:
        return {self._create_page: 2, self._edit_page: 3, self._edit_body: 3, self._trash_page: 2}

    def _insert_row(self, table: str = TABLE) -> None:
        self._newest += 1
        self.supabase.insert(table, {"id": self._newest, **self._row(table)})

    def _update_row(self, table: str = TABLE) -> None:
        row = self._random.choice(self.supabase.rows(table))
        self.supabase.update(table, row["id"], self._row(table))

    def _delete_row(self, table: str = TABLE) -> None:
        rows = self.supabase.rows(table)
        if len(rows) < FEWEST:
            self._insert_row(table)
        else:
            self.supabase.delete(table, self._random.choice(rows)["id"])

    def _create_page(self) -> None:
        page = self._page()
        self.notion.create_page(self._data_source, page, page_id=self._page_id(), markdown=self._body())

    def _edit_page(self) -> None:
        self.notion.update_page(self._random.choice(self._living()), self._page())

    def _edit_body(self) -> None:
        self.notion.edit_content(self._random.choice(self._living()), self._body())

    def _trash_page(self) -> None:
        living = self._living()
        if len(living) < FEWEST:
            self._create_page()
        else:
            self.notion.trash(self._random.choice(living))

    def _living(self) -> list[str]:
        return [page.id for page in self.notion.pages.values() if not page.in_trash]

    def _row(self, table: str) -> dict[str, object]:
        # The number makes every edit a change, also where the same name is drawn again.
        if table == PULLED:
            work = f"{self._random.choice(WORKS)} {self._number()}"
            return {"work": work, "status": self._random.choice(STATUSES)}
        return {"name": f"{self._random.choice(NAMES)} {self._number()}", "city": self._random.choice(CITIES)}

    def _page(self) -> dict[str, object]:
        name = f"{self._random.choice(WORKS)} {self._number()}"
        return {"Name": name, "Status": self._random.choice(STATUSES)}

    def _body(self) -> str:
        who, where = self._random.choice(NAMES), self._random.choice(CITIES)
        return f"## Next step\n{who} asks in **{where}**.\n- [ ] Ticket {self._number()}"

    def _page_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _number(self) -> int:
        return self._random.randrange(1_000, 10_000)


def other(source: SourceName) -> SourceName:
    """Give the other one of the two."""
    return next(name for name in SOURCES if name != source)
