"""The judge sees pointers and edits that go back, and counters that count wrong."""

from dataclasses import replace

import pytest
from soak.records import (
    Counted,
    Emptied,
    Head,
    MarkedRead,
    Pointer,
    PointerShown,
    Shown,
    Tried,
)

ROOM = "kitchen"
DELETED = "message.deleted"
EDITED = "message.edited"


def put(history, *events) -> None:
    for event in events:
        for record in event:
            history.add(record)
    history.change(history.the(Head), seq=history.the(Head).seq + len(events))


def told(seq: int, user: str = "ada") -> PointerShown:
    return PointerShown(at=5.0 + seq, client=1, room=ROOM, user=user, seq=seq)


def test_a_pointer_that_goes_forward_is_well(history) -> None:
    history.add(told(2))
    history.add(told(1, user="bob"))
    history.add(told(2))
    history.add(told(4))
    history.add(MarkedRead(at=6.0, client=0, room=ROOM, seq=4))
    history.add(Pointer(room=ROOM, user="ada", seq=4))

    assert history.found() == set()


def test_a_pointer_that_goes_back_is_seen(history) -> None:
    history.add(told(4))
    history.add(told(2))

    assert history.found() == {"J"}


@pytest.mark.parametrize("stored", [None, 3])
def test_a_pointer_stored_before_what_was_acked_is_seen(history, stored) -> None:
    history.add(MarkedRead(at=6.0, client=0, room=ROOM, seq=4))
    if stored is not None:
        history.add(Pointer(room=ROOM, user="ada", seq=stored))

    assert history.found() == {"J"}


def test_a_ready_that_forgot_what_another_device_read_is_seen(history) -> None:
    history.add(MarkedRead(at=6.0, client=0, room=ROOM, seq=4))
    history.add(Pointer(room=ROOM, user="ada", seq=4))
    told = Counted(at=7.0, client=0, room=ROOM, seq=4, read_seq=2, unread=2)
    history.add(told)
    assert history.found() == set()  # it may have been under way

    history.behind(history.the(MarkedRead), Tried(at=6.5, client=0))
    assert history.found() == {"J"}


def test_edits_and_one_deletion_are_well(history, event) -> None:
    put(
        history,
        event(5, EDITED, "ada", message_id="m1", text="better"),
        event(6, EDITED, "ada", message_id="m1", text="best"),
        event(7, DELETED, "ada", message_id="m1"),
    )

    assert history.found() == set()


@pytest.mark.parametrize("kind", [EDITED, DELETED])
def test_a_change_after_the_deletion_is_seen_in_the_log(history, event, kind) -> None:
    put(
        history,
        event(5, DELETED, "ada", message_id="m1"),
        event(6, kind, "ada", message_id="m1"),
    )

    assert history.found() == {"J"}


def test_a_change_of_what_was_never_posted_is_seen(history, event) -> None:
    put(history, event(5, EDITED, "ada", message_id="m9", text="better"))

    assert history.found() == {"J"}


def test_a_deleted_text_that_comes_back_with_the_history_is_seen(history, event) -> None:
    put(history, event(5, DELETED, "bob", message_id="m2"))
    history.add(Emptied(at=6.0, client=0, room=ROOM))
    again = [history.the(Shown, client=0, seq=seq) for seq in (1, 2, 3, 4, 5)]
    for shown in again:
        is_tombstone = shown.message_id == "m2"
        history.add(replace(shown, at=6.1, text="" if is_tombstone else shown.text))
    assert history.found() == set()

    history.change(history.records[-4], text="m2")
    assert history.found() == {"J"}


def test_a_wrong_counter_of_unread_events_is_seen(history) -> None:
    history.change(history.the(Counted, seq=2), unread=1)

    assert history.found() == {"L"}


def test_unread_events_are_counted_from_what_was_read(history) -> None:
    history.change(history.the(Counted, seq=2), read_seq=1, unread=1)

    assert history.found() == set()


def test_what_is_no_message_is_not_unread(history, event) -> None:
    put(history, event(5, "member.joined", "eve"))
    history.add(Counted(at=7.0, client=0, room=ROOM, seq=5, read_seq=2, unread=2))
    assert history.found() == set()

    history.add(Counted(at=8.0, client=0, room=ROOM, seq=5, read_seq=2, unread=3))
    assert history.found() == {"L"}
