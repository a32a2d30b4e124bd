"""The judge sees what a banned user gets or stores past the ban, and nothing else."""

import pytest
from soak.records import Entered, Head, Shown

ROOM = "kitchen"
MODERATED = "member.moderated"


@pytest.fixture
def banned(history, event):
    """Bob is banned at seq 5; Ada writes on. His client displays what it is sent up to `last_seq`."""

    def make(last_seq: int):
        said = [
            event(5, MODERATED, "ada", subject="bob", measure="ban"),
            event(6, "message.posted", "ada", message_id="m6", text="m6"),
        ]
        for seq, records in enumerate(said, start=5):
            for record in records:
                is_his = isinstance(record, Shown) and record.client == 1
                if not is_his or seq <= last_seq:
                    history.add(record)
        history.change(history.the(Head), seq=6)
        return history

    return make


@pytest.mark.parametrize("last_seq", [4, 5])
def test_who_is_banned_need_not_see_the_end(banned, last_seq) -> None:
    assert banned(last_seq).found() == set()


def test_an_event_past_the_ban_that_reached_them_is_seen(banned) -> None:
    assert banned(6).found() == {"N"}


def test_a_message_of_theirs_that_was_stored_past_the_ban_is_seen(banned, event) -> None:
    history = banned(5)
    row, shown, _his = event(7, "message.posted", "bob", message_id="m7", text="m7")
    history.add(row)
    history.add(shown)
    history.change(history.the(Head), seq=7)

    assert history.found() == {"N"}


@pytest.mark.parametrize(("entered_seq", "rules"), [(7, set()), (6, {"N"})])
def test_who_is_let_in_again_may_read_what_was_missed(banned, event, entered_seq, rules) -> None:
    history = banned(5)
    row, shown, his = event(7, MODERATED, "ada", subject="bob", measure="unban")
    missed = event(6, "message.posted", "ada", message_id="m6", text="m6")[2]
    entered = Entered(at=8.0, client=1, room=ROOM, since=5, seq=entered_seq, is_recovered=True)
    for record in (row, shown, entered, missed, his):
        history.add(record)
    history.change(history.the(Head), seq=7)

    assert history.found() == rules
