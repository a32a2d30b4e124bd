"""Latencies in HDR histograms: recorded in microseconds, merged by adding counts, never averaged."""

from typing import Any, Final

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # it ships no types

from veza.gateway.load.thresholds import PERCENTILES

HIGHEST_MICROSECONDS: Final = 3600 * 1_000_000
SIGNIFICANT_FIGURES: Final = 3
MICROSECONDS: Final = 1_000_000
CURVE_STEPS_PER_NINE: Final = 8
CURVE_NINES: Final = 5


class Latencies:
    """Times between 1 µs and an hour, true to 0.1 %."""

    __slots__ = ("_histogram", "_longest")

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, HIGHEST_MICROSECONDS, SIGNIFICANT_FIGURES)
        self._longest = 0

    def record(self, seconds: float) -> None:
        """Count one time; what is shorter than a microsecond counts as one."""
        value = min(max(1, int(seconds * MICROSECONDS)), HIGHEST_MICROSECONDS - 1)
        self._histogram.record_value(value)
        self._longest = max(self._longest, value)

    def add(self, other: "Latencies") -> None:
        """Add another's counts."""
        if other.count:
            self._histogram.decode_and_add(other.encode())
            self._longest = max(self._longest, other._longest)  # noqa: SLF001  # one of us

    @property
    def count(self) -> int:
        """How many times were recorded."""
        return int(self._histogram.total_count)

    def at(self, percentile: float) -> float:
        """Return the time in seconds that so many percent did not exceed; 0 if there is none."""
        if not self.count:
            return 0.0
        found: float = self._histogram.get_value_at_percentile(percentile)
        # A bucket answers with its upper end, which may lie past the longest time.
        return min(found, self._longest) / MICROSECONDS

    def summary(self) -> dict[str, float]:
        """Return the percentiles, the maximum and the count."""
        figures = {name: self.at(percentile) for name, percentile in PERCENTILES.items()}
        return {**figures, "max": self._longest / MICROSECONDS, "count": self.count}

    def curve(self) -> list[tuple[float, float]]:
        """Return (percentile, seconds) with as many points for each further nine."""
        steps = CURVE_STEPS_PER_NINE * CURVE_NINES
        shares = [100 * (1 - 10 ** (-step / CURVE_STEPS_PER_NINE)) for step in range(steps + 1)]
        return [(share, self.at(share)) for share in shares if self.count * (100 - share) >= 50]  # noqa: PLR2004

    def encode(self) -> str:
        """Return all counts as text, to merge later."""
        text: bytes = self._histogram.encode()
        return text.decode("ascii")

    @classmethod
    def decode(cls, text: str) -> "Latencies":
        """Read what `encode` wrote; the longest time is then true to 0.1 % like the others."""
        found = cls()
        found._histogram.decode_and_add(text)
        found._longest = int(found._histogram.max_value)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return everything a result file keeps."""
        return {**self.summary(), "hdr": self.encode() if self.count else ""}
