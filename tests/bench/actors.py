"""Actor rates, sizes, fairness and pauses, held against the project's goals and against peers.

    scripts/bench actors [--seconds N] [--json] [--loop uvloop|asyncio]

Rates are per CPU second of the process, the best of three interleaved rounds: the machine may be
busy. Where a limit is judged in "own CPU", the time that other processes took is left out; the time
by the clock stands beside it. A round trip is a message between two actors and one back; an ask is
`await base.request(...)` from a coroutine, with a time-out and an answer whatever becomes of the
actor. The node's garbage keeper is on for everybody. Peers: Thespian's simpleSystemBase, Pykka, Task +
asyncio.Queue, and Erlang on one scheduler where `erl` and `erlc` are installed.
"""

import argparse
import asyncio
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / ".links"))

import uvloop
from actors_pauses import fairness, pauses
from actors_peers import Pykka, SimpleBase, TaskQueue
from actors_veza import Veza, VezaAsking, VezaAsync, VezaObserved
from actors_words import UNLIMITED, rate, resident_bytes, say

from veza.actors.runtime.garbage import GarbageKeeper

ROUNDS = 3
ANSWER_ROUNDS = 3
PAUSE_SECONDS = 5.0
ERLANG = "erlang +S 1"
ERLANG_SOURCE = Path(__file__).with_name("actors_erlang.erl")
CONTENDERS = {
    each.name: each
    for each in (Veza, VezaObserved, VezaAsync, VezaAsking, SimpleBase, Pykka, TaskQueue)
}
PAUSE_KINDS = {
    "plain": "100k plain actors",
    "supervised": "100k supervised sessions",
    "unkept": "the same, Python's own GC",
}
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def best_of(first, second):
    """The larger figure of each measure that either has."""
    return first | {name: max(first.get(name, 0.0), found) for name, found in second.items()}


# Rates.


async def measured_rates(seconds):
    """The best of some rounds for each contender and measure; rounds are interleaved."""
    keeper = GarbageKeeper(lambda: 0)
    keeper.start(asyncio.get_running_loop())
    best = {name: {} for name in CONTENDERS}
    erlang = Erlang.installed()
    for _ in range(ROUNDS):
        for name, make in CONTENDERS.items():
            contender = make()
            await contender.start()
            for measure, work in contender.works().items():
                most = contender.most_spawned if measure == "spawns" else UNLIMITED
                found = await rate(contender, work, seconds, most)
                best[name] = best_of(best[name], {measure: found})
            await contender.stop()
        if erlang is not None:
            best[ERLANG] = best_of(best.get(ERLANG, {}), await asyncio.to_thread(erlang, seconds))
    keeper.stop()
    return best


