"""A frame fits its screen, whatever the node has, and says everything in words too."""

import pytest
from rich.console import Console

from veza.gateway.cli.figures import Look, View
from veza.gateway.cli.names import everyone
from veza.gateway.cli.screen import frame
from veza.gateway.cli.top import Key, Lost, scene_after, scene_of


def drawn(scene, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(frame(scene, width, height))
    return captured.get().splitlines()


@pytest.fixture
def scene(peer):
    return scene_of(None, Look(at_seconds=0.0, node=peer.node, root=peer.tree), View())


@pytest.mark.parametrize("width", [40, 80, 133, 250])
@pytest.mark.parametrize("height", [15, 24, 60])
def test_a_frame_is_as_large_as_the_screen(scene, width, height) -> None:
    lines = drawn(scene, width, height)

    assert len(lines) == height
    assert max(len(line) for line in lines) <= width


def test_the_strip_has_the_node_and_marks_what_is_bad(peer, scene) -> None:
    text = "\n".join(drawn(scene, 120, 30))

    for part in ("phase ready", "actors 9", "unhealthy !1", "loop lag 0.4 ms (max 12 ms)"):
        assert part in text
    for part in ("rss 100 MB", "dead letters 4", "crashes 2", "db pool 4/16", "gc 3.2 ms"):
        assert part in text


@pytest.mark.parametrize(
    ("reasons", "told"),
    [(["restarted"], "unhealthy ~1"), (["waiting", "hung"], "unhealthy !1")],
)
def test_actors_that_will_be_well_are_not_marked_as_those_that_will_not(
    peer, scene, reasons, told
) -> None:
    (ill,) = [actor for actor in everyone(peer.tree) if actor["unhealthy"]]
    ill["unhealthy"] = reasons

    assert told in "\n".join(drawn(scene, 120, 30))


@pytest.mark.parametrize(("now", "told"), [(0.4, "loop lag 0.4 ms"), (140.0, "loop lag !140 ms")])
def test_a_lag_that_is_over_is_told_and_not_marked(peer, scene, now, told) -> None:
    peer.node |= {"loop_lag_ms": now, "loop_lag_max_ms": 900.0}

    assert f"{told} (max 900 ms)" in "\n".join(drawn(scene, 120, 30))


def test_a_failing_check_is_named(peer, scene) -> None:
    peer.node["checks"]["database"] = False

    assert "phase !ready, database fails" in "\n".join(drawn(scene, 120, 30))


def test_a_node_that_went_away_is_told_and_what_was_seen_stays(scene) -> None:
    text = "\n".join(drawn(scene_after(scene, Lost(why="no socket")), 120, 30))

    assert "UNREACHABLE, trying again: no socket" in text
    assert "catalogue" in text


def test_while_paused_nothing_moves(peer, scene) -> None:
    paused = scene_after(scene, Key(key="p"))
    later = Look(at_seconds=1.0, node={**peer.node, "actors": 99}, root=peer.tree)

    assert scene_after(paused, later) == paused
    assert "PAUSED" in "\n".join(drawn(paused, 120, 30))
    assert scene_after(scene_after(paused, Key(key="p")), later).look == later
