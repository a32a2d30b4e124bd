"""What members of a room signal and its log does not keep: how far they have come, and that they write."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Final
from uuid import UUID

from veza.actors.chat.acts import WAYS
from veza.actors.chat.log_follower import LogFollower
from veza.actors.chat.pointers import Noted, PointerBook, TypingBook, receipts_of
from veza.actors.chat.rights import Action
from veza.actors.fanout import FanOut
from veza.actors.messages.common import Answer, RefusedError, RejectCode
from veza.actors.messages.rooms import (
    EventKind,
    MarkRead,
    PointerMoved,
    PointersStored,
    ReceiptsMoved,
    RoomEvent,
    RoomKind,
    StorePointers,
    TellTyping,
    TypingChanged,
)
from veza.actors.messages.ways import BlocksRead, ReadBlocks
from veza.actors.runtime.address import Address
from veza.actors.topics import user_topic
from veza.persistence.bus import Bus

POINTERS: Final = ("pointers", "")
POINTERS_EVERY_SECONDS: Final = 0.25
RECEIPTS_MEMBERS: Final = 100
"""In bigger rooms only oneself hears how far one has come: receipts would be most of the traffic."""


@dataclass(frozen=True, slots=True)
class _KeepingPointers:
    """Tag: how far members have come was given to be stored."""

    noted: Noted


@dataclass(frozen=True, slots=True)
class _AskingBlocks:
    """Tag: whether the two of a conversation may be told of each other was asked for."""

    told: tuple[TypingChanged | ReceiptsMoved, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepPointers:
    """Time to store how far members have come."""


class MemberSignals(LogFollower):
    """The half of a room that passes signals on. What is to be kept of them is stored a little later."""

    def __init__(self, *, room_id: UUID, directory: Address, fan_out: FanOut, bus: Bus) -> None:
        super().__init__(room_id=room_id, directory=directory, fan_out=fan_out, bus=bus)
        self.pointers = PointerBook()
        self.typing = TypingBook()

    def receiveMsg_MarkRead(self, command: MarkRead, sender: Address) -> None:
        state = self.existing_room()
        state.require(command.by, Action.READ, now())
        if command.by not in state.members:
            raise RefusedError(RejectCode.NOT_A_MEMBER, "Join the room first.")
        self.note_pointer(
            command.by,
            read_seq=min(command.read_seq, self.told_seq),
            delivered_seq=min(command.delivered_seq, self.told_seq),
            reply_to=sender,
        )

    def receiveMsg_TellTyping(self, command: TellTyping, _sender: Address) -> None:
        state, who = self.existing_room(), command.by.id
        if not state.is_allowed(who, Action.POST, now()) or state.muted_seconds(who, now()):
            return
        is_news = (
            self.typing.start(who, monotonic()) if command.is_typing else self.typing.stop(who)
        )
        if is_news:
            typing = TypingChanged(
                room_id=self.room_id, user=command.by, is_typing=command.is_typing
            )
            self._tell_unblocked((typing,))

    def receiveMsg_KeepPointers(self, _message: KeepPointers, _sender: Address) -> None:
        noted = self.pointers.take()
        store = StorePointers(
            room_id=self.room_id, pointers=noted.pointers, is_awaited=bool(noted.waiting)
        )
        self.ask_service(POINTERS, store, _KeepingPointers(noted))

    def receiveMsg_Answer(self, answer: Answer, sender: Address) -> None:
        match answer:
            case Answer(tag=_AskingBlocks(told=told), message=BlocksRead(pairs=pairs)):
                if not pairs:
                    self._publish(told)
            case Answer(tag=_KeepingPointers(noted=noted)):
                self._on_pointers_kept(noted, answer.message)
            case _:
                super().receiveMsg_Answer(answer, sender)

    def on_told(self, event: RoomEvent) -> None:
        if event.kind is EventKind.MESSAGE_POSTED:
            self.typing.stop(event.author.id)

    def is_busy(self) -> bool:
        return bool(self.pointers) or super().is_busy()

    # --- how far members have come ---

    def note_pointer(
        self, user_id: UUID, *, read_seq: int, delivered_seq: int, reply_to: Address | None
    ) -> None:
        """Note how far somebody has come; what is read was delivered."""
        if not self.pointers:
            self.wakeup_after(POINTERS_EVERY_SECONDS, KeepPointers())
        self.pointers.note(
            user_id, read_seq=read_seq, delivered_seq=delivered_seq, reply_to=reply_to
        )

    def _on_pointers_kept(self, noted: Noted, reply: object) -> None:
        answer = PointerMoved(room_id=self.room_id) if isinstance(reply, PointersStored) else reply
        for address in noted.waiting:
            self.send(address, answer)
        if not isinstance(reply, PointersStored):
            return
        # Another device, perhaps on another node, may have read further: nobody is shown going back.
        moved = [each for each in reply.moved if each.user_id in noted.told]
        told = tuple(receipts_of(self.room_id, moved))
        if len(self.existing_room().members) <= RECEIPTS_MEMBERS:
            self._tell_unblocked(told)
            return
        for receipts in told:
            for user_id, seq in receipts.seqs:
                own = replace(receipts, seqs=((user_id, seq),))
                self.fan_out.publish_everywhere(user_topic(user_id), own)

    # --- what is told and not kept ---

    def _tell_unblocked(self, told: tuple[TypingChanged | ReceiptsMoved, ...]) -> None:
        """Tell what one does; between two of whom one has blocked the other, nothing.

        Asked each time: a block may have been set at another node.
        """
        state = self.existing_room()
        if not told:
            return
        if state.room.kind is RoomKind.DIRECT:
            read = ReadBlocks(user_ids=tuple(state.members))
            self.ask_service(WAYS, read, _AskingBlocks(told))
        else:
            self._publish(told)

    def _publish(self, told: tuple[TypingChanged | ReceiptsMoved, ...]) -> None:
        for each in told:
            self.fan_out.publish_everywhere(self.topic, each, after_seq=self.told_seq)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)
