"""What a run must keep: `room.send.p99: "<250ms"`, checked against its figures by name."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from veza.gateway.load.quantities import SECONDS, duration_text

OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_LIMIT: Final = re.compile(r"(<=|>=|==|<|>)\s*(\d+(?:\.\d+)?)\s*(us|ms|s|%|/s)?")
UNITS: Final[Mapping[str, float]] = {"": 1.0, "%": 0.01, "/s": 1.0, **SECONDS}
PERCENTILES: Final[Mapping[str, float]] = {
    "p50": 50.0,
    "p90": 90.0,
    "p99": 99.0,
    "p99.9": 99.9,
    "p99.99": 99.99,
}
LATENCIES: Final = frozenset({*PERCENTILES, "max"})
WHOLE_RUN: Final = frozenset(
    {
        "errors",
        "lost",
        "duplicated",
        "reordered",
        "gaps",
        "dropped",
        "unanswered",
        "rate.got",
        *(f"generator.late.{each}" for each in LATENCIES),
    }
)
"""Figures of the run as a whole. `errors` is the share of arrivals that failed."""
OF_OPERATION: Final = frozenset(
    {*LATENCIES, "errors", "count", *(f"service.{each}" for each in LATENCIES)}
)
"""Figures of one operation; latency is from the intended start, `service` from when it was sent."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One side of a comparison, in seconds, a share or a count."""

    compare: str
    value: float
    text: str

    def holds(self, found: float) -> bool:
        """Tell whether a figure keeps it."""
        return OPERATORS[self.compare](found, self.value)


@dataclass(frozen=True, slots=True)
class Kept:
    """A threshold and what was found. `found` is None if nothing was measured: it is broken then."""

    name: str
    wanted: str
    found: float | None
    is_kept: bool

    def to_json(self) -> dict[str, Any]:
        """Return it for the result file."""
        return {**asdict(self), "shown": shown(self.name, self.found)}


def parse_limit(text: str) -> Limit:
    """Read `<250ms`, `<0.1%`, `==0` or `>100/s`. Raises `ValueError`."""
    found = _LIMIT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no limit: write it as <250ms, <0.1%, ==0 or >=100/s")
    factor = UNITS[found[3] or ""]
    return Limit(found[1], float(found[2]) * factor, text.strip())


def is_known(name: str, operations: frozenset[str]) -> bool:
    """Tell whether there is a figure of that name."""
    if name in WHOLE_RUN:
        return True
    return any(
        name.startswith(f"{operation}.") and name[len(operation) + 1 :] in OF_OPERATION
        for operation in operations
    )


def figures(result: Mapping[str, Any]) -> dict[str, float]:
    """Return every figure of a result by the name thresholds use."""
    checks, arrivals, late = result["checks"], result["arrivals"], result["generator"]["late"]
    found = {name: checks[name] for name in ("lost", "duplicated", "reordered", "gaps")}
    found["errors"] = arrivals["failed"] / max(1, arrivals["started"])
    found["dropped"] = arrivals["dropped"]
    found["unanswered"] = arrivals["unanswered"]
    found["rate.got"] = result["rate"]["got"]
    found |= {f"generator.late.{name}": value for name, value in late.items() if name != "count"}
    for name, each in result["operations"].items():
        answered = each["count"] - each.get("unanswered", 0)
        if each["intended"]["count"]:
            found |= {f"{name}.{key}": value for key, value in each["intended"].items()}
            found |= {f"{name}.service.{key}": value for key, value in each["service"].items()}
            found[f"{name}.count"] = answered
        found[f"{name}.errors"] = each["failed"] / max(1, each["failed"] + answered)
    return found


def check(wanted: Mapping[str, str], found: Mapping[str, float]) -> list[Kept]:
    """Hold figures against limits, in the order the scenario gives them."""
    return [check_one(name, parse_limit(text), found.get(name)) for name, text in wanted.items()]


def check_one(name: str, limit: Limit, found: float | None) -> Kept:
    """Hold one figure against its limit."""
    return Kept(name, limit.text, found, found is not None and limit.holds(found))


def shown(name: str, value: float | None) -> str:
    """Show a figure in its unit."""
    last = name.rpartition(".")[2]
    if value is None:
        return "not measured"
    if last == "errors":
        return f"{value:.3%}"
    if last in LATENCIES or name.endswith(("p99.9", "p99.99")):
        return duration_text(value)
    return f"{value:,.0f}"
