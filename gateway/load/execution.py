"""One run from beginning to end: open a target, drive it, settle, read back, judge."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import uvloop

from veza.config.settings import Settings
from veza.gateway.load.actor_target import actor_target
from veza.gateway.load.checks import Ledger
from veza.gateway.load.environment import environment
from veza.gateway.load.network_targets import Network, Place, flattened
from veza.gateway.load.nodes import data_folder, own_node, own_settings
from veza.gateway.load.rest_target import RestTarget
from veza.gateway.load.results import Recorder
from veza.gateway.load.runner import Drive, Watch
from veza.gateway.load.safety import check_rate, check_url
from veza.gateway.load.scenario import Scenario
from veza.gateway.load.schedule import plan
from veza.gateway.load.targets import (
    Run,
    Target,
    TargetError,
    check_supported,
    load_behaviours,
    measurable,
    on_delivered,
)
from veza.gateway.load.thresholds import check, figures
from veza.gateway.load.ws_target import WsTarget
from veza.supervisors.boot import StartError, database
from veza.supervisors.database import DatabaseKeeper

FORMAT: Final = "veza-load/1"
EXIT_CODES: Final = {"passed": 0, "failed": 1, "invalid": 1, "aborted": 99, "broken": 99}


@dataclass(frozen=True, slots=True)
class Options:
    """Where to run. Without a URL the tester starts a node of its own; `data` is that node's folder."""

    url: str | None = None
    data: Path | None = None
    allow_target: str | None = None


def execute(
    scenario: Scenario, options: Options, settings: Settings, watch: Watch
) -> dict[str, Any]:
    """Carry a scenario out and return its result. Call from the main thread, outside any loop.

    Raises `ScenarioError` for what is wrong with the request, `UnreachableError` and `TargetError`.
    """
    check_supported(scenario)
    check_rate(scenario, settings)
    if options.url is not None:
        check_url(options.url, options.allow_target, settings)
    load_behaviours(scenario)
    with ExitStack() as stack, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if options.url is not None and scenario.target != "actors":
            return runner.run(carry_out(scenario, options, None, watch))
        folder = stack.enter_context(data_folder(options.data))
        own = own_settings(scenario, folder)
        if scenario.target != "actors":
            return runner.run(carry_out(scenario, options, (own, "", None), watch))
        try:
            dsn, keeper = stack.enter_context(database(own))
            return runner.run(carry_out(scenario, options, (own, dsn, keeper), watch))
        except StartError as error:
            raise TargetError(str(error)) from error


Own = tuple[Settings, str, DatabaseKeeper | None]


async def carry_out(
    scenario: Scenario, options: Options, own: Own | None, watch: Watch
) -> dict[str, Any]:
    """Drive a target and return the judged result."""
    run = new_run(scenario)
    behaviours = load_behaviours(scenario)
    where = environment(scenario)
    async with opened(run, options, own) as target:
        for behaviour in behaviours.values():
            await behaviour.prepare(run, target)
        drive = Drive(run, target, behaviours, watch)
        await drive.drive()
        await drive.read_back()
        result = {
            "format": FORMAT,
            "scenario": scenario.model_dump(mode="json", by_alias=True, exclude_none=True),
            "name": scenario.scenario,
            "target": scenario.target,
            "environment": where,
            "seconds": scenario.seconds,
            "warmup": scenario.warmup,
            **drive.result(),
        }
    return judged(result, scenario, drive.aborted)


def new_run(scenario: Scenario) -> Run:
    """Make a run's parts; everything that chance decides is decided here."""
    recorder = Recorder(
        warmup_seconds=scenario.warmup,
        late_after_seconds=scenario.generator.late_after,
        keep_ends=bool(scenario.faults),
    )
    name = token_hex(4)
    ledger = Ledger(name, on_delivered(recorder))
    return Run(scenario, plan(scenario), name, recorder, ledger)


@asynccontextmanager
async def opened(run: Run, options: Options, own: Own | None) -> AsyncIterator[Target]:
    """Lend the scenario's target, ready."""
    async with AsyncExitStack() as stack:
        if own is not None and own[2] is not None:
            context = actor_target(run, own[0], own[1], own[2])
            yield await stack.enter_async_context(context)
            return
        if own is not None:
            node = await stack.enter_async_context(own_node(own[0]))
            place = Place(node.url, node.data, node.pid)
        else:
            place = Place(str(options.url).rstrip("/"), options.data, None)
        yield await stack.enter_async_context(network_target(run, place))


@asynccontextmanager
async def network_target(run: Run, place: Place) -> AsyncIterator[Target]:
    """Lend the scenario's target, ready."""
    network = Network(run, place)
    target: RestTarget | WsTarget = (
        RestTarget(run, network) if run.scenario.target == "rest" else WsTarget(run, network)
    )
    async with network.api:
        try:
            await network.prepare()
            await target.prepare()
            yield target
        except ExceptionGroup as group:
            raise flattened(group) from group
        finally:
            await target.close()
            await network.close()


def judged(result: dict[str, Any], scenario: Scenario, aborted: str | None) -> dict[str, Any]:
    """Add thresholds and verdict: a late generator's figures are not believed, whatever they say."""
    kept = check(measurable(scenario), figures(result))
    why = [
        f"{each.name} {each.wanted}: {each.to_json()['shown']}" for each in kept if not each.is_kept
    ]
    verdict = "broken" if why else "passed"
    if not result["checks"]["history_checked"] and result["checks"]["acked"]:
        verdict, why = "failed", ["the rooms' history could not be read back"]
    wanted = sum(fault.times for fault in scenario.faults)
    if len(result["faults"]) < wanted:
        verdict, why = "failed", [f"only {len(result['faults'])} of {wanted} faults struck", *why]
    if aborted is not None:
        verdict, why = "aborted", [aborted]
    if not result["generator"]["is_valid"]:
        verdict = "invalid"
        late = result["generator"]["late"]["p99"]
        limit = result["generator"]["limit_p99"]
        why = [
            f"the generator was late: p99 {late * 1000:.1f} ms, allowed {limit * 1000:.1f} ms",
            *why,
        ]
    return {
        **result,
        "thresholds": [each.to_json() for each in kept],
        "verdict": verdict,
        "why": why,
        "exit_code": EXIT_CODES[verdict],
    }
