"""What clients get over HTTP: every object of an answer, filled from the actors' values by name."""

from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field

from veza.actors.messages.attachments import MAX_MESSAGE_ATTACHMENTS
from veza.actors.messages.reading import FoundMessage
from veza.actors.messages.rooms import RoomKind
from veza.actors.messages.tracks import (
    Downloads,
    JobState,
    JobType,
    Licence,
    TrackState,
    Visibility,
)
from veza.config.settings import Settings
from veza.gateway.errors import FieldCode, ProblemError
from veza.gateway.values import (
    MAX_MESSAGE_CHARS,
    MAX_ROOM_NAME_CHARS,
    MAX_TITLE_CHARS,
    Time,
    View,
)
from veza.gateway.wire.analysis import Hundredths, Measured

API_LEVEL: Final = 1


class FieldErrorView(View):
    pointer: str
    code: FieldCode
    detail: str


class Problem(View):
    """What went wrong (RFC 9457). `code` is stable; the texts are not."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    retryable: bool
    retry_after_ms: int | None = None
    errors: list[FieldErrorView] = Field(default_factory=list)


class AuthorView(View):
    id: UUID
    name: str


class UserView(View):
    id: UUID
    username: str
    email: str
    roles: Annotated[list[str], BeforeValidator(sorted)]
    permissions: Annotated[list[str], BeforeValidator(sorted)]
    created_at: Time


class SignedInView(View):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the scheme's name (RFC 6750), no secret
    expires_in: int
    refresh_token: str
    user: UserView


class TicketView(View):
    """A ticket signs one WebSocket in, once, as the `token` of its first frame."""

    ticket: Annotated[str, Field(validation_alias="token")]
    expires_at: Time


class LimitsView(View):
    message_chars: int = MAX_MESSAGE_CHARS
    room_name_chars: int = MAX_ROOM_NAME_CHARS
    title_chars: int = MAX_TITLE_CHARS
    frame_bytes: int
    connections_per_user: int
    messages_per_10s: int
    message_burst: int
    connections_per_address: int
    reactions_per_min: int
    rooms_per_hour: int
    max_upload_bytes: int
    user_quota_bytes: int
    unfinished_uploads: int
    upload_lifetime_ms: int
    max_track_ms: int
    max_attachment_bytes: int
    message_attachments: int = MAX_MESSAGE_ATTACHMENTS


class InstanceView(View):
    name: str
    version: str
    api_level: int = API_LEVEL
    registration: Literal["open", "closed"]
    limits: LimitsView


class RoomView(View):
    """`version` is the event that changed the room itself the last time."""

    id: UUID
    kind: RoomKind
    name: str
    topic: str
    slow_mode_seconds: int
    is_archived: bool
    version: Annotated[int, Field(validation_alias="changed_seq")]
    epoch: UUID
    seq: int
    member_count: int
    created_at: Time


class SentFileView(View):
    """A file sent with a message."""

    id: UUID
    filename: str
    content_type: str
    size_bytes: int
    width: int | None
    height: int | None


class TrackCardView(View):
    """A track that a message names, and where to play it from."""

    track_id: UUID
    at_ms: int


class ReactionView(View):
    """How many reacted so, and whether the reader did."""

    emoji: str
    count: int
    mine: bool


class MatchView(View):
    """Part of a found message's words. `marks` say where the words searched stand in it.

    Each is the first character (of Unicode, not of UTF-16) and the one behind the last.
    """

    snippet: str
    marks: list[tuple[int, int]]


class MessageView(View):
    """A message as it is now; the names are those of `message.posted`. Blank once it is deleted.

    `match` is there only for those a search found.
    """

    message_id: UUID
    room: UUID
    seq: int
    at: Time
    author: AuthorView
    text: str
    reply_to: UUID | None
    thread_id: UUID | None = None
    attachments: list[SentFileView] = Field(default_factory=list)
    tracks: list[TrackCardView] = Field(default_factory=list)
    mentions: list[UUID] = Field(default_factory=list)
    mentions_room: bool = False
    edited_at: Time | None = None
    deleted_at: Time | None = None
    pinned_at: Time | None = None
    replies: int = 0
    last_reply_at: Time | None = None
    reactions: list[ReactionView] = Field(default_factory=list)
    match: MatchView | None = None

    @classmethod
    def of(cls, value: Any) -> Self:
        """Fill the fields from a room's event, its `Post` and its state."""
        parts = (value, value.details, value.state)
        fields = {
            name: getattr(part, name)
            for part in parts
            for name in cls.model_fields
            if hasattr(part, name)
        }
        return cls.model_validate({**fields, "room": value.room_id})

    @classmethod
    def found(cls, value: FoundMessage) -> Self:
        """Fill the fields of a message that a search found."""
        match = MatchView(snippet=value.snippet, marks=list(value.marks))
        return cls.of(value.message).model_copy(update={"match": match})


class EditView(View):
    """What a message said since `at`; `user` wrote it so. The first is the message as it was posted."""

    seq: int
    at: Time
    user: Annotated[AuthorView, Field(validation_alias="author")]
    text: str


