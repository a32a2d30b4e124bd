"""Whether what was acknowledged is in the room's log, and reached every member once and in order.

Each message carries who sent it and the how-manieth of that sender it is. A reader is one user in one
room; it knows the `seq` it has come to and what it has skipped.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Final
from uuid import UUID

MARK: Final = "veza-load"
SHOWN: Final = 10
"""How many examples of each kind of mistake a result names."""


@dataclass(slots=True, eq=False)
class Message:
    """One message that was sent. `waiting` counts the readers that have not got it."""

    sender: int
    n: int
    room: int
    message_id: UUID
    intended: float
    sent_at: float
    waiting: int
    seq: int | None = None
    is_acked: bool = False

    @property
    def name(self) -> str:
        return f"message {self.n} of user {self.sender} in room {self.room}"


@dataclass(slots=True, eq=False)
class Reader:
    """One user in one room. `excused`: what was skipped because the server said to reload."""

    user: int
    room: int
    last_seq: int = 0
    missing: set[int] = field(default_factory=set)
    excused: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Stored:
    """One message of a room's log, as it was read back."""

    seq: int
    message_id: UUID
    text: str


@dataclass(slots=True)
class Found:
    """What is wrong, counted. `lost` counts messages, `lost_deliveries` messages times readers."""

    sent: int = 0
    acked: int = 0
    delivered: int = 0
    lost: int = 0
    lost_from_history: int = 0
    lost_deliveries: int = 0
    duplicated: int = 0
    reordered: int = 0
    gaps: int = 0
    foreign: int = 0
    reloads: int = 0
    history_checked: bool = False
    examples: dict[str, list[str]] = field(default_factory=dict)

    def note(self, kind: str, text: str) -> None:
        """Keep an example."""
        kept = self.examples.setdefault(kind, [])
        if len(kept) < SHOWN:
            kept.append(text)


