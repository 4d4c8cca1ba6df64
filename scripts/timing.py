"""``scripts/timing-test``: does the time of a refusal tell how much of a signature was right?

Signatures that are wrong in the first byte and others that are wrong in the last one are checked many times, in an
order that is drawn; whoever could tell the two apart could find a signature byte by byte.  The interval is of the ratio
of the medians, by bootstrap.  A comparison that stops at the first difference is measured in the same way, to show that
the measurement would see it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import random
import sys
import time
from collections.abc import Callable, Mapping
from statistics import median

import msgspec

from hookbridge.config import NotionConfig, Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.errors import InvalidSignature
from hookbridge.sources.notion import NotionSource
from hookbridge.sources.source import Source, unordered
from hookbridge.sources.supabase import SupabaseSource

SECRET, TOKEN = "a-secret-of-the-timing-test", "secret_of_the_timing_test"
STANDARD = "whsec_" + "c2VjcmV0" * 4
BODY = b'{"event_type":"update","source":"supabase","table_name":"users","record_id":"1","data":{"id":1}}'
NOW = 1_700_000_000.0
CALLS = 20
"""In one sample: a single call is shorter than what a clock tells apart."""
RESAMPLES = 2_000
LEVEL = 0.99
TOLD_APART = 0.02
"""The interval may not lie wholly outside of 1 ± this: less than 2 % of microseconds drowns in any network."""
NAIVE = "(a comparison that stops)"

Check = Callable[[bytes], None]
"""Checks a digest that is claimed."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One way of signing."""

    scheme: str
    first_us: float
    """Median of a refusal whose signature is wrong in the first byte."""
    last_us: float
    ratio: float
    low: float
    high: float

    @property
    def tells(self) -> bool:
        """Whether the two can be told apart."""
        return self.low > 1 + TOLD_APART or self.high < 1 - TOLD_APART


def _digest(scheme: str) -> bytes:
    if scheme == "Standard Webhooks":
        key, content = base64.b64decode(STANDARD.removeprefix("whsec_")), f"msg_1.{NOW:.0f}.".encode() + BODY
    else:
        key, content = (TOKEN if scheme == "X-Notion-Signature" else SECRET).encode(), BODY
    return hmac.new(key, content, hashlib.sha256).digest()


def _schemes() -> Mapping[str, tuple[bytes, Check]]:
    """Give the right value of each, and its check of another one."""
    secrets = Secrets(webhook_secrets=(SECRET, STANDARD), notion_webhook_secrets=(TOKEN,))
    config = SignaturesConfig(verify=True, static_token=True)
    supabase: Source = SupabaseSource(SupabaseConfig(), config, secrets, unordered)
    notion: Source = NotionSource(NotionConfig(), config, secrets, unordered, None)

    def refused(source: Source, headers: Mapping[str, str]) -> None:
        try:
            source.authenticate(headers, BODY, NOW)
        except InvalidSignature:
            return
        raise AssertionError("a wrong signature passed")

    def standard(claimed: bytes) -> None:
        signature = "v1," + base64.b64encode(claimed).decode()
        refused(
            supabase,
            {"webhook-id": "msg_1", "webhook-timestamp": f"{NOW:.0f}", "webhook-signature": signature},
        )

    right = SECRET.encode()
    return {
        "X-Webhook-Signature": (_digest("hex"), lambda one: refused(supabase, {"X-Webhook-Signature": one.hex()})),
        "Standard Webhooks": (_digest("Standard Webhooks"), standard),
        "X-Notion-Signature": (
            _digest("X-Notion-Signature"),
            lambda one: refused(notion, {"X-Notion-Signature": "sha256=" + one.hex()}),
        ),
        "static token": (
            right,
            lambda one: refused(supabase, {"Authorization": "Bearer " + one.decode("latin-1")}),
        ),
        NAIVE: (_digest("hex"), _naive),
    }


def _naive(claimed: bytes) -> None:
    """Compare as nobody should."""
    for mine, given in zip(_digest("hex"), claimed, strict=True):
        if mine != given:
            return


def wrong_in(right: bytes, place: int) -> bytes:
    """Give the value with one bit of one byte changed; what is a token stays text."""
    changed = bytearray(right)
    changed[place] ^= 1
    return bytes(changed)


def measured(scheme: str, right: bytes, check: Check, samples: int, drawn: random.Random) -> Row:
    """Check both in turn, in an order that is drawn."""
    wrong = (wrong_in(right, 0), wrong_in(right, -1))
    times: tuple[list[float], list[float]] = ([], [])
    order = [0, 1] * samples
    drawn.shuffle(order)
    for which in order:
        began = time.perf_counter_ns()
        for _ in range(CALLS):
            check(wrong[which])
        times[which].append((time.perf_counter_ns() - began) / CALLS / 1000)
    low, high = _interval(times, drawn)
    first, last = median(times[0]), median(times[1])
    return Row(scheme=scheme, first_us=first, last_us=last, ratio=last / first, low=low, high=high)


def _interval(times: tuple[list[float], list[float]], drawn: random.Random) -> tuple[float, float]:
    ratios = sorted(
        median(drawn.choices(times[1], k=len(times[1]))) / median(drawn.choices(times[0], k=len(times[0])))
        for _ in range(RESAMPLES)
    )
    outside = int(RESAMPLES * (1 - LEVEL) / 2)
    return ratios[outside], ratios[-1 - outside]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/timing-test", description=__doc__)
    parser.add_argument("--samples", type=int, default=2000, help=f"of each kind, {CALLS} checks each (default 2000)")
    parser.add_argument("--seed", type=int, default=1, help="of the order (default 1)")
    parser.add_argument("--json", action="store_true", help="print JSON, one row a line, instead of a table")
    given = parser.parse_args()
    drawn = random.Random(given.seed)  # noqa: S311  an order, not a secret
    if not given.json:
        print(f"{'signature':<28} {'first byte':>11} {'last byte':>11} {'ratio':>7}   {LEVEL:.0%} of ratios")
    told = []
    seen = False
    for scheme, (right, check) in _schemes().items():
        row = measured(scheme, right, check, given.samples, drawn)
        if given.json:
            print(msgspec.json.encode(row).decode(), flush=True)
        else:
            figures = f"{row.first_us:>8.2f} µs {row.last_us:>8.2f} µs {row.ratio:>7.3f}   {row.low:.3f}–{row.high:.3f}"
            print(f"{scheme:<28} {figures}", flush=True)
        if scheme == NAIVE:
            seen = row.tells
        elif row.tells:
            told.append(scheme)
    if told:
        print(f"BROKEN: the time tells where a signature is wrong: {', '.join(told)}", file=sys.stderr)
    if not seen:
        print("FAILED: not even a comparison that stops was told apart: give it more --samples", file=sys.stderr)
    return 1 if told or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
