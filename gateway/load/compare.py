"""Two runs, figure by figure: what differs, by how much, and whether the difference is more than noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from veza.gateway.load.results import percentile

RESAMPLES: Final = 2000
BLOCK: Final = 3
"""Neighbouring seconds resemble each other: they are drawn together."""
FEWEST_SECONDS: Final = 6
INTERVAL: Final = (0.025, 0.975)
COMPARED: Final = ("p50", "p99", "service_p50", "service_p99")


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure in two runs. `low` and `high` bound the ratio b/a with 95 %; None: too few seconds."""

    operation: str
    figure: str
    a: float
    b: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """Say in words what is shown."""
        if self.low is None or self.high is None:
            return "too short to tell"
        if self.low > 1:
            return "slower"
        return "faster" if self.high < 1 else "no difference shown"


def compare(a: dict[str, Any], b: dict[str, Any]) -> list[Difference]:
    """Compare what both runs measured, over the seconds past each one's warm-up.

    The ratio is of the medians of the seconds' percentiles; its interval is a block bootstrap over seconds.
    """
    names = [name for name in a["operations"] if name in b["operations"]]
    return [difference(name, figure, a, b) for name in names for figure in COMPARED]


def difference(name: str, figure: str, a: dict[str, Any], b: dict[str, Any]) -> Difference:
    """Compare one figure of one operation."""
    first, second = by_second(a, name, figure), by_second(b, name, figure)
    if min(len(first), len(second)) < FEWEST_SECONDS:
        return Difference(name, figure, median(first), median(second), None, None)
    dice = Random(1)  # noqa: S311  # the same two files give the same answer
    ratios = sorted(
        median(resampled(second, dice)) / max(1e-9, median(resampled(first, dice)))
        for _ in range(RESAMPLES)
    )
    low, high = (percentile(ratios, share) for share in INTERVAL)
    return Difference(name, figure, median(first), median(second), low, high)


def by_second(result: dict[str, Any], name: str, figure: str) -> list[float]:
    """Return a figure of each second in which the operation was answered."""
    return [
        row["operations"][name][figure]
        for row in result["series"]
        if row["second"] >= result["warmup"] and row["operations"].get(name, {}).get("count")
    ]


def resampled(values: Sequence[float], dice: Random) -> list[float]:
    """Draw as many values again, in runs of neighbours."""
    drawn: list[float] = []
    while len(drawn) < len(values):
        begin = dice.randrange(len(values))
        drawn += [values[(begin + step) % len(values)] for step in range(BLOCK)]
    return drawn[: len(values)]


def median(values: Sequence[float]) -> float:
    """Return the median; 0 of none."""
    return percentile(sorted(values), 0.5)


def unlike(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """Say what else differs between two runs, and so may be the cause."""
    told = []
    if a["target"] != b["target"]:
        told.append(f"target: {a['target']} and {b['target']}")
    if a["environment"]["scenario_hash"] != b["environment"]["scenario_hash"]:
        told.append("the scenarios differ")
    told += [
        f"{key}: {a['environment'][key]} and {b['environment'][key]}"
        for key in ("cpu", "cores", "system", "python", "veza", "seed")
        if a["environment"][key] != b["environment"][key]
    ]
    told += [
        f"{name} is {each['verdict']}" for name, each in (("a", a), ("b", b)) if each["exit_code"]
    ]
    return told
