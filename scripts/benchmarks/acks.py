"""The ack beside a bare handler and FastAPI: the same requests to each, in turns."""

import statistics
import tempfile
from pathlib import Path

from scripts.benchmarks import load, servers
from scripts.benchmarks.row import Options, Row, at_most, cheaper

RECORDS = 10_000


def measure(options: Options) -> list[Row]:
    """Let the servers take turns."""
    measured: dict[str, list[load.Result]] = {"bare": [], "fastapi": [], "ack": []}
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        requests = load.prepare(Path(name) / "requests", options.requests, records=RECORDS)
        python = servers.fastapi_environment()
        for _ in range(options.rounds):
            measured["bare"].append(servers.bare(requests, options.seconds))
            measured["fastapi"].append(servers.fastapi(requests, python, options.seconds))
            measured["ack"].append(servers.ack(requests, options.seconds))

    def median(name: str, figure: str) -> float:
        return float(statistics.median(getattr(one, figure) for one in measured[name]))

    used = {name: median(name, "processor_us") for name in measured}
    rate = {name: median(name, "per_second") for name in measured}
    return [
        cheaper("ack, against bare", used["ack"], used["bare"], 1.0, (rate["ack"], rate["bare"])),
        cheaper("ack, against FastAPI", used["ack"], used["fastapi"], 2.5, (rate["ack"], rate["fastapi"])),
        at_most("ack p50, against bare", median("ack", "p50_ms"), median("bare", "p50_ms"), 2.0, "ms"),
        at_most("ack p99, against bare", median("ack", "p99_ms"), median("bare", "p99_ms"), 2.0, "ms"),
    ]
