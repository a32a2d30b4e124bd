"""What the tables hold, as values: the types that repositories return and actors put into messages."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One account as its owner and ops staff may see it.

    `roles` were granted; `permissions` are theirs and those of everybody who is signed in.
    """

    id: UUID
    username: str
    email: str
    roles: frozenset[str]
    permissions: frozenset[str]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What some accounts may do; `rank` orders roles from the least to the most."""

    name: str
    rank: int
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account with what it is proved by."""

    user: User
    password_hash: str
    totp_secret: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key for a program, as its owner sees it; `hint` are its first characters."""

    id: UUID
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """Whose key it is, and what it is good for."""

    user: User
    key_id: UUID
    scopes: frozenset[str]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSession:
    """One signed-in client of an account."""

    id: UUID
    user_agent: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """One account as everybody may see it."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBan:
    """An account that is shut out of the server; `until` is None for good."""

    user: Author
    until: datetime | None
    reason: str
    by: Author | None
    at: datetime


class TrackState(StrEnum):
    """How far a track is for a listener. `playable`: its first segments are there, more follow."""

    PROCESSING = "processing"
    PLAYABLE = "playable"
    PUBLISHED = "published"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobType(StrEnum):
    """What a job does: publish a track, copy it in another codec, make its picture, or an attachment's."""

    TRANSCODE = "transcode"
    THUMBNAIL = "thumbnail"
    COPY = "copy"
    ARTWORK = "artwork"


class JobState(StrEnum):
    """Where a job is; `actors/stream_job.py` holds the table of transitions.

    The others go from `queued` by `encoding` to `published`.
    """

    QUEUED = "queued"
    PROBING = "probing"
    ENCODING = "encoding"
    PACKAGING = "packaging"
    PUBLISHED = "published"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a job failed: a stable code and a sentence a person understands."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as its owner sees it. `progress` runs from 0 to 1.

    What it is about is named by the one of `track_id` and `attachment_id` that is not None.
    `sounds_like` is an older track with the same recording.
    """

    id: UUID
    type: JobType
    state: JobState
    progress: float
    error: Failure | None
    track_id: UUID | None
    attachment_id: UUID | None
    sounds_like: UUID | None
    owner_id: UUID
    created_at: datetime
    updated_at: datetime


class Visibility(StrEnum):
    """Who may hear a track besides its owner. `unlisted`: whoever has its address; no list names it."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    FOLLOWERS = "followers"
    PRIVATE = "private"


class Downloads(StrEnum):
    """Who may take a track's file home, of those who may hear it; its owner always."""

    NOBODY = "nobody"
    FOLLOWERS = "followers"
    EVERYBODY = "everybody"


class Licence(StrEnum):
    """What others may do with a track; all but the first are Creative Commons', version 4.0 or CC0."""

    ALL_RIGHTS_RESERVED = "all-rights-reserved"
    CC0 = "cc0"
    CC_BY = "cc-by"
    CC_BY_SA = "cc-by-sa"
    CC_BY_ND = "cc-by-nd"
    CC_BY_NC = "cc-by-nc"
    CC_BY_NC_SA = "cc-by-nc-sa"
    CC_BY_NC_ND = "cc-by-nc-nd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """Who did what for a track, in its owner's words."""

    role: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How many follow somebody, and whether whoever asks is one of them."""

    followers: int
    is_following: bool


class MarkKind(StrEnum):
    """What somebody can say of a track without a word."""

    LIKE = "like"
    REPOST = "repost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How many like, or reposted, a track, and whether whoever asks does."""

    count: int
    is_set: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """What somebody said at a moment of a track; `text` is empty once it is deleted.

    `replies` counts those that are not deleted. A reply stands at the moment of what it replies to.
    """

    id: UUID
    track_id: UUID
    track_owner_id: UUID
    author: Author
    reply_to: UUID | None
    at_ms: int
    text: str
    replies: int
    created_at: datetime
    edited_at: datetime | None
    is_deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One track as listeners see it. `duration_ms` is None until the source was decoded to its end.

    `analysis` is the JSON of what its sound measured, by name; None before, or if it was not measured.
    `plays` are those that count (`veza.persistence.listening.PlayRule`). Before `release_at` it is its
    owner's alone. `version` counts changes by its owner. `artwork_tag` is another for another picture.
    `bpm` and `key` are its owner's, or else what was measured.
    """

    id: UUID
    owner: Author
    title: str
    artist: str
    album: str
    track_number: int | None
    genre: str
    artwork_tag: str | None
    state: TrackState
    duration_ms: int | None
    has_waveform: bool
    analysis: str | None
    visibility: Visibility
    downloads: Downloads
    release_at: datetime | None
    version: int
    plays: int
    likes: int
    reposts: int
    comments: int
    error: Failure | None
    created_at: datetime
    description: str = ""
    credits: tuple[Credit, ...] = ()
    tags: tuple[str, ...] = ()
    licence: Licence = Licence.ALL_RIGHTS_RESERVED
    bpm: float | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedTrack:
    """A track that somebody likes or reposted, and since when."""

    track: Track
    at: datetime


class FeedKind(StrEnum):
    """Why a track is in somebody's feed."""

    UPLOAD = "upload"
    REPOST = "repost"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedItem:
    """A track that somebody whom one follows uploaded or reposted."""

    kind: FeedKind
    by: Author
    track: Track
    at: datetime