class Ledger:
    """Every message of a run, from sending to reading back.

    Args:
        run: tells this run's messages from others'.
        on_delivered: told a message when the last reader has got it, and when that was.

    """

    def __init__(self, run: str, on_delivered: Callable[[Message, float], None]) -> None:
        self.run = run
        self.found = Found()
        self._on_delivered = on_delivered
        self._messages: dict[tuple[int, int], Message] = {}
        self._by_seq: dict[tuple[int, int], Message] = {}
        self._counts: dict[int, int] = {}
        self._readers: dict[int, list[Reader]] = {}
        self._told: set[tuple[int, int]] = set()
        self._latest: dict[tuple[int, int], tuple[int, int]] = {}
        self._lost: set[Message] = set()
        self._unsettled = 0

    # --- sending ---

    def write(
        self, *, sender: int, room: int, message_id: UUID, intended: float, text_bytes: int
    ) -> tuple[Message, str]:
        """Make a sender's next message; return it and its text."""
        n = self._counts[sender] = self._counts.get(sender, 0) + 1
        waiting = len(self._readers.get(room, ()))
        message = Message(sender, n, room, message_id, intended, monotonic(), waiting)
        self._messages[sender, n] = message
        self.found.sent += 1
        return message, f"{MARK} {self.run} {sender} {n} ".ljust(text_bytes, ".")

    def acked(self, message: Message, seq: int) -> None:
        """Remember that the server promised a message, and its place."""
        if not message.is_acked:
            message.is_acked = True
            self.found.acked += 1
            self._unsettled += message.waiting > 0
        self._place(message, seq)

    # --- reading ---

    def join(self, user: int, room: int, seq: int) -> Reader:
        """Add a reader that gets everything past `seq`."""
        reader = Reader(user, room, seq)
        self._readers.setdefault(room, []).append(reader)
        return reader

    def reload(self, reader: Reader, seq: int) -> None:
        """Note that the server could not send what a reader missed; its history is read instead."""
        reader.excused.update(range(reader.last_seq + 1, seq + 1))
        reader.last_seq = max(reader.last_seq, seq)
        self.found.reloads += 1

    def delivered(self, reader: Reader, seq: int, text: str | None) -> None:
        """Take an event that a reader got; `text` is None if it is no message."""
        if not self._advance(reader, seq) or text is None:
            return
        message = self._message(text)
        if message is None or message.room != reader.room:
            self.found.foreign += 1
            return
        self._check_order(message, seq)
        if not self._place(message, seq):
            return
        self.found.delivered += 1
        message.waiting -= 1
        if message.waiting == 0:
            self._unsettled -= message.is_acked
            self._on_delivered(message, monotonic())

    def _advance(self, reader: Reader, seq: int) -> bool:
        """Move a reader on; False if it has had this event."""
        where = f"seq {seq} in room {reader.room} at user {reader.user}"
        if seq > reader.last_seq:
            reader.missing.update(range(reader.last_seq + 1, seq))
            reader.last_seq = seq
        elif seq in reader.missing:
            reader.missing.discard(seq)
            self.found.reordered += 1
            self.found.note("reordered", f"{where} came after a later one")
        else:
            self.found.duplicated += 1
            self.found.note("duplicated", f"{where} came again")
            return False
        return True

    def _place(self, message: Message, seq: int) -> bool:
        """Bind a message to its place in the log; False if it has another or the place is taken."""
        other = self._by_seq.setdefault((message.room, seq), message)
        if message.seq is None:
            message.seq = seq
        if message.seq == seq and other is message:
            return True
        self.found.duplicated += 1
        self.found.note("duplicated", f"{message.name} has seq {message.seq} and {seq}")
        return False

    def _check_order(self, message: Message, seq: int) -> None:
        """Look, at the first reader of each message, whether a sender's keep their order in a room."""
        if (message.room, seq) in self._told:
            return
        self._told.add((message.room, seq))
        before = self._latest.get((message.sender, message.room))
        if before is not None and (message.n > before[0]) != (seq > before[1]):
            self.found.reordered += 1
            self.found.note("reordered", f"{message.name} stands before its predecessor")
        if before is None or message.n > before[0]:
            self._latest[message.sender, message.room] = (message.n, seq)

    # --- the end ---

    def is_settled(self) -> bool:
        """Tell whether every acknowledged message has reached everybody."""
        return self._unsettled == 0

    def rooms_written(self) -> set[int]:
        """Return the rooms in which something was acknowledged."""
        return {each.room for each in self._messages.values() if each.is_acked}

    def compare(self, room: int, stored: Iterable[Stored]) -> None:
        """Hold the log of a room against what was acknowledged in it."""
        seen: set[tuple[int, int]] = set()
        for each in stored:
            message = self._message(each.text)
            if message is None:
                continue
            if (message.sender, message.n) in seen:
                self.found.duplicated += 1
                self.found.note("duplicated", f"{message.name} is in the log twice")
            elif message.message_id == each.message_id and message.room == room:
                self._place(message, each.seq)
                seen.add((message.sender, message.n))
        for key, message in self._messages.items():
            if message.room == room and message.is_acked and key not in seen:
                self.found.lost_from_history += 1
                self.found.note("lost", f"{message.name} was acknowledged and is not in the log")
                self._lost.add(message)
        self.found.history_checked = True

    def finish(self) -> Found:
        """Count what never came; return everything that was found."""
        for readers in self._readers.values():
            for reader in readers:
                self._excuse(reader)
                self.found.gaps += len(reader.missing)
                for seq in sorted(reader.missing)[:SHOWN]:
                    place = f"seq {seq} of room {reader.room} never came to user {reader.user}"
                    self.found.note("gaps", place)
        for message in self._messages.values():
            if message.is_acked and message.waiting > 0:
                self.found.lost_deliveries += message.waiting
                self.found.note("lost", f"{message.name} did not reach {message.waiting} members")
                self._lost.add(message)
        self.found.lost = len(self._lost)
        return self.found

    def lost_in(self, rooms: "set[int] | None") -> int:
        """Return how many messages were lost in some rooms, or in all."""
        return sum(rooms is None or each.room in rooms for each in self._lost)

    def _excuse(self, reader: Reader) -> None:
        """Take what a reader was told to reload for no loss: the log is read back anyway."""
        for seq in reader.excused:
            message = self._by_seq.get((reader.room, seq))
            if message is not None:
                message.waiting -= 1

    def _message(self, text: str) -> Message | None:
        mark, *rest = text.split(" ", 4)
        if mark != MARK or len(rest) < 3 or rest[0] != self.run:  # noqa: PLR2004
            return None
        return self._messages.get((int(rest[1]), int(rest[2])))


def to_json(found: Found) -> dict[str, object]:
    """Return the checks for the result file."""
    return asdict(found)
