"""The commands: ``python -m hookbridge …``.

A command is thin: it reads options, calls what the HTTP surface calls, and turns errors into ``error:`` and ``try:``
lines with an exit code: 0 done, 1 a crash of ours, 2 something that the caller can change.
"""


def main() -> None:
    """Run the command that the arguments name.  Does not return."""
    from hookbridge.cli.main import app

    app()
