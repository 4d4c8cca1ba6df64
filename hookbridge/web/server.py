"""One process that serves: the socket, the service and the signals, joined.

Invariant: on a signal to stop no connection is accepted any more; requests that have begun are answered while the
lanes drain, until one deadline for both; then the service closes.  A crash of its own work ends ``serve`` with
that exception.  It decides no exit code.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from hookbridge.config import ServerConfig, Settings
from hookbridge.errors import StartupError
from hookbridge.service import Service
from hookbridge.stopping import stopping
from hookbridge.web.access_log import AccessLog, ErrorsOnly, acknowledged
from hookbridge.web.app import build_app
from hookbridge.web.door import Caller, Door
from hookbridge.web.keys import HOSTS, PROXIES, RECEPTIONS
from hookbridge.web.protocol import Protocol

log = structlog.get_logger("hookbridge.server")

HEADER_LINE_BYTES = 8 * 1024
HEADER_VALUE_BYTES = 16 * 1024
HEADERS = 100
KEEPALIVE_SECONDS = 75.0
"""Longer than the 60 s of common proxies, so that it is the proxy that closes an idle connection."""
BACKLOG = 1024
"""pg_net opens 200 connections at once."""


async def serve(
    settings: Settings,
    *,
    ready: Callable[[str], None] | None = None,
    beside: Callable[[Service], Coroutine[Any, Any, None]] | None = None,
    ending: Callable[[], object] = lambda: None,
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP.

    ``ready`` is called with the base URL once requests are accepted; ``beside`` runs meanwhile, and ends with it.
    ``ending`` is called when the end begins, by a signal also while the event loop is blocked; perhaps several times.

    Raises StartupError when the address or the data folder cannot be used, and whatever ended the service's work.
    """
    # The socket first: a port that is taken shall be found before any file is touched or any change is processed.
    with closing(bind(settings.config.server)) as listener:
        # Signals after the store is open: until then they end the process at once, however long a migration takes.
        service = await Service.open(settings)
        async with (
            signals(ending) as signalled,
            working(service) as (_, work),
            listening(service, listener) as url,
        ):
            _announce(service, url)
            if ready is not None:
                ready(url)
            waiting = asyncio.create_task(signalled.wait(), name="signals")
            company = asyncio.create_task(beside(service), name="beside") if beside is not None else None
            await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
            ending()
            waiting.cancel()
            if company is not None:
                company.cancel()
            if not work.done():
                log.info("Stopping: no new connections, requests that have begun are answered")
    log.info("Stopped")


PRIVILEGED_PORTS_END = 1024


def bind(config: ServerConfig) -> socket.socket:
    """Give a listening socket.  Raises StartupError when the address is taken or is not ours."""
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server((str(address[0]), config.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise StartupError(
            f"Cannot listen on {config.host} port {config.port}: {error.strerror or error}",
            hint=remedy(error, config.port),
        ) from error


def remedy(error: OSError, port: int) -> str:
    """Say what helps where the address cannot be listened on."""
    if isinstance(error, socket.gaierror) or error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
        return "name an address of this machine with --host or HOOKBRIDGE_SERVER__HOST, such as 127.0.0.1 or 0.0.0.0"
    choose = "choose another one with --port or HOOKBRIDGE_SERVER__PORT"
    if error.errno == errno.EADDRINUSE:
        return f"stop what uses the port, or {choose}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        which = f"a port below {PRIVILEGED_PORTS_END}" if port < PRIVILEGED_PORTS_END else f"port {port}"
        return f"this user may not listen on {which}: {choose}, behind a proxy (or grant CAP_NET_BIND_SERVICE)"
    return choose


@asynccontextmanager
async def signals(at_once: Callable[[], object] = lambda: None) -> AsyncIterator[asyncio.Event]:
    """Give an event that a signal to stop sets; a second signal does nothing more."""
    received = asyncio.Event()
    with stopping(received.set, at_once=at_once):
        yield received


@asynccontextmanager
async def working(service: Service) -> AsyncIterator[tuple[Service, asyncio.Task[None]]]:
    """Process changes until the end of the context, then close the service; raises what ended its work before."""
    work = asyncio.create_task(service.run(), name="service")
    try:
        yield service, work
    finally:
        await service.stop()
        await work


@asynccontextmanager
async def listening(service: Service, listener: socket.socket, *, door: bool = True) -> AsyncIterator[str]:
    """Accept requests and give the base URL; at the end answer what has begun, until the service's deadline.

    Without ``door`` everything goes the ordinary route, with the same answers.
    """
    config = service.settings.config.server
    door = door and "receive" in service.settings.config.node.roles
    # A body that was received is stored even when the sender hung up meanwhile: its handler is not cancelled.
    app = build_app(service)
    runner = web.AppRunner(app, handler_cancellation=False, shutdown_timeout=config.shutdown_deadline_seconds)
    await runner.setup()
    manager = runner.server
    assert manager is not None  # noqa: S101  for the type checker: setup() made it
    loop = asyncio.get_running_loop()
    ordinary = partial(Protocol, manager, service.meters, loop=loop, **protocol_options(config))
    front = Door(
        otherwise=ordinary,
        receptions=app[RECEPTIONS],
        max_body_bytes=config.max_body_bytes,
        keepalive_seconds=KEEPALIVE_SECONDS,
        admits=app[HOSTS],
        note=partial(acknowledged, app[PROXIES]) if config.access_log == "all" else None,
    )
    protocol = partial(Caller, front) if door else ordinary
    server = await loop.create_server(protocol, sock=listener, backlog=BACKLOG)
    try:
        yield _url(config.host, listener)
    finally:
        deadline = service.begin_stop()
        server.close()
        try:
            async with asyncio.timeout_at(deadline):
                await front.stop()
                await runner.cleanup()
        except TimeoutError:
            left = manager.connections
            log.warning("Requests were cut off at the deadline", connections=len(left) + len(front.callers))
            for caller in list(front.callers):
                caller.transport.abort()
            for connection in left:
                if isinstance(connection, Protocol):
                    connection.give_up()


def protocol_options(config: ServerConfig) -> dict[str, Any]:
    """How a connection is treated: the arguments of aiohttp's ``RequestHandler``."""
    access_logs: dict[str, dict[str, Any]] = {
        "all": {"access_log_class": AccessLog},
        "errors": {"access_log_class": ErrorsOnly},
        "none": {"access_log": None},
    }
    return {
        # Signatures are over the bytes on the wire, and what is not unpacked here cannot be a bomb.
        "auto_decompress": False,
        "keepalive_timeout": KEEPALIVE_SECONDS,
        "max_line_size": HEADER_LINE_BYTES,
        "max_field_size": HEADER_VALUE_BYTES,
        "max_headers": HEADERS,
        **access_logs[config.access_log],
    }


def _announce(service: Service, url: str) -> None:
    """Say what runs here, and loudly what should not."""
    settings = service.settings
    log.info(
        "Listening",
        url=url,
        credentials=[name for name, source in service.sources.items() if source.has_credentials],
        without_credentials=[name for name, source in service.sources.items() if not source.has_credentials],
        signatures="verified" if settings.config.signatures.verify else "not verified",
        data=service.store.describe(),
        open_events=service.store.open_events,
        docs=f"{url}/docs",
    )
    if service.admin_token_file is not None:
        log.info("The admin token was generated", file=str(service.admin_token_file))
    for warning in service.warnings():
        log.warning(warning)


def _url(host: str, listener: socket.socket) -> str:
    """The address to show: the host as configured, the port as it is."""
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
