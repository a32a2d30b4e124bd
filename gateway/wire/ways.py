"""The words of members, invites, requests, conversations, blocks and drafts: what is sent and answered."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from veza.actors.messages.rooms import Membership, Role, RoomKind
from veza.actors.messages.ways import Partners
from veza.gateway.values import (
    Body,
    InviteCode,
    MessageText,
    Name,
    OptionalReason,
    Password,
    Reason,
    RoomPassword,
    SlowMode,
    Time,
    Topic,
    View,
)
from veza.gateway.wire.views import AuthorView, RoomView

MAX_INVITE_USES: Final = 100_000
MAX_PARTNERS: Final = 50
_YEARS: Final = range(2000, 9000)
"""Beyond, a time zone may lead out of what computers know."""


def _in_reach(value: datetime) -> datetime:
    if value.year not in _YEARS:
        raise PydanticCustomError("less_than_equal", "Not that far away")
    return value


Moment = Annotated[AwareDatetime, Field(strict=True), AfterValidator(_in_reach)]
"""RFC 3339, with its zone."""


# --- bodies ---


class RoomChange(Body):
    """Whatever is left out stays. `rules: null` are those that rooms have by default."""

    name: Name | None = None
    topic: Topic | None = None
    kind: Literal["public", "password", "private", "invite_only"] | None = None
    slow_mode_seconds: SlowMode | None = None
    is_archived: StrictBool | None = None
    password: RoomPassword | None = None
    rules: dict[str, Any] | None = None


class NewMember(Body):
    """`invite` or `password` to come in oneself; `role` for somebody who is a member."""

    role: Role | None = None
    invite: InviteCode | None = None
    password: Password | None = None


class NewBan(Body):
    """Without `until` for good."""

    reason: OptionalReason = ""
    until: Moment | None = None


class NewMute(Body):
    """`until`: within a year."""

    reason: OptionalReason = ""
    until: Moment


class NewWarning(Body):
    reason: Reason


class NewInvite(Body):
    """As often and as long as one likes, if nothing is said."""

    max_uses: Annotated[int, Field(strict=True, ge=1, le=MAX_INVITE_USES)] | None = None
    expires_at: Moment | None = None


class NewRequest(Body):
    text: OptionalReason = ""


class NewConversation(Body):
    """With one other it is the one conversation of these two; with several a group, which may have a name."""

    user_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_PARTNERS)]
    name: Name | None = None

    @model_validator(mode="after")
    def _has_no_name_for_two(self) -> Self:
        if self.name is not None and len(set(self.user_ids)) == 1:
            raise PydanticCustomError("name", "A conversation of two has no name")
        return self


class NewDraft(Body):
    text: MessageText


class ReasonQuery(BaseModel):
    """Why, for the log of the room."""

    reason: OptionalReason = ""


# --- views ---


class RulesView(View):
    """The automatic rules of a room; null is a rule that it does not have."""

    rules: dict[str, Any]


class MemberView(View):
    """`muted_until` is told to moderators only."""

    user: AuthorView
    role: Role
    joined_at: Time
    muted_until: Time | None


class MemberPage(View):
    data: list[MemberView]
    next_cursor: str | None


class BanView(View):
    """Without `until` for good."""

    user: AuthorView
    until: Time | None
    reason: str
    by: AuthorView | None
    at: Time


class BanPage(View):
    data: list[BanView]
    next_cursor: str | None


class OwnRoomView(View):
    """A room one is a member of. `unread` counts messages, `mentions` those that call one."""

    room: RoomView
    role: Role
    read_seq: int
    unread: int
    mentions: int


class OwnRoomPage(View):
    data: list[OwnRoomView]
    next_cursor: str | None


class ConversationView(OwnRoomView):
    """A conversation, with ten at most of those one talks to."""

    people: list[AuthorView]
    last_message_at: Time | None

    @classmethod
    def with_partners(cls, membership: Membership, partners: Partners) -> Self:
        """Fill the fields of a conversation from the two that tell of it."""
        own = OwnRoomView.of(membership)
        people = [AuthorView.of(each) for each in partners.people]
        return cls(**dict(own), people=people, last_message_at=partners.last_message_at)


class ConversationPage(View):
    data: list[ConversationView]
    next_cursor: str | None


class InviteView(View):
    code: str
    room: Annotated[UUID, Field(validation_alias="room_id")]
    created_by: UUID
    max_uses: int | None
    uses: int
    expires_at: Time | None
    created_at: Time


class InvitePage(View):
    data: list[InviteView]
    next_cursor: str | None = None


class InviteTargetView(View):
    """Where an invitation leads: no more than whoever holds it needs to decide."""

    room: Annotated[UUID, Field(validation_alias="id")]
    name: str
    kind: RoomKind
    member_count: int


class JoinRequestView(View):
    user: AuthorView
    text: str
    at: Time


class JoinRequestPage(View):
    data: list[JoinRequestView]
    next_cursor: str | None = None


class BlockedPage(View):
    data: list[AuthorView]
    next_cursor: str | None = None


class DraftView(View):
    room: Annotated[UUID, Field(validation_alias="room_id")]
    text: str
    updated_at: Time


class DraftPage(View):
    data: list[DraftView]
    next_cursor: str | None = None
