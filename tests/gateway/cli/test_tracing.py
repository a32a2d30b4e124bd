"""`veza trace` prints each message once, as it comes, until the trace ends."""

import json
import signal

AT = "2026-03-01T12:00:00.000Z"


def message(number: int, **changes):
    return {
        "number": number,
        "type": "PostMessage",
        "sender": "/veza/root/directory",
        "request_id": "r-1",
        "at": AT,
        "wait_ms": 0.1,
        "run_ms": 2.0,
        "outcome": "ok",
        "body": "",
        **changes,
    }


def test_messages_come_once_each_until_the_trace_ends(veza, peer) -> None:
    # The last read has what came before the end: it is not lost.
    peer.traced = [[message(1), message(2)], [], [message(2), message(3, outcome="failed")]]

    told = veza("trace", "catalogue", "--reason", "look", "--json")

    assert told.code == 0
    assert [json.loads(line)["number"] for line in told.out.splitlines()] == [1, 2, 3]
    assert "3 of 3 messages kept: limit" in told.err


def test_what_is_wanted_reaches_the_node(veza, peer) -> None:
    veza(
        *("trace", "catalogue", "--type", "PostMessage", "-n", "5", "--for", "1m30s"),
        *("--bodies", "--reason", "look"),
    )

    assert peer.asked == [
        (
            "/veza/root/services/catalogue trace",
            {
                "reason": "look",
                "limit": 5,
                "seconds": 90.0,
                "type": "PostMessage",
                "with_bodies": True,
            },
        )
    ]


def test_a_line_says_what_became_of_the_message(veza, peer) -> None:
    peer.traced = [[message(1, outcome="failed", body="PostMessage(body='\x1b[2J')")]]

    told = veza("trace", "catalogue", "--reason", "look")

    assert "failed" in told.out
    assert "PostMessage(body='\\x1b[2J')" in told.out
    assert "\x1b" not in told.out


def test_a_duration_is_a_number_with_a_unit(veza, peer) -> None:
    assert veza("trace", "catalogue", "--for", "soon", "--reason", "look").code == 2


def test_ctrl_c_ends_the_watching(peer, on_terminal) -> None:
    peer.why_ended = ""
    peer.traced = [[message(1)]]
    terminal = on_terminal("trace", "catalogue", "--reason", "look")
    terminal.until("PostMessage")
    terminal.process.send_signal(signal.SIGINT)

    assert terminal.ended(after="not watched any more") == 0


def test_more_than_a_node_traces_is_a_usage_error_with_the_field(veza, peer) -> None:
    told = veza("trace", "catalogue", "-n", "501", "--reason", "look")

    assert told.code == 2
    assert "/limit: At most 500" in told.err
