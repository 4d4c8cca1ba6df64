"""``scripts/crash-test`` in short: each kind of blow once, power that fails, and a service that must be found out."""

from pathlib import Path

import pytest

from scripts.crashes.forgetting import compiler
from scripts.crashes.trial import Options, run

KINDS = {"kill", "kill while starting", "kill while draining", "SIGTERM", "SIGSTOP", "full disk"}

needs_a_compiler = pytest.mark.skipif(compiler() is None, reason="the layer that forgets is compiled")


async def test_every_kind_of_blow_leaves_every_promise_kept(tmp_path: Path) -> None:
    result = await run(tmp_path, Options(seed=20_260_627, rounds=len(KINDS), kills=100, load_seconds=0.4))
    assert result.kept, (result.broken, result.failure)
    assert set(result.blows) == KINDS
    assert result.acknowledged > 0
    assert result.changes_with_effect > 0


@needs_a_compiler
async def test_what_was_acknowledged_was_synced_before(tmp_path: Path) -> None:
    options = Options(seed=20_260_628, rounds=3, kills=100, load_seconds=0.4, power_loss=True)
    result = await run(tmp_path, options)
    assert result.kept, (result.broken, result.failure)
    assert result.forgotten_writes > 0, "no loss of power met a write under way"


@needs_a_compiler
async def test_a_service_that_does_not_sync_is_found_out(tmp_path: Path) -> None:
    options = Options(seed=20_260_629, rounds=1, kills=100, load_seconds=0.4, power_loss=True, never_sync=True)
    result = await run(tmp_path, options)
    assert result.lost > 0
    assert not result.kept
