"""Real nodes under a real load: nothing is lost, faults are survived, and nothing is left behind."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from veza.config.settings import Settings
from veza.gateway.load.execution import Options, execute
from veza.gateway.load.report import report_page
from veza.gateway.load.scenario import load, parsed

LATE = {"late_p99": "1s"}
"""Tests share the machine; lateness is not what these are about."""


def run(scenario, **options):
    return execute(scenario, Options(**options), Settings(), lambda *_: None)


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where this test alone makes temporary folders: others load nodes on this machine too."""
    with tempfile.TemporaryDirectory() as folder:
        # Root lends PostgreSQL another account, which must get through.
        Path(folder).chmod(0o711)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def small(**changes):
    document = {
        "scenario": "small",
        "seed": 5,
        "fixtures": {"users": 6, "rooms": 2, "rooms_per_user": 1},
        "arrivals": [{"constant": {"rate": 30, "for": "3s"}}],
        "generator": LATE,
        "mix": {"room.send": 1},
        **changes,
    }
    return parsed(document, "test")


def own_children() -> set[psutil.Process]:
    """Processes of this one; the workers of other tests' databases come and go below them."""
    return set(psutil.Process().children())


@pytest.mark.parametrize("target", ["actors", "ws", "rest"])
def test_nothing_is_lost_in_five_seconds_of_chat(target: str, folders: Path) -> None:
    before = own_children()
    scenario = load("smoke").model_copy(update={"target": target})
    scenario = scenario.model_copy(
        update={"generator": scenario.generator.model_copy(update={"late_p99": 1.0})}
    )

    result = run(scenario)

    checks = result["checks"]
    assert result["verdict"] == "passed", result["why"]
    assert checks["acked"] == checks["sent"] > 100
    assert checks["history_checked"]
    assert checks["lost"] == checks["duplicated"] == checks["reordered"] == checks["gaps"] == 0
    if target == "rest":
        assert checks["delivered"] == 0
    else:
        assert result["operations"]["chat.delivery"]["count"] > 100
    assert result["server"][0]["cpu_percent"] > 0
    assert "<svg" in report_page([result])
    assert not list(folders.glob("veza-load-*"))
    assert own_children() <= before


@pytest.mark.parametrize("target", ["actors", "ws"])
def test_connections_that_drop_and_resume_miss_nothing(target: str) -> None:
    result = run(small(target=target, mix={"room.send": 70, "reconnect": 30}))

    checks = result["checks"]
    assert result["operations"]["reconnect"]["count"] > 10
    assert checks["lost"] == checks["duplicated"] == checks["reordered"] == checks["gaps"] == 0


@pytest.mark.parametrize("target", ["actors", "ws"])
def test_a_user_who_drops_again_while_coming_back_misses_nothing(target: str) -> None:
    fixtures = {"users": 2, "rooms": 1, "rooms_per_user": 1}
    arrivals = [{"constant": {"rate": 60, "for": "2s"}}]

    result = run(
        small(
            target=target,
            fixtures=fixtures,
            arrivals=arrivals,
            mix={"room.send": 10, "reconnect": 90},
        )
    )

    checks = result["checks"]
    assert result["operations"]["reconnect"]["failures"] == {}
    assert checks["lost"] == checks["duplicated"] == checks["reordered"] == checks["gaps"] == 0


def test_a_killed_room_comes_back_and_loses_nothing_it_acknowledged() -> None:
    faults = [{"at": "1s", "kill": "rooms/*", "times": 3, "every": "500ms"}]

    result = run(small(faults=faults))

    assert len(result["faults"]) == 3
    for fault in result["faults"]:
        assert "/rooms/" in fault["path"]
        assert fault["messages_lost"] == 0
    assert result["faults"][-1]["first_seconds"] < 5
    assert result["checks"]["lost"] == result["checks"]["duplicated"] == 0


def test_uploads_are_followed_until_they_are_published() -> None:
    scenario = small(
        arrivals=[{"constant": {"rate": 1, "for": "2s", "distribution": "even"}}],
        mix={"upload": 1},
        track_seconds="2s",
        settle="60s",
    )

    operations = run(scenario)["operations"]

    assert operations["upload"]["count"] == 2
    assert operations["upload.first_segment"]["count"] == 2
    assert operations["upload.published"]["count"] == 2
    assert (
        operations["upload"]["intended"]["p50"] < operations["upload.published"]["intended"]["p50"]
    )
