"""Frames say the same whoever made the values in them."""

from datetime import UTC, datetime
from uuid import uuid4

import orjson
import pytest
from asyncpg.pgproto import pgproto

from veza.actors.messages.accounts import Author
from veza.actors.messages.rooms import EventKind, RoomEvent
from veza.gateway.errors import ProblemCode
from veza.gateway.wire import FrameError, decode_frame, encode_frame
from veza.gateway.wire.incoming import MAX_RESUMED


def posted(uuid_type: type, names: list[str]) -> RoomEvent:
    room, author, message = (uuid_type(name) for name in names)
    return RoomEvent(
        room_id=room,
        seq=7,
        at=datetime(2026, 1, 2, tzinfo=UTC),
        kind=EventKind.MESSAGE_POSTED,
        author=Author(id=author, name="ada"),
        message_id=message,
        text="salut",
        reply_to=None,
    )


def test_an_id_read_from_the_database_is_written_as_any_other() -> None:
    ids = [uuid4() for _ in range(3)]
    names = [str(each) for each in ids]

    assert encode_frame(posted(pgproto.UUID, names)) == encode_frame(posted(type(ids[0]), names))


def test_a_value_that_is_none_of_the_wires_is_a_bug_and_not_a_guess() -> None:
    event = RoomEvent(
        room_id=object(),
        seq=1,
        at=datetime(2026, 1, 2, tzinfo=UTC),
        kind=EventKind.MEMBER_JOINED,
        author=Author(id=uuid4(), name="ada"),
    )

    with pytest.raises(TypeError):
        encode_frame(event)


def position(room: str) -> dict[str, object]:
    return {"room": room, "since": {"epoch": str(uuid4()), "seq": 4}}


@pytest.mark.parametrize(
    "rooms",
    [
        [],
        [position(str(uuid4()))] * 2,
        [position(str(uuid4())) for _ in range(MAX_RESUMED + 1)],
        [{"room": str(uuid4())}],
        [{"room": str(uuid4()), "since": None}],
        [{**position("kitchen")}],
    ],
    ids=["none", "one twice", "too many", "without a position", "null", "no room"],
)
def test_a_resume_names_each_room_once_with_its_position(rooms: list[object]) -> None:
    frame = orjson.dumps({"t": "resume", "id": "1", "d": {"rooms": rooms}}).decode()

    with pytest.raises(FrameError) as refused:
        decode_frame(frame)

    assert refused.value.problem.code is ProblemCode.VALIDATION_FAILED
    assert refused.value.frame_id == "1"
