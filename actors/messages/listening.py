"""The protocol of what is heard of tracks: reports of players, what to go on with, figures for makers.

Key: `("listening", "")`.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.persistence.listening import Heard, TrackDay, Unfinished

LISTENING: Final = ("listening", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportListening:
    """Tell how far a listening came; the same again is harmless. Reply: `ListeningReported` or `Rejected`.

    Code: `already_exists` (the id is another listening's, or its listening began more than a day ago: begin a
    new one).
    """

    heard: Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningReported:
    """`is_play`: whether this listening counts as one."""

    is_play: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListUnfinished:
    """What a user may go on with, what they heard last first. Reply: `UnfinishedListed`."""

    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedListed:
    unfinished: tuple[Unfinished, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTrackFigures:
    """What was heard of a track on its newest `days`. Reply: `TrackFiguresRead`."""

    track_id: UUID
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFiguresRead:
    """`stops`: how many stopped in each hundredth of the track."""

    days: tuple[TrackDay, ...]
    stops: tuple[int, ...]
