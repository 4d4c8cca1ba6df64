"""One line of the table, and how much is measured."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much is measured."""

    seconds: float
    rounds: int
    requests: int = 150_000
    """Prepared requests: each is sent once to a server that knows duplicates."""
    copies: int = 100_000
    verified_rows: int = 10_000
    backlog: int = 1_000_000
    backfill_rows: int = 100_000
    bodies: int = 10_000
    starts: int = 5
    searched_pages: int = 2_000

    def smaller(self) -> "Options":
        """Give what is enough to see that everything runs."""
        return Options(
            seconds=1.0,
            rounds=1,
            requests=30_000,
            copies=20_000,
            verified_rows=1_000,
            backlog=20_000,
            backfill_rows=5_000,
            bodies=500,
            starts=1,
            searched_pages=200,
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was measured, against what."""

    name: str
    value: str
    against: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None

    def as_dict(self) -> dict[str, object]:
        """Give it for JSON."""
        return asdict(self)


def cheaper(name: str, used: float, base: float, target: float, rates: tuple[float, float]) -> Row:
    """Make the row of a request's processor time, which should be the base's over ``target``; rates are shown."""
    ratio = base / used
    return Row(
        name=name,
        value=f"{used:,.0f} µs, {rates[0]:,.0f}/s",
        against=f"{base:,.0f} µs, {rates[1]:,.0f}/s",
        ratio=f"{ratio:.2f} ×",
        target=f"≥ {target:g} ×",
        met=ratio >= target,
    )


def at_least(name: str, value: float, base: float, target: float, unit: str) -> Row:
    """Make the row of a figure that should be at least so many times its base."""
    ratio = value / base
    return Row(
        name=name,
        value=f"{value:,.0f} {unit}",
        against=f"{base:,.0f} {unit}",
        ratio=f"{ratio:.2f} ×",
        target=f"≥ {target:g} ×",
        met=ratio >= target,
    )


def at_most(name: str, value: float, base: float, target: float, unit: str) -> Row:
    """Make the row of a figure that should be at most so many times its base."""
    ratio = value / base
    return Row(
        name=name,
        value=f"{value:,.1f} {unit}",
        against=f"{base:,.1f} {unit}",
        ratio=f"{ratio:.2f} ×",
        target=f"≤ {target:g} ×",
        met=ratio <= target,
    )
