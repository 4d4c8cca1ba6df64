"""The schema in a database: made or brought to the newest version, once, by whichever node comes first.

Invariants: a version is made whole or not at all; nodes of the version before go on meanwhile and afterwards, because
functions have their version in their name and old ones stay; a schema of a newer version is refused before anything is
written to it.  ``schema/0001_initial.sql`` is version 1, and so on; the functions are made with the last one.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

from hookbridge.errors import StartupError
from hookbridge.store.postgres.connections import Conflict, Link

SCHEMA = "hookbridge"

LOCKS = 1752131435
"""The first number of each advisory lock: "hook".  The second says what for."""

_MIGRATING = 0

# Its reader may have no right to look into the schema, or there is none.
_KNOWN = f"SELECT to_regclass('{SCHEMA}.schema_version') IS NOT NULL"
_VERSION = f"SELECT coalesce(max(version), 0) FROM {SCHEMA}.schema_version"

# One transaction, without a BEGIN: after an error nothing is left open, in whichever session this ran.  The version is
# looked at under the lock: where it is another one by now, somebody was faster, and it has to be read again.
_BEGIN = f"""
SELECT set_config('statement_timeout', '0', true), set_config('synchronous_commit', 'on', true);
SELECT pg_advisory_xact_lock({LOCKS}, {_MIGRATING});
DO $$
DECLARE
    version integer := 0;
BEGIN
    IF to_regnamespace('{SCHEMA}') IS NULL THEN
        CREATE SCHEMA {SCHEMA};
    END IF;
    IF to_regclass('{SCHEMA}.schema_version') IS NOT NULL THEN
        version := (SELECT coalesce(max(v.version), 0) FROM {SCHEMA}.schema_version AS v);
    END IF;
    IF version <> {{known}} THEN
        RAISE EXCEPTION 'another node has made version % meanwhile', version USING ERRCODE = 'serialization_failure';
    END IF;
END
$$;
"""
_END = f"INSERT INTO {SCHEMA}.schema_version SELECT {{version}}, {SCHEMA}.now_1(NULL);"


_SHIPPED = resources.files("hookbridge.store.postgres") / "schema"


async def migrate(link: Link, folder: Traversable = _SHIPPED) -> None:
    """Bring the schema to the newest version that is in the folder.

    Raises StartupError when there is a newer one, and StoreUnavailable.
    """
    steps = _texts(folder)
    while (known := await version(link)) != len(steps):
        if known > len(steps):
            message = f"The store has a schema of a newer hookbridge (version {known}; this one knows {len(steps)})"
            raise StartupError(message, hint="start the newer hookbridge, or give this one another database")
        parts = [_BEGIN.format(known=known)]
        for number, step in enumerate(steps[known:], start=known + 1):
            parts += [step, _END.format(version=number)]
        try:
            await link.script("\n".join([*parts, *_texts(folder / "functions")]))
        except Conflict:
            continue


async def version(link: Link) -> int:
    """Give the version of the schema that is there; 0 for none.  Raises StoreUnavailable."""
    ((known,),) = await link.call(_KNOWN)
    if not known:
        return 0
    ((number,),) = await link.call(_VERSION)
    return int(number)


def newest() -> int:
    """Give the newest version of the schema that this program knows."""
    return len(_texts(_SHIPPED))


def functions() -> list[str]:
    """Give the texts that make its functions."""
    return _texts(_SHIPPED / "functions")


def _texts(folder: Traversable) -> list[str]:
    files = sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=lambda one: one.name)
    return [one.read_text(encoding="utf-8") for one in files]
