"""Traces: receive → process → steps → settle as one trace, a sender's own context as its parent."""

import asyncio
import gzip
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, StatusCode

from hookbridge.model import Receipt
from hookbridge.observe import spans, traces
from hookbridge.pipeline import health
from hookbridge.standins import PostgrestStandin, Reply
from hookbridge.standins.postgrest import errors
from tests.support.books import hint, send, settled
from tests.support.handling import Handling
from tests.support.processes import REPOSITORY
from tests.support.running import ADMIN, make_settings, running

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
STEPS = ["data_verification", "cache_invalidation", "index_update"]


class Made:
    """The spans that were made so far, by however many services."""

    def __init__(self) -> None:
        self._exporters: list[InMemorySpanExporter] = []

    def traces(self, environ: Mapping[str, str]) -> spans.Traces:
        """Stand in for ``spans.exporting``."""
        self._exporters.append(InMemorySpanExporter())
        return kept(self._exporters[-1])

    def all(self) -> list[ReadableSpan]:
        found = [one for exporter in self._exporters for one in exporter.get_finished_spans()]
        return sorted(found, key=lambda one: one.start_time or 0)

    def named(self, *names: str) -> list[ReadableSpan]:
        return [one for one in self.all() if one.name in names]

    def one(self, name: str) -> ReadableSpan:
        (found,) = self.named(name)
        return found


def kept(exporter: InMemorySpanExporter) -> spans.Traces:
    return spans.Traces(SimpleSpanProcessor(exporter), exporter, Resource.create({}))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Switch traces on, with spans that are kept here instead of being sent."""
    made = Made()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(spans, "exporting", made.traces)
    return made


def context(span: ReadableSpan) -> SpanContext:
    found: SpanContext | None = span.context
    assert found is not None
    return found


def attributes(span: ReadableSpan) -> dict[str, object]:
    return {name.removeprefix("hookbridge."): value for name, value in (span.attributes or {}).items()}


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


@pytest.mark.parametrize("access_log", ["errors", "all"])
async def test_from_the_senders_request_to_the_settlement_it_is_one_trace(
    made: Made, tmp_path: Path, access_log: str
) -> None:
    async with running(make_settings(tmp_path, server={"access_log": access_log})) as service:
        id_ = await send(service, hint(1), **SENT)
        await settled(service)
    assert {f"{context(one).trace_id:032x}" for one in made.all()} == {TRACE}
    receive, process = made.one("receive"), made.one("process")
    assert parent(receive) == int(PARENT, 16)
    assert parent(process) == context(receive).span_id
    steps = made.named(*STEPS)
    assert [one.name for one in steps] == STEPS
    assert {parent(one) for one in (*steps, made.one("settle"))} == {context(process).span_id}
    assert attributes(receive) == {"source": "supabase", "events": (id_,), "duplicates": 0}
    assert attributes(process) == {
        "source": "supabase",
        "record": "supabase:public.users:1",
        "events": (id_,),
        "origin": "webhook",
        "outcome": "applied",
        "attempts": 1,
        "verification": "skipped",
    }


async def test_without_a_senders_context_a_trace_begins_with_the_request(made: Made, tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        await send(service, hint(1))
        await send(service, hint(2), traceparent="nonsense")
        await settled(service)
    assert [parent(one) for one in made.named("receive")] == [None, None]
    assert len({context(one).trace_id for one in made.all()}) == 2


async def test_events_of_one_change_are_linked_to_it(made: Made, tmp_path: Path) -> None:
    async with running(make_settings(tmp_path), process=False) as service:
        for _ in range(3):
            await send(service, hint(1))
        await service.service.holds.resume("supabase")
        await settled(service)
    first, second, third = (context(one) for one in made.named("receive"))
    process = made.one("process")
    assert parent(process) == third.span_id
    assert [one.context.span_id for one in process.links] == [first.span_id, second.span_id]


async def test_after_a_restart_the_change_begins_a_new_trace(made: Made, tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running(settings, process=False) as first:
        await send(first, hint(1))
    async with running(settings) as second:
        await settled(second)
    assert parent(made.one("process")) is None


async def test_a_failing_step_says_so_without_the_words_of_its_error(made: Made, tmp_path: Path) -> None:
    key = "sb_secret_for_tests"
    async with PostgrestStandin(key=key) as supabase:
        settings = make_settings(tmp_path, secrets={"supabase_key": key, "supabase_url": supabase.url})
        async with running(settings) as service:
            supabase.create_table("users", {"id": "bigint"})
            supabase.faults.answer(errors.invalid_text("bigint", "1").reply, times=1)
            id_ = await send(service, hint(1))
            await settled(service)
            await service.post(f"/api/v1/events/{id_}/replay", b"", ADMIN)
            await settled(service)
    failed, _ = made.named("data_verification")
    assert failed.status.status_code is StatusCode.ERROR
    assert (attributes(failed)["error.type"], failed.status.description, failed.events) == (
        "ValueImpossible",
        None,
        (),
    )
    dead, again = made.named("process")
    assert (attributes(dead)["outcome"], dead.status.status_code) == ("dead", StatusCode.ERROR)
    assert (attributes(again)["outcome"], again.status.status_code) == ("applied", StatusCode.UNSET)
    assert parent(again) is None, "a dead letter's trace has ended"


async def test_the_span_of_a_handler_that_failed_says_what_it_raised(made: Made, tmp_path: Path) -> None:
    user = Handling(tmp_path)
    async with running(make_settings(tmp_path, handlers=user.section)) as service:
        user.module.failures.append(KeyError("of somebody's data"))
        await send(service, hint(1, table=user.table))
        await settled(service)
    failed, succeeded = made.named("handlers")
    assert (failed.status.status_code, attributes(failed)["error.type"]) == (StatusCode.ERROR, "KeyError")
    assert (failed.status.description, failed.events) == (None, ())
    assert "error.type" not in attributes(succeeded)


async def test_every_attempt_has_its_spans_and_what_was_given_back_goes_on_in_its_trace(
    made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(health, "FIRST_PROBE_SECONDS", 0.01)
    key = "sb_secret_for_tests"
    async with PostgrestStandin(key=key) as supabase:
        supabase.create_table("users", {"id": "bigint"})
        supabase.faults.answer(Reply(status=503, body=b"{}"), times=3)
        settings = make_settings(tmp_path, secrets={"supabase_key": key, "supabase_url": supabase.url})
        async with running(settings) as service:
            await send(service, hint(1), **SENT)
            await settled(service)
    given_back, applied = made.named("process")
    assert [attributes(one)["outcome"] for one in (given_back, applied)] == ["given back", "applied"]
    assert {f"{context(one).trace_id:032x}" for one in made.all()} == {TRACE}
    reads = made.named("data_verification")
    assert [attributes(one)["attempt"] for one in reads] == [1, 2, 3, 1]
    assert [one.status.status_code is StatusCode.ERROR for one in reads] == [True, True, True, False]
    assert len(made.named("settle")) == 1


def test_the_contexts_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "KNOWN_MAX", 3)
    exporter = InMemorySpanExporter()
    one = kept(exporter)
    for number in range(10):
        one.received("notion", {}, [Receipt(number)], 0.001)
    assert list(one._known) == [7, 8, 9]


# What switches them on


@pytest.mark.parametrize(
    ("environ", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_standard_variables_switch_them_on(environ: dict[str, str], on: bool) -> None:  # noqa: FBT001  a table
    assert traces.is_on(environ) is on


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "hookbridge"),
        ({"OTEL_SERVICE_NAME": "bridge-eu"}, "bridge-eu"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=bridge-us"}, "bridge-us"),
    ],
)
def test_the_services_name_can_be_chosen(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], name: str) -> None:
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)
    assert spans.resource(environ).attributes["service.name"] == name


START = """
import asyncio, os, sys
from pathlib import Path
from hookbridge.errors import StartupError
from hookbridge.service import Service
from hookbridge.settings import load

