"""The rules of the log: what becomes of each event of a batch, given what the database holds. No I/O.

`Batch` starts as what was loaded, and each event placed sees those placed before it. What it holds at
the end is what is to be written; `room_store.py` does both.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import ClassVar, Final, TypeVar
from uuid import UUID

from veza.persistence.room_changes import (
    Act,
    Ban,
    Changes,
    Head,
    Key,
    MessageFate,
    Seat,
    Uses,
)
from veza.persistence.room_events import EMPTY_POST, kept_details, strings_of
from veza.persistence.room_rows import (
    Appended,
    Details,
    Entry,
    EventKind,
    Measure,
    Moderation,
    NewEvent,
    NothingChanged,
    Outdated,
    Post,
    Role,
    RoomEvent,
    RoomSettings,
    StoredEvent,
    Unstored,
    takes_rights,
)
from veza.persistence.rows import Author, Binding

MAX_EMOJI_EACH: Final = 20
"""How many different emoji one user may put on one message."""

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

    def place(self, event: NewEvent) -> Appended:
        """Give an event the next `seq` of its room, unless nothing changes by it or it cannot be stored."""
        head = self.heads.get(event.room_id)
        if head is None:
            return Unstored.UNKNOWN_ROOM
        refused = self._refusal(event, head)
        if refused is not None:
            return refused
        changed = self._RULES[event.kind](self, event)
        if isinstance(changed, Unstored):
            return changed
        if not changed:
            return NothingChanged(head_seq=head.seq)
        return StoredEvent(event=self._add(event, head), is_new=True)

    def bindings(self, event: NewEvent) -> list[Binding]:
        """Return what must be bound to a message before it is placed; nothing of one that will not be."""
        post, key = event.details, event.message_id
        if not isinstance(post, Post) or not post.attachments or key is None:
            return []
        head = self.heads.get(event.room_id)
        if head is None or event.kind is not EventKind.MESSAGE_POSTED:
            return []
        if self._refusal(event, head) is not None or self._post_refusal(event) is not None:
            return []
        return [
            Binding(
                attachment_id=each.id,
                owner_id=event.author.id,
                room_id=event.room_id,
                message_id=key,
            )
            for each in post.attachments
        ]

    def _refusal(self, event: NewEvent, head: Head) -> Appended | None:
        if event.author.id not in self.users:
            return Unstored.UNKNOWN_AUTHOR
        if event.author.id in self.banned:
            return Unstored.BANNED_AUTHOR
        if event.subject is not None and event.subject.id not in self.users:
            return Unstored.UNKNOWN_AUTHOR
        if not is_storable(event.text):
            return Unstored.UNSTORABLE_TEXT
        if event.details is not None and not all(map(is_storable, strings_of(event.details))):
            return Unstored.UNSTORABLE_TEXT
        if event.kind is EventKind.MESSAGE_POSTED and event.message_id is not None:
            first = self.posts.get((event.room_id, event.message_id))
            if first is not None:
                return StoredEvent(event=first, is_new=False)
        if head.fence > event.fence:
            return Outdated(head_seq=head.seq)
        return None

    def _add(self, event: NewEvent, head: Head) -> RoomEvent:
        head.seq += 1
        head.is_moved = True
        placed = RoomEvent(
            room_id=event.room_id,
            seq=head.seq,
            kind=event.kind,
            at=head.at,
            author=self.users[event.author.id],
            message_id=event.message_id,
            text=event.text,
            reply_to=event.reply_to,
            thread_id=event.thread_id,
            subject=None if event.subject is None else self.users[event.subject.id],
            details=None if event.details is None else kept_details(event.details),
        )
        if event.kind is EventKind.MESSAGE_POSTED:
            head.messages += 1
            if event.message_id is not None:
                self.posts[event.room_id, event.message_id] = placed
        else:
            self._note(placed)
        self.placed.append(placed)
        self.counts.append(head.messages)
        return placed

    def _note(self, placed: RoomEvent) -> None:
        """Raise the fence and write down the act, where a placed event asks for it."""
        room_id, kind = placed.room_id, placed.kind
        if takes_rights(kind, placed.details):
            self.heads[room_id].fence = placed.seq
        target = f"room:{room_id}"
        match placed.details:
            case Moderation(measure=measure) if kind is EventKind.MEMBER_MODERATED:
                user = placed.subject or placed.author
                self._audit(placed, f"room.{measure}", f"{target}/user:{user.id}")
            case _ if kind is EventKind.ROOM_UPDATED:
                self._audit(placed, "room.update", target)
            case _ if kind is EventKind.MESSAGE_DELETED:
                post = self.posts[_message(placed)]
                if post.author.id != placed.author.id:
                    target = f"{target}/message:{placed.message_id}"
                    self._audit(placed, "room.delete_message", target)

    def _audit(self, event: RoomEvent, action: str, target: str) -> None:
        self.changes.acts.append(Act(event=event, action=action, target=target))

    # Messages.

    def _post(self, event: NewEvent) -> Unstored | bool:
        if event.details is None and event.reply_to is event.thread_id is event.peer is None:
            return True
        refused = self._post_refusal(event)
        if refused is not None:
            return refused
        head = self.heads[event.room_id]
        if event.thread_id is not None:
            root = self._fate((event.room_id, event.thread_id))
            root.replies += 1
            root.last_reply_at = head.at
        if isinstance(event.details, Post):
            self._mention(event.room_id, head.seq + 1, event.author.id, event.details)
        return True

    def _post_refusal(self, event: NewEvent) -> Unstored | None:
        room_id = event.room_id
        if event.reply_to is not None and not self._is_there((room_id, event.reply_to)):
            return Unstored.UNKNOWN_MESSAGE
        if event.thread_id is not None:
            root = (room_id, event.thread_id)
            if not self._is_there(root) or self.posts[root].thread_id is not None:
                return Unstored.UNKNOWN_MESSAGE
        return Unstored.BLOCKED if self._is_blocked(event) else None

    def _is_blocked(self, event: NewEvent) -> bool:
        """Tell whether one of the two of a conversation has blocked the other."""
        if event.peer is None:
            return False
        ways = {(event.author.id, event.peer), (event.peer, event.author.id)}
        return not self.blocks.isdisjoint(ways)

    def _edit(self, event: NewEvent) -> Unstored | bool:
        key = _message(event)
        if not self._is_there(key):
            return Unstored.UNKNOWN_MESSAGE
        text, before = self._current(key)
        after = _details(event, Post, EMPTY_POST)
        if not set(after.attachments) <= set(before.attachments):
            return Unstored.UNKNOWN_ATTACHMENT
        if (text, before) == (event.text, after):
            return False
        if self._is_blocked(event):
            return Unstored.BLOCKED
        fate = self._fate(key)
        fate.text, fate.details = event.text, after
        fate.edited_at, fate.edited_by = self.heads[event.room_id].at, event.author.id
        if _called(after) != _called(before):
            post = self.posts[key]
            self._unmention(post)
            self._mention(post.room_id, post.seq, post.author.id, after)
        return True

    def _delete(self, event: NewEvent) -> Unstored | bool:
        key = _message(event)
        post = self.posts.get(key)
        if post is None:
            return Unstored.UNKNOWN_MESSAGE
        if not self._is_there(key):
            return False
        fate = self._fate(key)
        fate.deleted_at, fate.deleted_by = self.heads[event.room_id].at, event.author.id
        fate.pinned_at = fate.pinned_by = None
        if post.thread_id is not None:
            self._fate((event.room_id, post.thread_id)).replies -= 1
        self._unmention(post)
        self.changes.unreacted.add(key)
        # What is sent again once it is deleted does not bring its text back.
        self.posts[key] = blank(post)
        return True

    def _pin(self, event: NewEvent) -> Unstored | bool:
        key, is_pin = _message(event), event.kind is EventKind.MESSAGE_PINNED
        if not self._is_there(key):
            return Unstored.UNKNOWN_MESSAGE
        if is_pin == (key in self.fates and self.fates[key].pinned_at is not None):
            return False
        if self._is_blocked(event):
            return Unstored.BLOCKED
        fate = self._fate(key)
        fate.pinned_at = self.heads[event.room_id].at if is_pin else None
        fate.pinned_by = event.author.id if is_pin else None
        return True

    def _react(self, event: NewEvent) -> Unstored | bool:
        key, is_added = _message(event), event.kind is EventKind.REACTION_ADDED
        if not self._is_there(key):
            return Unstored.UNKNOWN_MESSAGE
        emoji = self.reactions.setdefault((*key, event.author.id), set())
        if is_added == (event.text in emoji):
            return False
        if is_added and self._is_blocked(event):
            return Unstored.BLOCKED
        if is_added and len(emoji) >= MAX_EMOJI_EACH:
            return Unstored.TOO_MANY_REACTIONS
        (emoji.add if is_added else emoji.remove)(event.text)
        self.reacted[(*key, event.author.id, event.text)] = is_added
        return True

    def _is_there(self, key: Key) -> bool:
        fate = self.fates.get(key)
        return key in self.posts and (fate is None or fate.deleted_at is None)

    def _current(self, key: Key) -> tuple[str, Post]:
        fate, post = self.fates.get(key), self.posts[key]
        if fate is not None and fate.edited_at is not None:
            return fate.text or "", fate.details or EMPTY_POST
        return post.text, _details(post, Post, EMPTY_POST)

    def _fate(self, key: Key) -> MessageFate:
        """Return what became of a message, about to be changed."""
        self.changes.fates.add(key)
        return self.fates.setdefault(key, MessageFate())

    def _mention(self, room_id: UUID, seq: int, author_id: UUID, post: Post) -> None:
        called: Iterable[UUID | None] = {*post.mentions} - {author_id}
        if post.mentions_room:
            called = (None,)  # one row for all: nobody is called twice by a message
        self.changes.mentions += [(room_id, seq, user_id, author_id) for user_id in called]

    def _unmention(self, post: RoomEvent) -> None:
        place = (post.room_id, post.seq)
        self.changes.mentions = [each for each in self.changes.mentions if each[:2] != place]
        self.changes.unmentioned.append(place)

    # Members and the room.

    def _join(self, event: NewEvent) -> Unstored | bool:
        key, head = _user(event), self.heads[event.room_id]
        if key in self.members:
            return False
        if event.peer is not None and (event.peer, event.author.id) in self.blocks:
            return Unstored.BLOCKED
        entry = _details(event, Entry, Entry())
        if entry.invite is not None and not self._use(entry.invite, head.at, event.room_id):
            return Unstored.INVALID_INVITE
        ban = self.bans.get(key)
        if ban is not None and ban.until is not None and ban.until <= head.at:
            del self.bans[key]
            self.changes.bans.add(key)
        self.members[key] = Seat(entry.role, None)
        self.changes.joined[key] = head.seq + 1
        head.joins += 1
        return True

    def _use(self, code: str, at: datetime, room_id: UUID) -> bool:
        invite = self.invites.get(code)
        if invite is None or invite.room_id != room_id or invite.left == 0:
            return False
        if invite.expires_at is not None and invite.expires_at <= at:
            return False
        invite.used += 1
        if invite.left is not None:
            invite.left -= 1
        return True

    def _leave(self, event: NewEvent) -> bool:
        key = _user(event)
        if self.members.pop(key, None) is None:
            return False
        self.changes.seats.discard(key)
        if self.changes.joined.pop(key, None) is None:
            self.changes.left.add(key)
        self.heads[event.room_id].joins -= 1
        return True

    def _moderate(self, event: NewEvent) -> bool:
        match _details(event, Moderation).measure:
            case Measure.WARN:
                return True
            case Measure.MUTE | Measure.UNMUTE:
                return self._mute(event)
            case Measure.KICK:
                return self._leave(event)
            case Measure.BAN:
                return self._ban(event)
            case Measure.UNBAN:
                self.changes.bans.add(_user(event))
                return self.bans.pop(_user(event), None) is not None
            case Measure.ROLE:
                return self._give_role(event)

    def _mute(self, event: NewEvent) -> bool:
        key, about = _user(event), _details(event, Moderation)
        seat, now = self.members.get(key), self.heads[event.room_id].at
        until = about.until if about.measure is Measure.MUTE else None
        if seat is None or until == (
            seat.muted_until if seat.muted_until is not None and seat.muted_until > now else None
        ):
            return False
        seat.muted_until = until
        self.changes.seats.add(key)
        return True

    def _ban(self, event: NewEvent) -> bool:
        key, until = _user(event), _details(event, Moderation).until
        was_member, before = self._leave(event), self.bans.get(key)
        if not was_member and before is not None and before.until == until:
            return False
        self.bans[key] = Ban(
            until=until,
            reason=event.text,
            by_id=event.author.id,
            at=self.heads[event.room_id].at,
        )
        self.changes.bans.add(key)
        return True

    def _give_role(self, event: NewEvent) -> bool:
        key, role = _user(event), _details(event, Moderation).role
        seat = self.members.get(key)
        if seat is None or role is None or seat.role is role:
            return False
        if role is Role.OWNER:
            for other, each in self.members.items():
                if other[0] == event.room_id and each.role is Role.OWNER:
                    each.role = Role.ADMIN
                    self.changes.seats.add(other)
        seat.role = role
        self.changes.seats.add(key)
        return True

    def _update(self, event: NewEvent) -> bool:
        settings, before = _details(event, RoomSettings), self.settings[event.room_id]
        if settings.password_hash is None:
            # Whoever changes something else does not know the hash.
            settings = replace(settings, password_hash=before.password_hash)
        if settings == before:
            return False
        self.settings[event.room_id] = settings
        self.changes.settings[event.room_id] = self.heads[event.room_id].seq + 1
        return True

    _RULES: ClassVar[dict[EventKind, Callable[["Batch", NewEvent], Unstored | bool]]] = {
        EventKind.MESSAGE_POSTED: _post,
        EventKind.MESSAGE_EDITED: _edit,
        EventKind.MESSAGE_DELETED: _delete,
        EventKind.MESSAGE_PINNED: _pin,
        EventKind.MESSAGE_UNPINNED: _pin,
        EventKind.REACTION_ADDED: _react,
        EventKind.REACTION_REMOVED: _react,
        EventKind.MEMBER_JOINED: _join,
        EventKind.MEMBER_LEFT: _leave,
        EventKind.MEMBER_MODERATED: _moderate,
        EventKind.ROOM_UPDATED: _update,
    }


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL's text can hold it: no NUL and no half of a surrogate pair."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def user_of(event: NewEvent | RoomEvent) -> UUID:
    """Return whom a join, a leaving or a measure is about."""
    return event.author.id if event.subject is None else event.subject.id


def blank(event: RoomEvent) -> RoomEvent:
    """Return a deleted message as everybody sees it: its place without its content."""
    return replace(event, text="", details=None)


def _user(event: NewEvent) -> Key:
    return event.room_id, user_of(event)


def _message(event: NewEvent | RoomEvent) -> Key:
    if event.message_id is None:
        raise ValueError(f"an event {event.kind} without its message")
    return event.room_id, event.message_id


def _called(post: Post) -> tuple[frozenset[UUID], bool]:
    return frozenset(post.mentions), post.mentions_room


def _details(event: NewEvent | RoomEvent, kind: type[_D], default: _D | None = None) -> _D:
    details: Details | None = default if event.details is None else event.details
    if not isinstance(details, kind):
        raise TypeError(f"an event {event.kind} says {details!r}")
    return details
