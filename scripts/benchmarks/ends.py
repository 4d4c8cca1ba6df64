"""The way to the end, from a request to its settlement, beside a bare handler with the same requests, in turns."""

import asyncio
import json
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hookbridge.config import Config, Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.indexing import Indexing
from hookbridge.model import Copy, Document, RecordKey, Truth
from hookbridge.sources.kept import kept
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.store.contract import Store
from hookbridge.store.sqlite import SqliteStore
from scripts.benchmarks import load, servers
from scripts.benchmarks.row import Options, Row, at_most, cheaper

RECORDS = 10_000
LONG = 3_000
GROUP = 500


@dataclass
class _Kind:
    """One kind of records, and what was measured with them."""

    copies: int
    size: int
    requests: Path
    data_file: Path
    bare: list[load.Result] = field(default_factory=list)
    ended: list[servers.Ended] = field(default_factory=list)

    def used(self) -> float:
        return statistics.median(one.processor_us for one in self.ended)

    def rate(self) -> float:
        return statistics.median(one.per_second for one in self.ended)

    def against_bare(self, name: str, target: float) -> Row:
        used = statistics.median(one.processor_us for one in self.bare)
        rate = statistics.median(one.per_second for one in self.bare)
        return cheaper(name, self.used(), used, target, (self.rate(), rate))


def measure(options: Options) -> list[Row]:
    """Let them take turns: every event changes a copy that is there, and its words."""
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        kinds = [
            _kind(Path(name), options, copies, size)
            for copies, size in ((RECORDS, 0), (RECORDS, LONG), (options.copies, 0))
        ]
        short, long, many = kinds
        for _ in range(options.rounds):
            for kind in kinds:
                if kind is not many:  # its requests are as long as the short ones
                    kind.bare.append(servers.bare(kind.requests, options.seconds))
                kind.ended.append(end_to_end(kind.requests, options.seconds, kind.data_file))
        return [
            short.against_bare("end to end, against bare", 0.5),
            long.against_bare(f"end to end, records of {LONG // 1000} KB, against bare", 0.3),
            at_most(
                f"end to end, {options.copies:,} copies, against {RECORDS:,}", many.used(), short.used(), 1.25, "µs"
            ),
        ]


def _kind(folder: Path, options: Options, copies: int, size: int) -> _Kind:
    requests = load.prepare(
        folder / f"requests-{copies}-{size}", options.requests // (4 if size else 1), records=copies, size=size
    )
    data_file = folder / f"copies-{copies}-{size}.db"
    asyncio.run(filled(data_file, copies, size))
    return _Kind(copies, size, requests, data_file)


def end_to_end(requests: Path, seconds: float, data_file: Path) -> servers.Ended:
    """Measure on a fresh copy of the data file: events that were stored once are duplicates."""
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-", dir=data_file.parent) as name:
        used = Path(name) / "hookbridge.db"
        shutil.copy(data_file, used)
        return servers.end_to_end(requests, seconds, used)


async def filled(data_file: Path, copies: int, size: int) -> None:
    """Make a data file with so many copies."""
    store = await SqliteStore.open(data_file)
    await fill(store, copies, size)
    await store.close()


async def fill(store: Store, copies: int, size: int) -> None:
    """Write copies and their words as the first load of a table does."""
    source = SupabaseSource(SupabaseConfig(), SignaturesConfig(), Secrets(), store.ticket)
    await Indexing(store, {"supabase": source}, Config()).open()  # nothing is to be indexed anew
    for start in range(0, copies, GROUP):
        numbers = range(start, min(start + GROUP, copies))
        await store.load(list(_copies(source, await store.ticket(), numbers, size)), exclusive=False)


def _copies(source: SupabaseSource, ticket: int, numbers: range, size: int) -> Iterator[tuple[Copy, Document]]:
    for number in numbers:
        record = RecordKey("supabase", "public.users", str(number))
        data = json.dumps(load.data_of(number, 0, size)).encode()
        made = kept(source, Truth(record=record, data=data, ticket=ticket), now=0.0)
        yield made.copy, made.document
