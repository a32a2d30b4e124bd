"""Events of rooms between their rows and their values; what they say beside their text is JSON."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from veza.persistence.room_rows import (
    Attachment,
    Details,
    Entry,
    EventKind,
    Measure,
    MessageState,
    Moderation,
    Post,
    Role,
    RoomEvent,
    RoomKind,
    RoomSettings,
    TrackCard,
)
from veza.persistence.rows import Author

EVENT_COLUMNS: Final = """
    e.room_id, e.seq, e.kind, e.at, e.author_id, u.username, e.message_id, e.text, e.reply_to,
    e.thread_id, e.subject_id, o.username AS subject_name, e.details,
    s.text AS new_text, s.details AS new_details, s.edited_at, s.deleted_at, s.pinned_at,
    s.replies, s.last_reply_at
"""

# What became of a message counts for what was said; a reaction's emoji outlives it, for one.
EVENT_TABLES: Final = """
    room_events e JOIN users u ON u.id = e.author_id
    LEFT JOIN users o ON o.id = e.subject_id
    LEFT JOIN message_states s ON s.room_id = e.room_id AND s.message_id = e.message_id
        AND e.kind IN ('message.posted', 'message.edited')
"""


def encode_details(details: Details | None) -> str | None:
    """Return JSON of what differs from the defaults, without a password's hash; None if nothing is said."""
    if details is None:
        return None
    said = {
        field.name: value
        for field in fields(details)
        if (value := getattr(details, field.name)) != field.default
        and field.name != "password_hash"
    }
    return orjson.dumps(said, default=_uuid).decode()


def decode_details(kind: EventKind, details: str | None) -> Details | None:
    """Return what an event of a kind says beside its text."""
    decode = _DECODERS.get(kind)
    if details is None or decode is None:
        return None
    return decode(orjson.loads(details))


def kept_details(details: Details | None) -> Details | None:
    """Return details as the log keeps them: an empty post is None, and no password's hash is in it."""
    if isinstance(details, RoomSettings) and details.password_hash is not None:
        return replace(details, password_hash=None)
    return None if details == EMPTY_POST else details


def strings_of(details: Details | None) -> tuple[str, ...]:
    """Return the free text in details: what the database might not take."""
    match details:
        case Post(attachments=attachments):
            return tuple(s for a in attachments for s in (a.filename, a.content_type))
        case Entry(invite=str(invite)):
            return (invite,)
        case RoomSettings():
            return (details.name, details.topic, details.rules, details.password_hash or "")
        case _:
            return ()


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL's text can hold it: no NUL and no half of a surrogate pair."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def event_of(row: asyncpg.Record) -> RoomEvent:
    """Return the event of a row of `EVENT_COLUMNS` as it was said; blank if the message was deleted."""
    kind = EventKind(row["kind"])
    is_deleted = row["deleted_at"] is not None
    subject_id = row["subject_id"]
    return RoomEvent(
        room_id=row["room_id"],
        seq=row["seq"],
        kind=kind,
        at=row["at"],
        author=Author(id=row["author_id"], name=row["username"]),
        message_id=row["message_id"],
        text="" if is_deleted else row["text"],
        reply_to=row["reply_to"],
        thread_id=row["thread_id"],
        subject=None if subject_id is None else Author(id=subject_id, name=row["subject_name"]),
        details=None if is_deleted else decode_details(kind, row["details"]),
    )


def current_of(row: asyncpg.Record) -> RoomEvent:
    """Return the event of such a row; a message with its newest text and its state, without reactions."""
    event = event_of(row)
    if event.kind is not EventKind.MESSAGE_POSTED:
        return event
    if row["replies"] is None:
        return replace(event, state=MessageState())
    event = replace(event, state=_state(row))
    if row["edited_at"] is None or row["deleted_at"] is not None:
        return event
    details = decode_details(event.kind, row["new_details"])
    return replace(event, text=row["new_text"], details=details)


def _uuid(value: object) -> str:
    """Say an id that came from the database: the driver's own kind, which is not encoded by itself."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"details hold {value!r}")


def _state(row: asyncpg.Record) -> MessageState:
    return MessageState(
        edited_at=row["edited_at"],
        deleted_at=row["deleted_at"],
        pinned_at=row["pinned_at"],
        replies=row["replies"],
        last_reply_at=row["last_reply_at"],
    )


def _post(said: dict[str, Any]) -> Post:
    return Post(
        attachments=tuple(_attachment(each) for each in said.get("attachments", ())),
        tracks=tuple(
            TrackCard(track_id=UUID(each["track_id"]), at_ms=each["at_ms"])
            for each in said.get("tracks", ())
        ),
        mentions=tuple(UUID(each) for each in said.get("mentions", ())),
        mentions_room=said.get("mentions_room", False),
    )


def _attachment(said: dict[str, Any]) -> Attachment:
    return Attachment(**(said | {"id": UUID(said["id"])}))


def _entry(said: dict[str, Any]) -> Entry:
    return Entry(role=Role(said.get("role", Role.MEMBER)), invite=said.get("invite"))


def _moderation(said: dict[str, Any]) -> Moderation:
    until, role = said.get("until"), said.get("role")
    return Moderation(
        measure=Measure(said["measure"]),
        until=None if until is None else datetime.fromisoformat(until),
        role=None if role is None else Role(role),
        rule=said.get("rule"),
    )


def _settings(said: dict[str, Any]) -> RoomSettings:
    return RoomSettings(**(said | {"kind": RoomKind(said["kind"])}))


EMPTY_POST: Final = Post()
_DECODERS: Final[dict[EventKind, Callable[[dict[str, Any]], Details]]] = {
    EventKind.MESSAGE_POSTED: _post,
    EventKind.MESSAGE_EDITED: _post,
    EventKind.MEMBER_JOINED: _entry,
    EventKind.MEMBER_MODERATED: _moderation,
    EventKind.ROOM_UPDATED: _settings,
}
