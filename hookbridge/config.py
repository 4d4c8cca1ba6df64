"""The configuration as frozen structs, with every default: what ``config.toml`` may say.

``hookbridge.settings`` loads them.  A key that is not here does not exist; what a value leads to is decided where it is
used.
"""

from __future__ import annotations

import fnmatch
import re
import socket
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hookbridge.model import ROLES, Role, SourceName
from hookbridge.names import SCHEMA, full_name

Positive = Annotated[int, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0)]
Name = Annotated[str, Meta(min_length=1)]
ChangeType = Literal["upsert", "delete"]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of every section: a key that is not there is a mistake, and says so."""


class ServerConfig(Section, frozen=True):
    """``[server]``: where it listens and what one request may cost."""

    host: Name = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    max_body_bytes: Positive = 2 * 1024 * 1024
    max_appends_in_flight: Positive = 2_000
    shutdown_deadline_seconds: Seconds = 7.0
    access_log: Literal["errors", "all", "none"] = "errors"
    allowed_hosts: tuple[Name, ...] = ()
    trusted_proxies: tuple[Name, ...] = ()


class NodeConfig(Section, frozen=True):
    """``[node]``: what this process does, where several share a store."""

    name: str = ""
    roles: Annotated[tuple[Role, ...], Meta(min_length=1)] = ROLES


class StoreConfig(Section, frozen=True):
    """``[store]``: where the inbox lies and how far it may grow."""

    path: Name = "data/hookbridge.db"
    url: str = ""
    max_open_events: Positive = 5_000_000
    min_free_bytes: Count = 256 * 1024 * 1024


class ProcessingConfig(Section, frozen=True):
    """``[processing]``: lanes, workers and the guide's retry times."""

    workers: Positive = 256
    queue_size: Positive = 512
    max_attempts: Positive = 3
    retry_delay_seconds: Annotated[float, Meta(ge=0)] = 2.0
    retry_multiplier: Annotated[float, Meta(ge=1)] = 2.0
    lease_seconds: Seconds = 300.0
    probe_max_seconds: Seconds = 60.0


class SignaturesConfig(Section, frozen=True):
    """``[signatures]``: who may send."""

    verify: bool = False
    tolerance_seconds: Positive = 300
    static_token: bool = False


class SupabaseTable(Section, frozen=True):
    """One ``[[supabase.tables]]`` block."""

    name: Name
    schema: Name = SCHEMA
    key: Annotated[tuple[Name, ...], Meta(min_length=1)] = ("id",)
    changed_at: Name | None = None
    title: Name | None = None
    index: tuple[Name, ...] | None = None
    partitions: tuple[Name, ...] = ()
    pull: bool = False

    @property
    def full_name(self) -> str:
        """Give its name with its schema, as records have it."""
        return full_name(self.name, self.schema)


