"""Chat under faults: random members, kills in the middle of sends, and a judge who reads the database.

    scripts/soak chat [--seconds 60] [--seeds 3] [--faults actors,server,db,stop,mixed]
    scripts/soak chat --judge FOLDER

One line a run; 1 as exit code if any promise was broken. The history of such a run is kept in a folder,
with the node's log, and the line names the options that repeat it. `--judge` judges a kept history again.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / ".links"))

from soak.faults import MIXES
from soak.findings import broken, examples
from soak.judge import judge
from soak.people import Habits
from soak.records import load
from soak.runs import Outcome, Plan, perform
from soak.world import LOG

from veza.gateway.load.nodes import data_folder

SETTLE_SECONDS = 15.0
ABSENCES = 0.1
USUAL = [name for name, mix in MIXES.items() if mix.is_usual]


def main() -> int:
    given = options()
    if given.judge is not None:
        found = judge(load(given.judge))
        say("\n".join(examples(found)) or "every promise was kept")
        return int(bool(found))
    is_broken, habits = (
        False,
        Habits(acts=given.acts, leavings=given.leavings, absences=given.absences),
    )
    for mix in given.faults:
        for seed in range(given.seed, given.seed + given.seeds):
            plan = Plan(
                mix=mix,
                seed=seed,
                seconds=given.seconds,
                settle_seconds=given.settle,
                habits=habits,
            )
            is_broken |= run(plan, given.keep, is_kept=given.keep_all)
    return int(is_broken)


def run(plan: Plan, keep: Path, *, is_kept: bool) -> bool:
    """Carry out one run and tell of it; return whether a promise was broken."""
    with data_folder(None) as data:
        outcome = asyncio.run(perform(plan, data))
        told = "  ".join(f"{name} {count}" for name, count in outcome.figures().items())
        say(f"{plan.mix:<8} seed {plan.seed}  {plan.seconds:.0f} s  {told}")
        if outcome.violations or is_kept:
            folder = put_away(outcome, data, keep)
            say(f"  kept in {folder}")
    if outcome.violations:
        say(f"  {broken(outcome.violations)}")
        for example in examples(outcome.violations):
            say(f"  {example}")
        again = f"--faults {plan.mix} --seed {plan.seed} --seeds 1 --seconds {plan.seconds:g}"
        again += f" --acts {plan.habits.acts:g} --leavings {plan.habits.leavings:g}"
        say(f"  again: scripts/soak chat {again}")
    return bool(outcome.violations)


def put_away(outcome: Outcome, data: Path, keep: Path) -> Path:
    """Keep what a run left."""
    keep.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{outcome.plan.name}-", dir=keep))
    outcome.history.save(folder)
    for log in (data / LOG, *data.glob(f"node-*/{LOG}")):
        if log.exists():
            shutil.copy(
                log, folder / LOG if log.parent == data else folder / f"{log.parent.name}.log"
            )
    (folder / "figures.json").write_text(json.dumps(outcome.figures()))
    return folder


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # what the command is for


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak chat", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long faults strike")
    parser.add_argument("--seeds", type=int, default=3, help="how many runs of each mix")
    parser.add_argument("--seed", type=int, default=1, help="the first one's seed")
    parser.add_argument(
        "--settle", type=float, default=SETTLE_SECONDS, help="seconds to be well in"
    )
    parser.add_argument("--faults", type=mixes, default=USUAL, help=", ".join(MIXES))
    parser.add_argument("--acts", type=float, default=3.0, help="edits, reads… a second and member")
    parser.add_argument(
        "--absences", type=float, default=ABSENCES, help="how likely a cut off member stays away"
    )
    parser.add_argument(
        "--leavings",
        type=float,
        default=Habits().leavings,
        help="a second and member, to come back",
    )
    parser.add_argument("--keep", type=Path, default=Path("build/soak"), help="where histories go")
    parser.add_argument("--keep-all", action="store_true", help="keep those without a fault too")
    parser.add_argument("--judge", type=Path, help="a kept history to judge again")
    return parser.parse_args()


def mixes(text: str) -> list[str]:
    names = text.split(",")
    unknown = ", ".join(name for name in names if name not in MIXES)
    if unknown:
        raise argparse.ArgumentTypeError(
            f"no mix is called {unknown}; there are {', '.join(MIXES)}"
        )
    return names


if __name__ == "__main__":
    sys.exit(main())
