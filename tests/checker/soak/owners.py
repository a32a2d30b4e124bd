"""O and S: a room has one writer at a time, who stores nothing that the log forbids; the rest adds up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from soak.findings import Violation
from soak.records import (
    Acked,
    Banned,
    Connected,
    Fate,
    Head,
    History,
    Planned,
    Reaction,
    Row,
    Seat,
)

POSTED: Final = "message.posted"
EDITED: Final = "message.edited"
DELETED: Final = "message.deleted"
SPOKEN: Final = frozenset({POSTED, EDITED, "reaction.added", "reaction.removed"})
"""What nobody does who is muted, or may only read."""
OUT: Final = frozenset({"kick", "ban"})
MODERATORS: Final = frozenset({"owner", "admin", "moderator"})


@dataclass(slots=True)
class Standing:
    """What the log of a room adds up to, up to some event."""

    roles: dict[str, str] = field(default_factory=dict)
    muted_until: dict[str, float] = field(default_factory=dict)
    banned: set[str] = field(default_factory=set)
    authors: dict[str | None, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    reactions: set[tuple[str, str, str]] = field(default_factory=set)

    def forbids(self, row: Row) -> str | None:
        """Return why the author of an event has no right to it; None if they have."""
        role = self.roles.get(row.author)
        if row.kind == "member.joined":
            who = row.subject or row.author
            return "is banned" if who in self.banned else None
        is_others = self.authors.get(row.message_id, row.author) != row.author
        if row.kind == "member.moderated" or (row.kind in {EDITED, DELETED} and is_others):
            return None if role in MODERATORS else f"is {role or 'no member'}"
        if row.kind == DELETED:
            # Who may read a room, as all may who are not banned, takes back what they said in it.
            return "is banned" if row.author in self.banned else None
        if row.kind == "room.updated":
            return None if role in {"owner", "admin"} else f"is {role or 'no member'}"
        if role is None:
            return "is no member"
        if row.kind in SPOKEN and role == "read_only":
            return "may only read"
        is_muted = row.kind in SPOKEN and self.muted_until.get(row.author, 0.0) > row.time
        return "is muted" if is_muted else None

    def apply(self, row: Row) -> None:
        """Take in an event."""
        who = row.subject or row.author
        match row.kind:
            case "member.joined":
                self.roles[who] = row.role or ("member" if self.roles or row.seq > 1 else "owner")
            case "member.left":
                self._out(who)
            case "member.moderated":
                self._moderate(row, who)
            case _ if row.message_id is not None:
                self._change(row, row.message_id)

    def _moderate(self, row: Row, who: str) -> None:
        match row.measure:
            case "kick" | "ban":
                self._out(who)
                self.banned |= {who} if row.measure == "ban" else set()
            case "unban":
                self.banned.discard(who)
            case "mute" if row.until is not None:
                self.muted_until[who] = row.until
            case "unmute":
                self.muted_until.pop(who, None)
            case "role" if row.role is not None:
                self.roles[who] = row.role

    def _out(self, who: str) -> None:
        self.roles.pop(who, None)
        self.muted_until.pop(who, None)

    def _change(self, row: Row, message_id: str) -> None:
        key = (message_id, row.author, row.text)
        match row.kind:
            case "message.posted":
                self.authors[message_id] = row.author
            case "message.edited":
                self.texts[message_id] = row.text
            case "message.deleted":
                self.deleted.add(message_id)
                self.reactions = {each for each in self.reactions if each[0] != message_id}
            case "reaction.added":
                self.reactions.add(key)
            case "reaction.removed":
                self.reactions.discard(key)


# --- O ---


def check_writers(history: History) -> Iterator[Violation]:
    """O: what a commit stores in a room stands together: another writer waited until it was over."""
    for room, log in history.logs().items():
        ended: set[str] = set()
        for commit, rows in groupby(log, key=lambda row: row.commit):
            seqs = [row.seq for row in rows]
            if commit and commit in ended:
                text = f"seq {seqs[0]} of {room} is of commit {commit}"
                yield Violation("O", f"{text}, between which and its others another one stored")
            ended.add(commit)
    accepted: dict[tuple[str, int], str] = {}
    for ack in history.of(Acked):
        other = accepted.setdefault((ack.room, ack.seq), ack.message_id)
        if other != ack.message_id:
            text = f"seq {ack.seq} of {ack.room} was acked as message {other}"
            yield Violation("O", f"{text} and as message {ack.message_id}")


def check_fence(history: History) -> Iterator[Violation]:
    """O: nothing is stored that was decided before the log took the right to it away."""
    for room, log in history.logs().items():
        standing = Standing()
        for row in log:
            why = standing.forbids(row) if row.commit else None
            if why is not None and not is_founding(row):
                text = f"user {row.author} {why} and stored seq {row.seq} of {room} ({row.kind})"
                yield Violation("O", text)
            standing.apply(row)


def is_founding(row: Row) -> bool:
    return row.seq == 1 and row.kind == "member.joined"


def check_both_accepted(history: History) -> Iterator[Violation]:
    """Z: of several nodes each was writer of each room, else nothing was proved about two."""
    nodes: dict[int, str] = {}
    wrote: dict[str, set[str]] = {}
    for record in history.of(Connected, Acked):
        if isinstance(record, Connected):
            nodes[record.client] = record.node
        else:
            wrote.setdefault(record.room, set()).add(nodes.get(record.client, ""))
    for planned in history.of(Planned):
        for room in sorted(each.room for each in history.of(Head)):
            if len(wrote.get(room, ())) < planned.nodes:
                yield Violation("Z", f"not every node stored something in {room}")


# --- S ---


def check_sums(history: History) -> Iterator[Violation]:
    """S: members, bans, what became of messages and reactions are what the events add up to."""
    kept_seats = by_room(history.all(Seat))
    kept_bans = by_room(history.all(Banned))
    kept_fates = by_room(history.all(Fate))
    kept_reactions = by_room(history.all(Reaction))
    for room, log in history.logs().items():
        if room not in kept_seats:
            continue
        sums = Standing()
        for row in log:
            sums.apply(row)
        fates = kept_fates.get(room, ())
        kept = {
            "members": (set(sums.roles.items()), {(s.user, s.role) for s in kept_seats[room]}),
            "bans": (sums.banned, {each.user for each in kept_bans.get(room, ())}),
            "deletions": (sums.deleted, {each.message_id for each in fates if each.is_deleted}),
            "edits": (
                set(sums.texts.items()),
                {(each.message_id, each.text) for each in fates if each.text is not None},
            ),
            "reactions": (
                sums.reactions,
                {(r.message_id, r.user, r.emoji) for r in kept_reactions.get(room, ())},
            ),
        }
        for name, (wanted, found) in kept.items():
            if wanted != found:
                text = f"{name} of {room}: kept without being in the log {list(found - wanted)[:2]}"
                yield Violation("S", f"{text}, in the log and not kept {list(wanted - found)[:2]}")


def by_room(records: Sequence[Seat | Banned | Fate | Reaction]) -> dict[str, list]:
    found: dict[str, list] = {}
    for record in records:
        found.setdefault(record.room, []).append(record)
    return found
