"""What a page with its body costs in the index: file, memory, processor time; and what searches through bodies take."""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path

import msgspec

from hookbridge.config import NotionConfig, Secrets, SignaturesConfig
from hookbridge.model import Content, RecordKey, Truth
from hookbridge.search import Search
from hookbridge.sources.kept import kept
from hookbridge.sources.notion import NotionSource
from hookbridge.store.sqlite import SqliteStore
from scripts.benchmarks.machine import PYTHON, SERVER_CORE, CannotMeasure, pinned, resident_bytes
from scripts.benchmarks.row import Options, Row
from scripts.benchmarks.sources import DATABASE, ROOT

BODY_CHARACTERS = 5_000
FILE_TARGET = 4.0
"""So many times its text a body may take: once as it is, once as tokens, and the index of them."""
MEMORY_TARGET_MIB = 100
SEARCH_TARGET_MS = 250.0
AT_ONCE = 200
SEARCHES = 20
WORDS = 20_000
"""So many different ones, the second half as often as the first, and so on (Zipf)."""


class Taken(msgspec.Struct):
    """What one process took."""

    file_bytes: int
    memory_bytes: int
    index_seconds: float
    common_seconds: float
    rare_seconds: float
    ranked: int


def measure(options: Options) -> list[Row]:
    """Index the same pages without their bodies and with them, and search."""
    pages = options.searched_pages
    without, taken = _taken(pages, 0), _taken(pages, BODY_CHARACTERS)
    file, bare = (one.file_bytes / pages for one in (taken, without))
    times = (file - bare) / BODY_CHARACTERS
    memory = max(0, taken.memory_bytes - without.memory_bytes) / 2**20
    index, bare_index = (one.index_seconds / pages * 1e6 for one in (taken, without))
    return [
        Row(
            name=f"file, a page with a body of {BODY_CHARACTERS:,} characters, of {pages:,}",
            value=f"{file / 1e3:.1f} KB",
            against=f"{bare / 1e3:.1f} KB without",
            ratio=f"{times:.2f} × its text",
            target=f"≤ {FILE_TARGET:g} ×",
            met=times <= FILE_TARGET,
        ),
        Row(
            name="memory at the most, indexing and searching them",
            value=f"{taken.memory_bytes / 2**20:,.0f} MiB",
            against=f"{without.memory_bytes / 2**20:,.0f} MiB without",
            ratio=f"+{memory:,.0f} MiB",
            target=f"≤ +{MEMORY_TARGET_MIB} MiB",
            met=memory <= MEMORY_TARGET_MIB,
        ),
        Row(
            name="processor time to make words of a page and to write it",
            value=f"{index:,.0f} µs",
            against=f"{bare_index:,.0f} µs without",
        ),
        Row(
            name=f"search, a word that all bodies have ({taken.ranked} of the newest ranked)",
            value=f"{taken.common_seconds * 1e3:.1f} ms",
            against=f"{without.common_seconds * 1e3:.1f} ms without",
            target=f"≤ {SEARCH_TARGET_MS:g} ms",
            met=taken.common_seconds * 1e3 <= SEARCH_TARGET_MS,
        ),
        Row(name="search, a rare word of the bodies", value=f"{taken.rare_seconds * 1e3:.1f} ms"),
    ]


def _taken(pages: int, characters: int) -> Taken:
    """Measure in a process of its own, whose memory nothing else has used."""
    command = [PYTHON, "-m", "scripts.benchmarks.search", str(pages), str(characters)]
    ran = subprocess.run(
        pinned(SERVER_CORE, command), cwd=ROOT, capture_output=True, check=False, timeout=300, env=dict(os.environ)
    )
    if ran.returncode:
        raise CannotMeasure("the index could not be made", ran.stderr.decode(errors="replace")[-300:])
    return msgspec.json.decode(ran.stdout, type=Taken)


class _Writer:
    """Makes pages, the same ones in every run."""

    def __init__(self, characters: int) -> None:
        self._chance = random.Random(15)  # noqa: S311  no secret
        self._characters = characters
        letters = "abcdefghijklmnopqrstuvwxyz" * 4 + "äéø"
        self.words = ["".join(self._chance.choices(letters, k=self._chance.randint(2, 10))) for _ in range(WORDS)]
        self._often = list(accumulate(1 / rank for rank in range(1, WORDS + 1)))

    def truth(self, number: int) -> Truth:
        """Give a page as it would be read."""
        edited = "2026-01-01T15:00:00.000Z"
        title = [{"type": "text", "plain_text": f"Note {number}"}]
        properties = {
            "Name": {"id": "title", "type": "title", "title": title},
            "Status": {"id": "s", "type": "select", "select": {"name": self._prose(12)}},
        }
        page = {"object": "page", "id": str(number), "last_edited_time": edited, "properties": properties}
        content = None
        if self._characters:
            content = Content(markdown=self._body(), truncated=False, edited_at=edited)
        return Truth(
            record=RecordKey("notion", DATABASE, f"{number:032d}"),
            data=msgspec.json.encode(page),
            fingerprint=b"f" * 16,
            ticket=number + 1,
            content=content,
        )

    def _body(self) -> str:
        parts: list[str] = []
        length = 0
        while length < self._characters:
            parts.append(self._chance.choice(("## {}", "- [ ] {}", "{} **strong**", "{}")).format(self._prose(300)))
            length += len(parts[-1]) + 2
        return "\n\n".join(parts)

    def _prose(self, characters: int) -> str:
        return " ".join(self._chance.choices(self.words, cum_weights=self._often, k=characters // 7))


async def _measured(pages: int, characters: int) -> Taken:
    writer, at_most, index_seconds = _Writer(characters), 0, 0.0
    config = msgspec.convert({"databases": [{"id": DATABASE, "content": True}]}, NotionConfig)
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        path = Path(name) / "hookbridge.db"
        store = await SqliteStore.open(path, time.time)
        source = NotionSource(config, SignaturesConfig(), Secrets(), store.ticket, None)
        for start in range(0, pages, AT_ONCE):
            truths = [writer.truth(number) for number in range(start, min(start + AT_ONCE, pages))]
            began = time.process_time()
            read = [kept(source, truth, 1.0) for truth in truths]
            await store.load([(one.copy, one.document) for one in read], exclusive=False)
            index_seconds += time.process_time() - began
            at_most = max(at_most, resident_bytes(os.getpid()))
        search = Search(store, {"notion": source}, lambda: None)
        common = await _searched(search, writer.words[0] if characters else "note")
        rare = await _searched(search, writer.words[WORDS // 2])
        at_most = max(at_most, resident_bytes(os.getpid()))
        ranked = len((await search.find(writer.words[0], source=None, table=None, limit=1000)).hits)
        await store.close()
        return Taken(path.stat().st_size, at_most, index_seconds, common, rare, ranked)


async def _searched(search: Search, word: str) -> float:
    """Give the processor time of a search."""
    began = time.process_time()
    for _ in range(SEARCHES):
        await search.find(word, source=None, table=None, limit=20)
    return (time.process_time() - began) / SEARCHES


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_measured(int(sys.argv[1]), int(sys.argv[2])))))
