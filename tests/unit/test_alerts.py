"""When people are told, in which words and form, and what a user may write of it; by a clock that the test has."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from hookbridge.alerts import deciding, words
from hookbridge.alerts.deciding import Told, Watch, decide, decided
from hookbridge.api.alerts import AlertMessage
from hookbridge.api.health import Problem
from hookbridge.config import AlertsConfig, Secrets, Settings
from hookbridge.errors import ConfigError
from hookbridge.observe.redaction import redaction
from hookbridge.settings import load
from hookbridge.settings.alerts import form_of, sent_to

BEGAN = 1_800_000_000.0
LOOK = 5.0
HOLD, GAP, DAY = 30.0, 900.0, 86_400.0
RULES = AlertsConfig()
DOWN = Problem(level="warn", kind="supabase down", text="supabase is down", todo="5xx", remedy="Wait", events=None)
FULL = Problem(
    level="bad", kind="inbox", text="The inbox cannot be written", todo="t", remedy="Free space", events=None
)
DEAD = replace(FULL, kind="dead letters", text="2 dead letters")
Wrong = Callable[[float], tuple[Problem, ...]]


class Bystander:
    """Looks as often as a node does, and hears what people are told, and when."""

    def __init__(self, rules: AlertsConfig = RULES) -> None:
        self.rules = rules
        self.told, self.watch = Told(), Watch(rules.hold_seconds)
        self.now = 0.0
        self.heard: list[tuple[float, str]] = []
        self.last: AlertMessage | None = None

    def go_on(self, seconds: float, wrong: Wrong | tuple[Problem, ...] = ()) -> None:
        end = self.now + seconds
        while self.now < end:
            self.watch.look(wrong(self.now) if callable(wrong) else wrong, BEGAN + self.now)
            now = BEGAN + self.now
            if (type_ := decide(self.told, self.watch, self.rules, now)) is not None:
                before = self.told if self.told.since else replace(self.told, since=self.watch.began_at)
                about: dict[str, Any] = {"node": "a", "nodes": (), "now": now, "until": self.watch.well_since}
                self.last = words.message(type_, before, self.watch.problems, **about)
                self.told = decided(self.told, self.last, f"msg_{self.now}", self.watch, now).taken(now)
                self.heard.append((self.now, type_))
            self.now += LOOK

    def restarted(self) -> None:
        """Know what is kept, and nothing else."""
        self.told, self.watch = (
            deciding.read(deciding.written(self.told), BEGAN + self.now),
            Watch(self.rules.hold_seconds),
        )


def flapping(seconds: float) -> Wrong:
    return lambda now: () if int(now / seconds) % 2 else (DOWN,)


def test_trouble_is_told_of_when_it_has_lasted_and_its_end_when_that_has() -> None:
    one = Bystander()
    one.go_on(100, (DOWN,))
    one.go_on(100)
    assert one.heard == [(HOLD, "unhealthy"), (100 + HOLD, "healthy")]
    assert one.told.since is None
    assert one.last is not None
    assert one.last.text == "hookbridge (a) is healthy again, after 2 min. What was wrong: supabase is down."


def test_what_is_over_before_it_has_lasted_is_not_told_of() -> None:
    one = Bystander()
    for _ in range(20):
        one.go_on(HOLD - LOOK, (DOWN,))
        one.go_on(HOLD + LOOK)
    assert one.heard == []


def test_a_service_that_flaps_is_told_of_as_one_trouble() -> None:
    one = Bystander()
    one.go_on(3600, flapping(20.0))
    assert [type_ for _, type_ in one.heard] == ["unhealthy"]
    one.go_on(100)
    assert [type_ for _, type_ in one.heard] == ["unhealthy", "healthy"]


def test_one_that_flaps_slowly_tells_of_trouble_once_in_a_gap() -> None:
    one = Bystander()
    one.go_on(DAY, flapping(60.0))
    ill = [at for at, type_ in one.heard if type_ == "unhealthy"]
    assert all(later - at >= GAP for at, later in pairwise(ill))
    assert len(ill) <= DAY / GAP + 1
    assert len(one.heard) <= 2 * len(ill)


def test_trouble_that_gets_bad_is_told_of_at_once_and_more_of_it_with_a_gap() -> None:
    one = Bystander()
    one.go_on(60, (DOWN,))
    one.go_on(60, (FULL, DOWN))
    one.go_on(2 * GAP, (DEAD, DOWN))
    one.go_on(GAP, (FULL, DEAD, DOWN))
    assert one.heard == [(HOLD, "unhealthy"), (60 + HOLD, "worse"), (60 + HOLD + GAP, "worse")]


def test_trouble_that_goes_on_is_told_of_again_after_a_day_or_never() -> None:
    one, other = Bystander(), Bystander(replace(RULES, remind_seconds=0.0))
    one.go_on(2.5 * DAY, (DEAD,))
    other.go_on(2.5 * DAY, (DEAD,))
    assert one.heard == [(HOLD, "unhealthy"), (HOLD + DAY, "reminder"), (HOLD + 2 * DAY, "reminder")]
    assert one.last is not None
    assert one.last.text == "hookbridge (a) has not been healthy for 2 d: 2 dead letters."
    assert other.heard == [(HOLD, "unhealthy")]


def test_a_restart_tells_nothing_twice_and_loses_nothing() -> None:
    one = Bystander()
    one.go_on(60, (DOWN,))
    one.restarted()
    one.go_on(600, (DOWN,))
    assert one.heard == [(HOLD, "unhealthy")]
    one.restarted()
    one.go_on(60)
    assert one.heard[1:] == [(660 + HOLD, "healthy")]


def test_a_machine_that_slept_was_not_ill_meanwhile() -> None:
    one = Bystander(replace(RULES, hold_seconds=120.0))
    one.go_on(LOOK, (DOWN,))
    one.now += 8 * 3600
    one.go_on(LOOK, (DOWN,))
    one.go_on(300)
    assert one.heard == []


def test_what_was_kept_by_a_clock_that_was_ahead_holds_nothing_back() -> None:
    one = Bystander()
    one.now += 10 * 365 * DAY
    one.go_on(60, (DOWN,))
    one.go_on(60)
    one.told = one.told.failed("it answered 500", BEGAN + one.now + 60)
    one.now = 0.0
    one.restarted()
    assert one.told.next_try_at is not None
    assert one.told.next_try_at <= BEGAN + 3600
    one.go_on(2 * GAP, (DOWN,))
    assert one.heard[2:] == [(GAP, "unhealthy")]


def test_a_beat_is_sent_while_nothing_is_wrong_and_that_was_seen_just_now() -> None:
    one = Bystander()
    assert not deciding.is_healthy(one.told, one.watch, BEGAN)
    one.go_on(LOOK, (DOWN,))
    assert not deciding.is_healthy(one.told, one.watch, BEGAN + one.now)  # nor before that has lasted
    one.go_on(LOOK)
    assert deciding.is_healthy(one.told, one.watch, BEGAN + one.now)
    assert not deciding.is_healthy(one.told, one.watch, BEGAN + one.now + 120)
    one.go_on(HOLD, (DOWN,))
    one.go_on(HOLD, (DOWN,))
    one.go_on(LOOK)
    assert not deciding.is_healthy(one.told, one.watch, BEGAN + one.now)  # people were not told of its end


def test_the_end_says_so_when_nobody_could_be_told_of_the_trouble() -> None:
    one = Bystander()
    one.go_on(60, (FULL,))
    assert one.last is not None
    untold = replace(one.told, waiting=one.last, failures=7)
    over = words.message("healthy", untold, (), node="", nodes=("a", "b"), now=BEGAN + 600)
    assert over.text == (
        "hookbridge is healthy again, after 10 min. What was wrong: The inbox cannot be written."
        " Nobody could be told of that before. Nodes that are there: a, b."
    )


# Words and forms

MARKUP = "<!channel> @everyone *bold* [a](http://b.example) & `c` _d_ ~e~ |f|"


def said(*problems: Problem) -> AlertMessage:
    return words.message("unhealthy", Told(since=BEGAN), problems, node="web-1:8080", nodes=(), now=BEGAN + 60)


def test_as_json_it_says_what_is_wrong_and_what_to_do() -> None:
    assert msgspec.json.decode(words.body(said(FULL), "json")) == {
        "type": "unhealthy",
        "at": "2027-01-15T08:01:00Z",
        "since": "2027-01-15T08:00:00Z",
        "node": "web-1:8080",
        "text": "hookbridge (web-1:8080) is not healthy: The inbox cannot be written.",
        "problems": [
            {"level": "bad", "kind": "inbox", "text": "The inbox cannot be written", "todo": "Free space"},
        ],
    }


def test_to_slack_nothing_is_markup() -> None:
    sent = msgspec.json.decode(words.body(said(replace(DOWN, text=MARKUP)), "slack"))
    assert sent.keys() == {"text", "mrkdwn"}
    assert sent["mrkdwn"] is False
    assert "&lt;!channel&gt;" in sent["text"]
    assert " &amp; " in sent["text"]
    assert "<" not in sent["text"]


def test_to_discord_nothing_is_markup_and_nobody_is_mentioned() -> None:
    sent = msgspec.json.decode(words.body(said(replace(DOWN, text=MARKUP)), "discord"))
    assert sent["allowed_mentions"] == {"parse": []}
    assert r"\<!channel\> \@everyone \*bold\* \[a\]\(http://b.example\) & \`c\` \_d\_ \~e\~ \|f\|" in sent["content"]


@pytest.mark.parametrize(("form", "key", "most"), [("slack", "text", 4000), ("discord", "content", 2000)])
def test_it_is_no_longer_than_a_chat_takes(form: Any, key: str, most: int) -> None:  # noqa: ANN401  it is one of three
    many = [replace(DOWN, kind=f"{n}", text="\U0001f525_<" * 200, remedy="&" * 300) for n in range(40)]
    text = msgspec.json.decode(words.body(said(FULL, *many), form))[key]
    assert len(text.encode("utf-16-le")) // 2 <= most
    assert "• The inbox cannot be written. Free space" in text
    assert " more\n" in text
    assert text.splitlines()[-1].startswith("Why: ")


def test_what_a_source_has_said_and_a_secret_are_in_none() -> None:
    before, secret = redaction.clean("planted-secret"), "planted-secret"
    redaction.know(secret)
    sent = words.body(said(replace(DOWN, todo="the row 42 of Ada", text=f"The destination {secret} is down")), "json")
    assert before == secret
    assert secret.encode() not in sent
    assert b"Ada" not in sent
    redaction.begin(Secrets())


# What a user writes

SLACK = "https://hooks.slack.com/services/T0/B0/planted0planted0planted0"
DISCORD = "https://discord.com/api/webhooks/1/planted0planted0planted0planted0"
OWN = "http://alerts.internal:8000/hook"
SIGNS = "whsec_bm8gb25lIGd1ZXNzZXMgdGhpcw=="


@pytest.mark.parametrize(
    ("url", "written", "form"),
    [
        (SLACK, "auto", "slack"),
        ("https://hooks.slack-gov.com/services/x", "auto", "slack"),
        (DISCORD, "auto", "discord"),
        ("https://canary.discord.com/api/webhooks/1/x", "auto", "discord"),
        (f"{DISCORD}/slack", "auto", "slack"),
        (OWN, "auto", "json"),
        ("https://hooks.slack.com./services/x", "auto", "slack"),
        ("https://notdiscord.com/x", "auto", "json"),
        ("https://chat.example.com/hooks/x", "slack", "slack"),
        (SLACK, "json", "json"),
    ],
)
def test_the_form_is_that_of_the_host_or_the_one_that_is_written(url: str, written: Any, form: str) -> None:  # noqa: ANN401
    assert form_of(url, written) == form


def test_discord_is_asked_whether_it_has_taken_it() -> None:
    assert sent_to(DISCORD, "discord") == f"{DISCORD}?wait=true"
    assert sent_to(f"{DISCORD}?thread_id=1", "discord") == f"{DISCORD}?thread_id=1&wait=true"
    assert sent_to(SLACK, "slack") == SLACK


def settings(folder: Path, toml: str, environ: Mapping[str, str]) -> Settings:
    (folder / "config.toml").write_text(toml)
    return load(None, environ, folder)


def test_a_url_of_ones_own_may_stand_in_the_file_and_a_secret_comes_from_elsewhere(tmp_path: Path) -> None:
    toml = f'[alerts]\nurl = "{OWN}"\nbeat_url = "{OWN}"\n'
    (tmp_path / "secret").write_text(f"{SIGNS}\n")
    found = settings(tmp_path, toml, {"HOOKBRIDGE_ALERTS__SECRET_FILE": "secret"})
    assert (found.alerts_url, found.beat_url, found.secrets.alerts_secret) == (OWN, OWN, SIGNS)
    (tmp_path / ".env").write_text(f"HOOKBRIDGE_ALERTS__URL={SLACK}\n")
    assert settings(tmp_path, toml, {}).alerts_url == SLACK


@pytest.mark.parametrize(
    ("toml", "environ", "problem"),
    [
        (f'url = "{SLACK}"', {}, "[alerts] url: whoever knows it may write there"),
        (f'url = "{DISCORD}"', {}, "as HOOKBRIDGE_ALERTS__URL"),
        ('url = "https://me:planted@example.com/"', {}, "[alerts] url: whoever knows it"),
        ('url = "https://example.com/?token=planted"', {}, "[alerts] url: whoever knows it"),
        ('beat_url = "https://hc-ping.com/5bf66975-d4c7-4bf5-bcc8-planted0"', {}, "as HOOKBRIDGE_ALERTS__BEAT_URL"),
        ('url = "https://planted@example.com/"', {}, "[alerts] url: whoever knows it"),
        ('url = "https://api.example.com/bot1:planted-planted0/send"', {}, "[alerts] url: whoever knows it"),
        ('url = "planted"', {}, "[alerts] url: expected an http or https URL"),
        ('url = ["planted"]', {}, "[alerts] url: expected a text"),
        ('secret = "planted"', {}, "secrets stand in the environment or .env"),
        ('form = "planted"', {}, "[alerts] form: expected"),
        ("beat_seconds = 0.5", {}, "[alerts] beat_seconds: expected"),
        ("", {"HOOKBRIDGE_ALERTS__URL": "planted"}, "HOOKBRIDGE_ALERTS__URL: expected an http or https URL"),
        ("", {"HOOKBRIDGE_ALERTS__URL": f"{OWN}#planted"}, "HOOKBRIDGE_ALERTS__URL: what is behind #"),
        ("", {"HOOKBRIDGE_ALERTS__SECRET": SIGNS}, "HOOKBRIDGE_ALERTS__SECRET: it signs what is sent to"),
        (f'url = "{OWN}"', {"HOOKBRIDGE_ALERTS__SECRET": "planted-secret-00"}, "HOOKBRIDGE_ALERTS__SECRET: expected"),
    ],
)
def test_a_mistake_is_named_and_shows_no_secret(
    tmp_path: Path, toml: str, environ: Mapping[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, f"[alerts]\n{toml}\n", environ)
    assert problem in "\n".join(caught.value.problems)
    assert "planted" not in str(caught.value)
