"""What members of a room signal and its log does not keep: how far they have come, and that they write."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Final
from uuid import UUID

from veza.actors.chat.acts import WAYS
from veza.actors.chat.log_follower import LogFollower
from veza.actors.chat.pointers import Noted, PointerBook, ToldReceipts, TypingBook, receipts_of
from veza.actors.chat.rights import Action
from veza.actors.fanout import FanOut
from veza.actors.messages.common import Answer, RefusedError, RejectCode
from veza.actors.messages.room_log import PointersStored, StorePointers
from veza.actors.messages.rooms import (
    EventKind,
    MarkRead,
    PointerMoved,
    ReceiptsMoved,
    RoomEvent,
    RoomKind,
    TellTyping,
    TypingChanged,
)
from veza.actors.messages.ways import BlocksRead, ReadBlocks
from veza.actors.runtime.address import Address
from veza.actors.topics import user_topic
from veza.persistence.bus import Bus

POINTERS: Final = ("pointers", "")
POINTERS_EVERY_SECONDS: Final = 0.25
ENDING_KINDS: Final = frozenset({EventKind.MEMBER_LEFT, EventKind.MEMBER_MODERATED})
"""What may end a membership."""
MAX_HELD: Final = 64
"""Signals of a conversation that wait to be told; further ones are left out, as the next make up for them."""
RECEIPTS_MEMBERS: Final = 100
"""In bigger rooms only oneself hears how far one has come: receipts would be most of the traffic."""


@dataclass(frozen=True, slots=True)
class _KeepingPointers:
    """Tag: how far members have come was given to be stored."""

    noted: Noted


@dataclass(frozen=True, slots=True)
class _AskingBlocks:
    """Tag: whether the two of a conversation may be told of each other was asked for."""

    told: list[TypingChanged | ReceiptsMoved]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepPointers:
    """Time to store how far members have come."""


class MemberSignals(LogFollower):
    """The half of a room that passes signals on. What is to be kept of them is stored a little later."""

    def __init__(self, *, room_id: UUID, directory: Address, fan_out: FanOut, bus: Bus) -> None:
        super().__init__(room_id=room_id, directory=directory, fan_out=fan_out, bus=bus)
        self.pointers = PointerBook()
        self.typing = TypingBook()
        self.receipts = ToldReceipts()
        self.held: list[TypingChanged | ReceiptsMoved] = []
        self.is_asking_blocks = False

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
            case Answer(tag=_AskingBlocks(told=told)):
                self.is_asking_blocks = False
                if isinstance(answer.message, BlocksRead) and not answer.message.pairs:
                    self._publish(told)
                self._ask_blocks()
            case Answer(tag=_KeepingPointers(noted=noted)):
                self._on_pointers_kept(noted, answer.message)
            case _:
                super().receiveMsg_Answer(answer, sender)

    def on_told(self, event: RoomEvent) -> None:
        if event.kind is EventKind.MESSAGE_POSTED:
            self.typing.stop(event.author.id)
        elif event.kind in ENDING_KINDS:
            who = (event.subject or event.author).id
            if who not in self.existing_room().members:
                self.receipts.forget(who)

    def on_news(self, event: object) -> None:
        news = self._unpassed(event)
        if news is not None:
            super().on_news(news)

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
        """Tell what one does; between two of whom one has blocked the other, nothing."""
        if self.existing_room().room.kind is RoomKind.DIRECT:
            self.held += told[: MAX_HELD - len(self.held)]
            self._ask_blocks()
        else:
            self._publish(told)

    def _ask_blocks(self) -> None:
        """Ask for what is held, each time anew: a block may have been set at another node.

        One question at a time: answered in another order, "writes" would be told after "stopped".
        """
        if self.held and not self.is_asking_blocks:
            told, self.held = self.held, []
            self.is_asking_blocks = True
            read = ReadBlocks(user_ids=tuple(self.existing_room().members))
            self.ask_service(WAYS, read, _AskingBlocks(told))

    def _publish(self, told: Iterable[TypingChanged | ReceiptsMoved]) -> None:
        for each in told:
            news = self._unpassed(each)
            if news is not None:
                self.fan_out.publish_everywhere(self.topic, news, after_seq=self.told_seq)

    def _unpassed(self, event: object) -> object | None:
        """Return what is still news: another node may have told of somebody who has come further."""
        return self.receipts.news_in(event) if isinstance(event, ReceiptsMoved) else event


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)
