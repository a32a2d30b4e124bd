"""K: who is gone is shown as gone in time, and nobody who is there is shown as gone, however they reconnect.

What a client was told of presence is held against when the devices of each user were connected, as their
clients saw it. What faults may blur is left out: after Redis a node knows its own devices only, after a
crash of presence, or of the database, it takes a moment to be told who is there.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Final

from soak.findings import Violation
from soak.records import (
    Connected,
    Departed,
    Disconnected,
    Emptied,
    Ended,
    Entered,
    Failed,
    History,
    Planned,
    PresenceShown,
    Shown,
    Struck,
    Tried,
)

Span = tuple[float, float]
Key = tuple[int, str]
"""A client and a room."""
GONE_SECONDS: Final = (8.0, 18.0)
"""When who went is shown as gone: on one node a grace of 5 s, on several 15 s; a node may stop for 2 s."""
THERE_SECONDS: Final = 6.0
"""When who came is shown as there: a round between nodes is 4 s, and a node may stop for 2 s."""
GRACE_SECONDS: Final = 4.0
"""A reconnect within it is none: a node gives 5 s."""
BLURRED_SECONDS: Final = 8.0
KILLING: Final = frozenset({"server"})
FORGETTING: Final = frozenset({"presence"})
SLOWING: Final = frozenset(
    {"db", "backend", "restart-db", "stop-db", "cut-db", "lost-answer", "service"}
)
BLURRING: Final = frozenset({"redis", "stop-redis", "presence"})
OUT: Final = frozenset({"kick", "ban"})


@dataclass(slots=True)
class Seen:
    """One user as one client sees them in one room, and since when; a member perhaps, and since when."""

    member_since: float | None = None
    is_there: bool = False
    since: float = 0.0


@dataclass(slots=True)
class Look:
    """One client in one room, from its entry until it is out."""

    entered_at: float
    entered_seq: int
    users: dict[str, Seen] = field(default_factory=dict)
    is_told: bool = False

    def user(self, user: str) -> Seen:
        return self.users.setdefault(user, Seen())


@dataclass(frozen=True, slots=True)
class Showing:
    """For so long a client showed a user of a room as there, or as gone though they were a member."""

    client: int
    room: str
    user: str
    is_there: bool
    span: Span


def check_presence(history: History) -> Iterator[Violation]:
    """K: see above."""
    gone, there = absences(history), attendances(history)
    for showing in showings(history):
        wrong = gone if showing.is_there else there
        start, end = longest_overlap(showing.span, wrong.get(showing.user, ()))
        if end > start:
            what = "there" if showing.is_there else "gone"
            text = f"client {showing.client} shows user {showing.user} of {showing.room} as {what}"
            yield Violation("K", f"{text} from {start:.2f} to {end:.2f} s")


def check_shown(history: History) -> Iterator[Violation]:
    """Z: where people come and go, somebody was shown as there."""
    is_planned = any("absence" in each.proofs for each in history.of(Planned))
    if is_planned and not any(each.is_there for each in showings(history)):
        yield Violation("Z", "nobody was shown as there")


# --- when people were there ---


def absences(history: History) -> dict[str, list[Span]]:
    """Return when each user has to be shown as gone: some time after their last device went."""
    nodes = max((each.nodes for each in history.of(Planned)), default=1)
    wait = GONE_SECONDS[nodes > 1]
    found = {}
    for user, spans in devices(history, Tried, 0.0).items():
        gaps = ((before[1] + wait, after[0]) for before, after in pairwise(spans))
        found[user] = [(start, end) for start, end in gaps if start < end]
    return found


def attendances(history: History) -> dict[str, list[Span]]:
    """Return when each user has to be shown as there: some time after they came, until they went.

    A short reconnect is none, unless the node was killed, or presence crashed in between.
    """
    blurred = [
        (each.at - 0.5, each.over_at + BLURRED_SECONDS)
        for each in history.of(Struck)
        if each.fault in BLURRING
    ]
    slow = [
        (each.at - THERE_SECONDS, each.over_at)
        for each in history.of(Struck)
        if each.fault in SLOWING
    ]
    found = {}
    for user, spans in devices(history, Connected, GRACE_SECONDS).items():
        late = [(delayed(start + THERE_SECONDS, slow), end) for start, end in spans]
        found[user] = without(late, blurred)
    return found


def delayed(start: float, slow: Sequence[Span]) -> float:
    """Return when a start is to be felt that a fault of the database may have held up."""
    for at, over_at in sorted(slow):
        if at < start < over_at + THERE_SECONDS:
            start = over_at + THERE_SECONDS
    return start


def devices(
    history: History, begins: type[Tried | Connected], grace_seconds: float
) -> dict[str, list[Span]]:
    """Return when any device of each user was connected; a connection begins with such a record."""
    users = history.users()
    cuts = [
        (each.at - 0.2, each.over_at)
        for each in history.of(Struck)
        if each.fault in KILLING | FORGETTING
    ]
    begun: dict[int, float] = {}
    spans: dict[str, list[Span]] = {user: [] for user in users.values()}
    for record in history.of(begins, Disconnected, Failed):
        if isinstance(record, begins):
            begun[record.client] = record.at
        elif record.client in begun:
            spans[users[record.client]].append((begun.pop(record.client), record.at))
    for client, at in begun.items():
        spans[users[client]].append((at, inf))
    return {user: merged(each, grace_seconds, cuts) for user, each in spans.items()}


def merged(spans: Iterable[Span], grace_seconds: float, cuts: Sequence[Span]) -> list[Span]:
    """Join spans that overlap, or follow within the grace and have no cut between them."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found:
            before = found[-1][1]
            is_cut = any(at < start and before < over_at for at, over_at in cuts)
            if start <= before + (0.0 if is_cut else grace_seconds):
                found[-1] = (found[-1][0], max(before, end))
                continue
        found.append((start, end))
    return found


