"""`destinations list`: state, lag and reason of each."""

from pathlib import Path

from aiohttp import web

from tests.service.test_rejections import filled, refuses, rejected, told_ids
from tests.support.commands import command
from tests.support.receivers import receiver
from tests.support.running import make_settings, running
from tests.support.waiting import wait_until


async def test_the_list_says_who_takes_changes_and_why_another_one_does_not(tmp_path: Path) -> None:
    async with receiver() as there, receiver() as broken:
        broken.otherwise = lambda: web.Response(status=503, text="\x1b[31mbusy", headers={"Retry-After": "900"})
        to = there.destination(), broken.destination(name="broken")
        async with running(make_settings(tmp_path, secrets={"destinations": to})) as service:
            await wait_until(lambda: there.taken and broken.bodies)

            async def is_down() -> bool:
                ran = await command(tmp_path, "destinations", "list", "--json", "--url", service.url)
                return [one["state"] for one in ran.lines[0]["destinations"]] == ["running", "down"]

            await wait_until(is_down)
            ran = await command(tmp_path, "destinations", "list", "--url", service.url)
            assert ran.code == 0, ran.err
            (line,) = (line for line in ran.out.splitlines() if "broken" in line)
            assert "it answered 503" in line
            assert "\x1b" not in line
            assert there.url not in ran.out


async def test_without_destinations_it_says_where_they_are_named(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        ran = await command(tmp_path, "destinations", "list", "--url", service.url)
        assert ran.code == 0
        assert "[[destinations]]" in ran.out


async def test_one_is_paused_resumed_and_rewound(tmp_path: Path) -> None:
    async with receiver() as there:
        settings = make_settings(tmp_path, secrets={"destinations": (there.destination(),)})
        async with running(settings) as service:
            await wait_until(lambda: there.taken)
            for words, shown in (
                (("pause", "search"), "search is paused"),
                (("resume", "search"), "search is running"),
                (("rewind", "search", "--to", "start"), "search is running, snapshot"),
            ):
                ran = await command(tmp_path, "destinations", *words, "--url", service.url)
                assert (ran.code, ran.out.startswith(shown)) == (0, True), ran.out + ran.err
            ran = await command(tmp_path, "destinations", "test", "search", "--url", service.url)
            assert (ran.code, ran.out) == (0, "search takes what is sent\n")
            there.otherwise = lambda: web.Response(status=403)
            ran = await command(tmp_path, "destinations", "test", "search", "--url", service.url)
            assert (ran.code, ran.out) == (1, "search: it answered 403\n")
            ran = await command(tmp_path, "destinations", "pause", "other", "--url", service.url)
            assert ran.code == 1
            ran = await command(tmp_path, "destinations", "rewind", "search", "--to", "x", "--url", service.url)
            assert ran.code == 2


async def test_what_one_has_rejected_is_listed_and_sent_again(tmp_path: Path) -> None:
    await filled(tmp_path, 6)
    async with receiver() as there:
        refuses(there, {"1", "4"})
        settings = make_settings(tmp_path, secrets={"destinations": (there.destination(),)})
        async with running(settings) as service:
            await rejected(service, 2)
            await wait_until(lambda: "snapshot_end" in told_ids(there))
            at = ("search", "--url", service.url)
            ran = await command(tmp_path, "destinations", "rejected", *at)
            first, second = ran.out.splitlines()
            assert "supabase:public.users:4  it answered 422: bad: 4" in first
            assert "supabase:public.users:1  it answered 422: bad: 1" in second
            ran = await command(tmp_path, "destinations", "rejected", *at, "--limit", "1", "--json")
            (line,) = ran.lines
            assert (line["id"], ran.err) == ("4", f"There are more: --cursor {line['seq']}\n")
            ran = await command(tmp_path, "destinations", "rejected", *at, "--cursor", str(line["seq"]), "--json")
            assert [one["id"] for one in ran.lines] == ["1"]
            ran = await command(tmp_path, "destinations", "list", "--url", service.url)
            assert "rejected" in ran.out
            refuses(there, set())
            ran = await command(tmp_path, "destinations", "replay", *at)
            assert (ran.code, ran.out) == (0, "search: 2 rejected changes are sent again\n")
            await rejected(service, 0)
            ran = await command(tmp_path, "destinations", "rejected", *at)
            assert (ran.code, ran.out) == (0, "")
            assert "has rejected nothing" in ran.err
            for verb in ("rejected", "replay"):
                ran = await command(tmp_path, "destinations", verb, "other", "--url", service.url)
                assert ran.code == 1


async def test_what_one_has_rejected_is_dismissed_by_number_and_all(tmp_path: Path) -> None:
    await filled(tmp_path, 8)
    async with receiver() as there:
        refuses(there, {"1", "4", "6"})
        settings = make_settings(tmp_path, secrets={"destinations": (there.destination(),)})
        async with running(settings) as service:
            await rejected(service, 3)
            await wait_until(lambda: "snapshot_end" in told_ids(there))
            at = ("--url", service.url)
            ran = await command(tmp_path, "destinations", "rejected", "search", "--json", *at)
            seqs = [str(one["seq"]) for one in ran.lines]
            ran = await command(tmp_path, "destinations", "dismiss", "search", seqs[0], seqs[0], "99", *at)
            assert (ran.code, ran.out) == (0, "search: 1 rejected change is dismissed; 1 other is not rejected\n")
            await rejected(service, 2)
            ran = await command(tmp_path, "destinations", "dismiss", "search", seqs[1], "--json", *at)
            assert (ran.code, ran.lines) == (0, [{"dismissed": 1, "left_alone": 0}])
            ran = await command(tmp_path, "destinations", "dismiss", "search", "--all", *at)
            assert (ran.code, ran.out) == (0, "search: 1 rejected change is dismissed\n")
            await rejected(service, 0)
            many = map(str, range(1, 502))
            ran = await command(tmp_path, "destinations", "dismiss", "search", *many, *at)
            assert (ran.code, ran.out) == (0, "search: 0 rejected changes are dismissed; 501 others are not rejected\n")
            for words in ((), ("1", "--all"), ("one",)):
                ran = await command(tmp_path, "destinations", "dismiss", "search", *words, *at)
                assert (ran.code, ran.err.startswith("error: ")) == (2, True)
            ran = await command(tmp_path, "destinations", "dismiss", "other", "--all", *at)
            assert ran.code == 1
