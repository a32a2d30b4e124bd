"""What clients send over HTTP: bodies and queries, each a model that refuses what it does not know."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, Field

from veza.actors.messages.rooms import RoomKind
from veza.gateway.values import (
    Body,
    Email,
    Login,
    MessageText,
    Name,
    NewPassword,
    OpaqueToken,
    Password,
    QuerySeq,
    Title,
    Username,
)

MAX_PAGE: Final = 200
DEFAULT_PAGE: Final = 50


class Registration(Body):
    username: Username
    email: Email
    password: NewPassword


class Setup(Registration):
    token: OpaqueToken


class Credentials(Body):
    login: Login
    password: Password


class Refresh(Body):
    refresh_token: OpaqueToken


class NewRoom(Body):
    name: Name
    kind: RoomKind = RoomKind.PUBLIC


class NewMessage(Body):
    """`message_id` is the client's choice: sending the same one again posts nothing new."""

    text: MessageText
    message_id: UUID | None = None
    reply_to: UUID | None = None


class TrackForm(Body):
    title: Title


# --- queries ---


class PageQuery(BaseModel):
    """`cursor` is opaque: the `next_cursor` of the page before."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    cursor: Annotated[str, Field(max_length=200)] | None = None


class MessagesQuery(PageQuery):
    """At most one of `cursor`, `before_seq` and `after_seq`; with none, the newest messages."""

    before_seq: QuerySeq | None = None
    after_seq: QuerySeq | None = None


class PlaybackQuery(BaseModel):
    """The signature of a playback URL, as `/tracks/{id}/playback` gives it."""

    kid: str = ""
    exp: str = ""
    sig: str = ""
