"""The open loop: every arrival starts at its time, whatever is still outstanding; then settle and check."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from time import monotonic
from typing import Any, Final

from veza.gateway.load.faults import Strike, recovery
from veza.gateway.load.results import TIMEOUT, UNFINISHED, Recorder, series, totals
from veza.gateway.load.schedule import Arrival
from veza.gateway.load.targets import Behaviour, Run, Target, TargetError
from veza.gateway.load.thresholds import check_one, figures, parse_limit

SWEEP_SECONDS: Final = 0.1
SAMPLE_SECONDS: Final = 1.0
SETTLE_STEP_SECONDS: Final = 0.05
FIRST_SECONDS: Final = 0.1
"""How long after the clock's zero the pacer may need to be up."""

Watch = Callable[[Run, dict[str, Any], float], None]
"""Told once a second: the run, the server's figures, and the seconds since the start."""


class Pacer:
    """Wakes the loop at each arrival's time, from a thread of its own.

    The loop's timers have a grain of a millisecond and share its lateness; a thread's do not.
    """

    def __init__(self, times: list[float], wake: Callable[[], None]) -> None:
        self._times = times
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._is_woken = False
        self._thread = threading.Thread(target=self._run, name="veza-load-pacer", daemon=True)

    def start(self) -> None:
        """Begin; times are of the monotonic clock."""
        self._thread.start()

    async def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        for time in self._times:
            wait = time - monotonic()
            if wait > 0 and self._stop.wait(wait):
                return
            if not self._is_woken and not self._stop.is_set():
                self._is_woken = True
                self._loop.call_soon_threadsafe(self._woken)

    def _woken(self) -> None:
        self._is_woken = False
        self._wake()


