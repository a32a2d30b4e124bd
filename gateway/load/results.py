"""What a run measured: each arrival's times, by operation and by second, and the figures they add up to."""

from array import array
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from veza.gateway.load.histogram import Latencies
from veza.gateway.load.scenario import MEASURED
from veza.gateway.load.schedule import Arrival

TIMEOUT: Final = "timed_out"
UNFINISHED: Final = "unfinished"
BESIDE: Final = frozenset(name for names in MEASURED.values() for name in names)


class Probe:
    """One arrival under way. The target says when it was sent, and once how it ended."""

    __slots__ = ("_recorder", "arrival", "intended", "is_over", "sent_at", "started")

    def __init__(self, recorder: "Recorder", arrival: Arrival, intended: float, now: float) -> None:
        self._recorder = recorder
        self.arrival = arrival
        self.intended = intended
        self.started = now
        self.sent_at: float | None = None
        self.is_over = False

    def sent(self) -> None:
        """Say that the request leaves now: what came before was waiting, not service."""
        if self.sent_at is None:
            self.sent_at = monotonic()

    def done(self) -> None:
        """Say that the answer came."""
        self._end(None)

    def fail(self, code: str) -> None:
        """Say that it failed, and how in one word."""
        self._end(code)

    def measure(self, name: str) -> None:
        """Record a time beside the answer's: something else has happened now."""
        self._recorder.measure(name, self.intended, self.sent_at or self.started, monotonic())

    def miss(self, name: str, code: str) -> None:
        """Record that something beside the answer did not happen."""
        self._recorder.count_failure(name, code, self.arrival.at_seconds)

    def _end(self, code: str | None) -> None:
        if not self.is_over:
            self.is_over = True
            self._recorder.ended(self, code, monotonic())


@dataclass(slots=True)
class Second:
    """What became of the arrivals of one second of the schedule; times in seconds, raw."""

    intended: "array[float]" = field(default_factory=lambda: array("f"))
    service: "array[float]" = field(default_factory=lambda: array("f"))
    failed: int = 0
    unanswered: int = 0