class ReactorView(View):
    emoji: str
    user: AuthorView
    at: Time


class FailureView(View):
    code: str
    detail: str


class CreditView(View):
    role: str
    name: str


class TrackView(View):
    """`peaks_url` is where the waveform is, once there is one; `release_at`, when others may hear it.

    `artwork_url` is another for another picture. `bpm` and `key` are its owner's, or else what was measured.
    """

    id: UUID
    owner: AuthorView
    title: str
    artist: str
    album: str
    track_number: int | None
    genre: str
    artwork_url: str | None = None
    state: TrackState
    visibility: Visibility
    downloads: Downloads
    release_at: Time | None
    duration_ms: int | None
    peaks_url: str | None = None
    analysis: Measured | None = None
    plays: int
    likes: int
    reposts: int
    comments: int
    error: FailureView | None
    created_at: Time
    description: str
    credits: list[CreditView]
    tags: list[str]
    licence: Licence
    bpm: Hundredths | None
    key: str | None

    @classmethod
    def of(cls, value: Any) -> Self:
        """Fill the fields of a track, and say where its waveform and its picture are."""
        urls: dict[str, str | None] = {}
        if value.has_waveform:
            urls["peaks_url"] = f"/api/v1/tracks/{value.id}/waveform"
        if value.artwork_tag:
            urls["artwork_url"] = f"/api/v1/tracks/{value.id}/artwork?tag={value.artwork_tag}"
        return cls.model_validate(value).model_copy(update=urls)


class JobView(View):
    """What it is about has its id here; the other one is null.

    `sounds_like` is an older track with the same recording: one's own, or one that everybody may hear.
    """

    id: UUID
    type: JobType
    state: JobState
    progress: float
    error: FailureView | None
    track_id: UUID | None
    attachment_id: UUID | None
    sounds_like: UUID | None
    created_at: Time
    updated_at: Time


class TrackAcceptedView(View):
    """`duplicate_of` is one's eldest other track that was made of the same bytes."""

    track: TrackView
    job: JobView
    duplicate_of: UUID | None


# Said without `prefixItems`, which not every generator of clients knows.
Pair = Annotated[tuple[int, ...], Field(min_length=2, max_length=2)]


class WaveformView(View):
    """The lowest and the highest sample of each stretch of the track, -128 to 127, in time order."""

    buckets: tuple[Pair, ...]


class PlaybackView(View):
    """Addresses to resolve against this server; for DASH once the track is published.

    `lossless_url` is HLS with the lossless rendition, if the track has one, for players that change codec
    midway. `live`: segments are still being added.
    """

    hls_url: str
    lossless_url: str
    dash_url: str | None
    expires_at: Time
    duration_ms: int | None
    live: bool


class RoomPage(View):
    data: list[RoomView]
    next_cursor: str | None


class MessagePage(View):
    """`prev_cursor` is there for `around` alone: it leads to older messages, `next_cursor` to newer ones."""

    data: list[MessageView]
    next_cursor: str | None
    prev_cursor: str | None = None


class EditPage(View):
    """All there are: `next_cursor` is null."""

    data: list[EditView]
    next_cursor: str | None = None


class ReactorPage(View):
    data: list[ReactorView]
    next_cursor: str | None


class TrackPage(View):
    data: list[TrackView]
    next_cursor: str | None


class LivezView(View):
    status: Literal["ok"] = "ok"


class ReadyzView(View):
    status: Literal["ok", "unavailable"]
    checks: dict[str, bool]


class VersionView(View):
    version: str
    api_level: int = API_LEVEL


def limits(settings: Settings) -> LimitsView:
    """Tell clients the limits of this node."""
    return LimitsView(
        frame_bytes=settings.ws_max_frame_bytes,
        connections_per_user=settings.connections_per_user,
        messages_per_10s=settings.message_rate_per_10s,
        message_burst=settings.message_burst,
        connections_per_address=settings.connections_per_address,
        reactions_per_min=settings.reactions_per_min,
        rooms_per_hour=settings.rooms_per_hour,
        max_upload_bytes=settings.max_upload_bytes,
        user_quota_bytes=settings.user_quota_bytes,
        unfinished_uploads=settings.unfinished_uploads,
        upload_lifetime_ms=round(settings.upload_lifetime_seconds * 1000),
        max_track_ms=settings.max_track_seconds * 1000,
        max_attachment_bytes=settings.max_attachment_bytes,
    )


def problem(error: ProblemError, *, instance: str, request_id: str) -> Problem:
    """Return the body of an error answer."""
    wait = error.retry_after_seconds
    return Problem(
        type=f"urn:veza:problem:{error.code.value}",
        title=error.code.title,
        status=error.code.status,
        detail=error.detail,
        instance=instance,
        code=error.code.value,
        request_id=request_id,
        retryable=error.code.is_retryable,
        retry_after_ms=None if wait is None else round(wait * 1000),
        errors=[FieldErrorView.of(each) for each in error.errors],
    )
