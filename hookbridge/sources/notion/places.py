"""Which table a page belongs to: by its parent, the listed ids, and which data source lies in which database.

A page lies in a data source, and that in a database; either may be listed, and then names the table.  What only names
the other one (webhooks and automations of older versions name the database) is understood as soon as an answer of
Notion's has shown how the two belong together.  Invariants: what Notion answers about a page has one name, whoever
asked and however; what a sender says is a hint, which a page that the copy has already does not follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from hookbridge.config import NotionConfig
from hookbridge.names import dashed, is_uuid

STANDALONE = "pages"
"""The table of pages that lie in no database."""

LEARNT_MAX = 1_000
"""So many data sources of databases that are not listed are remembered."""

PARENT_MEMBERS = ("type", "database_id", "data_source_id", "id")
"""What is read of a page's parent."""

_DATABASE = ("database", "database_id")
_DATA_SOURCE = ("data_source", "data_source_id")


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page lies by the word of a sender."""

    table: str
    exact: bool
    """Whether it names a listed table by its own id."""
    ignored: str | None = None
    """Why a page of this table is not followed."""


class _Parent(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of a page's parent, as far as they are given."""

    database: str | None = None
    data_source: str | None = None
    elsewhere: bool = False
    """Whether it is said to be no database: a page, a block, the workspace."""

    def ids(self) -> Iterator[str]:
        """Give them, the database's first."""
        yield from (one for one in (self.database, self.data_source) if one is not None)


class Places:
    """What is known of the tables of pages.  One instance for the process; answers teach it."""

    def __init__(self, config: NotionConfig, *, readable: bool) -> None:
        """``readable`` says that pages can be read, so that what is not known yet will be."""
        self._listed = tuple(dashed(one.id) for one in config.databases)
        self._takes_unlisted = config.unlisted_databases == "accept"
        self._takes_standalone = config.standalone_pages == "accept"
        self._readable = readable
        self._database_of: dict[str, str] = {}

    # What Notion answers

    def learn(self, data_source: str, database: str) -> None:
        """Take note that a data source lies in a database."""
        source, database = dashed(data_source), dashed(database)
        if source not in self._database_of and len(self._database_of) >= LEARNT_MAX:
            of_listed = {one: of for one, of in self._database_of.items() if one in self._listed or of in self._listed}
            self._database_of = of_listed
        self._database_of[source] = database

    def database_of(self, data_source: str) -> str | None:
        """Give the database of a data source, where it is known; an id of something else has none."""
        return self._database_of.get(data_source)

    def name(self, asked: str, parent: object) -> str | None:
        """Give the table of a page with this parent that was asked for as one of ``asked``.

        None where it lies in another one that is not followed: then it is gone from the one that was asked for.
        """
        if not isinstance(parent, dict):
            return asked
        ids = self._parent(parent)
        if not all(map(is_uuid, ids.ids())):
            return asked  # no answer of Notion's has such ids: they name nothing
        if ids.database is not None and ids.data_source is not None:
            self.learn(ids.data_source, ids.database)
        table = self._table(ids)
        return table if self._is_name(asked, ids) or self._takes(table) else None

    def is_name(self, table: str, parent: object) -> bool:
        """Whether a page with this parent may be asked for as one of this table."""
        return not isinstance(parent, dict) or self._is_name(table, self._parent(parent))

    def _is_name(self, table: str, ids: _Parent) -> bool:
        # What is no name of Notion's own is a sender's, by which any page may be meant.
        return table in (self._table(ids), *ids.ids()) or not (is_uuid(table) or table == STANDALONE)

    # What senders say

    def hint(self, parent: Mapping[str, Any] | None) -> Hint:
        """Say where the page of an event lies, of which the event names this parent, or none."""
        ids = self._parent(parent or {})
        if not any(ids.ids()):
            says = "the page lies in no database" if ids.elsewhere else "the event names no database of the page"
            return Hint(table=STANDALONE, exact=False, ignored=None if self._takes_standalone else says)
        return self._hint(ids)

    def hint_of(self, written: str) -> Hint:
        """Say where a page lies of which a sender gives the table: the id of a database or data source, or a name."""
        if written == STANDALONE:
            return self.hint({"type": "workspace"})
        database = self._database_of.get(written)
        if database is not None:
            return self._hint(_Parent(database=database, data_source=written))
        return self._hint(_Parent(database=written))

    def _hint(self, ids: _Parent) -> Hint:
        table = self._table(ids)
        if table in self._listed:
            return Hint(table=table, exact=True)
        # Of a database of which data sources are listed it can be in one of those, or in one that is not.
        within = [one for one in self._listed if ids.data_source is None and self._database_of.get(one) == ids.database]
        if not within and not self._takes_unlisted and self._readable:
            within = self._may_be(ids)
        if within:
            return Hint(table=within[0], exact=False)
        ignored = None if self._takes_unlisted else f"the database {table} is not listed in [[notion.databases]]"
        return Hint(table=table, exact=False, ignored=ignored)

    def _may_be(self, ids: _Parent) -> list[str]:
        """Give the listed ids of which it is not known yet that the page does not lie there."""
        if not all(map(is_uuid, ids.ids())) or (ids.database is not None and ids.data_source is not None):
            return []
        databases = set(self._database_of.values())
        if ids.database is not None:
            return [one for one in self._listed if one not in self._database_of and one not in databases]
        return [] if ids.data_source in self._database_of else [o for o in self._listed if o not in self._database_of]

    def _table(self, ids: _Parent) -> str:
        named = [*ids.ids()]
        if ids.database is None and (database := self._database_of.get(ids.data_source or "")) is not None:
            named.insert(0, database)
        return next((one for one in named if one in self._listed), named[0] if named else STANDALONE)

    def _takes(self, table: str) -> bool:
        if table == STANDALONE:
            return self._takes_standalone
        return self._takes_unlisted or table in self._listed

    def _parent(self, parent: Mapping[str, Any]) -> _Parent:
        """Read a parent of any version: a page object's, an event's, with its type or without."""
        kind = parent.get("type")
        database, data_source, id_ = (
            dashed(one) if isinstance(one := parent.get(name), str) else None for name in PARENT_MEMBERS[1:]
        )
        if kind in _DATABASE or (kind is None and data_source is not None):
            database = database or id_
        elif kind in _DATA_SOURCE:
            data_source = data_source or id_
        elif kind is None and id_ is not None and self._is_known(id_):
            database, data_source = (None, id_) if id_ in self._database_of else (id_, None)
        elif kind is not None:
            return _Parent(elsewhere=True)
        return _Parent(database=database, data_source=data_source)

    def _is_known(self, id_: str) -> bool:
        return id_ in self._listed or id_ in self._database_of or id_ in self._database_of.values()
