"""Checks of a node that runs: it answers, listens where it should, and nothing in it is ill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from veza.config.settings import Settings
from veza.gateway.cli.client import Json
from veza.gateway.cli.findings import Finding, fail, ok, warn
from veza.gateway.cli.names import everyone
from veza.gateway.cli.rendering import BAD, count, milliseconds, moment, seconds, since

NAMED: Final = 3
FULL_SHARE: Final = 0.8
NEAR_SHARE: Final = 0.5
SLOW_LOOP_MS: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Why no node answers. `holder_pid` is the process that holds the data folder all the same."""

    why: str
    holder_pid: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSeen:
    """What a node says of itself."""

    figures: Json
    root: Json
    letters: Sequence[Json]
    crashes: Sequence[Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where a node's process listens on TCP, and where those do that it started.

    `problem` says why that cannot be seen.
    """

    problem: str = ""
    own: tuple[tuple[str, int], ...] = ()
    below: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What /readyz says, by the address it was asked at; `problem` says why it could not be."""

    address: str = ""
    problem: str = ""
    status: int = 0
    checks: Mapping[str, bool]


def check_node(found: NodeSeen | Silence, installed: str) -> Finding:
    """Check that whoever holds the data folder answers on its socket, and is what is installed."""
    if isinstance(found, Silence):
        if found.holder_pid is None:
            return ok("none runs on this data folder")
        return fail(
            f"process {found.holder_pid} holds the data folder, and does not answer: {found.why}",
            "read its log for `the event loop is blocked`; if it hangs, end it and start it anew",
        )
    node = found.figures
    told = f"{node['version']}, pid {node['pid']}, {node['phase']}, up {seconds(since(node['started_at']))}"
    if node["version"] != installed:
        return warn(f"{told}; {installed} is installed", "start it anew to run what is installed")
    return ok(told)


def check_ready(ready: Readiness) -> Finding:
    """Check that the HTTP port says that clients may come."""
    if ready.problem:
        return fail(ready.problem, "look at the node's log")
    failing = [name for name, holds in ready.checks.items() if not holds]
    if failing:
        return fail(
            f"{ready.address}/readyz: {', '.join(failing)} does not hold",
            "clients are refused until it does: look at the node's log",
        )
    return ok(f"{ready.address}/readyz says {ready.status}")


def check_listening(listening: Listening, settings: Settings) -> Finding:
    """Check that the node listens on its one port where the settings say, and nothing else does."""
    if listening.problem:
        return warn(listening.problem, "run the doctor as the account of the node")
    told = ", ".join(f"{host}:{port}" for host, port in listening.own) or "nowhere"
    beside = ", ".join(f"{host}:{port}" for host, port in listening.below)
    ports = {port for _host, port in listening.own}
    if beside:
        return fail(
            f"a process that the node started listens on {beside}",
            "no part of it should: end it, and report this",
        )
    if len(ports) > 1:
        return fail(
            f"it listens on {told}", "only one port is its own: find out what has the other"
        )
    if settings.is_loopback and not all(ip_address(host).is_loopback for host, _ in listening.own):
        return warn(
            f"it listens on {told}, and the settings here say {settings.host}",
            "others can reach it: was it started with --host? give the doctor the same settings",
        )
    if settings.port not in {0, *ports}:
        return warn(
            f"it listens on {told}, and the settings here say {settings.port}",
            "was it started with --port? give the doctor the same settings",
        )
    return ok(f"{told}, and nowhere else")


def check_loop(node: Json) -> Finding:
    """Check that nothing keeps the event loop from turning."""
    if node["blocks"]:
        newest = max(node["blocks"], key=lambda block: str(block["at"]))
        return warn(
            f"was blocked (reports: {len(node['blocks'])}), last at {moment(newest['at'])} for"
            f" {seconds(newest['seconds'])} by {newest['at_work'] or 'no handler'}",
            "the log has its stack; a slow disk or too little CPU does it too",
        )
    worst = f"at most {milliseconds(node['loop_lag_max_ms'])} late in the last minute"
    if node["loop_lag_max_ms"] > SLOW_LOOP_MS:
        return warn(worst, "something takes long without pausing: `veza top`, key b")
    return ok(worst)


def check_files(node: Json) -> Finding:
    """Check that the node has files left to open."""
    used, most = node["open_files"], node["open_files_limit"]
    found = f"{count(used)} of {count(most)} in use"
    if used > FULL_SHARE * most:
        return fail(found, "new connections will be refused: raise the limit of open files")
    return ok(found)


def check_health(root: Json) -> Finding:
    """Check that no actor is ill."""
    ill = [actor for actor in everyone(root) if actor["unhealthy"]]
    told = [f"{actor['path']} ({', '.join(actor['unhealthy'])})" for actor in ill]
    if any(not BAD.isdisjoint(actor["unhealthy"]) for actor in ill):
        return fail(some(told), "`veza ps --unhealthy`, then `veza inspect` each")
    if ill:
        return warn(some(told), "`veza ps --unhealthy` shows whether it passes")
    return ok(f"{count(root['below']['actors'])} actors, all well")


def check_intensity(root: Json) -> Finding:
    """Check that no supervisor is about to give up."""
    near: list[str] = []
    is_at_limit = False
    for actor in everyone(root):
        supervision = actor["supervision"]
        if supervision is None:
            continue
        used, allowed = supervision["restarts_used"], supervision["restarts_allowed"]
        if used and used >= NEAR_SHARE * allowed:
            within = f"{supervision['period_seconds']:g} s"
            near.append(f"{actor['path']}: {used} of {allowed} restarts within {within}")
            is_at_limit |= used >= allowed
    if is_at_limit:
        return fail(some(near), "one more crash ends the supervisor: `veza crashes list`")
    if near:
        return warn(some(near), "`veza crashes list` says what keeps failing")
    return ok("none is near its limit of restarts")


def check_letters(letters: Sequence[Json]) -> Finding:
    """Check that no message was left unread."""
    if not letters:
        return ok("none")
    newest = letters[0]
    return warn(
        f"there are some, the last {newest['type']} to {newest['target']} at {moment(newest['at'])}:"
        f" {newest['reason']}",
        "`veza dead-letters list`; replay what matters, discard the rest",
    )


def check_crashes(groups: Sequence[Json]) -> Finding:
    """Check that nothing failed in the code."""
    if not groups:
        return ok("none since the start")
    newest = groups[0]
    return warn(
        f"{count(sum(group['count'] for group in groups))} (kinds: {len(groups)}), the last"
        f" {newest['error_type']} in {newest['class']} at {moment(newest['last_at'])}",
        f"`veza crashes show {newest['fingerprint']}`, and report it",
    )


def some(told: Sequence[str]) -> str:
    """Name the first few, and how many more there are."""
    more = f" and {len(told) - NAMED} more" if len(told) > NAMED else ""
    return "; ".join(told[:NAMED]) + more
