"""The engine for several nodes: one schema of a Postgres database."""

from hookbridge.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
