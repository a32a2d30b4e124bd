"""Who does what and when, decided before the first arrival: the same seed, the same list."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final

from veza.gateway.load.scenario import Fixtures, Phase, Scenario

NO_ROOM: Final = -1


@dataclass(frozen=True, slots=True)
class Arrival:
    """One thing that a user does at a time. `user` and `room` count from 0; `room` -1: in none."""

    number: int
    at_seconds: float
    operation: str
    user: int
    room: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The arrivals of a run, and which users are in which rooms."""

    arrivals: tuple[Arrival, ...]
    members: tuple[tuple[int, ...], ...]
    """The users of each room."""

    def rooms_of(self, user: int) -> list[int]:
        """Return the rooms a user is in."""
        return [room for room, users in enumerate(self.members) if user in users]


def plan(scenario: Scenario) -> Plan:
    """Decide everything that chance decides."""
    dice = Random(scenario.seed)  # noqa: S311  # repeatable on purpose
    members = membership(scenario.fixtures, dice)
    times = [at for at, _phase in moments(scenario.arrivals, dice)]
    names = list(scenario.mix)
    weights = list(accumulate(scenario.mix[name].weight for name in names))
    popular = list(accumulate(popularity(scenario.fixtures)))
    arrivals = []
    for number, at in enumerate(times):
        name = dice.choices(names, cum_weights=weights)[0]
        if popular:
            room = dice.choices(range(len(popular)), cum_weights=popular)[0]
            user = dice.choice(members[room])
        else:
            room, user = NO_ROOM, dice.randrange(scenario.fixtures.users)
        arrivals.append(Arrival(number, at, name, user, room))
    return Plan(tuple(arrivals), members)


def moments(phases: tuple[Phase, ...], dice: Random) -> Iterator[tuple[float, int]]:
    """Yield the time of each arrival and its phase, in order.

    A phase's arrivals are evenly or exponentially spaced in the count that its rate has added up to;
    turning that around gives the times, for ramps too.
    """
    begin = 0.0
    for number, phase in enumerate(phases):
        first, last = phase.rates
        total = (first + last) / 2 * phase.seconds
        is_even = phase.distribution == "even"
        count = 0.5 if is_even else dice.expovariate(1.0)
        while count < total:
            yield begin + when(count, first, last, phase.seconds), number
            count += 1.0 if is_even else dice.expovariate(1.0)
        begin += phase.seconds


def when(count: float, first: float, last: float, seconds: float) -> float:
    """Return when a rate going from `first` to `last` within `seconds` has added up to `count`."""
    slope = (last - first) / seconds
    if slope == 0:
        return count / first
    return (math.sqrt(max(0.0, first * first + 2 * slope * count)) - first) / slope


def popularity(fixtures: Fixtures) -> list[float]:
    """Return the weight of each room: the n-th has 1/n to the power of `zipf`."""
    return [1 / (rank + 1) ** fixtures.zipf for rank in range(fixtures.rooms)]


def membership(fixtures: Fixtures, dice: Random) -> tuple[tuple[int, ...], ...]:
    """Put every user into some rooms, popular ones more often; no room stays empty."""
    rooms: list[list[int]] = [[] for _ in range(fixtures.rooms)]
    weights = popularity(fixtures)
    per_user = min(fixtures.rooms_per_user, fixtures.rooms)
    for user in range(fixtures.users):
        chosen = {user % fixtures.rooms} if per_user else set()
        while len(chosen) < per_user:
            free = [room for room in range(fixtures.rooms) if room not in chosen]
            chosen.add(dice.choices(free, [weights[room] for room in free])[0])
        for room in sorted(chosen):
            rooms[room].append(user)
    for number, users in enumerate(rooms):
        if not users:
            users.append(number % fixtures.users)
    return tuple(tuple(users) for users in rooms)
