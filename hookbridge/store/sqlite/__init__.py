"""The embedded engine: one SQLite file, one process."""

from hookbridge.store.sqlite.backups import back_up
from hookbridge.store.sqlite.file import free_bytes, inspect, lock
from hookbridge.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "back_up", "free_bytes", "inspect", "lock"]
