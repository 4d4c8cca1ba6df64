"""One more node of the demonstration, as a process of its own: it can be killed, and its machine goes on.

Usage: python -m hookbridge.demo.node; it reads its settings from standard input, so that no secret stands among its
arguments or variables, and writes its address once it serves.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from hookbridge.config import Settings
from hookbridge.observe.logs import configure
from hookbridge.web.server import serve


def written(settings: Settings) -> bytes:
    """Write settings for ``read``."""
    return msgspec.json.encode(settings, enc_hook=str)


def read(data: bytes) -> Settings:
    """Read what ``written`` wrote."""
    return msgspec.json.decode(data, type=Settings, dec_hook=_path)


def _path(kind: type[Any], value: object) -> Any:  # noqa: ANN401  as msgspec has it
    if kind is not Path:
        raise NotImplementedError(kind)
    return Path(str(value))


def main() -> None:
    """Serve until a signal."""
    settings = read(sys.stdin.buffer.read())
    configure(settings.config.logging, settings.secrets, stream=sys.stderr)
    asyncio.run(serve(settings, ready=lambda url: print(url, flush=True)))  # noqa: T201  to who started it


if __name__ == "__main__":
    main()
