"""A small history without a fault, made of what a real run writes down, to be broken in one place."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

# The parts of the command are no test modules: they lie beside it.
sys.path.insert(0, str(Path(__file__).parent))

from soak.records import (
    Acked,
    Connected,
    Counted,
    Disconnected,
    Emptied,
    Ended,
    Entered,
    Head,
    History,
    Record,
    Row,
    Seated,
    Sent,
    Shown,
    Struck,
)

ROOM = "kitchen"
USERS = ("ada", "bob")
MESSAGES = ("m1", "m2", "m3", "m4")
POSTED = "message.posted"


def sound_history() -> list[Record]:
    """Two people, four messages, a connection lost and resumed after the second."""
    records: list[Record] = []
    for client, user in enumerate(USERS):
        records += [
            Seated(client=client, user=user, rooms=(ROOM,)),
            Connected(at=0.0, client=client),
            Counted(at=0.0, client=client, room=ROOM, seq=0, read_seq=0, unread=0),
            Entered(at=0.1, client=client, room=ROOM, since=None, seq=0, is_recovered=False),
            Emptied(at=0.1, client=client, room=ROOM),
        ]
    for seq, message_id in enumerate(MESSAGES, start=1):
        author = (seq - 1) % 2
        said = {"room": ROOM, "message_id": message_id}
        records.append(Sent(at=float(seq), client=author, text=message_id, **said))
        acked_at = seq + 0.1
        records.append(
            Acked(at=acked_at, client=author, seq=seq, committed_at=f"12:00:0{seq}", **said)
        )
        for client in range(len(USERS)):
            shown = Shown(
                at=seq + 0.2,
                client=client,
                seq=seq,
                kind=POSTED,
                person=USERS[author],
                text=message_id,
                **said,
            )
            records.append(shown)
        if seq == 2:
            records += [
                Struck(at=2.3, over_at=2.3, fault="session", what="a session"),
                Disconnected(at=2.3, client=1, code=4000),
                Connected(at=2.4, client=1),
                Counted(at=2.4, client=1, room=ROOM, seq=2, read_seq=0, unread=2),
                Entered(at=2.4, client=1, room=ROOM, since=2, seq=2, is_recovered=True),
            ]
    records.append(Ended(quiet_at=5.0, at=5.5))
    records.append(Head(room=ROOM, seq=len(MESSAGES)))
    for seq, message_id in enumerate(MESSAGES, start=1):
        author = USERS[(seq - 1) % 2]
        row = Row(
            room=ROOM, seq=seq, kind=POSTED, author=author, message_id=message_id, text=message_id
        )
        records.append(row)
    return records


class Tampered(History):
    """A history that can be broken, a place at a time. `found` names the rules it then breaks."""

    def the(self, kind: type[Record], **values: object) -> Record:
        """The first record of a kind that has these values."""
        return next(
            record
            for record in self.of(kind)
            if all(getattr(record, name) == value for name, value in values.items())
        )

    def drop(self, record: Record) -> None:
        self.records = [each for each in self.records if each is not record]

    def change(self, record: Record, **values: object) -> None:
        """Replace a record by one that differs in these values."""
        index = next(n for n, each in enumerate(self.records) if each is record)
        self.records[index] = replace(record, **values)

    def behind(self, record: Record, *more: Record) -> None:
        """Put records behind one."""
        index = next(n for n, each in enumerate(self.records) if each is record) + 1
        self.records[index:index] = more

    def found(self) -> set[str]:
        from soak.judge import judge

        return {violation.rule for violation in judge(self)}


@pytest.fixture
def history() -> Tampered:
    return Tampered(sound_history())


@pytest.fixture
def event() -> Callable[..., tuple[Record, ...]]:
    """Make one more event of the room, stored and displayed by everybody: (row, shown, shown)."""

    def make(seq: int, kind: str, person: str, **values: object) -> tuple[Record, ...]:
        stored = {name: values.get(name) for name in ("message_id",)}
        row = Row(
            room=ROOM, seq=seq, kind=kind, author=person, text=str(values.get("text", "")), **stored
        )
        at = 5.0 + seq / 100
        shown = [
            Shown(at=at, client=client, room=ROOM, seq=seq, kind=kind, person=person, **values)
            for client in range(len(USERS))
        ]
        return (row, *shown)

    return make
