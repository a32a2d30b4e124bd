"""J and L: read pointers and edits go forward only, and unread is what counting gives."""

from collections.abc import Iterator, Sequence
from typing import Final

from soak.findings import Violation
from soak.records import (
    Counted,
    History,
    MarkedRead,
    Pointer,
    PointerShown,
    Row,
    Shown,
    Tried,
)

DELETED: Final = "message.deleted"
EDITED: Final = "message.edited"
POSTED: Final = "message.posted"


def check_pointers(history: History) -> Iterator[Violation]:
    """J: nobody sees a pointer go back, and none stands before a place that was acked."""
    users = history.users()
    shown: dict[tuple[int, str, str], int] = {}
    marked: dict[tuple[str, str], int] = {}
    before: dict[int, dict[tuple[str, str], int]] = {}
    for record in history.of(Tried, MarkedRead, Counted, PointerShown):
        match record:
            case PointerShown():
                yield from went_back(shown, record)
            case Tried():
                # What another device marks while this one connects `ready` may say or not.
                before[record.client] = dict(marked)
            case MarkedRead():
                key = (record.room, users[record.client])
                marked[key] = max(marked.get(key, 0), record.seq)
            case Counted():
                seq = before.get(record.client, {}).get((record.room, users[record.client]), 0)
                yield from forgot(record, seq)
    stored = {(each.room, each.user): each.seq for each in history.of(Pointer)}
    for key, seq in marked.items():
        if stored.get(key, 0) < seq:
            text = f"user {key[1]} read {key[0]} to {seq}, which was acked"
            yield Violation("J", f"{text}; {stored.get(key, 0)} is stored")


def forgot(told: Counted, seq: int) -> Iterator[Violation]:
    """Hold what `ready` says against what was acked before its client connected."""
    if told.read_seq < seq:
        text = f"ready tells client {told.client} that it read {told.room} to {told.read_seq}"
        yield Violation("J", f"{text}; {seq} was acked before")


def went_back(shown: dict[tuple[int, str, str], int], told: PointerShown) -> Iterator[Violation]:
    """Hold a pointer against the last one that the client was told of the same user."""
    key = (told.client, told.room, told.user)
    before = shown.get(key, 0)
    if told.seq < before:
        text = f"client {told.client} sees user {told.user} in {told.room} at {told.seq}"
        yield Violation("J", f"{text}, after {before}")
    shown[key] = max(before, told.seq)


def check_bodies(history: History) -> Iterator[Violation]:
    """J: in the log nothing is edited past its deletion, and who displayed that shows no text again."""
    for room, log in history.logs().items():
        yield from check_log(room, log)
    gone: set[tuple[int, str, str | None]] = set()
    for shown in history.of(Shown):
        key = (shown.client, shown.room, shown.message_id)
        if shown.kind == DELETED:
            gone.add(key)
        elif shown.kind in {POSTED, EDITED} and key in gone and shown.text:
            text = f"client {shown.client} displays the text of message {shown.message_id}"
            yield Violation("J", f"{text} of {shown.room} again, at {shown.at:.2f} s")


def check_log(room: str, log: Sequence[Row]) -> Iterator[Violation]:
    """Hold the edits of one room against its messages."""
    posted: set[str | None] = set()
    deleted: set[str | None] = set()
    for row in log:
        if row.kind == POSTED:
            posted.add(row.message_id)
        elif row.kind in {EDITED, DELETED}:
            where = f"at seq {row.seq} of {room} message {row.message_id}"
            if row.message_id not in posted:
                yield Violation("J", f"{where} is changed, and was not posted before")
            if row.message_id in deleted:
                yield Violation("J", f"{where} is changed after its deletion")
            if row.kind == DELETED:
                deleted.add(row.message_id)


def check_unread(history: History) -> Iterator[Violation]:
    """L: as many messages are unread as `ready` says, between the two places in the log that it names."""
    logs = history.logs()
    for told in history.of(Counted):
        counted = unread(logs.get(told.room, ()), told)
        if told.unread != counted:
            text = f"ready tells client {told.client} of {told.unread} unread in {told.room}"
            yield Violation("L", f"{text} from {told.read_seq} to {told.seq}; there are {counted}")


def unread(log: Sequence[Row], told: Counted) -> int:
    """Count the messages that were told as unread."""
    return sum(row.kind == POSTED and told.read_seq < row.seq <= told.seq for row in log)
