"""The scripts themselves: they explain themselves, print a table, fail when they should, and leave nothing behind."""

import os
import signal
import sys
from pathlib import Path

import pytest

from scripts.crashes.__main__ import tried
from scripts.crashes.layers import compiler
from scripts.crashes.result import Options
from tests.support.scripts import begin, needs_linux, script
from tests.support.waiting import wait_until

MODULES = {
    "crash-test": "scripts.crashes",
    "soak": "scripts.crashes.soak",
    "fault-test": "scripts.faulting",
    "fuzz": "scripts.fuzzing",
    "timing-test": "scripts.timing",
    "race-test": "scripts.racing",
    "pull-test": "scripts.pulling",
}
LONG = {
    "scripts.crashes": ("--load-seconds", "60"),
    "scripts.crashes.soak": ("--minutes", "9"),
    "scripts.faulting": ("--seconds", "60"),
}

needs_a_compiler = pytest.mark.skipif(compiler() is None, reason="the layer that forgets is compiled")


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def service_of(folder: Path) -> int:
    (found,) = [number for number, words in started_from(folder).items() if "-m hookbridge " in words]
    return found


def started_from(folder: Path) -> dict[int, str]:
    """The processes that work in this folder or were told of it, by their numbers."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(folder) in words or str(folder) in str((process / "cwd").readlink()):
                found[int(process.name)] = words
        except OSError:
            continue  # it has ended meanwhile
    return found


@pytest.mark.parametrize("name", MODULES)
async def test_a_script_explains_itself(tmp_path: Path, name: str) -> None:
    ran = await script(tmp_path, MODULES[name], "--help")
    assert (ran.code, ran.err) == (0, "")
    assert f"usage: scripts/{name}" in ran.out


@needs_linux
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("module", LONG)
async def test_a_script_that_is_ended_leaves_no_process_and_no_folder(
    tmp_path: Path, module: str, number: signal.Signals, code: int
) -> None:
    process = await begin(tmp_path, module, *LONG[module])
    await wait_until(lambda: any("-m hookbridge " in words for words in started_from(tmp_path).values()))
    process.send_signal(number)
    out, err = await process.communicate()
    assert process.returncode == code, err
    assert b"Traceback" not in err
    assert left_in(tmp_path) == []
    assert started_from(tmp_path) == {}
    if module == "scripts.crashes":
        assert b"acknowledged" in out
        assert b"interrupted" in err


@needs_linux
async def test_a_script_that_is_killed_takes_the_service_with_it(tmp_path: Path) -> None:
    process = await begin(tmp_path, "scripts.crashes", *LONG["scripts.crashes"])
    await wait_until(lambda: any("-m hookbridge " in words for words in started_from(tmp_path).values()))
    process.kill()
    await process.communicate()
    await wait_until(lambda: started_from(tmp_path) == {})


@needs_linux
async def test_a_crash_test_without_a_kill_is_no_success(tmp_path: Path) -> None:
    ran = await script(tmp_path, "scripts.crashes", "--kills", "0")
    assert ran.code == 1
    assert "FAILED: nobody was killed" in ran.err
    assert "every promise was kept" not in ran.out


@needs_linux
async def test_a_crash_test_that_fails_itself_does_not_say_that_promises_were_kept(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(IsADirectoryError):
        await tried(tmp_path, Options(seed=1), as_json=False)
    out, err = capfd.readouterr()
    assert "every promise was kept" not in out
    assert "FAILED: the test itself failed: IsADirectoryError" in err


@needs_linux
@needs_a_compiler
async def test_a_service_that_does_not_sync_ends_the_crash_test_with_1(tmp_path: Path) -> None:
    words = ("--never-sync", "--kills", "3", "--blow", "kill", "--load-seconds", "2", "--seed", "1")
    ran = await script(tmp_path, "scripts.crashes", *words)
    assert ran.code == 1, ran.err
    assert "was acknowledged and is not there" in ran.err
    assert "acknowledged  " in ran.out


@needs_linux
async def test_a_soak_without_samples_says_so(tmp_path: Path) -> None:
    ran = await script(tmp_path, "scripts.crashes.soak", "--samples", "0")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "FAILED: 0 samples show no trend: it takes 3 at least\n"


@needs_linux
async def test_a_soak_whose_service_dies_says_so(tmp_path: Path) -> None:
    process = await begin(tmp_path, "scripts.crashes.soak", "--minutes", "1", "--samples", "60")
    assert process.stdout is not None
    for _ in range(3):  # the head, and a sample
        await process.stdout.readline()
    os.kill(service_of(tmp_path), signal.SIGKILL)
    _, err = await process.communicate()
    assert process.returncode == 1
    assert err.startswith(b"FAILED: the service has ended")
    assert left_in(tmp_path) == []


@needs_linux
async def test_without_a_compiler_there_is_no_power_to_lose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    ran = await script(tmp_path, "scripts.crashes", "--power-loss")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: there is no C compiler")
    assert "\ntry: install one" in ran.err