if "absent" in sys.argv:
    sys.modules["opentelemetry"] = None

async def main():
    try:
        service = await Service.open(load(None, os.environ, Path.cwd()))
    except StartupError as error:
        print(error.message, error.hint)
        return
    work = asyncio.create_task(service.run())
    print("opentelemetry.sdk" in sys.modules)
    await service.stop()
    await work

asyncio.run(main())
"""


def start(folder: Path, *arguments: str, **environ: str) -> str:
    """Open a service in a process of its own; gives what that says."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    process = subprocess.run(
        [sys.executable, "-c", START, *arguments],
        cwd=folder,
        env={**given, "PYTHONPATH": str(REPOSITORY), "HOOKBRIDGE_LOGGING__FORMAT": "json", **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout


def test_without_an_endpoint_nothing_of_it_is_imported(tmp_path: Path) -> None:
    assert start(tmp_path).strip() == "False"
    assert start(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9").strip() == "True"


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    said = start(tmp_path, "absent", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert ".venv/bin/python -m pip install -e '.[otel]'" in said


# A collector


@pytest.fixture
async def collector() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that takes spans by OTLP, and the names of those that it took."""
    names: list[str] = []

    async def take(request: web.Request) -> web.Response:
        raw = await request.read()
        if raw.startswith(b"\x1f\x8b"):
            raw = gzip.decompress(raw)
        for group in ExportTraceServiceRequest.FromString(raw).resource_spans:
            names.extend(span.name for scope in group.scope_spans for span in scope.spans)
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}", names
    await runner.cleanup()


async def test_what_is_left_is_sent_before_the_end(
    collector: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, names = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    async with running(make_settings(tmp_path)) as service:
        await send(service, hint(1))
        await settled(service)
    assert sorted(names) == sorted(["receive", "process", *STEPS, "settle"])


async def test_a_collector_that_is_gone_is_no_reason_to_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(spans, "LAST_EXPORT_SECONDS", 0.01)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    # Without an end to its retries the SDK takes 30 s.
    async with asyncio.timeout(20), running(make_settings(tmp_path)) as service:
        await send(service, hint(1))
        await settled(service)
