"""``backup``: a whole copy of the data file, while the service runs or stands still.

It asks no service: the file is the one that the settings name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hookbridge.cli.command import ConfigOption, JsonOption, print_answer, settings_of
from hookbridge.errors import StartupError

EPILOG = """
Examples:

  ./scripts/run backup hookbridge-backup.db

  ./scripts/run backup "backups/$(date +%F).db"   one for each day

Only its owner can read the copy, which holds what senders sent. To restore it, stop the service, remove the data file
with its -wal and -shm, put the copy in its place, start.

Exit codes: 0 the copy is whole, 2 there is none.
"""

FileArgument = Annotated[Path, typer.Argument(help="Where to write the copy; a file that is there is kept.")]


def backup(file: FileArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Copy the data file of a service, which may run meanwhile."""
    settings = settings_of(config)
    if settings.store_url:
        message = "The data lies in a Postgres database, and not in a file"
        raise StartupError(message, hint="pg_dump --schema=hookbridge, or the backups of whoever runs the server")
    from hookbridge.store.sqlite import back_up  # here: other commands start without a store

    size = back_up(settings.data_file, file)
    made = {"file": str(file.absolute()), "bytes": size}
    print_answer(made, f"{file}  {size:,} bytes, readable by its owner only", as_json=as_json)
