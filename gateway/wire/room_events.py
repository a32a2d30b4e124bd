"""How a durable event of a room looks to clients: its type, room, seq, time, and what it says."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from veza.actors.messages.accounts import Author
from veza.actors.messages.rooms import (
    Entry,
    EventKind,
    MessageState,
    Moderation,
    Post,
    RoomEvent,
    RoomSettings,
)
from veza.gateway.values import time_text
from veza.gateway.wire.tree import Json


def room_event(event: RoomEvent) -> Json:
    """Return the event as a JSON object."""
    return {
        "t": event.kind,
        "room": event.room_id,
        "seq": event.seq,
        "at": time_text(event.at),
        "d": _SAID[event.kind](event),
    }


def _person(author: Author) -> Json:
    return {"id": author.id, "name": author.name}


def _posted(event: RoomEvent) -> Json:
    d: Json = {
        "message_id": event.message_id,
        "author": _person(event.author),
        "text": event.text,
        "reply_to": event.reply_to,
    }
    if event.thread_id is not None:
        d["thread_id"] = event.thread_id
    if isinstance(event.details, Post):
        d.update(_post(event.details))
    if event.state is not None:
        d.update(message_state(event.state))
    return d


def _post(post: Post) -> Json:
    """Say what a message has beside its text, and nothing of what it has not."""
    d: Json = {}
    if post.attachments:
        d["attachments"] = [
            {
                "id": each.id,
                "filename": each.filename,
                "content_type": each.content_type,
                "size_bytes": each.size_bytes,
                "width": each.width,
                "height": each.height,
            }
            for each in post.attachments
        ]
    if post.tracks:
        d["tracks"] = [{"track_id": each.track_id, "at_ms": each.at_ms} for each in post.tracks]
    if post.mentions:
        d["mentions"] = list(post.mentions)
    if post.mentions_room:
        d["mentions_room"] = True
    return d


def message_state(state: MessageState) -> Json:
    """Say what became of a message since it was posted, and nothing of what did not."""
    d: Json = {}
    if state.edited_at is not None:
        d["edited_at"] = time_text(state.edited_at)
    if state.deleted_at is not None:
        d["deleted_at"] = time_text(state.deleted_at)
    if state.pinned_at is not None:
        d["pinned_at"] = time_text(state.pinned_at)
    if state.replies:
        d["replies"] = state.replies
    if state.last_reply_at is not None:
        d["last_reply_at"] = time_text(state.last_reply_at)
    if state.reactions:
        d["reactions"] = [
            {"emoji": each.emoji, "count": each.count, "mine": each.mine}
            for each in state.reactions
        ]
    return d


def _edited(event: RoomEvent) -> Json:
    d = {"message_id": event.message_id, "user": _person(event.author), "text": event.text}
    if isinstance(event.details, Post):
        d.update(_post(event.details))
    return d


def _deleted(event: RoomEvent) -> Json:
    return {"message_id": event.message_id, "user": _person(event.author), "reason": event.text}


def _pinned(event: RoomEvent) -> Json:
    return {"message_id": event.message_id, "user": _person(event.author)}


def _reacted(event: RoomEvent) -> Json:
    return {
        "message_id": event.message_id,
        "user": _person(event.author),
        "emoji": event.text,
    }


def _joined(event: RoomEvent) -> Json:
    d: Json = {"user": _person(event.subject or event.author)}
    if event.subject is not None:
        d["by"] = _person(event.author)
    if isinstance(event.details, Entry):
        d["role"] = event.details.role
    return d


def _left(event: RoomEvent) -> Json:
    return {"user": _person(event.author)}


def _moderated(event: RoomEvent) -> Json:
    d: Json = {
        "user": _person(event.subject or event.author),
        "by": _person(event.author),
        "reason": event.text,
    }
    if isinstance(event.details, Moderation):
        if event.details.rule is not None:
            d["by"], d["rule"] = None, event.details.rule
        d["measure"] = event.details.measure
        d["until"] = event.details.until and time_text(event.details.until)
        if event.details.role is not None:
            d["role"] = event.details.role
    return d


def _updated(event: RoomEvent) -> Json:
    d: Json = {"by": _person(event.author)}
    if isinstance(event.details, RoomSettings):
        settings = event.details
        d.update(
            name=settings.name,
            kind=settings.kind,
            topic=settings.topic,
            slow_mode_seconds=settings.slow_mode_seconds,
            is_archived=settings.is_archived,
        )
    return d


_SAID: Final[Mapping[EventKind, Callable[[RoomEvent], dict[str, Any]]]] = {
    EventKind.MESSAGE_POSTED: _posted,
    EventKind.MESSAGE_EDITED: _edited,
    EventKind.MESSAGE_DELETED: _deleted,
    EventKind.MESSAGE_PINNED: _pinned,
    EventKind.MESSAGE_UNPINNED: _pinned,
    EventKind.REACTION_ADDED: _reacted,
    EventKind.REACTION_REMOVED: _reacted,
    EventKind.MEMBER_JOINED: _joined,
    EventKind.MEMBER_LEFT: _left,
    EventKind.MEMBER_MODERATED: _moderated,
    EventKind.ROOM_UPDATED: _updated,
}
