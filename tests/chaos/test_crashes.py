"""``scripts/crash-test`` in short: each kind of blow once, power that fails, and a service that must be found out."""

import asyncio
import time
from pathlib import Path

import pytest

from scripts.crashes import checks
from scripts.crashes.blows import NAMES
from scripts.crashes.layers import compiler
from scripts.crashes.processes import get
from scripts.crashes.pulled import Pulled, journal_of
from scripts.crashes.result import Options, Result
from scripts.crashes.setup import RETAINED_SECONDS
from scripts.crashes.trial import run
from tests.support.scripts import needs_linux

pytestmark = needs_linux
needs_a_compiler = pytest.mark.skipif(compiler() is None, reason="the layer that forgets is compiled")


async def test_every_kind_of_blow_leaves_every_promise_kept(tmp_path: Path) -> None:
    result = await run(tmp_path, Options(seed=20_260_627, rounds=len(NAMES), kills=100, load_seconds=0.4))
    assert result.kept, (result.broken, result.failure)
    assert set(result.blows) == set(NAMES)
    assert result.acknowledged > 0
    assert result.taken > 0
    assert result.removed > 0
    assert result.events_with_effect > 0


@needs_a_compiler
async def test_what_was_acknowledged_was_synced_before(tmp_path: Path) -> None:
    blows = ("kill", "kill while creating", "kill on a full disk")
    options = Options(seed=20_260_628, rounds=3, kills=100, load_seconds=0.4, power_loss=True, blows=blows)
    result = await run(tmp_path, options)
    assert result.kept, (result.broken, result.failure)
    assert result.forgotten_writes > 0, "no loss of power met a write under way"


@needs_a_compiler
async def test_a_service_that_does_not_sync_is_found_out(tmp_path: Path) -> None:
    options = Options(
        seed=20_260_629, rounds=3, kills=100, load_seconds=2.0, power_loss=True, never_sync=True, blows=("kill",)
    )
    result = await run(tmp_path, options)
    assert result.lost > 0
    assert result.acknowledged + result.taken >= result.lost
    assert not result.kept


@pytest.mark.parametrize(("kills", "says"), [(0, "nobody was killed"), (3, "nothing was acknowledged")])
def test_a_run_that_tested_nothing_is_no_success(kills: int, says: str) -> None:
    result = Result(seed=1, kills=kills)
    result.insist(NAMES)
    assert says in result.failure
    assert not result.kept


def test_an_effect_is_looked_for_with_every_event_and_counted_when_it_comes_again(tmp_path: Path) -> None:
    effects = checks.Effects(tmp_path)
    (tmp_path / "effects-0.log").write_text("1\n2\n3\n")
    effects.read()
    (tmp_path / "effects-0.log").write_text("1\n2\n3\n3\n4\n")
    (tmp_path / "effects-1.log").write_text("4\n2\n")
    effects.read()
    effects.read()
    assert (effects.events, effects.again) == (4, 3)


def test_what_was_taken_from_an_outbox_and_is_not_there_is_named(tmp_path: Path) -> None:
    pulled = Pulled(tmp_path / "journal")
    now = time.time()
    journal_of(tmp_path / "journal").write_text(f"0a {now}\n0b {now}\n0c {now - RETAINED_SECONDS}\n")
    pulled.read()
    assert pulled.lost({b"\x0a"}) == ["a change 0b was taken and is not there"]
    assert pulled.lost({b"\x0a", b"\x0b"}) == []
    assert pulled.done == 3


async def test_a_service_that_hangs_up_without_an_answer_is_one_that_cannot_be_reached() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        with pytest.raises(OSError, match="hung up"):
            await get(server.sockets[0].getsockname()[1], "/healthz")
