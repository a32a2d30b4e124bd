"""What a run shows while it goes on: a panel on a terminal, a line a second anywhere else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from veza.gateway.load.quantities import duration_text
from veza.gateway.load.runner import Watch
from veza.gateway.load.targets import Run

WINDOW_SECONDS: Final = 1


@contextmanager
def watching(console: Console) -> Iterator[Watch]:
    """Lend what shows a run's progress."""
    if not console.is_terminal:
        yield lambda run, sample, now: console.print(
            line(run, sample, now), highlight=False, soft_wrap=True
        )
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda run, sample, now: live.update(panel(run, sample, now), refresh=True)


def facts(run: Run, sample: dict[str, Any]) -> dict[str, str]:
    """Return what is worth watching, by name."""
    recorder, recent = run.recorder, run.recorder.recent(WINDOW_SECONDS)
    mailboxes = ", ".join(
        f"{each['path'].rpartition('/')[2][-12:]} {each['depth']}"
        for each in sample.get("mailboxes", ())
    )
    found = {
        "asked": f"{recent.asked:.0f}/s",
        "got": f"{recent.got:.0f}/s",
        "p50": duration_text(recent.percentile(0.5)),
        "p99": duration_text(recent.percentile(0.99)),
        "open": str(len(recorder.open)),
        "errors": str(recorder.failed),
        "late": str(recorder.late),
        "dropped": str(recorder.dropped),
        "duplicated": str(run.ledger.found.duplicated),
        "mailboxes": mailboxes or "empty",
    }
    if "loop_lag_ms" in sample:
        found["loop lag"] = f"{sample['loop_lag_ms']:.1f} ms"
    if "cpu_percent" in sample:
        found["node cpu"] = f"{sample['cpu_percent']:.0f}%"
    return found


def line(run: Run, sample: dict[str, Any], now: float) -> str:
    """Return one line of progress."""
    told = "  ".join(f"{name} {value}" for name, value in facts(run, sample).items())
    return f"{now:6.1f} s  {told}"


def panel(run: Run, sample: dict[str, Any], now: float) -> Group:
    """Return the picture of a terminal."""
    scenario = run.scenario
    table = Table.grid(padding=(0, 2))
    for name, value in facts(run, sample).items():
        is_bad = name in {"errors", "late", "dropped", "duplicated"} and value != "0"
        table.add_row(Text(name, style="dim"), Text(value, style="bold red" if is_bad else "bold"))
    title = f"{scenario.scenario} against {scenario.target}   {now:.0f} of {scenario.seconds:.0f} s"
    bar = ProgressBar(total=scenario.seconds, completed=min(now, scenario.seconds), width=60)
    return Group(Text(title, style="bold"), bar, table)


def summary(result: dict[str, Any], say: Callable[[str], None]) -> None:
    """Tell a finished run in a screenful."""
    rate, arrivals, checks = result["rate"], result["arrivals"], result["checks"]
    say(f"{result['name']} against {result['target']}: {result['verdict'].upper()}")
    for why in result["why"]:
        say(f"  {why}")
    say(
        f"asked {rate['asked']:.1f}/s, got {rate['got']:.1f}/s; started {arrivals['started']},"
        f" failed {arrivals['failed']}, dropped {arrivals['dropped']}, late {arrivals['late']}"
    )
    say(
        f"{'':22}{'answered':>8}{'failed':>8}{'p50':>11}{'p99':>11}{'p99.9':>11}{'max':>11}  service p99"
    )
    for name, each in result["operations"].items():
        times = "".join(
            f"{duration_text(each['intended'][key]):>11}" for key in ("p50", "p99", "p99.9", "max")
        )
        service = duration_text(each["service"]["p99"])
        answered = each["count"] - each["unanswered"]
        say(f"{name:22}{answered:>8}{each['failed']:>8}{times}  {service:>11}")
    say(
        f"messages: {checks['acked']} acknowledged, {checks['delivered']} delivered, {checks['lost']}"
        f" lost, {checks['duplicated']} duplicated, {checks['reordered']} reordered,"
        f" {checks['gaps']} gaps"
    )
    for fault in result["faults"]:
        say(f"fault at {fault['at']:.1f} s: {fault_text(fault)}")
    for note in result["notes"]:
        say(f"note: {note}")


def fault_text(fault: dict[str, Any]) -> str:
    """Tell what a fault did."""
    first, full = fault["first_seconds"], fault["full_seconds"]
    whole = "nothing failed" if full == 0 else f"whole again after {told(full)}"
    return (
        f"{fault['path']} killed; first answer after {told(first)}, {whole};"
        f" {fault['failed']} failed, {fault['messages_lost']} messages lost"
    )


def told(seconds: float | None) -> str:
    """Tell a time that may not have come."""
    return "never" if seconds is None else duration_text(seconds)
