"""Holds a history against all promises: those of the room log, A to I, here; J to S beside; Z: any proof.

Each rule is a pure function from a history to what breaks it. A client stands for what a user sees: it
displays what it is sent, in the order it is sent, and takes everything down when it starts over.
"""

from collections.abc import Callable, Iterator
from math import inf
from typing import Final

from soak.findings import Violation, spans
from soak.measures import (
    check_account_bans,
    check_acked_measures,
    check_audit,
    check_commits,
    check_proofs,
)
from soak.owners import check_both_accepted, check_fence, check_sums, check_writers
from soak.pointers import check_bodies, check_pointers, check_unread
from soak.presence import check_presence, check_shown
from soak.records import (
    Acked,
    Connected,
    Disconnected,
    Emptied,
    Ended,
    Entered,
    Head,
    History,
    Planned,
    Refused,
    Row,
    Seated,
    Sent,
    Shown,
    Struck,
    by_room,
)
from soak.rights import bans_of, check_bans

POSTED: Final = "message.posted"
CHANGING: Final = frozenset({"message.edited", "message.deleted"})
LEAVING: Final = frozenset({"member.left", "member.moderated"})
"""What may take somebody out of a room."""
Rule = Callable[[History], Iterator[Violation]]


def judge(history: History) -> list[Violation]:
    """Return everything that breaks a rule, in the order of the rules."""
    return [violation for rule in CHECKS for violation in rule(history)]


# --- the log ---


def check_acked(history: History) -> Iterator[Violation]:
    """A: what was acked is in the log, as it was sent."""
    stored = {(row.room, row.message_id): row for row in posted_rows(history)}
    changed = {(row.room, row.message_id) for row in history.of(Row) if row.kind in CHANGING}
    texts = {(each.room, each.message_id): each.text for each in history.of(Sent)}
    for key in {(ack.room, ack.message_id): None for ack in history.of(Acked)}:
        if key not in stored:
            yield Violation("A", f"message {key[1]} of room {key[0]} was acked and is not stored")
        elif key not in changed and stored[key].text != texts.get(key):
            yield Violation("A", f"message {key[1]} of room {key[0]} is stored with another text")


def check_once(history: History) -> Iterator[Violation]:
    """B: a user's message is stored once, and nobody who is in a room joins it again."""
    seen: dict[tuple[str, str | None], Row] = {}
    for row in posted_rows(history):
        other = seen.setdefault((row.author, row.message_id), row)
        if other is not row:
            where = f"seq {other.seq} of {other.room} and seq {row.seq} of {row.room}"
            yield Violation("B", f"message {row.message_id} of user {row.author} is {where}")
    for room, log in history.logs().items():
        inside: set[str] = set()
        for row in log:
            who = row.subject or row.author
            if row.kind == "member.joined":
                if who in inside:
                    yield Violation("B", f"{who} joined {room} again at seq {row.seq}")
                inside.add(who)
            elif row.kind in LEAVING:
                inside.discard(who)


def check_seqs(history: History) -> Iterator[Violation]:
    """C: the log of each room counts from 1 to its head."""
    heads = {head.room: head.seq for head in history.of(Head)}
    for room, log in history.logs().items():
        seqs = [row.seq for row in log]
        wanted = range(1, heads.get(room, len(log)) + 1)
        if seqs != list(wanted):
            missing = sorted(set(wanted) - set(seqs))
            surplus = sorted({seq for seq in seqs if seqs.count(seq) > 1 or seq not in wanted})
            told = f"missing: {spans(missing) or 'none'}, reused or past it: {spans(surplus) or 'none'}"
            yield Violation("C", f"room {room} with head {len(wanted)}: {told}")


# --- the views ---


