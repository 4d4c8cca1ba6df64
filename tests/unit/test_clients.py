"""Whose request it is, behind proxies: a header is believed as far as trusted proxies wrote it."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from hookbridge.web.clients import proxies_of, sender

PROXIES = ("127.0.0.1", "10.0.0.0/8", "2001:db8::/32")
STRANGER = "198.51.100.7"
FORGED = "203.0.113.9"


def sent_by(peer: str | None, *headers: tuple[str, str], proxies: tuple[str, ...] = PROXIES) -> str | None:
    return sender(peer, CIMultiDictProxy(CIMultiDict(headers)), proxies_of(proxies))


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x-forwarded-for"])
@pytest.mark.parametrize("peer", [STRANGER, "11.0.0.1", "127.0.0.2", "::1", None])
def test_a_header_of_anybody_else_is_not_looked_at(peer: str | None, name: str) -> None:
    assert sent_by(peer, (name, FORGED), ("Forwarded", f"for={FORGED}")) == peer


def test_without_trusted_proxies_no_header_is_looked_at() -> None:
    assert sent_by("127.0.0.1", ("X-Forwarded-For", FORGED), proxies=()) == "127.0.0.1"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (STRANGER, STRANGER),
        (f"{FORGED}, {STRANGER}", STRANGER),
        (f"{FORGED},{STRANGER} , 10.2.3.4", STRANGER),
        (f"{FORGED}, {STRANGER}, 10.2.3.4, 127.0.0.1", STRANGER),
        (f"127.0.0.1, {FORGED}, {STRANGER}", STRANGER),
        ("10.9.9.9, 10.2.3.4", "10.9.9.9"),
        (f"{STRANGER}:51234", STRANGER),
        ("[2a00::7]:51234", "2a00::7"),
        ("2A00:0:0::7", "2a00::7"),
        (f"::ffff:{STRANGER}", STRANGER),
        (f"{STRANGER}, ::ffff:10.0.0.1", STRANGER),
        (f"{STRANGER}, 2001:db8::9", STRANGER),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", "127.0.0.1"),
        (f"{FORGED}, unknown, 10.2.3.4", "10.2.3.4"),
        (f"{FORGED}, <script>", "127.0.0.1"),
        (f"{FORGED},", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_the_last_address_that_is_no_trusted_proxys_is_the_senders(written: str, expected: str) -> None:
    assert sent_by("127.0.0.1", ("X-Forwarded-For", written)) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (f"for={STRANGER}", STRANGER),
        (f"For={STRANGER};proto=https;by=10.0.0.1", STRANGER),
        (f'by=10.0.0.1; for="{STRANGER}:4711"', STRANGER),
        ('for="[2a00::7]:4711"', "2a00::7"),
        (f"for={FORGED}, for={STRANGER}, for=10.2.3.4", STRANGER),
        (f'for="{FORGED}, for={STRANGER}', STRANGER),
        (f"for={FORGED}, for=_hidden", "127.0.0.1"),
        (f"for={FORGED}, proto=https", "127.0.0.1"),
        (f"for={FORGED}, xfor={STRANGER}", "127.0.0.1"),
    ],
)
def test_forwarded_says_the_same(written: str, expected: str) -> None:
    assert sent_by("127.0.0.1", ("Forwarded", written)) == expected


def test_lines_of_one_name_are_one_list() -> None:
    assert sent_by("10.0.0.1", ("X-Forwarded-For", FORGED), ("X-Forwarded-For", STRANGER)) == STRANGER
    assert sent_by("10.0.0.1", ("X-Forwarded-For", STRANGER), ("X-Forwarded-For", "10.0.0.2")) == STRANGER


@pytest.mark.parametrize(("proxys", "forged"), [("X-Forwarded-For", "Forwarded"), ("Forwarded", "X-Forwarded-For")])
def test_the_header_that_a_proxy_hands_on_names_nobody(proxys: str, forged: str) -> None:
    written = {"X-Forwarded-For": "{}", "Forwarded": "for={}"}
    both = [(proxys, written[proxys].format(STRANGER)), (forged, written[forged].format(FORGED))]
    assert sent_by("127.0.0.1", *both) == "127.0.0.1"
    assert sent_by("127.0.0.1", *both[:1], (forged, written[forged].format(STRANGER))) == STRANGER


@pytest.mark.parametrize("peer", ["::ffff:127.0.0.1", "::ffff:10.1.1.1", "2001:db8::1"])
def test_a_proxy_is_known_in_each_form_of_its_address(peer: str) -> None:
    assert sent_by(peer, ("X-Forwarded-For", STRANGER)) == STRANGER
