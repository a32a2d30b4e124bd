"""The commands of `veza load`: run a scenario, list the ready ones, report on runs, compare two."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import orjson
from cyclopts import App, Parameter
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from veza.config.logging import configure_logging
from veza.config.settings import Settings
from veza.gateway.cli.outcome import Exit
from veza.gateway.load.compare import compare, unlike
from veza.gateway.load.execution import FORMAT, Options, execute
from veza.gateway.load.progress import summary, watching
from veza.gateway.load.quantities import duration_text, parse_duration, parse_rate
from veza.gateway.load.report import report_page
from veza.gateway.load.scenario import Scenario, ScenarioError, TargetName, ready_ones
from veza.gateway.load.scenario import load as load_scenario
from veza.gateway.load.targets import TargetError, UnreachableError

load = App(
    name="load", help="Load a node in an open loop, and check every message it acknowledges."
)


@load.command
def run(
    scenario: str,
    *,
    target: str | None = None,
    rate: str | None = None,
    seconds: Annotated[str | None, Parameter(name="--for")] = None,
    seed: int | None = None,
    out: Path | None = None,
    report: Path | None = None,
    url: str | None = None,
    data: Path | None = None,
    allow_target: str | None = None,
) -> int:
    """Run a scenario; exit with 0, with 99 if a threshold is broken, with 1 if the run is invalid.

    Parameters
    ----------
    scenario
        A .yaml file, or the name of a ready one (veza load list).
    target
        actors: a node in this process, past the gateway. ws, rest: through it.
    rate
        Highest rate, such as 400/s; all phases in proportion.
    seconds
        How long, such as 30s; all phases in proportion.
    seed
        What decides the arrivals; the same seed gives the same ones.
    out
        Write the result as JSON.
    report
        Write a report, one HTML file.
    url
        A running node for ws and rest. Without it the tester starts one, and removes it.
    data
        The data folder of the node: with --url to reach its operators' socket, else where to keep it.
    allow_target
        A host beside this machine; VEZA_LOAD_TARGETS must have it too.

    """
    console = Console()
    configure_logging("error", "auto")
    try:
        check_place(out)
        check_place(report)
        wanted = chosen_scenario(scenario, target, rate, seconds, seed)
        check_url_fits(url, wanted)
        with watching(console) as watch:
            result = execute(wanted, Options(url, data, allow_target), read_settings(), watch)
    except ScenarioError as error:
        return fail(str(error), Exit.USAGE)
    except UnreachableError as error:
        return fail(str(error), Exit.UNREACHABLE)
    except (TargetError, OSError) as error:
        return fail(str(error), Exit.PROBLEM)
    except KeyboardInterrupt:
        return fail("stopped", Exit.PROBLEM)
    summary(result, lambda text: console.print(text, highlight=False, markup=False, soft_wrap=True))
    write_result(result, out, report)
    code: int = result["exit_code"]
    return code


@load.command(name="list")
def list_ready() -> int:
    """List the scenarios that come with Veza."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("SCENARIO", "TARGET", "LASTS", "HIGHEST RATE", "WHAT IT IS"):
        table.add_column(name)
    for name in ready_ones():
        each = load_scenario(name)
        table.add_row(
            name, each.target, duration_text(each.seconds), f"{each.highest_rate:g}/s", each.about
        )
    Console().print(table)
    return 0


@load.command(name="report")
def write_report(
    *results: Path, out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("run.html")
) -> int:
    """Write a report on one run, or on several side by side.

    Parameters
    ----------
    results
        Result files of `veza load run --out`.
    out
        The HTML file to write.

    """
    try:
        check_place(out)
        read = [read_result(path) for path in results]
    except ScenarioError as error:
        return fail(str(error), Exit.USAGE)
    if not read:
        return fail("which results?", Exit.USAGE)
    out.write_text(report_page(read), "utf-8")
    Console().print(f"{out} ({out.stat().st_size // 1024} KiB)", highlight=False)
    return 0


@load.command(name="compare")
def compare_runs(a: Path, b: Path) -> int:
    """Compare two runs; what is within the noise is said to be.

    Parameters
    ----------
    a
        The result to compare with.
    b
        The result that is compared.

    """
    try:
        first, second = read_result(a), read_result(b)
    except ScenarioError as error:
        return fail(str(error), Exit.USAGE)
    console = Console()
    for text in unlike(first, second):
        console.print(f"not alike: {text}", highlight=False, markup=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("OPERATION", "PER SECOND", "A", "B", "B/A", "95 %", ""):
        table.add_column(name, no_wrap=True)
    for each in compare(first, second):
        ratio = f"{each.b / each.a:.2f}" if each.a else ""
        interval = "" if each.low is None else f"{each.low:.2f} - {each.high:.2f}"
        times = duration_text(each.a), duration_text(each.b)
        table.add_row(each.operation, each.figure, *times, ratio, interval, each.verdict)
    console.print(table)
    return 0


def chosen_scenario(
    name: str, target: str | None, rate: str | None, seconds: str | None, seed: int | None
) -> Scenario:
    """Read a scenario and apply what the command line says. Raises `ScenarioError`."""
    try:
        highest = None if rate is None else parse_rate(rate)
        lasts = None if seconds is None else parse_duration(seconds)
    except ValueError as error:
        raise ScenarioError(str(error)) from error
    return load_scenario(name).changed(
        target=target_name(target), rate=highest, seconds=lasts, seed=seed
    )


def check_url_fits(url: str | None, scenario: Scenario) -> None:
    """Refuse the address of a node where none is asked. Raises `ScenarioError`."""
    if url is not None and scenario.target == "actors":
        raise ScenarioError("--url is for ws and rest; actors always runs a node of its own")


def read_settings() -> Settings:
    """Read the environment. Raises `ScenarioError`."""
    try:
        return Settings()
    except ValidationError as error:
        raise ScenarioError(str(error)) from error


def write_result(result: dict[str, Any], out: Path | None, report: Path | None) -> None:
    """Write the files that were asked for."""
    if out is not None:
        out.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    if report is not None:
        report.write_text(report_page([result]), "utf-8")


def target_name(given: str | None) -> TargetName | None:
    """Return a target by name. Raises `ScenarioError`."""
    known: dict[str, TargetName] = {name: name for name in get_args(TargetName)}
    if given is not None and given not in known:
        raise ScenarioError(f"no target {given!r}; there are {', '.join(known)}")
    return None if given is None else known[given]


def read_result(path: Path) -> dict[str, Any]:
    """Read a result file. Raises `ScenarioError`."""
    try:
        result = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    if not isinstance(result, dict) or result.get("format") != FORMAT:
        raise ScenarioError(f"{path} is no result of veza load")
    return result


def check_place(path: Path | None) -> None:
    """Refuse a file that cannot be written, before minutes are spent on what is to be in it.

    Raises `ScenarioError`.
    """
    if path is None:
        return
    place = path if path.exists() else path.parent
    if path.is_dir() or not path.parent.is_dir() or not os.access(place, os.W_OK):
        raise ScenarioError(f"{path} cannot be written")


def fail(message: str, code: Exit) -> int:
    """Say what is wrong on standard error."""
    sys.stderr.write(f"veza: {message}\n")
    return code
