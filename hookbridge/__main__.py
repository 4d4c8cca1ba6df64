"""``python -m hookbridge``."""

from hookbridge.cli import main

if __name__ == "__main__":
    main()
