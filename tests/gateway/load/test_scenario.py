"""A scenario with a mistake is refused, and the message says where and what."""

import re

import pytest

from veza.gateway.load.scenario import ScenarioError, load, parsed, ready_ones
from veza.gateway.load.targets import check_supported, load_behaviours

GOOD = """
scenario: mine
arrivals: [{constant: {rate: 10/s, for: 2s}}]
mix: {room.send: 1}
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD + "colour: red", "colour: there is no such key"),
        (GOOD.replace("10/s", "fast"), "arrivals.0.constant.rate: 'fast' is no rate"),
        (GOOD.replace("2s", "soon"), "arrivals.0.constant.for: 'soon' is no time"),
        (GOOD.replace("2s", "2h"), "a run takes an hour at most"),
        (GOOD.replace("room.send", "room.sned"), "no operation room.sned; there are"),
        (GOOD.replace("{constant", "{ramp: {from: 1, to: 2, for: 1s}, constant"), "exactly one of"),
        (GOOD + "thresholds: {room.send.p99: fast}", "'fast' is no limit"),
        (GOOD + "thresholds: {room.read.p99: <1s}", "'room.read.p99': nothing of this scenario"),
        (GOOD + "warmup: 2s", "warmup: it must end before the run does"),
        (GOOD + "faults: [{at: 9s, kill: x}]", "x would strike after the end"),
        (GOOD + "fixtures: {rooms: 0}", "the mix needs rooms"),
        (GOOD + "settings: {massage_burst: 1}", "no such setting: massage_burst"),
        (GOOD + "target: tcp", "target: Input should be"),
        ("- a list", "a scenario is a mapping"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_mistake_is_named(tmp_path, text: str, told: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)

    with pytest.raises(ScenarioError, match=re.escape(told)) as refused:
        load(str(path))

    assert "mine.yaml" in str(refused.value)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"nowhere\.yaml"):
        load("nowhere.yaml")
    with pytest.raises(ScenarioError, match=r"ready ones: .*smoke"):
        load("nowhere")


def test_every_ready_scenario_is_valid_and_can_be_run_at_its_target() -> None:
    assert ready_ones().keys() >= {
        *("chat", "big-room", "resume-storm", "catalogue", "supervision", "smoke"),
    }
    for name in ready_ones():
        scenario = load(name)
        assert scenario.scenario == name
        assert scenario.about
        check_supported(scenario)


def test_an_operation_that_a_target_does_not_know_is_refused(scenario) -> None:
    with pytest.raises(ScenarioError, match="cannot be done at target ws; at actors, rest it can"):
        check_supported(scenario(target="ws", mix={"rooms.list": 1}))


@pytest.mark.parametrize("reference", ["no.such.module:It", "json:Nothing", "json:JSONDecoder"])
def test_a_behaviour_that_is_none_is_refused(scenario, reference: str) -> None:
    wrong = scenario(mix={"own": {"weight": 1, "behaviour": reference}})

    with pytest.raises(ScenarioError, match="behaviour"):
        load_behaviours(wrong)


def test_what_a_scenario_is_called_by_does_not_depend_on_where_it_runs(scenario) -> None:
    assert scenario(target="ws").hash() == scenario(target="rest").hash()
    assert scenario().hash() != scenario(seed=99).hash()


def test_sound_delivery_is_a_threshold_of_every_run() -> None:
    import yaml

    limits = parsed(yaml.safe_load(GOOD), "good").limits

    assert {name: limits[name] for name in ("lost", "duplicated", "reordered")} == {
        "lost": "==0",
        "duplicated": "==0",
        "reordered": "==0",
    }
