"""The heads of many rooms are read at once."""

from uuid import uuid4

from veza.persistence.heads import read_heads
from veza.persistence.room_log import append_events
from veza.persistence.room_rows import EventKind, NewEvent


async def test_each_room_that_exists_has_its_newest_seq(conn, new_room, new_author) -> None:
    busy, quiet, ada = await new_room(), await new_room(), await new_author()
    joined = NewEvent(room_id=busy.id, kind=EventKind.MEMBER_JOINED, author=ada)
    post = NewEvent(
        room_id=busy.id,
        kind=EventKind.MESSAGE_POSTED,
        author=ada,
        message_id=uuid4(),
        text="salut",
    )
    await append_events(conn, [joined, post])

    heads = await read_heads(conn, {busy.id, quiet.id, uuid4()})

    assert heads == {busy.id: 2, quiet.id: 0}
    assert await read_heads(conn, ()) == {}