def check_order(history: History) -> Iterator[Violation]:
    """D: at a seq everybody displays the event of the log; nobody displays an earlier one later."""
    stored = {
        (row.room, row.seq): (row.kind, row.message_id, row.author) for row in history.of(Row)
    }
    first: dict[tuple[str, int], tuple[str, str | None, str]] = {}
    for shown in history.of(Shown):
        key, said = (shown.room, shown.seq), (shown.kind, shown.message_id, shown.person)
        wanted = stored.get(key) or first.setdefault(key, said)
        if said != wanted:
            text = f"client {shown.client} displays {said} at seq {shown.seq} of {shown.room}"
            yield Violation("D", f"{text}, not {wanted}")
    for shown, view in walk(history):
        if shown.seq < view.last_seq and shown.seq not in view.seqs:
            text = f"client {shown.client} displays seq {shown.seq} of {shown.room}"
            yield Violation("D", f"{text} after seq {view.last_seq}")


def check_holes(history: History) -> Iterator[Violation]:
    """E: what a client displays follows what it displayed last."""
    for shown, view in walk(history):
        if shown.seq > view.last_seq + 1:
            text = f"client {shown.client} displays seq {shown.seq} of {shown.room} at {shown.at:.2f} s"
            yield Violation("E", f"{text}, after seq {view.last_seq}")


def check_displayed_once(history: History) -> Iterator[Violation]:
    """I: a client displays no event and no message a second time."""
    for shown, view in walk(history):
        where = f"client {shown.client} displays seq {shown.seq} of {shown.room}"
        if shown.seq in view.seqs:
            yield Violation("I", f"{where} again at {shown.at:.2f} s")
        elif shown.kind == POSTED and shown.message_id in view.messages:
            yield Violation("I", f"{where}: message {shown.message_id} again")


# --- acks ---


def check_real_time(history: History) -> Iterator[Violation]:
    """F: a message that left after another one was acked stands behind it."""
    first_sent: dict[tuple[str, str], Sent] = {}
    for sent in history.of(Sent):
        first_sent.setdefault((sent.room, sent.message_id), sent)
    acked = {
        room: sorted(acks, key=lambda ack: ack.at)
        for room, acks in by_room(history.all(Acked)).items()
    }
    seqs = {(row.room, row.message_id): row.seq for row in posted_rows(history)}
    for room, sends in by_room(first_sent.values()).items():
        acks, newest = iter([*acked.get(room, ())]), None
        ack = next(acks, None)
        for sent in sorted(sends, key=lambda each: each.at):
            while ack is not None and ack.at < sent.at:
                newest = ack if newest is None or ack.seq > newest.seq else newest
                ack = next(acks, None)
            seq = seqs.get((room, sent.message_id))
            if newest is not None and seq is not None and seq < newest.seq:
                text = f"message {sent.message_id} of {room} has seq {seq}, and was sent at {sent.at:.3f} s"
                yield Violation("F", f"{text}, when seq {newest.seq} had been acked")


def check_acks(history: History) -> Iterator[Violation]:
    """H: every ack of a message says the same, and what the log says."""
    seqs = {(row.room, row.message_id): row.seq for row in posted_rows(history)}
    first: dict[tuple[str, str], Acked] = {}
    for ack in history.of(Acked):
        key = (ack.room, ack.message_id)
        other = first.setdefault(key, ack)
        if (ack.seq, ack.committed_at) != (other.seq, other.committed_at):
            said = (
                f"seq {other.seq} of {other.committed_at}, then seq {ack.seq} of {ack.committed_at}"
            )
            yield Violation("H", f"message {ack.message_id} of {ack.room} was acked as {said}")
        elif ack is other and seqs.get(key, ack.seq) != ack.seq:
            said = f"was acked as seq {ack.seq} and is stored as seq {seqs[key]}"
            yield Violation("H", f"message {ack.message_id} of {ack.room} {said}")


