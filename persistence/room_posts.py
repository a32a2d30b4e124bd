"""The quick way into the log: plain messages, stored by one call of the database.

It stores what nothing stands in the way of and leaves the rest to the general way, which has the rules. A
room's events go one way or the other, all of them, so that none overtakes another.
"""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from veza.persistence.pool import Connection
from veza.persistence.room_events import is_storable
from veza.persistence.room_rows import EventKind, NewEvent, RoomEvent, StoredEvent
from veza.persistence.rows import Author

_POST: Final = "SELECT n, seq, at, username FROM post_messages($1, $2, $3, $4, $5, $6, $7)"


async def post_plain(conn: Connection, events: Sequence[NewEvent]) -> dict[int, StoredEvent]:
    """Store the messages that are plain, in a transaction of their own; return them by their places."""
    plain = _plain_places(events)
    if not plain:
        return {}
    posts = [events[place] for place in plain]
    rows = await conn.fetch(
        _POST,
        [post.room_id for post in posts],
        [post.message_id for post in posts],
        [post.author.id for post in posts],
        [post.text for post in posts],
        [post.reply_to for post in posts],
        [post.peer for post in posts],
        [post.fence for post in posts],
    )
    stored: dict[int, StoredEvent] = {}
    for n, seq, at, username in rows:
        place = plain[n - 1]
        post = events[place]
        author = post.author
        event = RoomEvent(
            room_id=post.room_id,
            seq=seq,
            kind=EventKind.MESSAGE_POSTED,
            at=at,
            author=author if author.name == username else Author(id=author.id, name=username),
            message_id=post.message_id,
            text=post.text,
            reply_to=post.reply_to,
        )
        stored[place] = StoredEvent(event=event, is_new=True)
    return stored


def _plain_places(events: Iterable[NewEvent]) -> list[int]:
    """Return where the events of those rooms are that have nothing but plain messages in the batch."""
    places: dict[UUID, list[int]] = {}
    others: set[UUID] = set()
    seen: set[tuple[UUID, UUID | None]] = set()
    for place, event in enumerate(events):
        key = event.room_id, event.message_id
        if key in seen or not _is_plain(event):
            others.add(event.room_id)
        seen.add(key)
        places.setdefault(event.room_id, []).append(place)
    return [place for room_id, own in places.items() if room_id not in others for place in own]


def _is_plain(event: NewEvent) -> bool:
    return (
        event.kind is EventKind.MESSAGE_POSTED
        and event.message_id is not None
        and event.thread_id is None
        and event.subject is None
        and event.details is None
        and is_storable(event.text)
    )