class Drive:
    """One run against one target that is prepared."""

    def __init__(
        self, run: Run, target: Target, behaviours: dict[str, Behaviour], watch: Watch
    ) -> None:
        self.run = run
        self.target = target
        self.behaviours = behaviours
        self.watch = watch
        self.samples: list[dict[str, Any]] = []
        self.strikes: list[Strike] = []
        self.aborted: str | None = None
        self._next = 0
        self._all_started = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def drive(self) -> None:
        """Start all arrivals at their times, then wait for their answers and for the deliveries."""
        recorder, arrivals = self.run.recorder, self.run.plan.arrivals
        recorder.zero = recorder.begin() + FIRST_SECONDS
        pacer = Pacer([recorder.zero + each.at_seconds for each in arrivals], self._start_due)
        beside = [
            asyncio.create_task(each) for each in (self._sweep(), self._sample(), self._strike())
        ]
        pacer.start()
        if not arrivals:
            self._all_started.set()
        try:
            await self._all_started.wait()
            await self._finish_open()
            await self._settle()
        finally:
            await pacer.stop()
            for task in (*beside, *self._tasks):
                task.cancel()
            results = await asyncio.gather(*beside, *self._tasks, return_exceptions=True)
        raise_first(results)

    def abort(self, why: str) -> None:
        """Start nothing more."""
        self.aborted = self.aborted or why
        self._all_started.set()

    # --- arrivals ---

    def _start_due(self) -> None:
        arrivals, recorder = self.run.plan.arrivals, self.run.recorder
        while self._next < len(arrivals) and self.aborted is None:
            arrival = arrivals[self._next]
            now = monotonic()
            if recorder.zero + arrival.at_seconds > now:
                return
            self._next += 1
            self._start(arrival, now)
        self._all_started.set()

    def _start(self, arrival: Arrival, now: float) -> None:
        recorder = self.run.recorder
        if len(recorder.open) >= self.run.scenario.max_in_flight:
            recorder.drop(arrival)
            return
        probe = recorder.start(arrival, now)
        behaviour = self.behaviours.get(arrival.operation)
        if behaviour is None:
            self.target.perform(arrival, probe)
        else:
            self._spawn(carried_out(behaviour.perform(arrival, probe), probe))

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish_open(self) -> None:
        open_probes = self.run.recorder.open
        await until(lambda: not open_probes, self.run.scenario.timeout)
        self.run.recorder.expire(monotonic() + 1, UNFINISHED)

    async def _settle(self) -> None:
        deadline = monotonic() + self.run.scenario.settle
        with suppress(TimeoutError):
            async with asyncio.timeout(self.run.scenario.settle):
                await self.target.finish()
        await until(self.run.ledger.is_settled, deadline - monotonic())

    # --- beside them ---

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.run.recorder.expire(monotonic() - self.run.scenario.timeout, TIMEOUT)

    async def _sample(self) -> None:
        zero, second = self.run.recorder.zero, 0
        while True:
            second += 1
            await asyncio.sleep(max(0.0, zero + second * SAMPLE_SECONDS - monotonic()))
            now = monotonic() - zero
            sample = {"at": round(now, 3), **await self.target.sample()}
            self.samples.append(sample)
            self.watch(self.run, sample, now)
            self._check_abort(now)

    def _check_abort(self, now: float) -> None:
        wanted = self.run.scenario.abort_on
        if not wanted or now <= self.run.scenario.warmup + 1 or self.run.recorder.started == 0:
            return
        found = figures(self.partial(now))
        for name, text in wanted.items():
            limit, value = parse_limit(text), found.get(name)
            # The scenario writes when to stop, not what to keep: the limit holding is the reason.
            if value is not None and check_one(name, limit, value).is_kept:
                self.abort(f"{name} {text} after {now:.0f} s")

    def partial(self, seconds: float) -> dict[str, Any]:
        """Return what is measured by now, in the form of a result."""
        recorder, found = self.run.recorder, self.run.ledger.found
        checks = {name: getattr(found, name) for name in ("duplicated", "reordered")}
        return {
            **totals(recorder, len(self.run.plan.arrivals), seconds),
            "generator": {"late": recorder.lateness.summary()},
            "checks": {**checks, "lost": 0, "gaps": 0},
        }

    async def _strike(self) -> None:
        dice = Random(self.run.scenario.seed)  # noqa: S311  # repeatable on purpose
        moments = sorted(
            (at, fault.kill) for fault in self.run.scenario.faults for at in fault.moments()
        )
        for at, pattern in moments:
            await asyncio.sleep(max(0.0, self.run.recorder.zero + at - monotonic()))
            asked = monotonic() - self.run.recorder.zero
            try:
                killed = await self.target.kill(pattern, dice)
            except TargetError as error:
                # The actor may have ended by itself meanwhile; the figures of the rest are still good.
                self.run.note(f"fault at {at:g} s: {error}")
                continue
            if killed is None:
                self.run.note(f"fault at {at:g} s: nobody's path ends like {pattern}")
                continue
            struck = monotonic() - self.run.recorder.zero
            self.strikes.append(Strike(asked, struck, pattern, killed.path, killed.room))

    # --- figures ---

    async def read_back(self) -> None:
        """Compare every room's log with what was acknowledged in it, as far as it can be read."""
        for room in sorted(self.run.ledger.rooms_written()):
            try:
                stored = await self.target.history(room)
            except TargetError as error:
                # What was measured is worth keeping; `judged` sees that this is missing.
                self.run.note(f"the history of room {room} could not be read back: {error}")
                self.run.ledger.found.history_checked = False
                return
            self.run.ledger.compare(room, stored)

    def result(self) -> dict[str, Any]:
        """Return everything that was measured."""
        run, scenario = self.run, self.run.scenario
        recorder: Recorder = run.recorder
        run.ledger.finish()
        late = recorder.lateness.summary()
        is_valid = late["p99"] <= scenario.generator.late_p99 and recorder.started > 0
        return {
            **totals(recorder, len(run.plan.arrivals), scenario.seconds),
            "generator": {
                "late": late,
                "limit_p99": scenario.generator.late_p99,
                "is_valid": is_valid,
            },
            "checks": vars_of(run.ledger.found),
            "series": series(recorder, int(scenario.seconds) + 1),
            "server": self.samples,
            "faults": [
                recovery(strike, self.strikes, recorder.ends or [], run.ledger)
                for strike in self.strikes
            ],
            "counters": run.counters,
            "notes": run.notes,
        }


async def until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds, so long at most."""
    for _ in range(max(1, int(seconds / SETTLE_STEP_SECONDS))):
        if holds():
            return
        await asyncio.sleep(SETTLE_STEP_SECONDS)


async def carried_out(work: Awaitable[None], probe: Any) -> None:
    """Await a behaviour: what it raises is its failure, by the exception's name."""
    try:
        await work
    except Exception as error:  # noqa: BLE001  # any failure of a behaviour is a failed arrival
        probe.fail(type(error).__name__)
    else:
        probe.done()


def vars_of(found: Any) -> dict[str, Any]:
    """Return a slotted dataclass as a mapping."""
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


def raise_first(results: list[Any]) -> None:
    """Raise what ended a task that should have run to the end, unless it was cancelled."""
    for result in results:
        if isinstance(result, Exception):
            raise TargetError(f"the tester failed: {type(result).__name__}: {result}") from result
