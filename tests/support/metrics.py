"""Reading /metrics as Prometheus does."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from hookbridge.config import Settings
from tests.support.followed import Sources, loaded, sources
from tests.support.handling import Handling
from tests.support.outboxes import empty_answer, taking
from tests.support.receivers import receiver
from tests.support.running import Client, running, with_secrets
from tests.support.waiting import wait_until


class Scrape:
    """One answer of /metrics."""

    def __init__(self, text: str, *, of_nodes: bool = False) -> None:
        """``of_nodes``: with the label that says which node it is, where several share a store."""
        self.text = text
        families = list(text_string_to_metric_families(text))
        self.types = {one.name + ("_total" if one.type == "counter" else ""): one.type for one in families}
        """By the name that a query or a document uses."""
        self._values = {
            (
                sample.name,
                frozenset((name, value) for name, value in sample.labels.items() if of_nodes or name != "node"),
            ): sample.value
            for one in families
            for sample in one.samples
        }

    def __call__(self, name: str, **labels: str) -> float | None:
        """Give one figure of ``hookbridge_…``; None when it is not told."""
        return self._values.get((f"hookbridge_{name}", frozenset(labels.items())))

    def total(self, name: str, **labels: str) -> float:
        """Add up all figures of a name that have these labels."""
        wanted = set(labels.items())
        return sum(value for (one, has), value in self._values.items() if one == f"hookbridge_{name}" and wanted <= has)

    def labels(self, label: str) -> set[str]:
        """Give all values of a label, wherever it stands."""
        return {value for _, has in self._values for one, value in has if one == label}

    def labels_of(self, name: str) -> set[str] | None:
        """Give the names of a query's labels, but for a histogram's ``le``; None when nothing is told."""
        suffixes = ("", "_bucket", "_sum", "_count")
        found = [has for one, has in self._values if one in {name + suffix for suffix in suffixes}]
        return {label for has in found for label, _ in has} - {"le"} if found else None

    def series(self) -> set[str]:
        """Give the names that a query may have: those of histograms with all of their suffixes."""
        return {name for name, _ in self._values} | set(self.types)


async def scrape(client: Client, *, of_nodes: bool = False) -> Scrape:
    """Ask with the admin token."""
    answer = await client.get("/metrics")
    assert answer.status == 200
    return Scrape(await answer.text(), of_nodes=of_nodes)


async def scrape_with_every_figure(folder: Path) -> Scrape:
    """Let a service follow a table, apply a change of it, tell it and refuse something; gives what it then tells."""
    user = Handling(folder)
    async with sources() as both, receiver() as there:
        both.supabase.faults.answer(empty_answer(), path=taking)
        tables = [{"name": "users", "changed_at": "updated_at"}, {"name": "plain", "pull": True}]
        followed = both.settings(folder, handlers=user.section, supabase={"tables": tables})
        nobody = {"alerts_url": "http://127.0.0.1:9/", "alerts_beat_url": "http://127.0.0.1:9/"}
        told = with_secrets(followed, destinations=(there.destination(),), **nobody)
        return await _every_figure(told, both)


async def _every_figure(settings: Settings, both: Sources) -> Scrape:
    async with running(settings) as service:
        await wait_until(lambda: loaded(service))
        both.supabase.insert("users", {"id": 1, "name": "Ada"})
        await service.post("/api/v1/webhooks/supabase", b"{")

        async def applied() -> bool:
            seen = await scrape(service)
            told = seen.total("poll_lag_seconds") > 0 and seen.total("destination_delivered_total") > 0
            return told and seen("pull_waiting") is not None

        await wait_until(applied)
        return await scrape(service)
