"""``python -m hookbridge``."""

import sys

PACKAGE = "hookbridge"

if __name__ == "__main__":
    try:
        from hookbridge.cli import main

        main()
    except KeyboardInterrupt:  # before the command had begun
        sys.exit(130)
    except ModuleNotFoundError as missing:
        # A package of ours is missing by a mistake of ours, any other one because this is another Python.
        if missing.name is None or missing.name.partition(".")[0] == PACKAGE:
            raise
        again = " ".join(["./scripts/run", *sys.argv[1:]])
        sys.stderr.write(f"error: {missing.name} is not installed for {sys.executable}\ntry: {again}\n")
        sys.exit(2)