class SupabaseConfig(Section, frozen=True, dict=True):
    """``[supabase]``: how its rows are named and read."""

    timeout_seconds: Seconds = 10.0
    unlisted_tables: Literal["accept", "ignore"] = "accept"
    batch_rows: Annotated[int, Meta(ge=1, le=1000)] = 200
    api_schema: Name = SCHEMA
    pull_seconds: Seconds = 0.25
    pull_seconds_max: Seconds = 2.0
    tables: tuple[SupabaseTable, ...] = ()

    def table(self, schema: str, name: str) -> SupabaseTable | None:
        """Find the block of a table; None when it is not listed."""
        return self._by_name.get((schema, name))

    @property
    def pulled(self) -> tuple[str, ...]:
        """Name the tables whose changes are taken from the outbox in their own database."""
        return tuple(one.full_name for one in self.tables if one.pull)

    def root(self, table: str) -> str:
        """Give the full name of the listed table whose partition this is; the table's own where it is none."""
        if not self._partitions or table in self._full_names:
            return table
        return next((root for pattern, root in self._partitions if pattern.fullmatch(table)), table)

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], SupabaseTable]:
        """Every webhook asks."""
        return {(one.schema, one.name): one for one in reversed(self.tables)}

    @cached_property
    def _full_names(self) -> frozenset[str]:
        return frozenset(one.full_name for one in self.tables)

    @cached_property
    def _partitions(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        return tuple(
            (re.compile(fnmatch.translate(name if "." in name else f"{one.schema}.{name}")), one.full_name)
            for one in self.tables
            for name in one.partitions
        )


class NotionDatabase(Section, frozen=True):
    """One ``[[notion.databases]]`` block."""

    id: Name
    poll_seconds: Seconds | None = None
    index: tuple[Name, ...] | None = None
    content: bool = False


class NotionConfig(Section, frozen=True):
    """``[notion]``: which databases count and how fast they are read."""

    base_url: Name = "https://api.notion.com"
    api_version: Annotated[str, Meta(pattern=r"^20\d\d-\d\d-\d\d$")] = "2025-09-03"
    timeout_seconds: Seconds = 20.0
    requests_per_second: Seconds = 3.0
    property_requests_max: Annotated[int, Meta(ge=0, le=1000)] = 10
    content_requests_max: Annotated[int, Meta(ge=1, le=1000)] = 10
    content_characters_max: Annotated[int, Meta(ge=1000, le=10_000_000)] = 1_000_000
    unlisted_databases: Literal["accept", "ignore"] = "accept"
    standalone_pages: Literal["accept", "ignore"] = "ignore"
    handshake: Literal["auto", "accept", "refuse"] = "auto"
    databases: tuple[NotionDatabase, ...] = ()


class CacheKeys(Section, frozen=True):
    """One ``[[cache.keys]]`` block: the external keys that belong to a table's records."""

    source: SourceName
    table: Name
    templates: Annotated[tuple[Name, ...], Meta(min_length=1)]


class CacheConfig(Section, frozen=True):
    """``[cache]``: the user's own cache beside the built-in copies."""

    timeout_seconds: Seconds = 2.0
    keys: tuple[CacheKeys, ...] = ()


class ReconcileConfig(Section, frozen=True):
    """``[reconcile]``: how what no webhook announced is found."""

    enabled: bool = True
    poll_seconds: Seconds = 30.0
    poll_seconds_max: Seconds = 300.0
    overlap_seconds: Annotated[float, Meta(ge=0)] = 120.0
    sweep_seconds: Seconds = 3600.0
    sweep_requests_per_second: Seconds = 1.0
    vanished_share: Annotated[float, Meta(gt=0, le=1)] = 0.2
    vanished_min: Count = 10
    grace_seconds: Seconds = 120.0


class HandlersConfig(Section, frozen=True):
    """``[handlers]``: the user's own code."""

    module: str = ""
    timeout_seconds: Seconds = 30.0
    concurrency: Positive = 32


class RetentionConfig(Section, frozen=True):
    """``[retention]``: how long what is done is kept."""

    settled_days: Seconds = 14.0
    dead_days: Seconds = 90.0
    # What was read before a deletion and is written later finds its tombstone: nothing waits a quarter of an hour.
    tombstone_days: Annotated[float, Meta(ge=0.25 / 24)] = 30.0
    batch_rows: Positive = 500
    interval_seconds: Seconds = 60.0


class Destination(Section, frozen=True):
    """One ``[[destinations]]`` block: who is told of each change."""

    name: Name
    url: Name
    secret: Name
    headers: dict[str, str] = {}
    tables: tuple[Name, ...] = ()
    types: Annotated[tuple[ChangeType, ...], Meta(min_length=1)] = ("upsert", "delete")
    start: Literal["snapshot", "now"] = "snapshot"
    batch: Annotated[int, Meta(ge=1, le=500)] = 100
    batch_bytes: Annotated[int, Meta(ge=1024, le=16 * 1024 * 1024)] = 1024 * 1024
    timeout_seconds: Seconds = 10.0
    allow_private: bool = True

    def __repr__(self) -> str:
        return f"Destination({self.name})"


class AlertsConfig(Section, frozen=True):
    """``[alerts]``: which people are told when it is not healthy, and who misses a service that says nothing."""

    url: str = ""
    form: Literal["auto", "json", "slack", "discord"] = "auto"
    hold_seconds: Seconds = 30.0
    gap_seconds: Seconds = 900.0
    remind_seconds: Annotated[float, Meta(ge=0)] = 86_400.0
    beat_url: str = ""
    beat_seconds: Annotated[float, Meta(ge=1)] = 60.0


class LoggingConfig(Section, frozen=True):
    """``[logging]``."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What must never be shown.  ``repr`` hides every value."""

    supabase_url: str = ""
    supabase_key: str = ""
    supabase_db_url: str = ""
    """The project's own Postgres; holds a password."""
    notion_token: str = ""
    webhook_secrets: tuple[str, ...] = ()
    notion_webhook_secrets: tuple[str, ...] = ()
    admin_token: str = ""
    read_token: str = ""
    """Reads records, search and changes, and does nothing else; without one only the admin token does."""
    redis_url: str = ""
    """May hold a password."""
    store_url: str = ""
    """As ``[store] url``; this one may hold a password."""
    alerts_url: str = ""
    """As ``[alerts] url``; whoever knows this one may write there."""
    alerts_secret: str = ""
    """Signs what people are sent."""
    alerts_beat_url: str = ""
    """As ``[alerts] beat_url``."""
    destinations: tuple[Destination, ...] = ()
    """As ``[[destinations]]``, with what each ``{env:NAME}`` stands for in its place."""
    named: tuple[str, ...] = ()
    """What those variables hold, but for what is shown of a URL."""

    def __repr__(self) -> str:
        return "Secrets(…)"


class Config(Section, frozen=True):
    """Everything that the service is told."""

    server: ServerConfig = ServerConfig()
    node: NodeConfig = NodeConfig()
    store: StoreConfig = StoreConfig()
    processing: ProcessingConfig = ProcessingConfig()
    signatures: SignaturesConfig = SignaturesConfig()
    supabase: SupabaseConfig = SupabaseConfig()
    notion: NotionConfig = NotionConfig()
    cache: CacheConfig = CacheConfig()
    reconcile: ReconcileConfig = ReconcileConfig()
    handlers: HandlersConfig = HandlersConfig()
    retention: RetentionConfig = RetentionConfig()
    alerts: AlertsConfig = AlertsConfig()
    logging: LoggingConfig = LoggingConfig()
    destinations: tuple[Destination, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration with what belongs to it on this machine."""

    config: Config = Config()
    secrets: Secrets = Secrets()
    path: Path | None = None
    """The file that was read; None when there was none."""
    folder: Path
    """What relative paths and the handlers' module are relative to: the folder of the file, or the working one."""

    @property
    def store_url(self) -> str:
        """The Postgres server that keeps the data, for one node or several; empty where ``data_file`` does.

        A secret: it may hold a password.
        """
        return self.secrets.store_url or self.config.store.url

    @property
    def alerts_url(self) -> str:
        """Where people are told that it is not healthy; empty where they are not.  A secret."""
        return self.secrets.alerts_url or self.config.alerts.url

    @property
    def beat_url(self) -> str:
        """What is asked for while it is healthy, and misses it when it is not; empty without one.  A secret."""
        return self.secrets.alerts_beat_url or self.config.alerts.beat_url

    @property
    def node_name(self) -> str:
        """What this node is called: the same after a restart.  Empty where nothing tells it from another one here."""
        server = self.config.server
        return self.config.node.name or (f"{socket.gethostname()}:{server.port}" if server.port else "")

    @property
    def data_file(self) -> Path:
        """The SQLite file, absolute."""
        return (self.folder / self.config.store.path).absolute()
