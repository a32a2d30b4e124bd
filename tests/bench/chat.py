"""Measure chat from outside, over real sockets, and what it is compared with in the same run.

    scripts/bench chat [--only NAME,…] [--full] [--ws] [--json]

The server is a process of its own on core 0, the load side this process on core 1; PostgreSQL runs where
it likes. CPU is the server process's own, user and system. fanout: 10 rooms of 50, 20 senders, 128
characters each, as fast as it goes. rate: 200 messages a second into a room of 50. sends: one message in
flight each, the answer follows the commit. idle: memory of connections that do nothing. storm: 2,000
drop and come back at once while a room goes on. slow: one member of ten stops reading.
`--ws` installs Node's `ws` into a temporary folder and measures it too. Machines are noisy: compare
microseconds and ratios, not messages a second.
"""

import argparse
import gc
import json
import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / ".links"))

import uvloop
from chat_load import Figures, fan_out, fixed_rate, idle, sends, slow_reader, storm
from chat_people import Node, Peer, Place
from chat_server import LOAD_CORE, node_ws, pin, plain_aiohttp, scratch, veza

SCENARIOS = ("fanout", "rate", "sends", "idle", "storm", "slow")
GOALS = {
    "fanout": {"cpu_us_each": 3.0},
    "rate": {"cpu_us_each": 15.0},
    "sends": {"acked_per_second": 12_000, "ack_p99_ms": 15.0},
    "sends, one room": {"acked_per_second": 2_000, "ack_p99_ms": 15.0},
    "idle": {"kb_each": 20.0},
    "storm": {"all_back_seconds": 1.0, "bystander_p99_ms_during": 150.0},
    "slow": {"closed_after_seconds": 3.0},
}


@asynccontextmanager
async def places(with_ws: bool) -> AsyncIterator[list[tuple[str, object]]]:
    """Everything that is measured, by name; each server is started when its turn comes."""
    with scratch() as folder:
        found: list[tuple[str, object]] = [("veza", veza(Path(folder) / "data"))]
        found.append(("aiohttp send_str", plain_aiohttp()))
        ws = node_ws(Path(folder)) if with_ws else None
        if ws is not None:
            found.append(("npm ws", ws))
        yield found


async def measure(place: Place, names: list[str], full: bool) -> dict[str, Figures]:
    """Run the scenarios that make sense for a place, one after the other."""
    seconds = 15.0 if full else 5.0
    is_node = isinstance(place, Node)
    found: dict[str, Figures] = {}
    for name in names:
        gc.collect()
        match name:
            case "fanout":
                found[name] = await fan_out(place, seconds)
            case "rate":
                found[name] = await fixed_rate(place, seconds)
            case "sends" if is_node:
                found[name] = await sends(place, seconds, rooms=20, per_room=5)
                found["sends, one room"] = await sends(place, seconds, rooms=1, per_room=40)
            case "idle":
                found[name] = await idle(place, 10_000 if full else 5_000)
            case "storm":
                found[name] = await storm(place, 2_000)
            case "slow" if is_node:
                found[name] = await slow_reader(place)
            case _:
                pass
        if name in found:
            print(f"{place.name:18}{name:18}{found[name]}", flush=True)
    return found


async def run(names: list[str], full: bool, with_ws: bool) -> dict[str, dict[str, Figures]]:
    results = {}
    async with places(with_ws) as servers:
        for name, server in servers:
            async with server:  # type: ignore[attr-defined]
                place: Place = Node(server) if name == "veza" else Peer(name, server)  # type: ignore[arg-type]
                if isinstance(place, Node):
                    await place.sign_up()
                results[name] = await measure(place, names, full)
    return results


def judge(results: dict[str, dict[str, Figures]]) -> list[str]:
    """Each goal beside what was measured, and the ratio to each peer."""
    lines = []
    for name, goals in GOALS.items():
        own = results["veza"].get(name)
        if own is None:
            continue
        for figure, goal in goals.items():
            at_least = figure == "acked_per_second"
            is_met = own[figure] >= goal if at_least else own[figure] <= goal
            lines.append(
                f"{'ok  ' if is_met else 'MISS'} {name}: {figure} {own[figure]:g}"
                f" (goal {'at least' if at_least else 'at most'} {goal:g})"
            )
            lines += [
                f"     {peer}: {theirs[name][figure]:g}, {own[figure] / theirs[name][figure]:.2f} times"
                for peer, theirs in results.items()
                if peer != "veza" and figure in theirs.get(name, {}) and theirs[name][figure]
            ]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(SCENARIOS), help=", ".join(SCENARIOS))
    parser.add_argument("--full", action="store_true", help="longer, and 10,000 idle connections")
    parser.add_argument("--ws", action="store_true", help="measure npm's ws too")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(65_536, hard)), hard))
    pin(os.getpid(), LOAD_CORE)
    results = uvloop.run(run(given.only.split(","), given.full, given.ws))
    print(json.dumps(results, indent=2) if given.json else "\n".join(judge(results)))


if __name__ == "__main__":
    main()