def check_convergence(history: History) -> Iterator[Violation]:
    """G: nothing waits for its ack any more, and the view of everybody who may look is the log."""
    acked = {(ack.room, ack.message_id) for ack in history.of(Acked)}
    codes = {(each.room, each.message_id): each.code for each in history.of(Refused)}
    for sent in {(each.room, each.message_id): each for each in history.of(Sent)}.values():
        key = (sent.room, sent.message_id)
        if key not in acked:
            last = f"; its last refusal: {codes[key]}" if key in codes else ""
            text = f"message {sent.message_id} of client {sent.client} for {sent.room}"
            yield Violation("G", f"{text} was never acked{last}")
    views = final_views(history)
    logs = history.logs()
    kept_out = {(ban.room, ban.user) for ban in bans_of(history) if ban.lifted_seq == inf}
    for seat in history.of(Seated):
        for room in seat.rooms:
            if (room, seat.user) in kept_out:
                continue
            shown, stored = (
                views.get((seat.client, room), set()),
                {row.seq for row in logs.get(room, ())},
            )
            if shown != stored:
                lacks = f"lacks {spans(sorted(stored - shown)) or 'nothing'} of {len(stored)}"
                more = f", has {spans(sorted(shown - stored))} besides" if shown - stored else ""
                yield Violation("G", f"client {seat.client} in {room} {lacks}{more}")


# --- whether anything was proved ---


def check_idle(history: History) -> Iterator[Violation]:
    """Z: messages were acked in every room, everybody saw some, and what was to fail did."""
    if not history.all(Ended):
        yield Violation("Z", "the run did not come to its end")
    written = {ack.room for ack in history.of(Acked)}
    read = {shown.client for shown in history.of(Shown) if shown.kind == POSTED}
    seats = history.all(Seated)
    if not seats:
        yield Violation("Z", "there was nobody")
    for room in sorted({room for seat in seats for room in seat.rooms} - written):
        yield Violation("Z", f"nothing was acked in {room}")
    for seat in seats:
        if seat.client not in read:
            yield Violation("Z", f"client {seat.client} displayed no message")
    struck = {each.fault for each in history.of(Struck)}
    if not struck:
        yield Violation("Z", "no fault struck")
    for planned in history.of(Planned):
        for name in sorted(set(planned.faults) - struck):
            yield Violation("Z", f"the fault {name} never struck")
    came_back = len(history.all(Connected)) - len(seats)
    is_any_recovered = any(each.is_recovered for each in history.of(Entered))
    if came_back > len(seats) and not is_any_recovered:
        yield Violation("Z", f"none of {came_back} reconnects was resumed from where it stood")
    if not came_back and history.all(Disconnected):
        yield Violation("Z", "connections ended and none came back")


# --- what the rules share ---


class View:
    """What a client displays of a room, since it last started over."""

    __slots__ = ("last_seq", "messages", "seqs")

    def __init__(self) -> None:
        self.last_seq = 0
        self.seqs: set[int] = set()
        self.messages: set[str | None] = set()

    def add(self, shown: Shown) -> None:
        self.last_seq = max(self.last_seq, shown.seq)
        self.seqs.add(shown.seq)
        if shown.kind == POSTED:
            self.messages.add(shown.message_id)


def walk(history: History) -> Iterator[tuple[Shown, View]]:
    """Walk what was displayed, each with the view as it was just before."""
    views: dict[tuple[int, str], View] = {}
    for record in history.of(Shown, Emptied):
        key = (record.client, record.room)
        if isinstance(record, Emptied):
            views[key] = View()
        else:
            view = views.setdefault(key, View())
            yield record, view
            view.add(record)


def final_views(history: History) -> dict[tuple[int, str], set[int]]:
    """Return the seqs that each client displays of each room in the end."""
    views: dict[tuple[int, str], set[int]] = {}
    for record in history.of(Shown, Emptied):
        key = (record.client, record.room)
        if isinstance(record, Emptied):
            views[key] = set()
        else:
            views.setdefault(key, set()).add(record.seq)
    return views


def posted_rows(history: History) -> Iterator[Row]:
    return (row for row in history.of(Row) if row.kind == POSTED)


CHECKS: Final[tuple[Rule, ...]] = (
    check_acked,
    check_once,
    check_seqs,
    check_order,
    check_holes,
    check_real_time,
    check_convergence,
    check_acks,
    check_displayed_once,
    check_pointers,
    check_bodies,
    check_presence,
    check_unread,
    check_audit,
    check_acked_measures,
    check_commits,
    check_bans,
    check_account_bans,
    check_writers,
    check_fence,
    check_sums,
    check_idle,
    check_proofs,
    check_shown,
    check_both_accepted,
)
