"""`alerts test`: whether people would be told, tried from where one sits; and what `check` says of it."""

from pathlib import Path
from typing import Any

from tests.support.commands import command
from tests.support.people import SECRET, people

URL, SIGNS, BEAT = "HOOKBRIDGE_ALERTS__URL", "HOOKBRIDGE_ALERTS__SECRET", "HOOKBRIDGE_ALERTS__BEAT_URL"


async def test_a_test_is_sent_signed_and_what_is_answered_is_said(tmp_path: Path) -> None:
    async with people() as there:
        environ: dict[str, Any] = {URL: there.url, SIGNS: SECRET, BEAT: there.beat_url}
        place = there.url.removesuffix("/alerts")
        ran = await command(tmp_path, "alerts", "test", **environ)
        assert (ran.code, ran.out) == (0, f"{place} takes the alert\n{place} takes the beat\n"), ran.err
        assert (there.types, there.beats) == (["test"], 1)
        there.status, there.beat_answer = 403, (200, "OK (not found)")
        ran = await command(tmp_path, "alerts", "test", "--json", **environ)
        assert ran.code == 1
        assert ran.lines == [
            {"type": "alert", "url": place, "taken": False, "reason": "it answered 403"},
            {"type": "beat", "url": place, "taken": False, "reason": "it answered 200: OK (not found)"},
        ]


async def test_an_answer_that_quotes_what_is_secret_in_a_url_is_not_shown_so(tmp_path: Path) -> None:
    async with people() as there:
        there.beat_answer = (403, "planted-value-000 and bot1:planted-path0 are not known")
        environ: dict[str, Any] = {BEAT: f"{there.beat_url}?token=planted-value-000"}
        ran = await command(tmp_path, "alerts", "test", **environ)
        assert (ran.code, "planted-value-000" in ran.out) == (1, False)
        environ = {BEAT: f"{there.url}/bot1:planted-path0"}
        ran = await command(tmp_path, "alerts", "test", **environ)
        assert (ran.code, "planted-path0" in ran.out) == (1, False)


async def test_where_nobody_would_be_told_it_says_how_somebody_is(tmp_path: Path) -> None:
    ran = await command(tmp_path, "alerts", "test")
    assert ran.code == 2
    assert URL in ran.err


async def test_an_address_that_tells_machines_their_secrets_is_not_called(tmp_path: Path) -> None:
    environ: dict[str, Any] = {URL: "http://169.254.169.254/latest/meta-data"}
    ran = await command(tmp_path, "alerts", "test", **environ)
    assert ran.code == 1
    assert "never called" in ran.out


async def test_check_says_who_is_told(tmp_path: Path) -> None:
    secret = "https://hooks.slack.com/services/T0/B0/planted0planted0planted0"
    environ: dict[str, Any] = {URL: secret, BEAT: "https://hc-ping.com/planted0-planted0-planted0"}
    ran = await command(tmp_path, "check", **environ)
    assert "ok       alerts: people are told at https://hooks.slack.com, as slack, not signed" in ran.out
    assert "ok       beats: while it is healthy, https://hc-ping.com hears so every 60 s" in ran.out
    assert "planted0" not in ran.out + ran.err
    ran = await command(tmp_path, "check")
    assert "skipped  alerts: nobody is told when it is not healthy; try: set HOOKBRIDGE_ALERTS__URL" in ran.out
