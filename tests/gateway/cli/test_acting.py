"""Acting on actors needs a reason, hits the one that is meant, and says what happens next."""

import pytest

ACTIONS = ["restart", "stop", "kill", "drain", "suspend", "resume"]


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_reaches_the_actor_with_its_reason(veza, peer, action) -> None:
    told = veza(action, "catalogue", "--reason", " it hung ")

    assert told.code == 0
    assert peer.asked == [(f"/veza/root/services/catalogue {action}", {"reason": "it hung"})]
    assert "It starts anew." in told.out


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_without_a_reason_is_not_done(veza, peer, action) -> None:
    told = veza(action, "catalogue")

    assert told.code == 2
    assert "--reason" in told.err
    assert peer.asked == []


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_reason_says_something_and_is_no_novel(veza, peer, reason) -> None:
    assert veza("stop", "catalogue", "--reason", reason).code == 2
    assert peer.asked == []


def test_a_refusal_is_told_in_the_nodes_words(veza, peer) -> None:
    told = veza("suspend", "services", "--reason", "try")

    assert told.code == 1
    assert told.err == "veza: A supervisor cannot be suspended.\n"


def test_json_is_the_nodes_answer(veza, peer) -> None:
    told = veza("kill", "catalogue", "--reason", "try", "--json")

    assert told.json["action"] == "kill"
    assert told.json["is_audited"] is True


def test_an_audit_log_that_could_not_be_written_is_told(veza, peer) -> None:
    peer.is_audited = False

    told = veza("kill", "catalogue", "--reason", "try")

    assert told.code == 0
    assert "audit log could not be written" in told.err


def test_drain_without_an_actor_drains_the_node(veza, peer) -> None:
    told = veza("drain", "--reason", "upgrade")

    assert told.code == 0
    assert peer.asked == [("drain", {"reason": "upgrade"})]


def test_nothing_can_be_done_to_a_node_that_is_not_there(veza) -> None:
    assert veza("drain", "--reason", "upgrade").code == 3


def test_on_a_terminal_the_reason_is_asked_for(peer, on_terminal) -> None:
    terminal = on_terminal("kill", "catalogue")
    terminal.until("Why kill /veza/root/services/catalogue?")
    terminal.press("it hung\n")

    assert terminal.ended(after="It starts anew.") == 0
    assert peer.asked == [("/veza/root/services/catalogue kill", {"reason": "it hung"})]
