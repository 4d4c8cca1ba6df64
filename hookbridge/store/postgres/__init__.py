"""The engine for several nodes: one schema of a Postgres database."""

from hookbridge.store.postgres.arriving import Arrival
from hookbridge.store.postgres.store import PostgresStore

__all__ = ["Arrival", "PostgresStore"]
