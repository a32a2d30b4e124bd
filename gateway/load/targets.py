"""What the generator drives: a target carries arrivals out and tells the checks what its readers got."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Protocol, runtime_checkable

from veza.gateway.load.checks import Ledger, Message, Stored
from veza.gateway.load.results import Probe, Recorder
from veza.gateway.load.scenario import Scenario, ScenarioError, TargetName
from veza.gateway.load.schedule import Arrival, Plan

SUPPORTED: Final[Mapping[TargetName, frozenset[str]]] = {
    "actors": frozenset(
        {
            "room.send",
            "room.history",
            "rooms.list",
            "tracks.list",
            "track.playback",
            "login",
            "reconnect",
            "upload",
        }
    ),
    "ws": frozenset({"room.send", "room.history", "reconnect"}),
    "rest": frozenset(
        {
            "room.send",
            "room.history",
            "rooms.list",
            "tracks.list",
            "track.playback",
            "login",
            "upload",
            "ops.tree",
        }
    ),
}
HAS_READERS: Final = frozenset({"actors", "ws"})
"""Targets whose users receive what is said; REST only asks."""


class TargetError(Exception):
    """The target cannot be used; the message is for whoever started the run.

    `retry_after_seconds` is how long it asked to be left alone.
    """

    retry_after_seconds: float = 0.0


class UnreachableError(TargetError):
    """Nobody answers there."""


@dataclass(slots=True, eq=False)
class Run:
    """One run's parts, as targets and behaviours see them. `zero` is on the monotonic clock."""

    scenario: Scenario
    plan: Plan
    name: str
    recorder: Recorder
    ledger: Ledger
    notes: list[str] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, by: int = 1) -> None:
        """Count something that happened on the way."""
        self.counters[what] = self.counters.get(what, 0) + by

    def note(self, text: str) -> None:
        """Keep a sentence for the report, once."""
        if text not in self.notes:
            self.notes.append(text)


@dataclass(frozen=True, slots=True)
class Killed:
    """Who was killed. `room` is its number if it was one of the run's rooms."""

    path: str
    room: int | None


class Target(Protocol):
    """A place where arrivals are carried out."""

    def perform(self, arrival: Arrival, probe: Probe) -> None:
        """Start an arrival; never waits. The probe hears of its end, whenever that is."""

    async def history(self, room: int) -> list[Stored]:
        """Read back all messages of a room."""

    async def kill(self, pattern: str, dice: Random) -> Killed | None:
        """Kill the busiest actor whose path ends like this; None if there is none."""

    async def finish(self) -> None:
        """Wait for what arrivals began and still goes on."""

    async def sample(self) -> dict[str, Any]:
        """Return the server's figures of now, those that can be had."""


@runtime_checkable
class Behaviour(Protocol):
    """An operation of one's own: a class whose instances carry arrivals out, at any of the targets."""

    async def prepare(self, run: Run, target: Any) -> None:
        """Make what it needs, before the first arrival."""

    async def perform(self, arrival: Arrival, probe: Probe) -> None:
        """Carry one out: call `probe.sent()` when the request leaves, raise if it fails."""


def load_behaviours(scenario: Scenario) -> dict[str, Behaviour]:
    """Make one instance of each class that the mix names. Raises `ScenarioError`."""
    found = {}
    for name, operation in scenario.mix.items():
        if operation.behaviour is not None:
            found[name] = load_behaviour(operation.behaviour)
    return found


def load_behaviour(reference: str) -> Behaviour:
    """Import `module:Class` and make one. Raises `ScenarioError`."""
    module, _, name = reference.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ScenarioError(f"behaviour {reference}: {error}") from error
    if not isinstance(made, Behaviour):
        raise ScenarioError(f"behaviour {reference}: it needs prepare(run, target) and perform(…)")
    return made


def check_supported(scenario: Scenario) -> None:
    """Refuse a mix that a target does not know. Raises `ScenarioError`."""
    for name, operation in scenario.mix.items():
        if operation.behaviour is None and name not in SUPPORTED[scenario.target]:
            able = [target for target, names in SUPPORTED.items() if name in names]
            raise ScenarioError(
                f"{name} cannot be done at target {scenario.target}; at {', '.join(able)} it can"
            )


def measurable(scenario: Scenario) -> dict[str, str]:
    """Return the thresholds that this target can measure."""
    has_readers = scenario.target in HAS_READERS
    return {
        name: text
        for name, text in scenario.limits.items()
        if has_readers or not name.startswith("chat.delivery.")
    }


def on_delivered(recorder: Recorder) -> Callable[[Message, float], None]:
    """Return what records the time until the last member has a message."""

    def record(message: Message, now: float) -> None:
        recorder.measure("chat.delivery", message.intended, message.sent_at, now)

    return record


def matches(path: str, pattern: str) -> bool:
    """Tell whether a path ends like a pattern, whose `*` stands for any one name."""
    wanted, names = pattern.strip("/").split("/"), path.strip("/").split("/")
    if len(wanted) > len(names):
        return False
    tail = names[len(names) - len(wanted) :]
    return all(want in ("*", name) for want, name in zip(wanted, tail, strict=True))
