"""Going on in many rooms at once: what was asked of each, what each said, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.rooms import RightGranted, Room
from veza.actors.messages.sessions import Position

REPLAY_EVENTS: Final = 1000
"""A client that missed more than this reloads: it would not read them one by one either."""


def is_recoverable(since: Position | None, room: Room) -> bool:
    """Tell whether everything a client missed since its position can be sent to it."""
    if since is None or since.epoch != room.epoch:
        return False
    return 0 <= room.seq - since.seq <= REPLAY_EVENTS


@dataclass(slots=True, eq=False)
class Resumption:
    """One `resume` under way. `still_to_say` are the rooms that have not said where they are.

    A room answers with what it has told, and only to a member; any refusal but `unavailable` closes it to
    the user. `failure` is what kept a room from answering: then nobody knows, and the whole is refused.
    """

    frame_id: str | None
    positions: Mapping[UUID, Position]
    still_to_say: set[UUID] = field(init=False)
    rooms: dict[UUID, Room] = field(default_factory=dict)
    failure: object | None = None

    def __post_init__(self) -> None:
        self.still_to_say = set(self.positions)

    def note(self, room_id: UUID, reply: object) -> bool:
        """Take what a room said; return whether it was the last."""
        self.still_to_say.discard(room_id)
        match reply:
            case RightGranted(room=room, role=role):
                if role is not None:
                    self.rooms[room_id] = room
            case Rejected(code=code) if code is not RejectCode.UNAVAILABLE:
                pass
            case _:
                self.failure = reply
        return not self.still_to_say
