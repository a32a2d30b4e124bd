"""Who takes part in a run: how they live, their accounts, and what they have not been told is stored."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a member lives: rates a second, and chances. `sends` and `acts` are of all its rooms together.

    `bursts`: how likely it writes several messages at once; `in_flight`: how many may wait for their acks.
    `leavings` stays below what one may join: 20 times in five minutes, over all devices.
    `absences`: how likely it stays away for long when its connection has ended.
    """

    sends: float = 4.0
    bursts: float = 0.1
    acts: float = 0.0
    drops: float = 0.05
    leavings: float = 0.05
    doubled: float = 0.05
    forgetting: float = 0.1
    in_flight: int = 12
    absences: float = 0.0


@dataclass(slots=True)
class Draft:
    """A message that was not acked yet."""

    room: str
    text: str
    due_at: float = 0.0


@dataclass(slots=True)
class Account:
    """Who somebody is. All their devices have one session, which a ban of the account ends."""

    user: str
    name: str
    token: str