# --- what was shown ---


class Looks:
    """What all clients look at, record by record, and how they showed each other until then."""

    def __init__(self, users: dict[int, str]) -> None:
        self.found: list[Showing] = []
        self._users = users
        self._looks: dict[Key, Look] = {}
        self._members: dict[Key, set[str]] = {}

    def close(self, at: float, client: int | None = None, room: str | None = None) -> None:
        """End what one client looks at, of one room or of all; without a client, everything."""
        for key in list(self._looks):
            if client in {None, key[0]} and room in {None, key[1]}:
                look = self._looks.pop(key)
                for user in look.users:
                    self.found += shown(key, look, user, at)

    def take(self, record: Entered | Departed | Emptied | Shown | PresenceShown) -> None:
        """Take in what happened to a client in a room."""
        key = (record.client, record.room)
        match record:
            case Entered():
                self.close(record.at, *key)
                look = self._looks[key] = Look(record.at, record.seq)
                for user in self._members.get(key, ()):
                    look.user(user).member_since = record.at
            case Departed():
                self.close(record.at, *key)
            case Emptied():
                self._members[key] = set()
            case Shown():
                members = self._members.setdefault(key, set())
                self.found += moved(key, record, self._looks.get(key), members)
                if record.measure in OUT and record.subject == self._users[record.client]:
                    self.close(record.at, *key)
            case PresenceShown() if key in self._looks:
                self.found += told(key, record, self._looks[key])


def showings(history: History) -> list[Showing]:
    """Return how clients showed the others, for as long as each did not change."""
    looks = Looks(history.users())
    for record in history.of(Entered, Departed, Disconnected, Emptied, Shown, PresenceShown):
        if isinstance(record, Disconnected):
            looks.close(record.at, record.client)
        else:
            looks.take(record)
    looks.close(max((each.at for each in history.of(Ended)), default=inf))
    return looks.found


def moved(key: Key, event: Shown, look: Look | None, members: set[str]) -> Iterator[Showing]:
    """Take in who became a member, or is none any more: of them nothing is told."""
    user = event.subject or event.person
    is_out = event.kind == "member.left" or event.measure in OUT
    if event.kind != "member.joined" and not is_out:
        return
    (members.discard if is_out else members.add)(user)
    if look is None:
        return
    is_news = event.seq > look.entered_seq
    if is_out and is_news:
        yield from shown(key, look, user, event.at)
        look.users.pop(user, None)
    elif is_out:
        look.user(user).member_since = None
    elif look.user(user).member_since is None:
        look.user(user).member_since = event.at


def told(key: Key, frame: PresenceShown, look: Look) -> Iterator[Showing]:
    """Take in a frame of presence."""
    look.is_told = True
    named = {*frame.there, *frame.gone}
    for user in [*frame.there, *frame.gone, *(set(look.users) - named if frame.is_full else ())]:
        is_there, seen = user in frame.there, look.user(user)
        if is_there != seen.is_there:
            yield from shown(key, look, user, frame.at)
            seen.is_there, seen.since = is_there, frame.at


def shown(key: Key, look: Look, user: str, until: float) -> Iterator[Showing]:
    """Return how a client has shown a user; a member as gone only once they had to be told."""
    seen = look.user(user)
    if seen.is_there:
        yield Showing(*key, user, is_there=True, span=(seen.since, until))
    elif seen.member_since is not None and look.is_told:
        start = max(seen.since, max(seen.member_since, look.entered_at) + THERE_SECONDS)
        yield Showing(*key, user, is_there=False, span=(start, until))


# --- spans ---


def without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """Return spans less some others."""
    left = list(spans)
    for hole_start, hole_end in holes:
        left = [
            part
            for start, end in left
            for part in ((start, min(end, hole_start)), (max(start, hole_end), end))
            if part[0] < part[1]
        ]
    return left


def longest_overlap(span: Span, others: Sequence[Span]) -> Span:
    """Return the longest time that a span shares with one of the others; an empty one if none."""
    shared = [(max(span[0], start), min(span[1], end)) for start, end in others]
    return max(shared, key=lambda each: each[1] - each[0], default=(0.0, 0.0))
