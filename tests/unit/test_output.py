"""Log lines to a descriptor that nobody reads, reads late, or cannot be written: nobody waits, and losses are told."""

import os
import threading
from collections.abc import Iterator

import pytest

from hookbridge.observe import output
from hookbridge.observe.output import Queued

LINE = b"x" * 999 + b"\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for one in (read, write):
        try:
            os.close(one)
        except OSError:
            continue  # the test closed it


@pytest.fixture
def told() -> list[int]:
    return []


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "WAITING_MAX", 200_000)
    monkeypatch.setattr(output, "LAST_SECONDS", 0.05)


def read(descriptor: int, lines: int) -> bytes:
    got = b""
    while got.count(b"\n") < lines:
        got += os.read(descriptor, 65536)
    return got


def test_nobody_waits_for_a_pipe_that_is_full_and_who_reads_late_is_told_what_is_missing(
    pipe: tuple[int, int], told: list[int]
) -> None:
    out = Queued(pipe[1], told.append)
    for _ in range(1000):  # a pipe has room for 65, the queue for 200
        out.write(LINE)
    dropped = out.dropped
    assert dropped >= 600
    read(pipe[0], 1000 - dropped)
    out.write(b"late\n")
    assert read(pipe[0], 1) == b"late\n"
    out.drain(10)
    assert told == [dropped]
    out.finish()


def test_closing_does_not_wait_for_a_reader_who_never_comes(pipe: tuple[int, int], told: list[int]) -> None:
    out = Queued(pipe[1], told.append)
    for _ in range(100):
        out.write(LINE)
    out.finish()
    out.write(LINE)
    assert out.dropped == 1
    read(pipe[0], 100)  # so that its thread ends: the next pipe may get this one's number


def test_closing_waits_for_lines_that_somebody_takes(
    pipe: tuple[int, int], told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "LAST_SECONDS", 30.0)
    out = Queued(pipe[1], told.append)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(read(pipe[0], 150)))
    reader.start()
    for _ in range(150):
        out.write(LINE)
    out.finish()
    reader.join()
    assert (got[0].count(b"\n"), out.dropped) == (150, 0)


def test_a_reader_who_is_gone_costs_the_lines_and_no_more(pipe: tuple[int, int], told: list[int]) -> None:
    out = Queued(pipe[1], told.append)
    os.close(pipe[0])
    for _ in range(10):
        out.write(LINE)
    out.drain(10)
    assert (out.dropped, told) == (10, [])
    out.finish()


def test_a_line_that_was_cut_takes_no_other_one_with_it(pipe: tuple[int, int], told: list[int]) -> None:
    gone, written = os.pipe()
    descriptor = os.dup(written)
    os.close(written)
    out = Queued(descriptor, told.append)
    for _ in range(150):
        out.write(LINE)
    assert len(os.read(gone, 10_500)) == 10_500  # a pipe takes whole pages, which end in the middle of a line
    os.close(gone)
    out.drain(10)
    dropped = out.dropped
    assert 0 < dropped < 150
    os.dup2(pipe[1], descriptor)
    for word in (b"first\n", b"second\n"):
        out.write(word)
        out.drain(10)
    assert read(pipe[0], 3) == b"\nfirst\nsecond\n"
    assert told == [dropped]
    out.finish()
    os.close(descriptor)


def test_what_is_no_line_and_arrives_is_left_as_it_is(pipe: tuple[int, int], told: list[int]) -> None:
    out = Queued(pipe[1], told.append)
    for word in (b"50 %", b"\r100 %", b"\n"):
        out.write(word)
        out.drain(10)
    assert read(pipe[0], 1) == b"50 %\r100 %\n"
    out.finish()


def test_a_full_disk_costs_the_lines_until_there_is_room(pipe: tuple[int, int], told: list[int]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    descriptor = os.dup(full)
    os.close(full)
    out = Queued(descriptor, told.append)
    for _ in range(10):
        out.write(LINE)
    out.drain(10)
    assert (out.dropped, told) == (10, [])
    os.dup2(pipe[1], descriptor)
    for word in (b"first\n", b"second\n"):
        out.write(word)
        out.drain(10)
    assert read(pipe[0], 2) == b"first\nsecond\n"
    assert told == [10]
    out.finish()
    os.close(descriptor)


def test_a_descriptor_that_does_not_block_gets_every_line(pipe: tuple[int, int], told: list[int]) -> None:
    os.set_blocking(pipe[1], False)
    out = Queued(pipe[1], told.append)
    for _ in range(150):
        out.write(LINE)
    assert read(pipe[0], 150) == LINE * 150
    assert out.dropped == 0
    out.finish()
