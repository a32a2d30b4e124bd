"""`veza doctor`: numbered checks of everything a node needs and is, each with what to do about it."""

import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from rich.text import Text

from veza.config.version import version
from veza.gateway.cli.examination import Running, Surroundings, examine
from veza.gateway.cli.findings import Finding, Grade, fail
from veza.gateway.cli.machine_checks import (
    check_clock,
    check_database,
    check_encoder,
    check_folder,
    check_inodes,
    check_media,
    check_open_files,
    check_port,
    check_public_url,
    check_python,
    check_redis,
    check_registration,
    check_secrets,
    check_settings,
    check_space,
)
from veza.gateway.cli.node_checks import (
    NodeSeen,
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
from veza.gateway.cli.options import HERE, Where, read_settings
from veza.gateway.cli.outcome import Exit
from veza.gateway.cli.rendering import clean, remark, show, show_json

Facts = TypeVar("Facts")

ALWAYS: Final[Mapping[str, Callable[[list[str]], Finding]]] = {
    "Python": lambda _wrong: check_python(sys.version_info[:3]),
    "Settings": check_settings,
}
AROUND: Final[Mapping[str, Callable[[Surroundings], Finding]]] = {
    "Public address": lambda around: check_public_url(around.settings),
    "Registration": lambda around: check_registration(around.settings),
    "Data folder": lambda around: check_folder(around.settings.data, os.geteuid()),
    "Secrets": lambda around: check_secrets(around.settings.data),
    "Disk": lambda around: check_space(around.settings.data),
    "Inodes": lambda around: check_inodes(around.settings.data),
    "Open files": lambda _: check_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
    "Database": lambda around: check_database(around.database),
    "Redis": lambda around: check_redis(around.redis),
    "Media": lambda around: check_media(around.media),
    "Clock": lambda around: check_clock(time.time(), around.database, around.settings.data),
    "Encoder": lambda around: check_encoder(around.encoder),
    "Node": lambda around: check_node(seen_of(around.node), version()),
}
SILENT: Final[Mapping[str, Callable[[Surroundings], Finding]]] = {
    "Port": lambda around: check_port(around.settings),
}
RUNNING: Final[Mapping[str, Callable[[Running], Finding]]] = {
    "Port": lambda running: check_listening(running.listening, running.settings),
    "Ready": lambda running: check_ready(running.ready),
    "Event loop": lambda running: check_loop(running.node.figures),
    "Files in use": lambda running: check_files(running.node.figures),
    "Actors": lambda running: check_health(running.node.root),
    "Supervisors": lambda running: check_intensity(running.node.root),
    "Dead letters": lambda running: check_letters(running.node.letters),
    "Crashes": lambda running: check_crashes(running.node.crashes),
}
STYLES: Final = {Grade.OK: "green", Grade.WARN: "yellow", Grade.FAIL: "bold red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finding under the name of its check."""

    name: str
    finding: Finding


async def doctor(*, where: Where = HERE) -> int:
    """Check what a node needs, and the node if it runs. Exits with 1 if anything FAILs."""
    settings, wrong = read_settings(data=where.data)
    results = list(results_of(ALWAYS, wrong))
    node: Running | Silence | None = None
    if settings is not None:
        around = await examine(settings, where.worker)
        node = around.node
        results += results_of(AROUND, around)
        results += results_of(RUNNING, node) if isinstance(node, Running) else ()
        if isinstance(node, Silence) and node.holder_pid is None:
            results += results_of(SILENT, around)
    if where.as_json:
        show_json([told(number, each) for number, each in enumerate(results, start=1)])
    else:
        show(*lines(results))
        tell_what_is_missing(node)
    return Exit.PROBLEM if Grade.FAIL in {each.finding.grade for each in results} else Exit.OK


def seen_of(node: Running | Silence) -> NodeSeen | Silence:
    """Return what a node says of itself."""
    return node.node if isinstance(node, Running) else node


def results_of(checks: Mapping[str, Callable[[Facts], Finding]], facts: Facts) -> Iterator[Result]:
    """Make the checks, in order; what may not be looked at is a finding too."""
    for name, check in checks.items():
        try:
            finding = check(facts)
        except OSError as error:
            finding = fail(str(error), "run the doctor as the account of the node")
        yield Result(name=name, finding=finding)


def told(number: int, result: Result) -> dict[str, object]:
    """Return what a script is told of a check."""
    finding = result.finding
    return {
        "number": number,
        "name": result.name,
        "grade": finding.grade,
        "found": finding.found,
        "advice": finding.advice,
    }


def lines(results: list[Result]) -> Iterator[Text]:
    """Show each check in a line, what to do below it, and the sum of all at the end."""
    width = max(len(each.name) for each in results)
    for number, each in enumerate(results, start=1):
        finding = each.finding
        head = f"{number:>2}  ", (f"{finding.grade:<4}", STYLES[finding.grade])
        yield Text.assemble(*head, f"  {each.name:<{width}}  {clean(finding.found)}")
        if finding.advice:
            yield Text.assemble(" " * (width + 12), (f"-> {clean(finding.advice)}", "bold"))
    sums = Counter(each.finding.grade for each in results)
    parts = ", ".join(f"{sums[grade]} {grade}" for grade in Grade)
    yield Text(f"\n{len(results)} checks: {parts}.")


def tell_what_is_missing(node: Running | Silence | None) -> None:
    """Say which checks could not be made."""
    if node is None:
        remark("All else depends on the settings: mend them, and ask the doctor again.")
    elif isinstance(node, Silence):
        remark(f"No node answers, so the {len(RUNNING)} checks of one were left out.")
