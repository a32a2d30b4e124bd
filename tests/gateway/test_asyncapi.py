"""The AsyncAPI document is valid, complete, and true of every frame that the server makes."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match

from veza.actors.messages import attachments, presence, reports, rooms, sessions, tracks, ways
from veza.actors.messages.accounts import Author, User
from veza.actors.messages.common import RejectCode
from veza.actors.messages.rooms import EventKind
from veza.config.settings import Settings
from veza.gateway import wire
from veza.gateway.errors import (
    CLOSE_MEANINGS,
    CloseCode,
    FieldCode,
    FieldError,
    ProblemCode,
    ProblemError,
)
from veza.gateway.wire import outgoing
from veza.gateway.wire.frame_views import FrameProblemView
from veza.gateway.wire.frames import ANSWERS, SERVER_FRAMES, Envelope
from veza.gateway.wire.tree import figures_json, flat_rows

# `schemas/3.0.0.json` of npm's @asyncapi/specs 6.11.1, unchanged; its licence lies beside it.
SCHEMA = Path(__file__).parent / "asyncapi/schema-3.0.0.json"
FETCHED = "d4571a420e6ffb7fcc7066c95a6db1202f299a3c51daa103d0706bf30f95e626"


@pytest.fixture
async def document(api: Any) -> dict[str, Any]:
    body: dict[str, Any] = (await api("GET", "/asyncapi.json")).body
    return body


def attachment_ready(state: attachments.AttachmentState) -> attachments.AttachmentReady:
    has_picture = state is attachments.AttachmentState.READY
    return attachments.AttachmentReady(
        room_id=ID,
        attachment_id=ID,
        state=state,
        width_px=640 if has_picture else None,
        height_px=480 if has_picture else None,
        thumbnail_width_px=480 if has_picture else None,
        thumbnail_height_px=360 if has_picture else None,
    )


def errors_of(document: Any) -> list[str]:
    errors = Draft7Validator(json.loads(SCHEMA.read_bytes())).iter_errors(document)
    return [best_match([each]).message for each in errors]


async def test_the_document_is_valid_asyncapi(document: dict[str, Any]) -> None:
    assert errors_of(document) == []


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("operations", "takePing", "action"), "listen"),
        (("channels", "websocket", "bindings", "ws", "method"), "PUT"),
        (("components", "messages", "fromServer.hello", "payload", "type"), "objekt"),
    ],
)
async def test_the_validator_sees_what_is_wrong(
    document: dict[str, Any], path: tuple[str, ...], wrong: str
) -> None:
    *parents, last = path
    inside = document
    for name in parents:
        inside = inside[name]
    inside[last] = wrong

    assert errors_of(document) != []


def test_the_schema_is_the_published_one() -> None:
    assert sha256(SCHEMA.read_bytes()).hexdigest() == FETCHED


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [each for value in part.values() for each in references(value)]
        if isinstance(part, list):
            return [each for value in part for each in references(value)]
        return []

    found = set(references(document))
    assert found
    for reference in found:
        target = document
        for name in reference.removeprefix("#/").split("/"):
            target = target[name]


def test_no_type_of_frame_lacks_a_declaration() -> None:
    assert SERVER_FRAMES.keys() == {*wire.ServerFrame, *EventKind} - {wire.ServerFrame.ACK}
    assert ANSWERS.keys() == wire.CLIENT_FRAMES.keys()


def test_every_room_event_and_nothing_else_comes_with_its_place_in_the_log() -> None:
    placed = {kind for kind, each in SERVER_FRAMES.items() if each.envelope is Envelope.ROOM_EVENT}

    assert placed == {*EventKind}


def test_a_problem_in_a_frame_is_one_over_http_without_the_request() -> None:
    assert FrameProblemView.model_fields.keys() == wire.Problem.model_fields.keys() - {"request_id"}


async def test_every_close_code_and_problem_is_told(document: dict[str, Any]) -> None:
    closes = document["channels"]["websocket"]["x-close-codes"]
    problems = document["components"]["messages"]["fromServer.error"]["x-problem-codes"]

    assert CLOSE_MEANINGS.keys() == {*CloseCode}
    assert {each["code"] for each in closes} == {*CloseCode}
    assert {each["code"] for each in problems} == {each.value for each in ProblemCode}
    for each in closes:
        if each["code"] >= 4000:
            assert each["reconnect"] is (each["code"] < 4500)


async def test_every_frame_of_clients_is_taken_and_says_how_it_is_answered(
    document: dict[str, Any],
) -> None:
    taken = {
        operation["messages"][0]["$ref"].partition("fromClient.")[2]: operation
        for operation in document["operations"].values()
        if operation["action"] == "receive"
    }

    assert taken.keys() == wire.CLIENT_FRAMES.keys()
    for kind, operation in taken.items():
        answers = {each["$ref"].rpartition("/")[2] for each in operation["reply"]["messages"]}
        assert "fromServer.error" in answers
        assert len(answers) >= 2, kind


async def test_the_document_is_told_once(api: Any) -> None:
    etag = (await api("GET", "/asyncapi.json")).headers["ETag"]

    await api("GET", "/asyncapi.json", headers={"If-None-Match": etag}, status=304)


# --- what the server says ---

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ADA = Author(id=ID, name="ada")
USER = User(
    id=ID,
    username="ada",
    email="a@b.c",
    roles=frozenset({"ops"}),
    permissions=frozenset({"ops:read"}),
    created_at=NOON,
)
ROOM = rooms.Room(
    id=ID,
    kind=rooms.RoomKind.PUBLIC,
    name="Kitchen",
    epoch=ID,
    seq=7,
    member_count=2,
    created_at=NOON,
)
LEFT_OUT = ProblemError(
    ProblemCode.VALIDATION_FAILED,
    errors=(FieldError(pointer="/d/text", code=FieldCode.TOO_LONG, detail="Too long"),),
    retry_after_seconds=0.5,
)


FILE = rooms.Attachment(id=ID, filename="a.png", content_type="image/png", size_bytes=1, width=2)
POST = rooms.Post(
    attachments=(FILE,),
    tracks=(rooms.TrackCard(track_id=ID, at_ms=5),),
    mentions=(ID,),
    mentions_room=True,
)
STATE = rooms.MessageState(
    edited_at=NOON,
    deleted_at=NOON,
    pinned_at=NOON,
    replies=1,
    reactions=(rooms.Reaction(emoji="+", count=1),),
)
DETAILS: dict[EventKind, Any] = {
    EventKind.MESSAGE_POSTED: POST,
    EventKind.MESSAGE_EDITED: POST,
    EventKind.MEMBER_JOINED: rooms.Entry(),
    EventKind.MEMBER_MODERATED: rooms.Moderation(
        measure=rooms.Measure.BAN, until=NOON, role=rooms.Role.MEMBER
    ),
    EventKind.ROOM_UPDATED: rooms.RoomSettings(name="Kitchen", kind=rooms.RoomKind.PUBLIC),
}
"""What an event has beside its text, all of it."""


def room_event(kind: EventKind) -> rooms.RoomEvent:
    is_message = kind is EventKind.MESSAGE_POSTED
    return rooms.RoomEvent(
        room_id=ID,
        seq=7,
        kind=kind,
        at=NOON,
        author=ADA,
        message_id=ID,
        text="salut",
        thread_id=ID if is_message else None,
        subject=ADA,
        details=DETAILS.get(kind),
        state=STATE if is_message else None,
    )


def bare(kind: EventKind) -> rooms.RoomEvent:
    """The same with nothing that may be left out."""
    details = DETAILS[kind] if kind is EventKind.ROOM_UPDATED else None
    if kind is EventKind.MEMBER_MODERATED:
        details = rooms.Moderation(measure=rooms.Measure.WARN)
    return replace(room_event(kind), thread_id=None, subject=None, state=None, details=details)


def job_changed(state: tracks.JobState) -> tracks.JobChanged:
    job = tracks.Job(
        id=ID,
        type=tracks.JobType.TRANSCODE,
        state=state,
        progress=0.5,
        error=tracks.Failure(code="unreadable", detail="No sound in it."),
        track_id=ID,
        attachment_id=None,
        sounds_like=None,
        owner_id=ID,
        created_at=NOON,
        updated_at=NOON,
    )
    track = tracks.Track(
        id=ID,
        owner=ADA,
        title="Nocturne",
        artist="",
        album="",
        track_number=None,
        genre="",
        artwork_tag=None,
        state=tracks.TrackState.PROCESSING,
        duration_ms=None,
        has_waveform=True,
        analysis=json.dumps({"loudness": LOUDNESS, "music": MUSIC}),
        visibility=tracks.Visibility.PUBLIC,
        downloads=tracks.Downloads.NOBODY,
        release_at=None,
        version=0,
        plays=3,
        likes=2,
        reposts=1,
        comments=4,
        error=None,
        created_at=NOON,
    )
    return tracks.JobChanged(job=job, track=track)


LOUDNESS = {
    "integrated_lufs": -13.87992,
    "momentary_max_lufs": -11.5,
    "short_term_max_lufs": -12.25,
    "range_lu": 4.0,
    "true_peak_dbtp": None,
    "replay_gain_db": -4.12008,
}

MUSIC = {
    "tempo": {"tempo_bpm": 120.0, "first_beat_seconds": 0.5, "steady": True, "confidence": 0.9},
    "key": {
        "tonic": "A",
        "mode": "minor",
        "camelot": "8A",
        "tuning_cents": -3.0,
        "confidence": 0.7,
    },
    "spectrum": None,
    "silence": {"leading_seconds": 0.1, "trailing_seconds": 0.0, "all_silent": False},
}


def tree_told(node: Any) -> outgoing.TreeTold:
    return outgoing.TreeTold(
        is_full=True,
        rev=1,
        at=1_700_000_000.0,
        node=figures_json(node.figures, 3),
        actors=list(flat_rows(node.root, 50).values()),
        gone=["veza/root/rooms/c"],
    )


SONG = presence.Listening(track_id=ID, title="Aube")


def presence_told(*, is_full: bool) -> presence.PresenceTold:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    offline = presence.Status.OFFLINE
    people = (
        presence.Seen(user_id=ID, status=presence.Status.ONLINE, activity=SONG),
        presence.Seen(
            user_id=ID,
            status=presence.Status.DND,
            activity=presence.Listening(track_id=None, title="Radio"),
        ),
        presence.Seen(user_id=ID, status=offline, last_seen_at=at),
        presence.Seen(user_id=ID, status=offline),
    )
    return presence.PresenceTold(room_id=ID, online=2, is_full=is_full, people=people)


@pytest.fixture
def samples(actors: Any) -> list[Any]:
    """At least one of every event that becomes a frame."""
    named: dict[str, Any] = {"frame_id": "1", "room_id": ID}
    membership = rooms.Membership(room=ROOM, role=rooms.Role.MEMBER, read_seq=3, unread=4)
    history = rooms.EventsRead(events=tuple(room_event(kind) for kind in EventKind))
    return [
        wire.Hello(heartbeat_ms=25_000, max_frame=65_536),
        wire.SessionReady(
            frame_id=None,
            session_id=ID,
            user=USER,
            memberships=(membership,),
            blocked=(ID,),
            limits=wire.limits(Settings()),
        ),
        *(room_event(kind) for kind in EventKind),
        *(bare(kind) for kind in EventKind),
        rooms.ReceiptsMoved(room_id=ID, is_read=True, seqs=((ID, 4),)),
        rooms.ReceiptsMoved(room_id=ID, is_read=False, seqs=((ID, 4),)),
        rooms.TypingChanged(room_id=ID, user=ADA, is_typing=True),
        rooms.RoomAdded(room=ROOM, by=ADA),
        ways.RequestMade(room_id=ID, user=ADA, text="salut", at=NOON),
        ways.DraftChanged(room_id=ID, text="sal"),
        ways.DraftChanged(room_id=ID, text=None),
        *(presence_told(is_full=is_full) for is_full in (True, False)),
        presence.OwnPresence(status=presence.Status.INVISIBLE, activity=None),
        presence.OwnPresence(status=presence.Status.DND, activity=SONG),
        presence.PresenceTaken(frame_id="1", status=presence.Status.IDLE),
        *(attachment_ready(state) for state in attachments.AttachmentState),
        *(
            reports.ReportFiled(report_id=ID, room_id=room_id, reason=reports.ReportReason.SPAM)
            for room_id in (ID, None)
        ),
        *(job_changed(state) for state in tracks.JobState),
        sessions.RoomEntered(frame_id="1", room=ROOM, recovered=True),
        sessions.RoomsResumed(
            frame_id="1", rooms=(sessions.ResumedRoom(room=ROOM, recovered=True),)
        ),
        sessions.RoomExited(**named),
        sessions.ActDone(**named, event=room_event(EventKind.MESSAGE_POSTED)),
        sessions.ActDone(**named, event=None),
        sessions.HistoryRead(**named, history=history),
        sessions.CommandFailed(frame_id="1", code=RejectCode.NOT_A_MEMBER, detail="Enter first."),
        sessions.CommandFailed(frame_id="1", code=None, detail="Nobody knows."),
        wire.FrameRefused(frame_id=None, problem=LEFT_OUT),
        wire.Acknowledged(frame_id="1"),
        wire.Pong(frame_id=None),
        wire.Draining(retry_after_ms=700),
        tree_told(actors.operator),
    ]


def test_the_samples_are_of_every_event_and_every_type(samples: list[Any], catalogue: Any) -> None:
    said = {catalogue.decode(wire.encode_frame(each))["t"] for each in samples}

    assert {type(each) for each in samples} == outgoing._SHAPES.keys()
    assert said == {*SERVER_FRAMES, wire.ServerFrame.ACK}


def test_every_frame_is_as_it_is_declared(samples: list[Any], catalogue: Any) -> None:
    for each in samples:
        catalogue.encode(each)


def test_a_frame_that_is_not_as_declared_is_noticed(catalogue: Any) -> None:
    left = {"t": "member.left", "room": str(ID), "seq": 7, "at": "2026-01-02T12:00:00.000Z"}
    left["d"] = {"user": {"id": str(ID), "name": "ada"}}
    catalogue.check(left)

    for changed in (
        {**left, "t": "member.gone"},
        {**left, "more": 1},
        {**left, "d": {**left["d"], "more": 1}},
        {**left, "d": {}},
        {**left, "seq": "7"},
        {**left, "room": "kitchen"},
        {**left, "at": "noon"},
        {name: each for name, each in left.items() if name != "seq"},
    ):
        with pytest.raises(AssertionError):
            catalogue.check(changed)


# --- what clients say ---

SAID: dict[str, list[dict[str, Any]]] = {
    "auth": [{}, {"token": "t", "batch": True}],
    "auth.refresh": [{"token": "t"}],
    "ping": [{}],
    "room.join": [
        {"room": str(ID)},
        {
            "room": str(ID),
            "since": {"epoch": str(ID), "seq": 4},
        },
    ],
    "resume": [{"rooms": [{"room": str(ID), "since": {"epoch": str(ID), "seq": 4}}]}],
    "room.leave": [{"room": str(ID)}],
    "message.send": [
        {
            "room": str(ID),
            "message_id": str(ID),
            "text": "salut",
        }
    ],
    "message.edit": [{"room": str(ID), "message_id": str(ID), "text": "salut"}],
    "message.delete": [{"room": str(ID), "message_id": str(ID), "reason": "spam"}],
    "message.react": [{"room": str(ID), "message_id": str(ID), "emoji": "\N{SPARKLES}"}],
    "message.unreact": [{"room": str(ID), "message_id": str(ID), "emoji": "\N{SPARKLES}"}],
    "message.pin": [{"room": str(ID), "message_id": str(ID)}],
    "message.unpin": [{"room": str(ID), "message_id": str(ID)}],
    "receipt.read": [{"room": str(ID), "seq": 4}],
    "receipt.delivered": [{"room": str(ID), "seq": 4}],
    "typing.start": [{"room": str(ID)}],
    "typing.stop": [{"room": str(ID)}],
    "presence.set": [
        {"status": "invisible"},
        {"status": "idle", "activity": None},
        {"status": "dnd", "activity": {"type": "listening", "track": str(ID), "title": "Aube"}},
        {"status": "online", "activity": {"type": "listening", "title": "Radio"}},
    ],
    "room.history": [{"room": str(ID), "limit": 7}],
    "ops.watch": [{}],
    "ops.unwatch": [{}],
}


def test_every_type_of_clients_frames_has_an_example() -> None:
    assert SAID.keys() == wire.CLIENT_FRAMES.keys()


@pytest.mark.parametrize("kind", sorted(SAID))
async def test_what_the_document_allows_is_what_is_decoded(
    document: dict[str, Any], kind: str
) -> None:
    payload = document["components"]["messages"][f"fromClient.{kind}"]["payload"]
    validator = Draft7Validator({**payload, "components": document["components"]})

    for d in SAID[kind]:
        frame = {"t": kind, "id": "1", "d": d}
        validator.validate(frame)
        assert wire.decode_frame(orjson.dumps(frame).decode()).type == kind

        unknown = {**frame, "d": {**d, "nobody_knows": 1}}
        assert not validator.is_valid(unknown)
        with pytest.raises(wire.FrameError):
            wire.decode_frame(orjson.dumps(unknown).decode())
