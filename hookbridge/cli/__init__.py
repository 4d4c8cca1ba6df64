"""The commands: ``python -m hookbridge …``.

A command is thin: it reads options, calls what the HTTP surface calls, and prints.  How it ends, whatever happens, is
``ending``.
"""


def main() -> None:
    """Run the command that the arguments name.  Does not return."""
    from hookbridge.cli.main import app

    app()
