"""Child specifications, Erlang/OTP's: what to start, when to start it again, and when to give up."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import Any

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Key
from veza.actors.runtime import ExitReason


class Restart(StrEnum):
    """When a child that ended is started again."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Strategy(StrEnum):
    """Who is restarted along with a child that failed."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


@dataclass(frozen=True, slots=True)
class Ref:
    """Stands in a spec for the address of a child that was started before."""

    name: str


@dataclass(frozen=True, slots=True)
class AllRefs:
    """Stands in a spec for the addresses of all children that were started before, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intensity:
    """More than `restarts` within `period_seconds` is a failure of the supervisor itself.

    `clock` gives seconds and never runs backwards.
    """

    restarts: int
    period_seconds: float
    clock: Callable[[], float] = field(default=monotonic, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One actor. With a `key` the directory is told its address whenever it is ready."""

    name: str
    actor: type[SupervisedActor]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    restart: Restart = Restart.PERMANENT
    key: Key | None = None
    shutdown_seconds: float = 5.0
    ready_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSpec:
    """A supervisor with a fixed list of children, started in order and stopped in reverse."""

    name: str
    strategy: Strategy
    intensity: Intensity
    children: tuple["ChildSpec | SupervisorSpec | FamilySpec", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySpec:
    """A supervisor of any number of alike children, started on demand, one for each key of a family.

    The actor is made with `actor_id` (the key's second half) beside `kwargs`. With `starts_with` only
    a message of such a type starts one: what comes late for one that ended starts no other. One
    child that passes `child_intensity` is given up alone; `intensity` counts the restarts of all.
    """

    name: str
    family: str
    actor: type[SupervisedActor]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    restart: Restart
    max_children: int
    starts_with: frozenset[type] | None = None
    child_intensity: Intensity = Intensity(restarts=5, period_seconds=10)
    intensity: Intensity = Intensity(restarts=200, period_seconds=10)
    shutdown_seconds: float = 5.0


class RestartLog:
    """The restarts of the last period: counts them, and says when there were too many."""

    def __init__(self, intensity: Intensity) -> None:
        self.intensity = intensity
        self._times: deque[float] = deque()

    def record(self) -> bool:
        """Note a restart; return False if that is one too many. One a whole period ago still counts."""
        now = self.intensity.clock()
        self._times.append(now)
        while self._times[0] < now - self.intensity.period_seconds:
            self._times.popleft()
        return len(self._times) <= self.intensity.restarts

    def used(self) -> int:
        """Count the restarts within the last period."""
        since = self.intensity.clock() - self.intensity.period_seconds
        return sum(at >= since for at in self._times)


def is_restarted(restart: Restart, reason: ExitReason) -> bool:
    """Tell whether a child that ended for this reason is started again (OTP's restart types)."""
    if restart is Restart.PERMANENT:
        return True
    return restart is Restart.TRANSIENT and reason.kind not in {"normal", "shutdown"}


def affected(strategy: Strategy, failed: int, count: int) -> range:
    """Return which of `count` children, by start order, are restarted when number `failed` was lost."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return range(failed, failed + 1)
        case Strategy.REST_FOR_ONE:
            return range(failed, count)
        case Strategy.ONE_FOR_ALL:
            return range(count)


def resolved(kwargs: Mapping[str, Any], refs: Mapping[str, object]) -> dict[str, Any]:
    """Put addresses where a spec names them."""
    return {name: _resolve(value, refs) for name, value in kwargs.items()}


def _resolve(value: object, refs: Mapping[str, object]) -> object:
    match value:
        case Ref(name=name):
            return refs[name]
        case AllRefs():
            return dict(refs)
        case _:
            return value
