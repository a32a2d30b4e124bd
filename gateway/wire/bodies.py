"""What clients send over HTTP: bodies and queries, each a model that refuses what it does not know."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StrictBool

from veza.actors.messages.tracks import JobState
from veza.gateway.values import (
    Body,
    Email,
    Emoji,
    Login,
    MessageText,
    Name,
    NewPassword,
    OpaqueToken,
    OptionalReason,
    Password,
    QuerySeq,
    Reason,
    RoomPassword,
    Said,
    SecondFactorCode,
    Seq,
    SlowMode,
    Title,
    Topic,
    Username,
)

MAX_PAGE: Final = 200
DEFAULT_PAGE: Final = 50
MAX_NAME_CHARS: Final = 200
MAX_QUERY_CHARS: Final = 200
MAX_PATH_CHARS: Final = 1_000

ActorPath = Annotated[str, Field(min_length=1, max_length=MAX_PATH_CHARS)]


class Registration(Body):
    username: Username
    email: Email
    password: NewPassword


class Setup(Registration):
    token: OpaqueToken


class Credentials(Body):
    """`totp`: a code of the app or a recovery code, where the account has a second factor."""

    login: Login
    password: Password
    totp: SecondFactorCode | None = None


class Refresh(Body):
    refresh_token: OpaqueToken


class NewRoom(Body):
    """`password` for rooms of that kind, and only for those."""

    name: Name
    kind: Literal["public", "password", "private", "invite_only"] = "public"
    topic: Topic = ""
    slow_mode_seconds: SlowMode = 0
    password: RoomPassword | None = None


class NewMessage(Said):
    """`message_id` is the client's choice: sending the same one again posts nothing new."""

    message_id: UUID | None = None
    reply_to: UUID | None = None
    thread_id: UUID | None = None


class MessageChange(Body):
    text: MessageText


class MessageDeletion(Body):
    """The body may be left out; what a moderator says why is told to the room."""

    reason: OptionalReason = ""


class ReactionPath(Body):
    """The last part of the address, percent-encoded."""

    emoji: Emoji


class ReadUpTo(Body):
    seq: Seq


class TrackForm(Body):
    title: Title


class Act(Body):
    """Something that an operator does: never without a reason."""

    reason: Reason


class NewTrace(Act):
    """A trace ends by itself, after `limit` messages or `seconds`."""

    limit: Annotated[int, Field(strict=True, ge=1, le=500)] = 100
    seconds: Annotated[float, Field(ge=1, le=60)] = 30.0
    type: Annotated[str, Field(max_length=MAX_NAME_CHARS)] = ""
    with_bodies: StrictBool = False


class Tell(Act):
    """A message by hand: its class's name, and its fields as JSON has them."""

    path: ActorPath
    type: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
    fields: dict[str, Any] = Field(default_factory=dict)


class Question(Tell):
    timeout_ms: Annotated[int, Field(strict=True, ge=1, le=60_000)] = 10_000


# --- queries ---


class PageQuery(BaseModel):
    """`cursor` is opaque: the `next_cursor` of the page before."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    cursor: Annotated[str, Field(max_length=200)] | None = None


SearchText = Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS)]


class MessagesQuery(PageQuery):
    """At most one of `cursor`, `before_seq`, `after_seq` and `around`; with none, the newest messages.

    `q` searches, the newest first, and goes with `before_seq` or a `cursor` of its own only.
    """

    before_seq: QuerySeq | None = None
    after_seq: QuerySeq | None = None
    around: QuerySeq | None = None
    q: SearchText | None = None


class SearchQuery(PageQuery):
    """Words are wanted all, `"…"` in a row; `-` before either excludes it, `or` gives a choice."""

    q: SearchText


class PlaybackQuery(BaseModel):
    """The signature of a playback URL, as `/tracks/{id}/playback` gives it."""

    kid: str = ""
    exp: str = ""
    ver: str = ""
    sig: str = ""


class TreeQuery(BaseModel):
    """`under` is the path of the actor to begin with; of a supervisor's many, `children` are shown."""

    under: Annotated[str, Field(max_length=MAX_PATH_CHARS)] = ""
    children: Annotated[int, Field(ge=1, le=200)] = 200


class TraceQuery(BaseModel):
    """Messages past number `after` only."""

    after: QuerySeq = 0


class JobsQuery(PageQuery):
    state: JobState | None = None
