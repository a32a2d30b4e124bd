"""The protocol of the load tester's drivers: simulated users inside the actor system.

Sent by the tester straight to a driver; a driver has no key. Answers come by the callback a command
carries, because who waits for them is no actor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from veza.actors.fanout import Outbox
from veza.actors.messages.common import Key
from veza.actors.messages.sessions import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveCommand:
    """Ask the actor of a key as this user. `report` gets the reply, or `Busy`, `Gone`, `TimedOut`."""

    key: Key
    command: object
    timeout_seconds: float
    report: Callable[[object], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomToEnter:
    """A room to subscribe to, from a position on; `frame_id` is in the answer that the outbox gets."""

    room_id: UUID
    since: Position | None
    frame_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectDriver:
    """Open a session on an outbox, a former one being closed first, and enter rooms.

    `report` gets what became of the opening; `on_lost` is called if the session ends by itself.
    """

    session_id: UUID
    outbox: Outbox
    rooms: tuple[RoomToEnter, ...]
    timeout_seconds: float
    report: Callable[[object], None]
    on_lost: Callable[[str], None]
