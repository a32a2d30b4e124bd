"""How far members of a room have come, and who is writing: collected, told once, kept if it must be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import ServiceActor
from veza.actors.messages.common import Crashed
from veza.actors.messages.room_log import PointersStored, StorePointers
from veza.actors.messages.rooms import Pointer, ReceiptsMoved
from veza.actors.runtime.address import Address
from veza.persistence import rooms
from veza.persistence.errors import DatabaseUnavailableError
from veza.persistence.pool import Pool

TYPING_EVERY_SECONDS: Final = 3.0
"""How often one member's typing is told anew; clients forget it after five."""


@dataclass(slots=True)
class _Move:
    read_seq: int = 0
    delivered_seq: int = 0
    is_told: bool = False
    waiting: list[Address] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Pointers to store, of whom to tell, and who waits to hear that they are stored."""

    pointers: tuple[Pointer, ...]
    told: frozenset[UUID]
    waiting: tuple[Address, ...]


class PointerBook:
    """What a room has heard and not stored yet: of each member only the furthest."""

    def __init__(self) -> None:
        self._moves: dict[UUID, _Move] = {}

    def __len__(self) -> int:
        return len(self._moves)

    def note(
        self,
        user_id: UUID,
        *,
        read_seq: int = 0,
        delivered_seq: int = 0,
        reply_to: Address | None = None,
    ) -> None:
        """Note how far somebody has come; what is read was delivered.

        Without anybody to reply to it is one's own message that was read, which needs no telling.
        """
        move = self._moves.setdefault(user_id, _Move())
        move.read_seq = max(move.read_seq, read_seq)
        move.delivered_seq = max(move.delivered_seq, delivered_seq, read_seq)
        if reply_to is not None:
            move.is_told = True
            move.waiting.append(reply_to)

    def take(self) -> Noted:
        """Return everything noted; begin anew."""
        moves, self._moves = self._moves, {}
        pointers = (
            Pointer(user_id=user_id, read_seq=move.read_seq, delivered_seq=move.delivered_seq)
            for user_id, move in moves.items()
        )
        return Noted(
            pointers=tuple(pointers),
            told=frozenset(user_id for user_id, move in moves.items() if move.is_told),
            waiting=tuple(address for move in moves.values() for address in move.waiting),
        )


def receipts_of(room_id: UUID, pointers: Sequence[Pointer]) -> Iterator[ReceiptsMoved]:
    """Say who has read how far, and what has reached those who have not read as far."""
    read = tuple((each.user_id, each.read_seq) for each in pointers if each.read_seq)
    delivered = tuple(
        (each.user_id, each.delivered_seq)
        for each in pointers
        if each.delivered_seq > each.read_seq
    )
    if read:
        yield ReceiptsMoved(room_id=room_id, is_read=True, seqs=read)
    if delivered:
        yield ReceiptsMoved(room_id=room_id, is_read=False, seqs=delivered)


class ToldReceipts:
    """How far members were shown to have come: nobody is shown going back, whichever node told first.

    Holds two numbers a member, of rooms small enough that all are shown.
    """

    def __init__(self) -> None:
        self._told: dict[tuple[UUID, bool], int] = {}

    def news_in(self, receipts: ReceiptsMoved) -> ReceiptsMoved | None:
        """Note what is told now; return what of it was not told yet, or passed already."""
        seqs = tuple(
            (user_id, seq)
            for user_id, seq in receipts.seqs
            if seq > self._told.get((user_id, receipts.is_read), 0)
        )
        self._told.update({(user_id, receipts.is_read): seq for user_id, seq in seqs})
        return replace(receipts, seqs=seqs) if seqs else None

    def forget(self, user_id: UUID) -> None:
        """Know nothing of somebody who left."""
        for is_read in (True, False):
            self._told.pop((user_id, is_read), None)


class TypingBook:
    """Who is writing something just now: each is told once in a while, however often it is said."""

    def __init__(self) -> None:
        self._told_at: dict[UUID, float] = {}

    def start(self, user_id: UUID, now: float) -> bool:
        """Note that somebody writes; tell whether the others are to hear of it."""
        self._told_at = {
            each: at for each, at in self._told_at.items() if at + TYPING_EVERY_SECONDS > now
        }
        is_news = user_id not in self._told_at
        self._told_at.setdefault(user_id, now)
        return is_news

    def stop(self, user_id: UUID) -> bool:
        """Note that somebody does not write any more; tell whether the others heard that they did."""
        return self._told_at.pop(user_id, None) is not None


class PointersActor(ServiceActor):
    """Stores how far members have come, of all rooms that wait in one statement. Never backwards."""

    batch_limit: ClassVar[int] = 500
    mailbox_limit: ClassVar[int] = 5000

    def __init__(self, *, pool: Pool) -> None:
        super().__init__()
        self.pool = pool

    async def receive_batch(self, batch: Sequence[tuple[object, Address]]) -> None:
        stores = [
            (message, sender) for message, sender in batch if isinstance(message, StorePointers)
        ]
        moves: list[rooms.Pointers] = [
            (message.room_id, each.user_id, each.read_seq, each.delivered_seq)
            for message, _sender in stores
            for each in message.pointers
        ]
        is_awaited = any(message.is_awaited for message, _sender in stores)
        try:
            async with self.pool.acquire() as conn:
                moved = by_room(await rooms.move_pointers(conn, moves, is_awaited=is_awaited))
        except DatabaseUnavailableError:
            for _message, sender in stores:
                self.send(sender, Crashed(command=StorePointers.__name__))
            return
        for message, sender in stores:
            self.send(sender, PointersStored(moved=tuple(moved.get(message.room_id, ()))))


def by_room(moved: Sequence[rooms.Pointers]) -> dict[UUID, list[Pointer]]:
    """Sort pointers that moved by their room."""
    found: dict[UUID, list[Pointer]] = {}
    for room_id, user_id, read_seq, delivered_seq in moved:
        pointer = Pointer(user_id=user_id, read_seq=read_seq or 0, delivered_seq=delivered_seq or 0)
        found.setdefault(room_id, []).append(pointer)
    return found
