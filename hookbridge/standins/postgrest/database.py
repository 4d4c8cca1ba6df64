"""The state of the PostgREST stand-in as its owner handles it: create tables, write rows, listen to the writes.

Everything is synchronous and takes effect at once: the next request sees it, and listeners have been told when the call
returns.  What a caller gets back are copies; changing them changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.jsonb import Json
from hookbridge.standins.postgrest.moments import Session
from hookbridge.standins.postgrest.outbox import Outbox
from hookbridge.standins.postgrest.similar import similar_table
from hookbridge.standins.postgrest.tables import Change, Default, Row, Table, table_of
from hookbridge.standins.postgrest.webhooks import native_webhook
from hookbridge.standins.wire import Listener

RowPredicate = Callable[[Mapping[str, Json]], bool]


class Database:
    """Tables by (schema, name), and the triggers on them."""

    def __init__(self, schemas: tuple[str, ...], clock: Callable[[], datetime]) -> None:
        self.schemas = schemas
        self.tables: dict[tuple[str, str], Table] = {}
        self.session = Session(clock)
        self._triggers: list[tuple[Listener, Mapping[str, str]]] = []
        self.outbox = Outbox(clock)
        self._pulled: set[tuple[str, str]] = set()

    def create_table(
        self,
        name: str,
        columns: Mapping[str, str],
        *,
        schema: str = "public",
        key: tuple[str, ...] = ("id",),
        changed_at: str | None = None,
        defaults: Mapping[str, Default] | None = None,
    ) -> None:
        """Create a table; `columns` gives each column's PostgreSQL type.

        `changed_at` names the column that every write stamps with the clock, unless the write gives it.  `defaults` are
        called for columns that an insert leaves out.
        """
        table = Table(
            schema, name, columns, key=key, changed_at=changed_at, defaults=defaults or {}, session=self.session
        )
        self.tables[schema, name] = table

    def drop_table(self, name: str, *, schema: str = "public") -> None:
        """Drop a table; no row trigger fires."""
        del self.tables[schema, name]

    def insert(self, table: str, values: Mapping[str, object], *, schema: str = "public") -> dict[str, Json]:
        """Insert a row and return it as stored."""
        return self._written(self.table(table, schema).insert(values))

    def insert_many(self, table: str, rows: Iterable[Mapping[str, object]], *, schema: str = "public") -> int:
        """Insert rows and return how many."""
        target, count = self.table(table, schema), 0
        for values in rows:
            self.tell(target.insert(values))
            count += 1
        return count

    def upsert(self, table: str, values: Mapping[str, object], *, schema: str = "public") -> dict[str, Json]:
        """Insert, or update the row that has this key: triggers see an UPDATE then."""
        target = self.table(table, schema)
        old = target.find(values)
        return self._written(target.insert(values) if old is None else target.update(old, values))

    def update(
        self, table: str, key: object, values: Mapping[str, object], *, schema: str = "public"
    ) -> dict[str, Json]:
        """Update columns of the row with this key (a tuple when the key is composite); the key itself may change."""
        target = self.table(table, schema)
        return self._written(target.update(self._row(target, key), values))

    def delete(self, table: str, key: object, *, schema: str = "public") -> dict[str, Json]:
        """Delete the row with this key and return what it was."""
        target = self.table(table, schema)
        row = self._row(target, key)
        self.tell(target.delete(row))
        return target.shown(row)

    def truncate(self, table: str, *, schema: str = "public") -> None:
        """Remove all rows; like TRUNCATE it fires no row trigger, so no webhook tells of it, but an outbox."""
        target = self.table(table, schema)
        target.rows.clear()
        target.version += 1
        if (schema, table) in self._pulled:
            self.outbox.keep_truncate(target)

    def get(self, table: str, key: object, *, schema: str = "public") -> dict[str, Json] | None:
        """The row with this key, if there is one; hidden rows are there too."""
        target = self.table(table, schema)
        row = target.rows.get(target.key_of(key))
        return None if row is None else target.shown(row)

    def rows(self, table: str, *, schema: str = "public") -> list[dict[str, Json]]:
        """All rows, in heap order."""
        target = self.table(table, schema)
        return [target.shown(row) for row in target.rows.values()]

    def hide(self, table: str, when: RowPredicate | None = None, *, schema: str = "public") -> None:
        """Row-level security: rows that satisfy `when` (all, without it) look as if they were missing."""
        self.table(table, schema).hidden = when or (lambda _: True)

    def unhide(self, table: str, *, schema: str = "public") -> None:
        """Take row-level security off."""
        self.table(table, schema).hidden = None

    def set_time_zone(self, name: str) -> None:
        """`alter database … set timezone`: from now on instants are written, and read without a zone, in this one."""
        self.session.zone = ZoneInfo(name)
        for table in self.tables.values():
            table.forget_texts()

    def deny(self, table: str, *, schema: str = "public") -> None:
        """Revoke the permission to read: 42501."""
        self.table(table, schema).denied = True

    def time_out(self, table: str, *, schema: str = "public") -> None:
        """Let every statement on the table run into its timeout: 57014, at once."""
        self.table(table, schema).times_out = True

    def enlarge(self, table: str, *indexes: tuple[str, ...], looked_at_max: int, schema: str = "public") -> None:
        """Let each statement that looks at more rows than these run into its timeout, as on a table of millions.

        `indexes` are the columns of btrees beside the primary key's; without the right one, counting and sorting look
        at all rows.
        """
        target = self.table(table, schema)
        target.indexes, target.looked_at_max = indexes, looked_at_max

    def allow(self, table: str, *, schema: str = "public") -> None:
        """Undo `deny()`, `time_out()` and `enlarge()`."""
        target = self.table(table, schema)
        target.denied = target.times_out = False
        target.looked_at_max = None

    def listen(self, callback: Listener, *, headers: Mapping[str, str] | None = None) -> Callable[[], None]:
        """Install the webhook trigger on all tables: `callback` gets each change as pg_net would send it.

        `headers` are the static ones configured on the trigger.  The returned function removes the trigger.
        """
        trigger = (callback, headers or {})
        self._triggers.append(trigger)
        return lambda: self._triggers.remove(trigger)

    def pull(self, table: str, *, schema: str = "public") -> None:
        """Run what `trigger-sql --pull` prints: the table's changes go to the outbox, and no webhook tells of them."""
        self._pulled.add((schema, self.table(table, schema).name))

    @property
    def has_outbox(self) -> bool:
        """Whether that was ever run, and so the functions are there."""
        return bool(self._pulled)

    def table(self, name: str, schema: str = "public") -> Table:
        """A table's state; KeyError when it was not created."""
        return table_of(self.tables, schema, name)

    def requested(self, schema: str, name: str, role: str) -> Table:
        """A table for a request; raises what PostgREST answers when there is none, or no way to read it."""
        if schema not in self.schemas:
            raise errors.unknown_schema(schema, self.schemas)
        table = self.tables.get((schema, name))
        if table is None:
            names = [known for in_schema, known in self.tables if in_schema == schema]
            raise errors.unknown_table(schema, name, similar_table(name, names))
        if table.denied:
            raise errors.permission_denied(name, anonymous=role == "anon")
        if table.times_out:
            raise errors.statement_timeout()
        return table

    def _row(self, table: Table, key: object) -> Row:
        row = table.rows.get(table.key_of(key))
        if row is None:
            message = f"no row {key!r} in {table.name}"
            raise KeyError(message)
        return row

    def _written(self, change: Change) -> dict[str, Json]:
        self.tell(change)
        return change.shown()

    def tell(self, change: Change) -> None:
        """Fire the triggers for one change."""
        if (change.table.schema, change.table.name) in self._pulled:
            self.outbox.keep(change)
            return
        for callback, headers in tuple(self._triggers):
            callback(native_webhook(change, headers))
