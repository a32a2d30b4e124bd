"""Places events in the logs of their rooms: the next `seq`, or why there is none. No I/O."""

from typing import Final

from veza.persistence.room_batch import Batch, message_key
from veza.persistence.room_changes import Act, Head
from veza.persistence.room_events import is_storable, kept_details, strings_of
from veza.persistence.room_member_rules import MEMBER_RULES
from veza.persistence.room_message_rules import MESSAGE_RULES, post_refusal
from veza.persistence.room_rows import (
    Appended,
    EventKind,
    Moderation,
    NewEvent,
    NothingChanged,
    Outdated,
    Post,
    RoomEvent,
    StoredEvent,
    Unstored,
    takes_rights,
)
from veza.persistence.rows import Binding

_RULES: Final = {**MESSAGE_RULES, **MEMBER_RULES}


def place(batch: Batch, event: NewEvent) -> Appended:
    """Give an event the next `seq` of its room, unless nothing changes by it or it cannot be stored."""
    head = batch.heads.get(event.room_id)
    if head is None:
        return Unstored.UNKNOWN_ROOM
    refused = _refusal(batch, event, head)
    if refused is not None:
        return refused
    changed = _RULES[event.kind](batch, event)
    if isinstance(changed, Unstored):
        return changed
    if not changed:
        return NothingChanged(head_seq=head.seq)
    return StoredEvent(event=_add(batch, event, head), is_new=True)


def bindings_of(batch: Batch, event: NewEvent) -> list[Binding]:
    """Return what must be bound to a message before it is placed; nothing of one that will not be."""
    post, key = event.details, event.message_id
    if not isinstance(post, Post) or not post.attachments or key is None:
        return []
    head = batch.heads.get(event.room_id)
    if head is None or event.kind is not EventKind.MESSAGE_POSTED:
        return []
    if _refusal(batch, event, head) is not None or post_refusal(batch, event) is not None:
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


def _refusal(batch: Batch, event: NewEvent, head: Head) -> Appended | None:
    if event.author.id not in batch.users:
        return Unstored.UNKNOWN_AUTHOR
    if event.author.id in batch.banned:
        return Unstored.BANNED_AUTHOR
    if event.subject is not None and event.subject.id not in batch.users:
        return Unstored.UNKNOWN_AUTHOR
    if not is_storable(event.text):
        return Unstored.UNSTORABLE_TEXT
    if event.details is not None and not all(map(is_storable, strings_of(event.details))):
        return Unstored.UNSTORABLE_TEXT
    if event.kind is EventKind.MESSAGE_POSTED and event.message_id is not None:
        first = batch.posts.get((event.room_id, event.message_id))
        if first is not None:
            return StoredEvent(event=first, is_new=False)
    if head.fence > event.fence:
        return Outdated(head_seq=head.seq)
    return None


def _add(batch: Batch, event: NewEvent, head: Head) -> RoomEvent:
    head.seq += 1
    head.is_moved = True
    placed = RoomEvent(
        room_id=event.room_id,
        seq=head.seq,
        kind=event.kind,
        at=head.at,
        author=batch.users[event.author.id],
        message_id=event.message_id,
        text=event.text,
        reply_to=event.reply_to,
        thread_id=event.thread_id,
        subject=None if event.subject is None else batch.users[event.subject.id],
        details=None if event.details is None else kept_details(event.details),
    )
    if event.kind is EventKind.MESSAGE_POSTED:
        head.messages += 1
        if event.message_id is not None:
            batch.posts[event.room_id, event.message_id] = placed
    else:
        _note(batch, placed)
    batch.placed.append(placed)
    batch.counts.append(head.messages)
    return placed


def _note(batch: Batch, placed: RoomEvent) -> None:
    """Raise the fence and write down the act, where a placed event asks for it."""
    room_id, kind = placed.room_id, placed.kind
    if takes_rights(kind, placed.details):
        batch.heads[room_id].fence = placed.seq
    target = f"room:{room_id}"
    match placed.details:
        case Moderation(measure=measure) if kind is EventKind.MEMBER_MODERATED:
            user = placed.subject or placed.author
            _audit(batch, placed, f"room.{measure}", f"{target}/user:{user.id}")
        case _ if kind is EventKind.ROOM_UPDATED:
            _audit(batch, placed, "room.update", target)
        case _ if kind is EventKind.MESSAGE_DELETED:
            post = batch.posts[message_key(placed)]
            if post.author.id != placed.author.id:
                target = f"{target}/message:{placed.message_id}"
                _audit(batch, placed, "room.delete_message", target)


def _audit(batch: Batch, event: RoomEvent, action: str, target: str) -> None:
    batch.changes.acts.append(Act(event=event, action=action, target=target))
