"""What clients say and are told of who is there, over HTTP and in frames."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from veza.actors.messages.presence import (
    Listening,
    OwnPresence,
    PresenceTaken,
    PresenceTold,
    Seen,
)
from veza.gateway.values import Body, Time, Title, View, time_text
from veza.gateway.wire.tree import Json

LISTENING: Final = "listening"


class ListeningBody(Body):
    """What one listens to: `track` if it is one of this server's."""

    type: Literal["listening"]
    track: UUID | None = None
    title: Title

    def listening(self) -> Listening:
        """Return it as actors know it."""
        return Listening(track_id=self.track, title=self.title)


class ActivityView(View):
    """What somebody listens to."""

    type: Literal["listening"] = "listening"
    track: Annotated[UUID | None, Field(validation_alias="track_id")] = None
    title: str


class SeenView(View):
    """One user as others see them; `last_seen_at` only of who is offline."""

    user: Annotated[UUID, Field(validation_alias="user_id")]
    status: Literal["online", "idle", "dnd", "offline", "invisible"]
    activity: ActivityView | None = None
    last_seen_at: Time | None = None


class PresenceView(View):
    """Who is there in a room, or who changed. `full`: whoever is not named is offline, or only counted."""

    online: int
    full: Annotated[bool, Field(validation_alias="is_full")]
    changes: Annotated[list[SeenView], Field(validation_alias="people")]


class RoomPresenceView(View):
    """Who is there in a room; with more than 100, in rooms that are no conversations, only how many."""

    online: int
    data: Annotated[list[SeenView], Field(validation_alias="people")]


class OwnPresenceView(View):
    """How one is seen, as the server holds it."""

    status: Literal["online", "idle", "dnd", "invisible", "offline"]
    activity: ActivityView | None = None


class PresenceTakenView(View):
    """It is taken, and others are told soon; what was chosen is stored within seconds."""

    status: Literal["online", "idle", "dnd", "invisible"]


def presence_told(event: PresenceTold) -> Json:
    """Shape the frame that tells a room who is there."""
    d = {
        "online": event.online,
        "full": event.is_full,
        "changes": [_seen(each) for each in event.people],
    }
    return {"t": "presence", "room": event.room_id, "d": d}


def own_presence(event: OwnPresence) -> Json:
    """Shape the frame that tells a user's own devices how they are seen."""
    return {"t": "presence.self", "d": {"status": event.status, **_doing(event.activity)}}


def presence_taken(event: PresenceTaken) -> Json:
    """Shape the ack of `presence.set`."""
    return {"t": "ack", "id": event.frame_id, "d": {"status": event.status}}


def _seen(seen: Seen) -> Json:
    told = {"user": seen.user_id, "status": seen.status, **_doing(seen.activity)}
    if seen.last_seen_at is not None:
        told["last_seen_at"] = time_text(seen.last_seen_at)
    return told


def _doing(activity: Listening | None) -> Json:
    if activity is None:
        return {}
    doing = {"type": LISTENING, "track": activity.track_id, "title": activity.title}
    return {"activity": doing}
