"""One target under atheris, which ends its process: usage ``python -m scripts.fuzzing.child TARGET SECONDS FOLDER``."""

import sys
from pathlib import Path

import atheris

CORPUS = Path(__file__).parent.parent.parent / "tests" / "fixtures" / "corpus"
WATCHED = ["hookbridge.sources", "hookbridge.model", "hookbridge.pipeline.headers", "hookbridge.web.parameters"]
"""What reads.  To watch all of hookbridge would only take longer to begin."""
CASE_SECONDS = 20
"""A case that takes longer hangs."""
MEMORY_MB = 2048


def main(target: str, seconds: str, folder: str) -> None:
    """Fuzz; new cases go to ``corpus`` in the folder, what breaks the target to ``found``."""
    with atheris.instrument_imports(include=WATCHED):
        from scripts.fuzzing.targets import TARGETS
    options = [
        f"-max_total_time={seconds}",
        "-max_len=4096",
        f"-timeout={CASE_SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-artifact_prefix={folder}/found/",
    ]
    atheris.Setup([sys.argv[0], *options, f"{folder}/corpus", str(CORPUS)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
