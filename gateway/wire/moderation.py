"""The words of moderation: accounts that are shut out, reports, and what moderators did in a room."""

from collections.abc import Sequence
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from veza.actors.messages.reports import ReportReason, ReportState
from veza.actors.messages.rooms import RoomEvent
from veza.gateway.values import Body, OptionalReason, Reason, ReportText, Time, View
from veza.gateway.wire.bodies import PageQuery
from veza.gateway.wire.frame_views import RoomEventView
from veza.gateway.wire.room_events import room_event
from veza.gateway.wire.views import AuthorView


class NewBan(Body):
    """A ban is for good unless it has an end."""

    reason: Reason
    until: AwareDatetime | None = None


class UnbanQuery(BaseModel):
    reason: OptionalReason = ""


class AccountBanView(View):
    """`by` is null once that account is gone; `until` is null for good."""

    user: AuthorView
    until: Time | None
    reason: str
    by: AuthorView | None
    at: Time


class AccountBanPage(View):
    data: list[AccountBanView]
    next_cursor: str | None


class NewReport(Body):
    """About a message, with its room or without, or about an account."""

    message_id: UUID | None = None
    room: UUID | None = None
    user_id: UUID | None = None
    reason: ReportReason
    text: ReportText = ""

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.message_id is None) == (self.user_id is None):
            raise PydanticCustomError("one_subject", "Either a message or an account.")
        if self.room is not None and self.message_id is None:
            raise PydanticCustomError("one_subject", "A room goes with a message of it.")
        return self


class ReportChange(Body):
    state: ReportState
    note: OptionalReason = ""


class ReportsQuery(PageQuery):
    state: ReportState | None = None


class ReportView(View):
    """`evidence` is what the message said when it was reported; with a `rule` it was never posted.

    `reporter` is null if a rule of the room reported it, or that account is gone.
    """

    id: UUID
    room: Annotated[UUID | None, Field(validation_alias="room_id")]
    message_id: UUID | None
    subject: AuthorView
    reporter: AuthorView | None
    rule: str | None
    reason: ReportReason
    text: str
    evidence: str
    state: ReportState
    note: str
    handled_by: AuthorView | None
    handled_at: Time | None
    created_at: Time


class OwnReportView(View):
    """What the reporter is told: that it is filed."""

    id: UUID
    state: ReportState
    created_at: Time


class ReportPage(View):
    data: list[ReportView]
    next_cursor: str | None


class MeasurePage(View):
    """Events of the room's log, newest first."""

    data: list[RoomEventView]
    next_cursor: str | None


def measure_page(events: Sequence[RoomEvent], next_cursor: str | None) -> MeasurePage:
    """Show events of a room's log as frames tell them."""
    data = [RoomEventView(**{**room_event(event), "at": event.at}) for event in events]
    return MeasurePage(data=data, next_cursor=next_cursor)