class PlaylistVisibility(StrEnum):
    """Who sees a playlist besides its owner and those who help to fill it."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class Playlist:
    """A playlist as whoever asks sees it. `tracks` counts all, also those one may not hear.

    `version` counts changes of title, description and visibility. `is_editable`: whoever asks may fill it.
    """

    id: UUID
    owner: Author
    title: str
    description: str
    visibility: PlaylistVisibility
    tracks: int
    is_editable: bool
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistItem:
    """A place in a playlist; `track` is None if whoever asks may not hear it."""

    id: UUID
    rank: str
    track: Track | None
    added_by: Author | None
    added_at: datetime


class UploadState(StrEnum):
    """How far an upload is. `received`: all its bytes are there, and its track is being made."""

    OPEN = "open"
    RECEIVED = "received"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload that goes on after a break. `offset_bytes` are on disk for good.

    `length_bytes` is None until its client tells it. It becomes the track `track_id`; `duplicate_of` is an
    older one of the same owner with the same bytes. `metadata` is as the client gave it.
    """

    id: UUID
    owner: Author
    track_id: UUID
    length_bytes: int | None
    offset_bytes: int
    title: str
    filename: str
    metadata: str
    visibility: Visibility
    state: UploadState
    sha256: bytes | None
    duplicate_of: UUID | None
    created_at: datetime
    expires_at: datetime
    is_expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an account has of the media store: sources of tracks, and uploads that are no track yet."""

    stored_bytes: int
    reserved_bytes: int
    unfinished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who holds a credential, and the session it opens, which ends at `expires_at`."""

    user: User
    session_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatedSession:
    """A session whose tokens were just changed."""

    user: User
    session_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedJob:
    """A job that the caller holds the lease of, with what it needs to start. `attempt` counts from 1."""

    job: Job
    attempt: int
    lease_until: datetime
    source_key: str
    filename: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedJob:
    """One job as operators see it, whatever its state. `leased_by` holds it until `lease_until`.

    `title` is that of the track, or the name of the attached file.
    """

    job: Job
    owner: Author
    title: str
    priority: int
    attempts: int
    max_attempts: int
    run_at: datetime
    leased_by: UUID | None
    lease_until: datetime | None
    is_cancel_requested: bool


class AttachmentState(StrEnum):
    """How far an attachment is. `processing`: its thumbnail is being made; `failed`: it gets none."""

    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file uploaded for a room. `message_id` is None until a message uses it.

    `key` and `thumbnail_key` name its objects in the media store. Sizes in pixels are those of a picture
    that was decoded, the right way up; with them comes the thumbnail.
    """

    id: UUID
    owner_id: UUID
    room_id: UUID
    message_id: UUID | None
    filename: str
    content_type: str
    size_bytes: int
    sha256: bytes
    key: str
    state: AttachmentState
    width_px: int | None
    height_px: int | None
    thumbnail_key: str | None
    thumbnail_width_px: int | None
    thumbnail_height_px: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """The wish of a message to have an attachment for its own."""

    attachment_id: UUID
    owner_id: UUID
    room_id: UUID
    message_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One stored segment; times in samples of its rendition, from the track's start."""

    number: int
    key: str
    sha256: bytes
    size_bytes: int
    first_sample: int
    duration_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One rung of a track's ladder. `is_complete`: no segment will be added."""

    name: str
    codecs: str
    sample_rate_hz: int
    channels: int
    bitrate_bps: int
    init_key: str
    init_sha256: bytes
    is_complete: bool
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAct:
    """One privileged act. `actor_id` is None for whoever held a node's unix socket."""

    act_id: UUID
    at: datetime
    actor_id: UUID | None
    actor_name: str
    via: str
    action: str
    target: str
    reason: str
    request_id: str
