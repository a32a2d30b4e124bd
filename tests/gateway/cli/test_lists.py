"""Dead letters, crashes, connections, the audit log and one actor: shown whole, harmless to a terminal."""

import pytest


def test_dead_letters_are_listed_over_pages(veza, peer) -> None:
    told = veza("dead-letters", "list", "-n", "130", "--json")

    assert [letter["letter_id"] for letter in told.json] == list(range(250, 120, -1))
    assert told.json[0] == peer.letters[0]


def test_a_letter_is_shown_whatever_page_it_is_on(veza, peer) -> None:
    told = veza("dead-letters", "show", "3")

    assert told.code == 0
    assert "the receiver ended" in told.out


def test_a_letter_that_is_gone_is_a_refusal(veza, peer) -> None:
    assert veza("dead-letters", "show", "999").code == 1


def test_what_is_in_a_message_does_not_act_on_the_terminal(veza, peer) -> None:
    told = veza("dead-letters", "show", "3")

    assert "\x1b" not in told.out
    assert "\\x1b]0;owned\\x07" in told.out


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["replay", "3"], "3 replay"),
        (["discard", "3"], "3 discard"),
        (["discard", "--all"], "all discard"),
    ],
)
def test_letters_are_settled_with_a_reason(veza, peer, arguments, asked) -> None:
    assert veza("dead-letters", *arguments).code == 2
    assert veza("dead-letters", *arguments, "--reason", "seen").code == 0
    assert peer.asked == [(asked, {"reason": "seen"})]


@pytest.mark.parametrize("arguments", [["discard"], ["discard", "3", "--all"]])
def test_what_to_discard_must_be_clear(veza, peer, arguments) -> None:
    assert veza("dead-letters", *arguments, "--reason", "seen").code == 2
    assert peer.asked == []


def test_crashes_are_listed_and_shown_with_their_tracebacks(veza, peer) -> None:
    assert "ValueError: boom" in veza("crashes", "list").out
    assert veza("crashes", "list", "--json").json == peer.crashes
    assert "  ValueError: boom" in veza("crashes", "show", "a1b2c3").out
    assert veza("crashes", "show", "ffff").code == 1


def test_connections_are_listed_with_those_who_have_no_name_yet(veza, peer) -> None:
    told = veza("connections")

    assert "ada" in told.out
    assert told.out.splitlines()[2].split()[:3] == ["2", "-", "-"]


def test_the_audit_log_says_who_did_what_and_why(veza, peer) -> None:
    told = veza("audit")

    assert "it hung" in told.out
    assert veza("audit", "--json").json[0]["via"] == "socket"


def test_nothing_is_said_to_be_nothing(veza, peer) -> None:
    peer.letters, peer.crashes = [], []

    assert veza("dead-letters", "list").out == "No dead letters.\n"
    assert veza("crashes", "list").out == "No crashes.\n"
    assert veza("dead-letters", "list", "--json").json == []


def test_inspect_shows_an_actor_from_near(veza, peer) -> None:
    told = veza("inspect", "catalogue")

    for part in (
        "/veza/root/services/catalogue",
        "7 of 1,000 (at most 4 so far)",
        "Front porch",
        "[redacted]",
        "At work for 2.3 s: Slow",
        "room.py:12 wait",
        "Trace…",
        "Watched by",
    ):
        assert part in told.out


def test_inspect_shows_how_near_a_supervisor_is_to_giving_up(veza, peer) -> None:
    assert "one_for_one, 0 of 10 restarts used within 30 s" in veza("inspect", "services").out
