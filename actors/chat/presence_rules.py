"""What a user's presence is, from all of their devices and what they chose. Pure.

A device is there or idle. `dnd` and `invisible` are chosen for the account: the last choice on any device
holds on all of them and over reconnects, until `online` is chosen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from veza.actors.messages.presence import Listening, Status

CHOICES: Final = frozenset({Status.ONLINE, Status.DND, Status.INVISIBLE})


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Choice:
    """What a user chose to be seen as, and when, in milliseconds since 1970. The greater one holds."""

    at_ms: int = 0
    status: Status = Status.ONLINE

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.at_ms / 1000, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """One device. `said_ms`: when it said what its user does."""

    is_idle: bool = False
    activity: Listening | None = None
    said_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A user's presence as they themselves see it."""

    status: Status
    activity: Listening | None = None


OFFLINE: Final = Truth(status=Status.OFFLINE)


def truth_of(devices: Iterable[DeviceState], choice: Choice) -> Truth:
    """Return the presence of a user with these devices: the best of them, unless something was chosen."""
    present = list(devices)
    if not present:
        return OFFLINE
    doing = [each for each in present if each.activity]
    last = max(doing, key=lambda each: each.said_ms).activity if doing else None
    status = choice.status
    if status is Status.ONLINE and all(each.is_idle for each in present):
        status = Status.IDLE
    return Truth(status=status, activity=last)


def shown(truth: Truth) -> Truth:
    """Return what others see of it."""
    return OFFLINE if truth.status is Status.INVISIBLE else truth


# --- what nodes tell each other of a device: one line of fields between tabs, which no title has ---

_FIELDS: Final = 6


def word_of(device: DeviceState, choice: Choice) -> str:
    """Write a device, and what its user chose, for other nodes."""
    activity = device.activity
    track_id = activity.track_id if activity else None
    return "\t".join(
        (
            Status.IDLE if device.is_idle else Status.ONLINE,
            choice.status,
            str(choice.at_ms),
            str(device.said_ms),
            str(track_id or ""),
            activity.title if activity else "",
        )
    )


def read_word(word: str) -> tuple[DeviceState, Choice]:
    """Read what another node wrote; of a word of another version only that the device is there."""
    fields = word.split("\t")
    if len(fields) != _FIELDS:
        return DeviceState(), Choice()
    status, chosen, chosen_ms, said_ms, track_id, title = fields
    activity = None
    if track_id or title:
        activity = Listening(track_id=UUID(track_id) if track_id else None, title=title)
    device = DeviceState(is_idle=status == Status.IDLE, activity=activity, said_ms=int(said_ms))
    return device, Choice(at_ms=int(chosen_ms), status=Status(chosen))
