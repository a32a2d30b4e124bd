"""What serves one connection: whose it is, its outbox, and how each of its frames is answered."""

from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import SupervisedActor, WhenFull
from veza.actors.fanout import FanOut, Outbox
from veza.actors.messages.accounts import Author
from veza.actors.messages.common import Busy, Key, RefusedError, RejectCode, Rejected
from veza.actors.messages.directory import Deliver
from veza.actors.messages.rooms import ActInRoom, RoomAct
from veza.actors.messages.sessions import ActDone, CommandFailed, HistoryRead, RoomExited
from veza.actors.runtime.address import Address

RESTARTING: Final = 4000
RETRY_SECONDS: Final = 1.0

BUSY: Final = Rejected(
    command="",
    code=RejectCode.UNAVAILABLE,
    detail="There is too much to do at this moment. Try again.",
    retry_after_seconds=RETRY_SECONDS,
)
"""What `Busy` is to a client: unlike other failures it leaves no doubt that nothing was done."""


def room_key(room_id: UUID) -> Key:
    """Return the key of a room's actor."""
    return ("room", str(room_id))


class ConnectedActor(SupervisedActor):
    """Serves one connection of a signed-in user, and closes it when it ends, whatever ended it."""

    when_full: ClassVar[WhenFull] = "close"

    def __init__(self, *, directory: Address, fan_out: FanOut) -> None:
        super().__init__()
        self.directory = directory
        self.fan_out = fan_out
        self.user: Author | None = None
        self.is_staff = False
        self.outbox: Outbox | None = None

    def on_stop(self) -> None:
        if self.outbox is not None:
            # A client that is still there comes back, to another session.
            self.outbox.disconnect(RESTARTING, "the session ended")

    def opened(self) -> tuple[Author, Outbox]:
        """Return whose connection it is and where its frames go; refuse before that is known."""
        if self.user is None or self.outbox is None:
            raise RefusedError(RejectCode.INVALID_STATE, "The session is not open.")
        return self.user, self.outbox

    def used(self) -> tuple[Author, Outbox]:
        """Note that somebody sits there; as `opened`."""
        return self.opened()

    def push(self, frame: ActDone | HistoryRead | RoomExited) -> None:
        """Answer a frame that wanted to be answered."""
        if frame.frame_id is not None:
            self.opened()[1].push(frame)

    def fail(self, frame_id: str | None, reply: object) -> None:
        """Say that a frame was refused, or that nobody knows what became of it."""
        _user, outbox = self.opened()
        if isinstance(reply, Busy):
            reply = BUSY
        if isinstance(reply, Rejected):
            failed = CommandFailed(
                frame_id=frame_id,
                code=reply.code,
                detail=reply.detail,
                retry_after_seconds=reply.retry_after_seconds,
            )
        else:
            failed = CommandFailed(
                frame_id=frame_id, code=None, detail="The server could not answer. Try again."
            )
        outbox.push(failed)

    def act_in(self, room_id: UUID, user: Author, act: RoomAct, tag: object) -> None:
        """Have a room do something for the user."""
        command = ActInRoom(by=user, act=act, is_staff=self.is_staff)
        self.ask_of(room_key(room_id), command, tag)

    def ask_of(self, key: Key, message: object, tag: object) -> None:
        """Ask whoever has a key; the answer comes with the tag."""
        self.ask_later(self.directory, Deliver(key=key, message=message), tag)
