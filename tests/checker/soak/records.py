"""What a run leaves behind: all that clients did, were told and displayed, and the log of the rooms.

Everything is written down while it happens and judged afterwards, so a judgement can be had again, and
of a history that somebody changed. Times are seconds since the run began, of one clock; ids are text, as
on the wire.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from soak.kept import (
    Audited,
    Banned,
    Fate,
    Head,
    Pointer,
    Reaction,
    Reported,
    Row,
    Seat,
    SessionEnded,
)

FILE: Final = "history.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Which faults are to strike, each once at least, on how many nodes, and what people are to do."""

    faults: tuple[str, ...]
    nodes: int = 1
    proofs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seated:
    """A client there is: whose it is, and the rooms it is to be in."""

    client: int
    user: str
    rooms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A client began to connect."""

    at: float
    client: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It did not get as far as `ready`."""

    at: float
    client: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    at: float
    client: int
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """A connection ended; `code` is None if nobody said why."""

    at: float
    client: int
    code: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What `ready` said of a room."""

    at: float
    client: int
    room: str
    seq: int
    read_seq: int
    unread: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """The server let a client into a room; `since` is the seq it said it had come to."""

    at: float
    client: int
    room: str
    since: int | None
    seq: int
    is_recovered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed:
    """A client said that it leaves a room."""

    at: float
    client: int
    room: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceShown:
    """A client was told who is there: with `is_full` nobody else is."""

    at: float
    client: int
    room: str
    is_full: bool
    there: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    """A client took down all it displayed of a room, to read it anew from the beginning."""

    at: float
    client: int
    room: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message left a client, for the first time or again."""

    at: float
    client: int
    room: str
    message_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acked:
    """`committed_at` is the time that the server said it stored the message at."""

    at: float
    client: int
    room: str
    message_id: str
    seq: int
    committed_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    at: float
    client: int
    room: str
    message_id: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A client displayed an event. `person` did it, `subject` had it done to them (`measure`)."""

    at: float
    client: int
    room: str
    seq: int
    kind: str
    person: str
    message_id: str | None = None
    text: str = ""
    subject: str | None = None
    measure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """An edit, deletion or reaction that a client asked for was acked."""

    at: float
    client: int
    room: str
    kind: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedRead:
    """A client's word that it has read up to `seq` was acked."""

    at: float
    client: int
    room: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointerShown:
    """A client was told how far `user` has read."""

    at: float
    client: int
    room: str
    user: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """Somebody who may took a measure against `user`, and it was acked; without a room, against the account.

    `asked_at` is when it was asked for the first time; the others are the same two moments by the wall's
    clock, which the database has too. `node` is where it was asked, if it was asked once.
    """

    asked_at: float
    at: float
    asked_time: float
    time: float
    room: str
    user: str
    measure: str
    by: str
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The server does not know this type of frame: what it would do is not judged."""

    at: float
    client: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A fault, and when it was over: the killed node was back, the stopped process went on."""

    at: float
    over_at: float
    fault: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The run: when the last new message left, and when the judge stopped waiting."""

    quiet_at: float
    at: float


Record = (
    Planned
    | Seated
    | Tried
    | Failed
    | Connected
    | Disconnected
    | Counted
    | Entered
    | Departed
    | PresenceShown
    | Emptied
    | Sent
    | Acked
    | Refused
    | Shown
    | Acted
    | MarkedRead
    | PointerShown
    | Ruled
    | Unknown
    | Struck
    | Ended
    | Row
    | Head
    | Pointer
    | Audited
    | SessionEnded
    | Reported
    | Seat
    | Banned
    | Fate
    | Reaction
)
KINDS: Final = {kind.__name__: kind for kind in Record.__args__}
R = TypeVar("R", bound=Record)


@dataclass(slots=True)
class History:
    """The records of a run, in the order they were made."""

    records: list[Record] = field(default_factory=list)

    def add(self, record: Record) -> None:
        self.records.append(record)

    def all(self, kind: type[R]) -> list[R]:
        """Return the records of one kind."""
        return [record for record in self.records if isinstance(record, kind)]

    def of(self, *kinds: type[Record]) -> Iterator[Any]:
        """Walk the records of some kinds, in the order they were made."""
        return (record for record in self.records if isinstance(record, kinds))

    def users(self) -> dict[int, str]:
        """Return whose client each is."""
        return {each.client: each.user for each in self.all(Seated)}

    def logs(self) -> dict[str, list[Row]]:
        """Return the log of each room, by seq; a room without an event has an empty one."""
        logs: dict[str, list[Row]] = {each.room: [] for each in self.all(Head)}
        for row in sorted(self.all(Row), key=lambda row: row.seq):
            logs.setdefault(row.room, []).append(row)
        return logs

    def save(self, folder: Path) -> None:
        """Write everything into a folder, a record a line."""
        with (folder / FILE).open("w") as file:
            for record in self.records:
                line = {"is": type(record).__name__, **asdict(record)}
                file.write(json.dumps(line, separators=(",", ":")) + "\n")


def load(folder: Path) -> History:
    """Read what `save` wrote."""
    with (folder / FILE).open() as file:
        return History([record_of(json.loads(line)) for line in file])


def record_of(line: dict[str, Any]) -> Record:
    """Return the record of one line."""
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in line.items()}
    kind = KINDS[values.pop("is")]
    record: Record = kind(**values)
    return record


def by_room(records: Iterable[R]) -> dict[str, list[R]]:
    """Sort records of rooms by their room."""
    found: dict[str, list[R]] = {}
    for record in records:
        found.setdefault(record.room, []).append(record)
    return found
