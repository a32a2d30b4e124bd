"""What players tell of their listening, and what listeners and makers are told of it."""

from datetime import date
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import BaseModel, Field

from veza.gateway.values import Body, Time, View
from veza.gateway.wire.views import TrackView

MAX_REPORTED_MS: Final = 24 * 3600 * 1000
MAX_DAYS: Final = 366

ReportedMs = Annotated[int, Field(strict=True, ge=0, le=MAX_REPORTED_MS)]


class PlayReport(Body):
    """`play_id` is the client's for one listening, the same in all its reports.

    `heard_ms` is sound that came out since it began, `position_ms` where in the track it is.
    """

    play_id: UUID
    heard_ms: ReportedMs
    position_ms: ReportedMs


class PlayView(View):
    """`is_play`: whether this listening counts as a play by now."""

    is_play: bool


class UnfinishedView(View):
    """A track, and where one stopped in it at `at`."""

    track: TrackView
    position_ms: int
    at: Time

    @classmethod
    def of(cls, value: Any) -> Self:
        """Fill the fields, the track's as everywhere."""
        read = cls.model_validate(value)
        return read.model_copy(update={"track": TrackView.of(value.track)})


class UnfinishedPage(View):
    """The newest there are, 50 at most: `next_cursor` is null."""

    data: list[UnfinishedView]
    next_cursor: str | None = None


class DaysQuery(BaseModel):
    """How many days back, today's included."""

    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = 30


class TrackDayView(View):
    """What was heard of a track on a day of UTC; `listeners` counts each once."""

    day: date
    plays: int
    listeners: int
    heard_ms: int


class TrackFiguresView(View):
    """`plays` of all time; days with a listening, the oldest first, a minute late at most.

    `stops`: how many of the last 90 days' listeners stopped in each hundredth of the track.
    """

    plays: int
    days: list[TrackDayView]
    stops: list[int]
