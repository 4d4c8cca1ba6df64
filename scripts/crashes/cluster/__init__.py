"""The crash test of several nodes over one Postgres: ``scripts/crash-test --nodes 3``."""

from scripts.crashes.cluster.blows import NAMES
from scripts.crashes.cluster.trial import run

__all__ = ["NAMES", "run"]
