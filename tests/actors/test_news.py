"""News cross as they were told, and whatever is not exactly one of them is refused."""

from datetime import UTC, datetime
from uuid import uuid4

import orjson
import pytest

from veza.actors.messages.attachments import AttachmentReady, AttachmentState
from veza.actors.messages.reports import ReportFiled
from veza.actors.messages.rooms import Author, ReceiptsMoved, Room, RoomAdded, TypingChanged
from veza.actors.messages.tracks import JobChanged
from veza.actors.messages.ways import DraftChanged, RequestMade
from veza.actors.news import CROSSING, read_news, write_news
from veza.persistence.reports import ReportReason
from veza.persistence.room_rows import RoomKind
from veza.persistence.rows import (
    Downloads,
    Failure,
    Job,
    JobState,
    JobType,
    Track,
    TrackState,
    Visibility,
)
from veza.persistence.value_codec import UnreadableError

ADA = Author(id=uuid4(), name="Ada \N{SNOWMAN}")
NOW = datetime.now(UTC)
ROOM_ID, JOB_ID, TRACK_ID = uuid4(), uuid4(), uuid4()
JOB = Job(
    id=JOB_ID,
    type=JobType.TRANSCODE,
    state=JobState.FAILED,
    progress=0.5,
    error=Failure(code="x", detail="y"),
    track_id=TRACK_ID,
    attachment_id=None,
    sounds_like=None,
    owner_id=ADA.id,
    created_at=NOW,
    updated_at=NOW,
)
TRACK = Track(
    id=TRACK_ID,
    owner=ADA,
    title="Aube",
    artist="",
    album="",
    track_number=None,
    genre="",
    artwork_tag=None,
    state=TrackState.FAILED,
    duration_ms=None,
    has_waveform=False,
    analysis=None,
    visibility=Visibility.PUBLIC,
    downloads=Downloads.NOBODY,
    release_at=None,
    version=0,
    plays=0,
    likes=0,
    reposts=0,
    comments=0,
    error=None,
    created_at=NOW,
)
ROOM = Room(
    id=ROOM_ID,
    kind=RoomKind.PRIVATE,
    name="Kitchen",
    epoch=uuid4(),
    seq=7,
    member_count=2,
    created_at=NOW,
)
SAMPLES = (
    AttachmentReady(
        room_id=ROOM_ID,
        attachment_id=uuid4(),
        state=AttachmentState.FAILED,
        width_px=None,
        height_px=None,
        thumbnail_width_px=None,
        thumbnail_height_px=None,
    ),
    DraftChanged(room_id=ROOM_ID, text=None),
    JobChanged(job=JOB, track=TRACK),
    ReceiptsMoved(room_id=ROOM_ID, is_read=True, seqs=((ADA.id, 7), (uuid4(), 2**40))),
    ReportFiled(report_id=uuid4(), room_id=None, reason=ReportReason.SPAM),
    RequestMade(room_id=ROOM_ID, user=ADA, text='"\\', at=NOW),
    RoomAdded(room=ROOM, by=ADA),
    TypingChanged(room_id=ROOM_ID, user=ADA, is_typing=True),
)


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: type(event).__name__)
def test_news_cross_as_they_were_told(event) -> None:
    heard = read_news(orjson.loads(write_news(event, 7)))

    assert (heard.event, heard.after_seq) == (event, 7)


def test_there_is_a_sample_of_each_kind() -> None:
    assert {type(event).__name__ for event in SAMPLES} == set(CROSSING)


@pytest.mark.parametrize(
    "news",
    [
        None,
        [],
        {},
        ["TypingChanged", 0],
        ["RoomEvent", 0, {}],
        [["TypingChanged"], 0, {}],
        ["DraftChanged", True, {"room_id": str(ROOM_ID), "text": None}],
        ["DraftChanged", "0", {"room_id": str(ROOM_ID), "text": None}],
        ["DraftChanged", 0, {"room_id": str(ROOM_ID)}],
        ["DraftChanged", 0, {"room_id": str(ROOM_ID), "text": None, "more": 1}],
        ["DraftChanged", 0, {"room_id": "kitchen", "text": None}],
        ["DraftChanged", 0, None],
    ],
)
def test_whatever_is_not_exactly_one_is_refused(news) -> None:
    with pytest.raises(UnreadableError):
        read_news(news)
