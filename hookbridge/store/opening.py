"""Which engine keeps the data: the one place that chooses."""

from __future__ import annotations

from importlib.util import find_spec

from hookbridge.clock import Clock
from hookbridge.config import Settings
from hookbridge.errors import StartupError, to_install
from hookbridge.store.contract import Store
from hookbridge.store.sqlite import SqliteStore


async def open_store(settings: Settings, clock: Clock) -> Store:
    """Open the store that the settings name.  Raises StartupError.

    ``clock`` is by which events come; a store for several nodes has its server's instead.
    """
    if not settings.store_url:
        return await SqliteStore.open(settings.data_file, clock)
    require_driver()
    from hookbridge.store.postgres import PostgresStore  # noqa: PLC0415  an extra

    return await PostgresStore.open(settings.store_url, node=settings.node_name)


def require_driver() -> None:
    """Raises StartupError where what speaks to Postgres is not installed."""
    if find_spec("asyncpg") is None:
        message = "A store on Postgres needs the package asyncpg, which is not installed"
        raise StartupError(message, hint=to_install("postgres"))
