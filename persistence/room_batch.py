"""What the database holds of the rooms of a batch of events, and what the batch makes of it. No I/O.

`Batch` starts as what was loaded (`room_loading.py`); each event placed (`room_placing.py`) sees those
placed before it, and what it holds at the end is what is to be written (`room_store.py`).
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from veza.persistence.room_changes import Ban, Changes, Head, Key, MessageFate, Seat, Uses
from veza.persistence.room_events import EMPTY_POST
from veza.persistence.room_rows import (
    Details,
    Entry,
    Moderation,
    NewEvent,
    Post,
    RoomEvent,
    RoomSettings,
)
from veza.persistence.rows import Author

_D = TypeVar("_D", Post, Entry, Moderation, RoomSettings)


class Batch:
    """What the database holds of the batch's rooms, and what the batch makes of it."""

    def __init__(self) -> None:
        self.heads: dict[UUID, Head] = {}
        self.users: dict[UUID, Author] = {}
        self.banned: set[UUID] = set()
        self.posts: dict[Key, RoomEvent] = {}
        self.fates: dict[Key, MessageFate] = {}
        self.members: dict[Key, Seat] = {}
        self.bans: dict[Key, Ban] = {}
        self.reactions: dict[tuple[UUID, UUID, UUID], set[str]] = {}
        self.reacted: dict[tuple[UUID, UUID, UUID, str], bool] = {}
        self.invites: dict[str, Uses] = {}
        self.blocks: set[Key] = set()
        self.settings: dict[UUID, RoomSettings] = {}
        self.placed: list[RoomEvent] = []
        self.counts: list[int] = []
        self.changes = Changes()

    def is_blocked(self, event: NewEvent) -> bool:
        """Tell whether one of the two of a conversation has blocked the other."""
        if event.peer is None:
            return False
        ways = {(event.author.id, event.peer), (event.peer, event.author.id)}
        return not self.blocks.isdisjoint(ways)

    def is_there(self, key: Key) -> bool:
        """Tell whether a message was posted and not deleted."""
        fate = self.fates.get(key)
        return key in self.posts and (fate is None or fate.deleted_at is None)

    def current(self, key: Key) -> tuple[str, Post]:
        """Return a message as it was edited last."""
        fate, post = self.fates.get(key), self.posts[key]
        if fate is not None and fate.edited_at is not None:
            return fate.text or "", fate.details or EMPTY_POST
        return post.text, details_of(post, Post, EMPTY_POST)

    def fate(self, key: Key) -> MessageFate:
        """Return what became of a message, about to be changed."""
        self.changes.fates.add(key)
        return self.fates.setdefault(key, MessageFate())

    def mention(self, room_id: UUID, seq: int, author_id: UUID, post: Post) -> None:
        """Note whom a message calls."""
        called: Iterable[UUID | None] = {*post.mentions} - {author_id}
        if post.mentions_room:
            called = (None,)  # one row for all: nobody is called twice by a message
        self.changes.mentions += [(room_id, seq, user_id, author_id) for user_id in called]

    def unmention(self, post: RoomEvent) -> None:
        """Let a message call nobody any more."""
        place = (post.room_id, post.seq)
        self.changes.mentions = [each for each in self.changes.mentions if each[:2] != place]
        self.changes.unmentioned.append(place)


def user_of(event: NewEvent | RoomEvent) -> UUID:
    """Return whom a join, a leaving or a measure is about."""
    return event.author.id if event.subject is None else event.subject.id


def blank(event: RoomEvent) -> RoomEvent:
    """Return a deleted message as everybody sees it: its place without its content."""
    return replace(event, text="", details=None)


def user_key(event: NewEvent) -> Key:
    """Return the room of an event and whom it is about."""
    return event.room_id, user_of(event)


def message_key(event: NewEvent | RoomEvent) -> Key:
    """Return the room of an event and the message that it is about."""
    if event.message_id is None:
        raise ValueError(f"an event {event.kind} without its message")
    return event.room_id, event.message_id


def details_of(event: NewEvent | RoomEvent, kind: type[_D], default: _D | None = None) -> _D:
    """Return what an event says beside its text, which is to be of that kind."""
    details: Details | None = default if event.details is None else event.details
    if not isinstance(details, kind):
        raise TypeError(f"an event {event.kind} says {details!r}")
    return details
