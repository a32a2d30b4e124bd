"""`veza top` on a real terminal: keys, resizing, a node that goes away, and a terminal put back."""

import signal
import termios

import pytest

ALTERNATE_SCREEN_ENDS = "\x1b[?1049l"


@pytest.fixture
def terminal(served, on_terminal):
    return on_terminal("top")


def test_keys_sort_choose_pause_and_quit(terminal) -> None:
    terminal.until("by busy")
    for key, shown in (("m", "by mailbox"), ("u", "unhealthy only"), ("p", "PAUSED")):
        terminal.press(key)
        terminal.until(shown)
    terminal.press("q")

    assert terminal.ended(after=ALTERNATE_SCREEN_ENDS) == 0
    assert termios.tcgetattr(terminal.tty) == terminal.before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_puts_the_terminal_back(terminal, number) -> None:
    terminal.until("by busy")
    terminal.process.send_signal(number)

    assert terminal.ended(after=ALTERNATE_SCREEN_ENDS) == 0
    assert termios.tcgetattr(terminal.tty) == terminal.before


def test_an_answer_that_makes_no_sense_puts_the_terminal_back(terminal, peer) -> None:
    terminal.until("by busy")
    del peer.tree["children"][0]["path"]

    assert terminal.ended(after=ALTERNATE_SCREEN_ENDS) == 1
    assert termios.tcgetattr(terminal.tty) == terminal.before


def test_a_node_that_goes_away_is_waited_for(terminal, served) -> None:
    terminal.until("by busy")
    served.stop()
    terminal.until("UNREACHABLE")
    served.start()
    terminal.until("by busy")
    terminal.press("q")

    assert terminal.ended(after=ALTERNATE_SCREEN_ENDS) == 0


def test_a_screen_of_another_size_is_filled_anew(terminal, peer) -> None:
    terminal.until("by busy")
    assert "RESTARTS" in terminal.until("q quit")
    terminal.resize(24, 70)
    terminal.process.send_signal(signal.SIGWINCH)
    terminal.until("by busy")

    assert "RESTARTS" not in terminal.until("ACTOR") + terminal.until("root")


def test_without_a_terminal_it_is_a_line_a_look(veza, peer) -> None:
    told = veza("top", "--count", "2")

    assert told.code == 0
    assert len(told.out.splitlines()) == 2
    assert "phase ready" in told.out.splitlines()[1]
    assert "msgs/s" in told.out


def test_json_is_the_nodes_figures_a_line_a_look(veza, peer) -> None:
    assert veza("top", "--json", "--count", "1").json == peer.node


def test_no_node_at_all_is_told_at_once(veza) -> None:
    assert veza("top", "--count", "1").code == 3


def test_a_node_that_is_away_at_the_end_is_unreachable(veza, peer) -> None:
    peer.looks = 1

    told = veza("top", "--count", "2")

    assert told.code == 3
    assert len(told.out.splitlines()) == 1
    assert "UNREACHABLE" in told.err
