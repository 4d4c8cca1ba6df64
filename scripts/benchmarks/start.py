"""From exec to the first accepted request, in an empty folder."""

import http.client
import statistics
import tempfile
import time
from pathlib import Path

from scripts.benchmarks.machine import PYTHON, SERVER_CORE, CannotMeasure, running
from scripts.benchmarks.row import Options, Row
from scripts.programs import free_port

BODY = b'{"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": "1", "data": {"id": 1}}'
TARGET_SECONDS = 1.5


def measure(options: Options) -> list[Row]:
    """Start several times."""
    seconds = statistics.median(_start() for _ in range(options.starts))
    return [
        Row(
            name="start, exec to first 202",
            value=f"{seconds:.2f} s",
            target=f"≤ {TARGET_SECONDS:g} s",
            met=seconds <= TARGET_SECONDS,
        )
    ]


def _start() -> float:
    port = free_port()
    environment = {"PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        began = time.monotonic()
        command = [PYTHON, "-m", "hookbridge", "--port", str(port)]
        with running(command, core=SERVER_CORE, environment=environment, folder=Path(name)):
            while time.monotonic() - began < 30:  # noqa: PLR2004  by then it is broken
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                try:
                    connection.request("POST", "/api/v1/webhooks/supabase", BODY, {"Content-Type": "application/json"})
                    if connection.getresponse().status == http.client.ACCEPTED:
                        return time.monotonic() - began
                except OSError:
                    time.sleep(0.005)
                finally:
                    connection.close()
    raise CannotMeasure("the service did not start", "start it by hand to see why")