class Erlang:
    """The same measures on one scheduler of the BEAM, compiled into a folder of its own."""

    @classmethod
    def installed(cls):
        if shutil.which("erl") is None or shutil.which("erlc") is None:
            say("Erlang is left out: `erl` and `erlc` are not installed.")
            return None
        return cls()

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="veza-bench-")
        command = ["erlc", "-o", self._folder.name, str(ERLANG_SOURCE)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def __call__(self, seconds):
        flags = ["+S", "1", "+P", "2000000", "-noshell", "-pa", self._folder.name]
        command = ["erl", *flags, "-s", ERLANG_SOURCE.stem, "main", str(float(seconds))]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        pairs = (line.rpartition(": ") for line in output.splitlines())
        return {name: float(figure) for name, _, figure in pairs}


# What each takes a process of its own for.


async def alive(name, count):
    """Bytes for each idle actor, and how fast all of them answer, once and again."""
    contender = CONTENDERS[name]()
    await contender.start()
    keeper = GarbageKeeper(lambda: count)
    keeper.start(asyncio.get_running_loop())
    await contender.spawn(10)
    gc.collect()
    before = resident_bytes()
    await contender.spawn(count)
    gc.collect()
    used = (resident_bytes() - before) / count
    started = time.process_time()
    for _ in range(ANSWER_ROUNDS):
        await contender.answer_all()
    spent = time.process_time() - started
    return {f"answers at {count}": ANSWER_ROUNDS * count / spent, f"bytes at {count}": used}


def in_own_process(loop, *arguments):
    """Run one of `PARTS` in a fresh process; return what it found."""
    command = [sys.executable, __file__, "--loop", loop, "--part", *map(str, arguments)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


async def part(name, *arguments):
    """Print what one part found, as JSON, and leave at once: 100,000 actors take time to end."""
    found = await PARTS[name](*arguments)
    say(json.dumps(found))
    os._exit(0)


PARTS = {
    "alive": lambda name, count: alive(name, int(count)),
    "fairness": lambda seconds: fairness(float(seconds)),
    "pauses": lambda kind, seconds: pauses(kind, float(seconds)),
}


def measured(options):
    """All figures, by part and then by contender."""
    with asyncio.Runner(loop_factory=LOOPS[options.loop]) as runner:
        rates = runner.run(measured_rates(options.seconds))
    for name, make in CONTENDERS.items():
        for count in make.alive_counts:
            rates[name] |= in_own_process(options.loop, "alive", name, count)
    return {
        "rates": rates,
        "fairness": in_own_process(options.loop, "fairness", PAUSE_SECONDS),
        "pauses": {
            title: in_own_process(options.loop, "pauses", kind, PAUSE_SECONDS)
            for kind, title in PAUSE_KINDS.items()
        },
    }


# Goals.


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What was promised, and what was found."""

    text: str
    found: float
    wanted: float
    is_limit: bool = False

    @property
    def is_met(self):
        return self.found <= self.wanted if self.is_limit else self.found >= self.wanted

    def line(self):
        sign = "<=" if self.is_limit else ">="
        verdict = "met" if self.is_met else "MISSED"
        return f"{verdict:7} {self.text:58} {figure(self.found):>11} {sign} {figure(self.wanted)}"


RATIOS = {"pykka": 16.0, "thespian simple": 4.0, "task + queue": 4.0, ERLANG: 0.25}


def ratio_goals(rates, ours, measure):
    """Ours against each peer that has the measure."""
    for peer, wanted in RATIOS.items():
        theirs = rates.get(peer, {}).get(measure)
        if theirs:
            text = f"{ours}, {measure}: times {peer}"
            yield Goal(text=text, found=rates[ours][measure] / theirs, wanted=wanted)


def goals(results):
    rates = results["rates"]
    veza = rates["veza"]
    for measure in ("round trips", "1,000 pairs", "1,000 askers"):
        yield Goal(text=f"veza, {measure}/s", found=veza[measure], wanted=400_000)
        yield from ratio_goals(rates, "veza", measure)
    yield Goal(text="fan-in tells/s", found=veza["fan-in"], wanted=1_000_000)
    yield Goal(text="spawns/s, with an answer each", found=veza["spawns"], wanted=100_000)
    megabytes = veza["bytes at 100000"] * 100_000 / 1e6
    yield limit("megabytes of 100k idle plain actors", megabytes, 150)
    yield limit(
        "quiet beside flooded, p99 ms of own CPU",
        results["fairness"]["veza"]["p99 ms, own CPU"],
        10,
    )
    for title in list(PAUSE_KINDS.values())[:2]:
        for phase, found in results["pauses"][title].items():
            worst = found["max pause ms, own CPU"]
            yield limit(f"{title}, {phase}: longest pause ms of own CPU", worst, 10)


def limit(text, found, wanted):
    return Goal(text=text, found=found, wanted=wanted, is_limit=True)


# Report.


def figure(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.4g}"


def table(title, rows, columns):
    say(f"\n{title:26}" + "".join(f"{column:>17}" for column in columns))
    for name, found in rows.items():
        cells = [figure(found[column]) if column in found else "-" for column in columns]
        say(f"{name:26}" + "".join(f"{cell:>17}" for cell in cells))


def upright(title, columns):
    """A table with a column for each of a few cases."""
    names = list(dict.fromkeys(name for found in columns.values() for name in found))
    rows = {
        name: {case: found[name] for case, found in columns.items() if name in found}
        for name in names
    }
    table(title, rows, list(columns))


def report(results):
    rates = results["rates"]
    table("per CPU second", rates, list(Veza().works()))
    for what in ("answers", "bytes"):
        columns = [f"{what} at {count}" for count in (1_000, 10_000, 100_000)]
        rows = {name: row for name, row in rates.items() if set(columns) & set(row)}
        table("actors alive", rows, columns)
    upright("answer of a quiet actor", results["fairness"])
    for title, phases in results["pauses"].items():
        upright(title, phases)
    say("")
    for goal in goals(results):
        say(goal.line())


def as_json(results):
    judged = [
        {"goal": goal.text, "found": goal.found, "wanted": goal.wanted, "is_met": goal.is_met}
        for goal in goals(results)
    ]
    return json.dumps(results | {"goals": judged}, indent=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.3, help="CPU time of each measurement")
    parser.add_argument("--json", action="store_true", help="print figures for programs")
    parser.add_argument("--loop", choices=LOOPS, default="uvloop", help="what a node runs on")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        with asyncio.Runner(loop_factory=LOOPS[options.loop]) as runner:
            runner.run(part(*options.part))
    results = measured(options)
    if options.json:
        say(as_json(results))
    else:
        report(results)


if __name__ == "__main__":
    main()
