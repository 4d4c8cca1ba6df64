"""Notion as a source: the modules of this package behind the contract of ``sources/source.py``.

It decides nothing itself.  Without a token nothing is read, and nothing of the SDK is imported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from hookbridge.config import NotionConfig, Secrets, SignaturesConfig
from hookbridge.errors import InvalidParameter
from hookbridge.model import Columns, Content, ContentState, Copy, Event, RecordKey, SourceName, StoredEvent, Truth
from hookbridge.names import dashed, is_id
from hookbridge.sources.contents import content_of
from hookbridge.sources.ids import ID_RULES
from hookbridge.sources.notion import agreement, cuts, payloads, shown, titles, words
from hookbridge.sources.notion.answers import with_content
from hookbridge.sources.notion.bodies import Bodies
from hookbridge.sources.notion.budget import Budget, Reserve, Urgency, nobody_else
from hookbridge.sources.notion.changes import NotionChanges
from hookbridge.sources.notion.cuts import Rest
from hookbridge.sources.notion.databases import Databases
from hookbridge.sources.notion.markdown import without_signatures
from hookbridge.sources.notion.places import Places
from hookbridge.sources.notion.signature import NotionSignature
from hookbridge.sources.notion.truth import Reader
from hookbridge.sources.source import Asker, Decoded, Labels, Limits, Source, Tickets, unlabelled
from hookbridge.sources.times import instant_of
from hookbridge.text import Fields

TOKEN_PREFIXES = ("ntn_", "secret_")
"""How tokens of integrations begin; those made before September 2024 with the second
(https://developers.notion.com/page/changelog)."""


_URGENCIES: Mapping[Asker, Urgency] = {
    "change": Urgency.READ,
    "poll": Urgency.POLL,
    "sweep": Urgency.SWEEP,
    "load": Urgency.LOAD,
}


class NotionSource(Source):
    """Pages."""

    name: SourceName = "notion"
    times_are_minutes: bool = True
    edits_move_times: bool = True
    ids_are_global: bool = True
    one_budget: bool = True
    no_credentials = ("There is no token to read Notion with", "set NOTION_TOKEN")

    def __init__(  # noqa: PLR0913  keyword-only arguments are read by name
        self,
        config: NotionConfig,
        signatures: SignaturesConfig,
        secrets: Secrets,
        tickets: Tickets,
        learnt_token: str | None,
        *,
        clock: Callable[[], float] = time.time,
        asked: Callable[[int], None] = lambda number: None,
        reserve: Reserve = nobody_else,
        labels: Labels = unlabelled,
    ) -> None:
        """``asked`` is told how many records each read asks for, ``labels`` what databases are called.

        ``reserve`` has the requests of other processes.
        """
        is_set_up = bool(secrets.notion_token or config.databases)
        handshakes = config.handshake == "accept" or (config.handshake == "auto" and is_set_up)
        self._signature = NotionSignature(signatures, secrets, learnt_token, handshakes=handshakes)
        self._token = secrets.notion_token
        self._clock = clock
        self._places = Places(config, readable=bool(self._token))
        self._index = {dashed(database.id): database.index for database in config.databases}
        self._with_content = frozenset(dashed(database.id) for database in config.databases if database.content)
        self.bodies: Bodies | None = None
        """None without a token."""
        self.requests_per_second = config.requests_per_second
        self.budget = Budget(config.requests_per_second, reserve)
        """Of all requests to Notion; unused without a token."""
        self._databases: Databases | None = None
        if self._token:
            # A quarter of a second, which nobody should wait for who has no token.
            from hookbridge.sources.notion.client import NotionClient  # noqa: PLC0415  imports the SDK

            client = NotionClient(config, self._token, self.budget, tickets, clock=clock)
            rest = Rest(client, config.property_requests_max)
            places = self._places
            self._databases = databases = Databases(client, places, labels)
            self.bodies = bodies = Bodies(client, config, clock)
            self.reader = Reader(
                client, asked=asked, rest=rest, bodies=bodies, places=places, databases=databases, now=clock
            )
            self.changes = NotionChanges(client, databases, places, bodies, config, clock)

    @property
    def credential_warning(self) -> str | None:
        """Say that the token looks like something else."""
        if not self._token or self._token.startswith(TOKEN_PREFIXES):
            return None
        return "NOTION_TOKEN does not begin like an integration's token (ntn_ or secret_): Notion may refuse it."

    def normal_table(self, written: str) -> str:
        """Give an id with dashes, other names as they are."""
        return dashed(written)

    def key(self, table: str, id_: str) -> RecordKey:
        """Name a page.  Raises InvalidParameter."""
        name = self.table(table, where="path")
        if not ID_RULES["notion"].fits(id_):
            raise InvalidParameter("id", ID_RULES["notion"].expected, where="path")
        return RecordKey("notion", name, dashed(id_))

    async def look_at_table(self, table: str, *, anew: bool = False) -> None:
        """Read the database or data source; without ``anew`` where that was not done lately.  Raises SourceError."""
        if self._databases is not None and is_id(table):
            await self._databases.data_sources(table, Urgency.SWEEP, anew=anew)

    # What arrives

    def learn(self, token: str) -> None:
        """Take the verification token of a handshake as a key of signatures."""
        self._signature.learn(token)

    def forget(self) -> None:
        """Forget the token of the handshake; those from the environment stay."""
        self._signature.learn(None)

    def authenticate(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Raises InvalidSignature or HandshakeRefused."""
        self._signature.authenticate(headers, body, now)

    def decode(self, headers: Mapping[str, str], body: bytes) -> Decoded:
        """Raises InvalidJson, InvalidSource or InvalidFields."""
        return payloads.decode(headers, body, self._places)

    def columns_of(self, event: Event) -> Columns | None:
        """Give the page object that the event brought."""
        return payloads.columns_of(event)

    async def close(self) -> None:
        """Close the connections and the budget.  Idempotent."""
        await super().close()
        await self.budget.close()

    # What is true

    async def complete(self, truth: Truth, asker: Asker = "change") -> Truth:
        """Read the body that a truth lacks.  Raises SourceError."""
        if self.bodies is None or not truth.lacks_content:
            return truth
        began = self._clock()
        return with_content(truth, await self.bodies.read(truth, _URGENCIES[asker]), began)

    # What pages look like

    def agree(self, truth: Columns, claimed: Columns) -> bool:
        """Compare the claimed properties by their meaning."""
        return agreement.agree(truth, claimed)

    def newer_than_truth(self, event: StoredEvent, truth: Truth) -> bool:
        """Compare in whole minutes, because Notion's own times are."""
        claimed = instant_of(event.event.occurred_at)
        known = instant_of(truth.changed_at)
        return claimed is not None and known is not None and claimed.replace(second=0, microsecond=0) > known

    def changed_at(self, record: RecordKey, columns: Columns) -> str | None:  # noqa: ARG002  every page has it
        """Give ``last_edited_time``."""
        edited = columns.get("last_edited_time")
        return edited if isinstance(edited, str) else None

    def is_called(self, table: str, columns: Columns) -> bool:
        """Whether it is an id of the page's database or data source, or a name of a sender's."""
        return self._places.is_name(table, columns.get("parent"))

    def limits(self, data: bytes) -> Limits:
        """Find the links that expire, and the properties that are cut."""
        return cuts.limits(data)

    def content_state(self, copy: Copy) -> ContentState:
        """Say how it stands with a page's body."""
        if self.bodies is None or not self.bodies.wanted(copy.record.table):
            return "off"
        content = content_of(copy)
        if content is not None:
            return "stored" if content.refused is None else "refused"
        return "waiting" if self.bodies.refusal(copy.record.table) is None else "refused"

    def content_refused(self, table: str) -> str | None:
        """Say why Notion gives no bodies of a database."""
        refusal = None if self.bodies is None else self.bodies.refusal(table)
        return None if refusal is None else f"{refusal.reason}: {refusal.hint}" if refusal.hint else refusal.reason

    def same_content(self, copy: Copy, truth: Truth) -> bool:
        """Compare the bodies without what changes on every read; where they were cut, that depends on it."""
        kept, read = content_of(copy), truth.content
        if kept is None or read is None or (kept.truncated and read.truncated):
            return (kept is None) == (read is None)
        texts = (without_signatures(kept.markdown), without_signatures(read.markdown))
        return texts[0] == texts[1] and (kept.truncated, kept.refused) == (read.truncated, read.refused)

    def title(self, record: RecordKey, columns: Columns) -> str:  # noqa: ARG002  of every database
        """Give the page's title."""
        return titles.title(columns)

    def shown(self, columns: Columns) -> dict[str, str | None]:
        """Give what a person reads of the properties."""
        return shown.shown(columns)

    def fields(self, record: RecordKey, columns: Columns, content: Content | None) -> Fields:
        """Give the words of the configured properties, or of all, and those of the body."""
        body = None if content is None or record.table not in self._with_content else content.markdown
        return words.fields(columns, self._index.get(record.table), body or "")
