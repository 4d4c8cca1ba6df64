"""From a change to the POST at a destination, where the node has idled before."""

from scripts.benchmarks.changes import until_told
from scripts.benchmarks.postgres.server import server, settings
from scripts.benchmarks.row import Options, Row

TARGET_SECONDS = 1.1
CHANGES = 30
IDLE_SECONDS = 2.0


def measure(_options: Options) -> list[Row]:
    """Measure one node."""
    with server() as database:
        at = dict(settings(database.database()))
        return [until_told(at, TARGET_SECONDS, "s", count=CHANGES, pause=IDLE_SECONDS)]
