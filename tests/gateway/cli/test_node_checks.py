"""Each check of a node that runs finds what is in order, and what is not."""

import pytest

from veza.config.settings import Settings
from veza.gateway.cli.findings import Grade
from veza.gateway.cli.node_checks import (
    Listening,
    NodeSeen,
    Readiness,
    Silence,
    check_crashes,
    check_files,
    check_health,
    check_intensity,
    check_letters,
    check_listening,
    check_loop,
    check_node,
    check_ready,
)

OK, WARN, FAIL = Grade.OK, Grade.WARN, Grade.FAIL
LOOPBACK = ("127.0.0.1", 8080)


def seen(peer) -> NodeSeen:
    return NodeSeen(figures=peer.node, root=peer.tree, letters=peer.letters, crashes=peer.crashes)


@pytest.mark.parametrize(("installed", "grade"), [("0.1.0", OK), ("0.2.0", WARN)])
def test_a_node_is_what_is_installed(peer, installed, grade) -> None:
    assert check_node(seen(peer), installed).grade is grade


@pytest.mark.parametrize(("holder", "grade"), [(None, OK), (4242, FAIL)])
def test_a_silent_node_is_a_problem_if_there_is_one(holder, grade) -> None:
    finding = check_node(Silence(why="no answer", holder_pid=holder), "0.1.0")

    assert finding.grade is grade
    assert ("4242" in finding.found) == (grade is FAIL)


@pytest.mark.parametrize(
    ("ready", "grade"),
    [
        (Readiness(address="http://a", status=200, checks={"actors": True}), OK),
        (Readiness(address="http://a", status=503, checks={"database": False}), FAIL),
        (Readiness(address="http://a", problem="refused", checks={}), FAIL),
    ],
)
def test_readiness_is_what_clients_would_see(ready, grade) -> None:
    assert check_ready(ready).grade is grade


@pytest.mark.parametrize(
    ("listening", "changes", "grade"),
    [
        (Listening(own=(LOOPBACK,)), {}, OK),
        (Listening(own=(LOOPBACK, ("::1", 8080))), {"host": "localhost"}, OK),
        (Listening(own=(("0.0.0.0", 8080),)), {"host": "0.0.0.0"}, OK),
        (Listening(own=(("127.0.0.1", 40123),)), {"port": 0}, OK),
        (Listening(own=(("0.0.0.0", 8080),)), {}, WARN),
        (Listening(own=(("127.0.0.1", 9090),)), {}, WARN),
        (Listening(problem="not ours"), {}, WARN),
        # Thespian's own bases listen on all interfaces.
        (Listening(own=(LOOPBACK, ("0.0.0.0", 1900))), {}, FAIL),
        (Listening(own=(LOOPBACK,), below=(("0.0.0.0", 5432),)), {}, FAIL),
    ],
)
def test_a_node_listens_where_it_should_and_nowhere_else(data, listening, changes, grade) -> None:
    assert check_listening(listening, Settings(**changes)).grade is grade


def test_a_blocked_loop_is_told_with_its_newest(peer) -> None:
    assert check_loop(peer.node).grade is OK
    peer.node["loop_lag_max_ms"] = 400.0
    assert check_loop(peer.node).grade is WARN
    peer.node["blocks"] = [
        {"at": f"2026-03-0{day}T12:00:00.000Z", "seconds": day, "at_work": who, "stack": ""}
        for day, who in ((1, "/veza/a"), (2, "/veza/b"))
    ]
    finding = check_loop(peer.node)
    assert finding.grade is WARN
    assert "/veza/b" in finding.found


@pytest.mark.parametrize(("used", "grade"), [(120, OK), (60_000, FAIL)])
def test_files_that_run_out_are_told(peer, used, grade) -> None:
    assert check_files({**peer.node, "open_files": used}).grade is grade


@pytest.mark.parametrize(
    ("reasons", "grade"), [([], OK), (["restarted"], WARN), (["restarted", "hung"], FAIL)]
)
def test_ill_actors_are_named(peer, names, reasons, grade) -> None:
    peer.tree["children"][1]["children"][0]["unhealthy"] = reasons

    finding = check_health(peer.tree)

    assert finding.grade is grade
    assert (names["room"] in finding.found) == bool(reasons)


@pytest.mark.parametrize(("used", "grade"), [(0, OK), (4, OK), (5, WARN), (10, FAIL)])
def test_a_supervisor_near_its_limit_is_told(peer, used, grade) -> None:
    supervision = peer.tree["children"][0]["supervision"]
    peer.tree["children"][0]["supervision"] = {**supervision, "restarts_used": used}

    assert check_intensity(peer.tree).grade is grade


def test_of_many_the_first_are_named_and_the_rest_counted(peer) -> None:
    for actor in peer.tree["children"]:
        actor["unhealthy"] = ["restarted"]

    assert check_health(peer.tree).found.endswith(" and 1 more")


def test_dead_letters_and_crashes_are_told(peer) -> None:
    assert check_letters(peer.letters).grade is WARN
    assert check_crashes(peer.crashes).grade is WARN
    assert "a1b2c3" in check_crashes(peer.crashes).advice
    assert check_letters([]).grade is OK
    assert check_crashes([]).grade is OK
