"""The store on a Postgres that several nodes share: is it reached, can it be relied on, is it as it was made.

What keeps a node from starting is asked as it asks (``hookbridge.store.postgres.checks``).  It changes nothing, and
makes no store where there is none yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec

from hookbridge.config import Settings
from hookbridge.doctor.finding import Finding, Findings, broken, failed, ok, skipped, warning
from hookbridge.errors import StoreError, named, to_install
from hookbridge.settings import admin_token
from hookbridge.settings.store_url import without_password
from hookbridge.store.moving import unfinished

if TYPE_CHECKING:
    from hookbridge.store.postgres.seen import Seen, SeenNode  # an extra

CHECK = "store"
FIGURE = "admin_token"
"""Under this name a node tells its token's fingerprint among its figures."""
STORE_SQL = "run what python -m hookbridge store-sql prints, as the database's owner"

CLOCK_SECONDS = 5.0
"""Leases and times are the server's; this far off, times of arrival and of the log tell another story."""


async def look(settings: Settings) -> Findings:
    """Look at the server that the settings name."""
    if find_spec("asyncpg") is None:
        yield failed(CHECK, "the package asyncpg is not installed", to_install("postgres"))
        return
    from hookbridge.store.postgres import checks, seen  # noqa: PLC0415  an extra

    try:
        found = await seen.look(settings.store_url)
    except StoreError as error:
        why = "" if error.__cause__ is None else f" ({named(error.__cause__)})"
        yield failed(CHECK, error.message + why, error.hint or "check the store's url and the server")
        return
    yield ok(CHECK, f"{without_password(settings.store_url)} is reached, {found.way}; Postgres {found.facts.server}")
    refused, said = checks.refusal(found.facts), checks.warning(found.facts)
    if refused is not None:
        yield broken("store settings", refused, "change the server's settings")
    elif said is not None:
        yield warning("store settings", said, STORE_SQL)
    else:
        yield ok("store settings", "fsync, full_page_writes and timeouts are on, the encoding is UTF8")
    yield _rights(found)
    yield _schema(found) if found.may_make else skipped("store schema", f"{found.role} may not look into it")
    yield _clock(found.clock_ahead_seconds)
    if found.nodes:
        yield _nodes(found.nodes, settings.secrets.admin_token)


def _rights(found: Seen) -> Finding:
    check = "store rights"
    if not found.may_make:
        what = f"there is no schema hookbridge, and {found.role} has not the right to make it"
        if found.has_schema:
            what = f"the schema hookbridge, or something in it, is another role's and not that of {found.role}"
        return failed(check, what, STORE_SQL)
    if found.is_superuser:
        hint = f"a role that reaches its own schema alone: {STORE_SQL}"
        return warning(check, f"{found.role} is a superuser, and can do whatever there is to do on this server", hint)
    return ok(check, f"{found.role} has its schema" if found.has_schema else f"{found.role} may make its schema")


def _schema(found: Seen) -> Finding:
    check, version, newest = "store schema", found.version, found.newest_version
    if found.migration is not None and (why := unfinished(found.migration)) is not None:
        return broken(check, why, "")
    if version > newest:
        message = f"it is of a newer hookbridge (version {version}; this one knows {newest})"
        return failed(check, message, "use the newer hookbridge")
    if version < newest:
        made = "is made" if version == 0 else f"is brought from version {version} to {newest}"
        return ok(check, f"{made} by the first node that starts")
    if found.missing:
        return failed(check, f"functions are missing: {', '.join(found.missing)}", "restore a backup of the database")
    if found.unpinned:
        message = (
            f"plans are no longer pinned, in {len(found.unpinned)} places: claims can become a hundred times slower"
        )
        return failed(check, message, " ".join(found.unpinned))
    return ok(check, f"version {version}, with all functions, whose plans are pinned")


def _clock(ahead: float) -> Finding:
    check = "store clock"
    if abs(ahead) <= CLOCK_SECONDS:
        return ok(check, "as this machine's")
    message = f"the server's is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    return warning(check, message, "let both be set by NTP (timedatectl set-ntp true)")


def _nodes(nodes: Sequence[SeenNode], token: str) -> Finding:
    check = "store nodes"
    own = admin_token.fingerprint(token)
    others = [node.name for node in nodes if _figures(node).get(FIGURE, own) != own]
    if others:
        message = f"another admin token than these settings is that of {', '.join(others)}"
        return failed(check, message, f"give all nodes the same {admin_token.VARIABLE}")
    if len({node.version for node in nodes}) > 1:
        named = ", ".join(f"{node.name} {node.version}" for node in nodes)
        return warning(
            check, f"they are of several versions: {named}", "end the update: a mixture is for its time alone"
        )
    return ok(check, f"{len(nodes)}: {', '.join(node.name for node in nodes)}")


def _figures(node: SeenNode) -> dict[str, object]:
    try:
        return msgspec.json.decode(node.figures, type=dict[str, object])
    except msgspec.DecodeError:
        return {}
