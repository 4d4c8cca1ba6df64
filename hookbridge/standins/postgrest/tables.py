"""The state: tables with typed columns and keys, their rows, and what each write reports.

Invariants: a key exists once; a row knows its own texts (rendered once, dropped with the row); every write raises the
table's `version`, so that what was derived from its rows is known to be old.
Rows lie in the order of their last write, as a heap without vacuum has them: an update moves its row to the end.
Whoever forgets `order` in a paged read meets that here as on a real database.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.columns import column_type
from hookbridge.standins.postgrest.jsonb import Json, jsonb_object, quoted
from hookbridge.standins.postgrest.kinds import Text, Value
from hookbridge.standins.postgrest.moments import Session
from hookbridge.standins.postgrest.similar import similar_columns

Key = tuple[Value, ...]
Default = Callable[[], object]


class Row:
    """One row: its stored values, and its texts once they have been asked for."""

    __slots__ = ("_compact", "values")

    def __init__(self, values: dict[str, Value]) -> None:
        self.values = values
        self._compact: str | None = None

    def compact(self, types: Mapping[str, Text]) -> str:
        """The row as PostgREST answers it to `select=*`."""
        if self._compact is None:
            members = (f"{quoted(name)}:{kind.compact(self.values[name])}" for name, kind in types.items())
            self._compact = "{" + ",".join(members) + "}"
        return self._compact


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One row's write as a row trigger sees it."""

    operation: str
    table: "Table"
    record: Row | None
    old_record: Row | None

    def shown(self) -> dict[str, Json]:
        """The row as it is now, for callers; what a deleted one was."""
        row = self.record or self.old_record
        return {} if row is None else self.table.shown(row)


class Table:
    """One table; writes return the `Change` they made."""

    def __init__(
        self,
        schema: str,
        name: str,
        columns: Mapping[str, str],
        *,
        key: tuple[str, ...],
        changed_at: str | None,
        defaults: Mapping[str, Default],
        session: Session,
    ) -> None:
        missing = {*key, *defaults, *([changed_at] if changed_at else [])} - set(columns)
        if missing:
            message = f"table {name} has no column {', '.join(sorted(missing))}"
            raise ValueError(message)
        self.schema = schema
        self.name = name
        self.key = key
        self.types = {column: column_type(type_name, session) for column, type_name in columns.items()}
        self.rows: dict[Key, Row] = {}
        self.version = 0
        self.denied = False
        self.times_out = False
        self.indexes: tuple[tuple[str, ...], ...] = ()
        self.looked_at_max: int | None = None
        self.hidden: Callable[[Mapping[str, Json]], bool] | None = None
        self._changed_at = changed_at
        self._defaults = defaults
        self._session = session

    def type_of(self, column: str) -> Text:
        """The column's type; 42703 when there is no such column."""
        try:
            return self.types[column]
        except KeyError:
            raise errors.unknown_column(self.name, column, similar_columns(column, self.types)) from None

    def key_of(self, key: object) -> Key:
        """The stored form of a key that a caller gives: one value, or a tuple for a composite key."""
        parts = key if isinstance(key, tuple) else (key,)
        if len(parts) != len(self.key):
            message = f"the key of {self.name} is ({', '.join(self.key)})"
            raise ValueError(message)
        return tuple(self.types[column].store(part) for column, part in zip(self.key, parts, strict=True))

    def find(self, values: Mapping[str, object]) -> Row | None:
        """The row with the key in these values, if they name one."""
        if any(column not in values for column in self.key):
            return None
        return self.rows.get(self.key_of(tuple(values[column] for column in self.key)))

    def insert(self, values: Mapping[str, object]) -> Change:
        """Add a row; columns that are not given take their default or null.  23505 when the key exists."""
        given = {name: default() for name, default in self._defaults.items() if name not in values} | dict(values)
        row = Row(dict.fromkeys(self.types) | self._stored(given))
        key = self._own_key(row)
        if key in self.rows:
            raise errors.duplicate_key(self.name, self.key, self._key_texts(key))
        self.rows[key] = row
        return self._changed("INSERT", row, None)

    def update(self, old: Row, values: Mapping[str, object]) -> Change:
        """Write these columns of a row, its key included."""
        row = Row(old.values | self._stored(values))
        key, old_key = self._own_key(row), self._own_key(old)
        if key != old_key and key in self.rows:
            raise errors.duplicate_key(self.name, self.key, self._key_texts(key))
        del self.rows[old_key]
        self.rows[key] = row
        return self._changed("UPDATE", row, old)

    def delete(self, old: Row) -> Change:
        """Remove a row."""
        del self.rows[self._own_key(old)]
        return self._changed("DELETE", None, old)

    def forget_texts(self) -> None:
        """Render every row anew: what its values look like has changed."""
        self.rows = {key: Row(row.values) for key, row in self.rows.items()}
        self.version += 1

    def visible(self, rows: Iterable[Row]) -> Iterable[Row]:
        """Those rows that no row-level security hides."""
        hidden = self.hidden
        return rows if hidden is None else (row for row in rows if not hidden(self.shown(row)))

    def shown(self, row: Row) -> dict[str, Json]:
        """A row for callers: JSON values, numerics as Decimal, times as their text."""
        return {name: kind.out(row.values[name]) for name, kind in self.types.items()}

    def as_jsonb(self, row: Row | None) -> str:
        """A row as `to_jsonb(row)::text`."""
        if row is None:
            return "null"
        return jsonb_object((name, kind.spaced(row.values[name])) for name, kind in self.types.items())

    def _stored(self, values: Mapping[str, object]) -> dict[str, Value]:
        stored = {name: self.type_of(name).store(value) for name, value in values.items()}
        if self._changed_at is not None and self._changed_at not in values:
            stored[self._changed_at] = self.types[self._changed_at].store(self._session.now())
        return stored

    def _key_texts(self, key: Key) -> tuple[str, ...]:
        return tuple(self.types[column].text(value) for column, value in zip(self.key, key, strict=True))

    def _own_key(self, row: Row) -> Key:
        return tuple(row.values[column] for column in self.key)

    def _changed(self, operation: str, record: Row | None, old_record: Row | None) -> Change:
        self.version += 1
        return Change(operation=operation, table=self, record=record, old_record=old_record)


def table_of(tables: Mapping[tuple[str, str], Table], schema: str, name: str) -> Table:
    """A table of the state by its name; a plain KeyError for callers (requests get PGRST205 instead)."""
    try:
        return tables[schema, name]
    except KeyError:
        message = f"no table {schema}.{name}; create_table() makes one"
        raise KeyError(message) from None