class Measured:
    """One operation, or one thing that is measured beside it.

    `unanswered` of its times are those of arrivals that were given up: they took that long at least.
    """

    __slots__ = ("failures", "intended", "seconds", "service", "unanswered")

    def __init__(self) -> None:
        self.intended = Latencies()
        self.service = Latencies()
        self.unanswered = 0
        self.failures: Counter[str] = Counter()
        self.seconds: dict[int, Second] = {}

    def second(self, number: int) -> Second:
        """Return a second, made when it is first needed."""
        return self.seconds.setdefault(number, Second())

    def to_json(self) -> dict[str, Any]:
        """Return its part of the result file."""
        return {
            "count": self.intended.count,
            "unanswered": self.unanswered,
            "failed": sum(self.failures.values()),
            "failures": dict(self.failures),
            "intended": self.intended.to_json(),
            "service": self.service.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Ended:
    """How one arrival ended, for who looks at recovery; times are seconds from the start."""

    operation: str
    room: int
    intended: float
    finished: float
    is_ok: bool


class Recorder:
    """Counts a run. Times are of the monotonic clock; `begin` sets where it starts.

    Args:
        warmup_seconds: what was meant to start earlier is in the series, but not in the figures.
        late_after_seconds: an arrival started later than this after its time is counted as late.
        keep_ends: keep every arrival's end, to find out when service was back after a fault.

    """

    def __init__(
        self, *, warmup_seconds: float, late_after_seconds: float, keep_ends: bool = False
    ) -> None:
        self.warmup_seconds = warmup_seconds
        self.late_after_seconds = late_after_seconds
        self.zero = monotonic()
        self.measured: dict[str, Measured] = {}
        self.lateness = Latencies()
        self.open: dict[int, Probe] = {}
        self.ends: list[Ended] | None = [] if keep_ends else None
        self.started = self.late = self.dropped = self.failed = self.finished = 0
        self.unanswered = 0
        self.asked_by_second: Counter[int] = Counter()
        self.dropped_by_second: Counter[int] = Counter()

    def begin(self) -> float:
        """Start the clock; return its zero."""
        self.zero = monotonic()
        return self.zero

    def start(self, arrival: Arrival, now: float) -> Probe:
        """Count an arrival that starts now."""
        intended = self.zero + arrival.at_seconds
        late = max(0.0, now - intended)
        self.started += 1
        self.late += late > self.late_after_seconds
        self.lateness.record(late)
        self.asked_by_second[int(arrival.at_seconds)] += 1
        probe = self.open[arrival.number] = Probe(self, arrival, intended, now)
        return probe

    def drop(self, arrival: Arrival) -> None:
        """Count an arrival that was not started: too much was outstanding."""
        self.dropped += 1
        self.asked_by_second[int(arrival.at_seconds)] += 1
        self.dropped_by_second[int(arrival.at_seconds)] += 1

    def ended(self, probe: Probe, code: str | None, now: float) -> None:
        """Count an arrival's end."""
        arrival = probe.arrival
        self.open.pop(arrival.number, None)
        begun = probe.sent_at or probe.started
        if code is None:
            self.finished += 1
            self.measure(arrival.operation, probe.intended, begun, now)
        else:
            self.failed += 1
            self.count_failure(arrival.operation, code, arrival.at_seconds)
        if code in {TIMEOUT, UNFINISHED}:
            self.unanswered += 1
            self._give_up(arrival.operation, probe.intended, begun, now)
        if self.ends is not None:
            end = Ended(
                arrival.operation, arrival.room, arrival.at_seconds, now - self.zero, code is None
            )
            self.ends.append(end)

    def measure(self, name: str, intended: float, begun: float, now: float) -> None:
        """Record one time from its intended start and from when it was sent."""
        measured = self._of(name)
        at = intended - self.zero
        second = measured.second(int(at))
        second.intended.append(now - intended)
        second.service.append(now - begun)
        if at >= self.warmup_seconds:
            measured.intended.record(now - intended)
            measured.service.record(now - begun)

    def _give_up(self, name: str, intended: float, begun: float, now: float) -> None:
        """Record how long nobody answered: without the worst, percentiles would flatter."""
        self.measure(name, intended, begun, now)
        measured, at = self._of(name), intended - self.zero
        measured.second(int(at)).unanswered += 1
        measured.unanswered += at >= self.warmup_seconds

    def count_failure(self, name: str, code: str, at: float) -> None:
        """Count a failure of an operation, or of something measured beside it."""
        measured = self._of(name)
        measured.failures[code] += 1
        measured.second(int(at)).failed += 1

    def expire(self, older_than: float, code: str) -> None:
        """Fail what was started before a time. Arrivals are open in the order they were started."""
        for probe in tuple(self.open.values()):
            if probe.started >= older_than:
                break
            probe.fail(code)

    def recent(self, seconds: int) -> "Recent":
        """Sum the last full seconds up, for whoever watches."""
        last = int(monotonic() - self.zero) - 1
        window = range(max(0, last - seconds + 1), last + 1)
        found = [
            second
            for name in self.operations_seen()
            for number in window
            if (second := self.measured[name].seconds.get(number)) is not None
        ]
        times = sorted(time for second in found for time in second.intended)
        asked = sum(self.asked_by_second[number] for number in window)
        got = len(times) - sum(second.unanswered for second in found)
        return Recent(asked / max(1, len(window)), got / max(1, len(window)), times)

    def operations_seen(self) -> set[str]:
        """Return the names that are operations of arrivals, not measured beside them."""
        return {name for name in self.measured if name not in BESIDE}

    def _of(self, name: str) -> Measured:
        found = self.measured.get(name)
        if found is None:
            found = self.measured[name] = Measured()
        return found


@dataclass(frozen=True, slots=True)
class Recent:
    """The last few seconds: arrivals and answers per second, and the sorted times of all that ended."""

    asked: float
    got: float
    times: list[float]

    def percentile(self, share: float) -> float:
        """Return the time that a share of them did not exceed."""
        return percentile(self.times, share)


def percentile(ordered: "list[float]", share: float) -> float:
    """Return a percentile of sorted times; 0 of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def series(recorder: Recorder, seconds: int) -> list[dict[str, Any]]:
    """Return one row a second of the schedule: asked, dropped, and each operation's figures."""
    return [
        {
            "second": number,
            "asked": recorder.asked_by_second[number],
            "dropped": recorder.dropped_by_second[number],
            "operations": {
                name: of_second(measured.seconds[number])
                for name, measured in sorted(recorder.measured.items())
                if number in measured.seconds
            },
        }
        for number in range(seconds)
    ]


def of_second(second: Second) -> dict[str, Any]:
    """Return the figures of one operation in one second."""
    intended, service = sorted(second.intended), sorted(second.service)
    return {
        "count": len(intended),
        "unanswered": second.unanswered,
        "failed": second.failed,
        "p50": percentile(intended, 0.5),
        "p99": percentile(intended, 0.99),
        "service_p50": percentile(service, 0.5),
        "service_p99": percentile(service, 0.99),
    }


def totals(recorder: Recorder, scheduled: int, seconds: float) -> dict[str, Any]:
    """Return the parts of a result that the recorder knows."""
    return {
        "rate": {"asked": scheduled / seconds, "got": recorder.finished / seconds},
        "arrivals": {
            "scheduled": scheduled,
            "started": recorder.started,
            "finished": recorder.finished,
            "failed": recorder.failed,
            "unanswered": recorder.unanswered,
            "late": recorder.late,
            "dropped": recorder.dropped,
        },
        "operations": {name: each.to_json() for name, each in sorted(recorder.measured.items())},
    }
