"""``scripts/fuzz``: one target, guided by coverage, for some time."""

import argparse
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).parent.parent.parent / "tests" / "fixtures" / "corpus"


def main() -> int:
    """Fuzz until the time is over or something is found."""
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Throws random bodies and headers at every decoder and signature check, guided by coverage.",
        epilog="What is found is printed and written to ./crash-…: add it to tests/fixtures/corpus, where the tests "
        "replay it. Exit code 1 when something was found.",
    )
    parser.add_argument("--target", default="supabase", help="supabase, notion, signature, record-id or retry-after")
    parser.add_argument("--seconds", type=int, default=60, help="how long (default 60)")
    given = parser.parse_args()
    try:
        import atheris
    except ImportError:
        print("error: atheris is not installed", file=sys.stderr)
        print("try: .venv/bin/python -m pip install 'atheris>=3,<4'   (Linux)", file=sys.stderr)
        return 2
    with atheris.instrument_imports(include=["hookbridge"]):
        from scripts.fuzzing.targets import TARGETS
    if given.target not in TARGETS:
        parser.error(f"there is no target {given.target}; expected one of {', '.join(TARGETS)}")
    with tempfile.TemporaryDirectory(prefix="hookbridge-fuzz-") as found:
        options = [sys.argv[0], f"-max_total_time={given.seconds}", "-max_len=4096", "-rss_limit_mb=2048"]
        atheris.Setup([*options, found, str(CORPUS)], TARGETS[given.target])
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
