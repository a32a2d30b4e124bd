"""The judge sees: each promise, broken in one place of a sound history, is reported by its letter."""

from dataclasses import replace

from soak.findings import broken, examples, spans
from soak.judge import judge
from soak.records import (
    Acked,
    Connected,
    Emptied,
    Ended,
    Entered,
    Head,
    History,
    Refused,
    Row,
    Seated,
    Sent,
    Shown,
    Struck,
    load,
)

ROOM = "kitchen"


def test_a_sound_history_breaks_nothing(history) -> None:
    assert judge(history) == []


def test_a_kept_history_is_judged_as_the_run_was(history, tmp_path) -> None:
    history.save(tmp_path)

    assert load(tmp_path).records == history.records


def test_an_acked_message_that_is_not_stored_is_a_loss(history) -> None:
    history.drop(history.the(Row, seq=4))
    history.change(history.the(Head), seq=3)

    assert "A" in history.found()


def test_an_acked_message_with_another_text_is_a_loss(history) -> None:
    history.change(history.the(Row, seq=2), text="something else")

    assert history.found() == {"A"}


def test_a_message_that_was_edited_may_have_another_text(history, event) -> None:
    history.change(history.the(Row, seq=2), text="better")
    for record in event(5, "message.edited", "bob", message_id="m2", text="better"):
        history.add(record)
    history.change(history.the(Head), seq=5)

    assert history.found() == set()


def test_a_message_that_is_stored_twice_is_seen(history, event) -> None:
    for record in event(5, "message.posted", "ada", message_id="m1", text="m1"):
        history.add(record)
    history.change(history.the(Head), seq=5)

    assert {"B", "I"} <= history.found()


def test_who_joins_a_room_that_they_are_in_is_seen(history, event) -> None:
    for seq in (5, 6):
        for record in event(seq, "member.joined", "eve"):
            history.add(record)
    history.change(history.the(Head), seq=6)

    assert history.found() == {"B"}


def test_who_left_may_join_again(history, event) -> None:
    for seq, kind in enumerate(("member.joined", "member.left", "member.joined"), start=5):
        for record in event(seq, kind, "eve"):
            history.add(record)
    history.change(history.the(Head), seq=7)

    assert history.found() == set()


def test_a_gap_in_the_log_is_seen(history) -> None:
    history.change(history.the(Row, seq=4), seq=5)

    assert "C" in history.found()


def test_a_head_that_the_log_does_not_reach_is_seen(history) -> None:
    history.change(history.the(Head), seq=6)

    assert history.found() == {"C"}


def test_a_seq_that_two_events_have_is_seen(history) -> None:
    history.change(history.the(Row, seq=4), seq=3)

    assert "C" in history.found()


def test_members_who_see_two_messages_the_other_way_round_are_seen(history) -> None:
    history.change(history.the(Shown, client=1, seq=3), message_id="m4")
    history.change(history.the(Shown, client=1, seq=4), message_id="m3")

    assert history.found() == {"D"}


def test_an_event_that_is_displayed_after_a_later_one_is_seen(history) -> None:
    late = history.the(Shown, client=1, seq=3)
    history.drop(late)
    history.behind(history.the(Shown, client=1, seq=4), late)

    assert {"D", "E"} <= history.found()


def test_a_display_past_a_hole_is_seen_even_if_it_is_filled_by_reading_anew(history) -> None:
    history.drop(history.the(Shown, client=1, seq=3))
    everything = [history.the(Shown, client=0, seq=seq) for seq in (1, 2, 3, 4)]
    history.behind(
        history.the(Shown, client=1, seq=4),
        Emptied(at=5.0, client=1, room=ROOM),
        *(replace(shown, client=1, at=5.0) for shown in everything),
    )

    assert history.found() == {"E"}


def test_a_message_acked_before_another_left_must_stand_before_it(history) -> None:
    history.change(history.the(Sent, message_id="m1"), at=4.5)

    assert history.found() == {"F"}


def test_messages_that_were_under_way_together_may_stand_in_any_order(history) -> None:
    history.change(history.the(Sent, message_id="m4"), at=2.5)
    history.change(history.the(Acked, message_id="m4"), at=4.9)
    history.change(history.the(Acked, message_id="m3"), at=4.9)

    assert history.found() == set()


def test_a_message_that_is_never_acked_is_seen_with_its_last_refusal(history) -> None:
    history.drop(history.the(Acked, message_id="m4"))
    refused = Refused(at=4.2, client=1, room=ROOM, message_id="m4", code="outcome_unknown")
    history.behind(history.the(Sent, message_id="m4"), refused)

    (violation,) = judge(history)
    assert violation.rule == "G"
    assert "outcome_unknown" in violation.text


def test_a_view_that_never_gets_the_end_is_seen(history) -> None:
    history.drop(history.the(Shown, client=1, seq=4))

    assert history.found() == {"G"}


def test_a_view_with_what_the_log_does_not_have_is_seen(history) -> None:
    history.drop(history.the(Row, seq=4))
    history.change(history.the(Head), seq=3)

    assert {"A", "G"} <= history.found()


def test_a_second_ack_that_says_something_else_is_seen(history) -> None:
    ack = history.the(Acked, message_id="m4")
    history.behind(ack, ack)
    assert history.found() == set()

    history.change(history.records[history.records.index(ack) + 1], committed_at="12:59:59")
    assert history.found() == {"H"}


def test_an_ack_with_another_seq_than_the_log_has_is_seen(history) -> None:
    history.change(history.the(Acked, message_id="m4"), seq=9)

    assert history.found() == {"H"}


def test_an_event_that_is_displayed_twice_is_seen(history) -> None:
    shown = history.the(Shown, client=1, seq=2)
    history.behind(history.the(Entered, is_recovered=True), shown)

    assert history.found() == {"I"}


def test_a_message_that_is_displayed_at_two_places_is_seen(history) -> None:
    history.change(history.the(Shown, client=1, seq=4), message_id="m1")

    assert {"D", "I"} <= history.found()


def test_a_run_in_which_nothing_happened_fails() -> None:
    assert {violation.rule for violation in judge(History())} == {"Z"}


def test_a_run_without_its_end_fails(history) -> None:
    history.drop(history.the(Ended))

    assert history.found() == {"Z"}


def test_a_run_in_which_nothing_failed_fails(history) -> None:
    history.drop(history.the(Struck))

    assert history.found() == {"Z"}


def test_a_run_with_a_room_in_which_nobody_wrote_fails(history) -> None:
    history.change(history.the(Seated, client=1), rooms=(ROOM, "cellar"))

    assert history.found() == {"Z"}


def test_a_server_that_never_resumes_proves_nothing_about_resuming(history) -> None:
    history.change(history.the(Entered, is_recovered=True), is_recovered=False)
    for client in (0, 1):
        history.add(Connected(at=5.0, client=client))

    assert history.found() == {"Z"}


def test_what_was_found_is_counted_and_shown_a_few_of_each(history) -> None:
    history.drop(history.the(Struck))
    for seq in (1, 2, 3, 4):
        history.drop(history.the(Shown, client=0, seq=seq))
    violations = judge(history)

    assert broken(violations) == "G:1 Z:2"
    assert len(examples(violations)) == 3
    assert "lacks 1-4 of 4" in examples(violations)[0]
    assert spans([1, 2, 4, 6, 8, 10, 12]) == "1-2, 4, 6, 8, 10, …"
