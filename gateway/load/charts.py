"""Line charts as inline SVG: no script, no style attribute, colours by class so that dark pages work too."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 520
HEIGHT: Final = 220
LEFT: Final = 62
RIGHT: Final = 12
TOP: Final = 12
BOTTOM: Final = 30
TICKS: Final = 4
STEPS: Final = (1, 2, 2.5, 5, 10)

Point = tuple[float, float]
Show = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name, and its points in the chart's units."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Axis:
    """One side of a chart: where it ends, where its ticks are and what they say."""

    end: float
    ticks: Sequence[float]
    show: Show
    name: str


def nice_end(highest: float) -> float:
    """Return the next round number past the highest value."""
    if highest <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(highest))
    return next((step * power for step in STEPS if step * power >= highest), 10 * power)


def linear(highest: float, show: Show, name: str) -> Axis:
    """Return an axis from 0 to a round number."""
    end = nice_end(highest)
    return Axis(end, [end * number / TICKS for number in range(TICKS + 1)], show, name)


def seconds_axis(seconds: float) -> Axis:
    """Return the time axis of a run."""
    step = nice_end(max(1.0, seconds) / 6)
    ticks = [step * number for number in range(int(seconds / step) + 1)]
    return Axis(max(seconds, 1.0), ticks, lambda at: f"{at:g}", "seconds from the start")


def nines_axis(nines: int) -> Axis:
    """Return the axis of a percentile curve: as much room for each further nine."""

    def show(at: float) -> str:
        return "0 %" if at == 0 else f"{100 - 100 / 10**at:.{max(0, int(at) - 2)}f} %"

    return Axis(float(nines), list(range(nines + 1)), show, "share of arrivals that took no longer")


def chart(
    title: str,
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    marks: Sequence[Point] = (),
) -> str:
    """Draw lines over a grid. `marks` are (x, 0) where a fault struck."""
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title, quote=True)}">',
        f"<title>{escape(title)}</title>",
        *(grid_line(tick, y) for tick in y.ticks),
        *(tick_text(tick, x) for tick in x.ticks),
        axis_name(x),
        *(mark(at, x) for at, _ in marks),
        *(drawn(line, number, x, y) for number, line in enumerate(lines, start=1)),
        "</svg>",
    ]
    return (
        f"<figure><figcaption>{escape(title)} {legend(lines)}</figcaption>{''.join(parts)}</figure>"
    )


def legend(lines: Sequence[Line]) -> str:
    """Name the lines; each has a dash of its own, so that colour is not needed."""
    return "".join(
        f'<span class="key"><svg viewBox="0 0 22 8" aria-hidden="true"><path class="line s{number}"'
        f' d="M0 4H22"/></svg>{escape(line.name)}</span>'
        for number, line in enumerate(lines, start=1)
    )


def across(value: float, axis: Axis) -> float:
    """Return where a value is from left to right."""
    return LEFT + (WIDTH - LEFT - RIGHT) * min(value, axis.end) / axis.end


def down(value: float, axis: Axis) -> float:
    """Return where a value is from top to bottom."""
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value, axis.end) / axis.end


def grid_line(tick: float, axis: Axis) -> str:
    """Draw a value's line across, and say the value."""
    at = down(tick, axis)
    return (
        f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>'
        f'<text class="tick" x="{LEFT - 6}" y="{at + 3:.1f}" text-anchor="end">'
        f"{escape(axis.show(tick))}</text>"
    )


def tick_text(tick: float, axis: Axis) -> str:
    """Say a value below the chart."""
    at = across(tick, axis)
    return (
        f'<text class="tick" x="{at:.1f}" y="{HEIGHT - BOTTOM + 12}" text-anchor="middle">'
        f"{escape(axis.show(tick))}</text>"
    )


def axis_name(axis: Axis) -> str:
    """Say below the chart what is counted there."""
    return (
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 2}"'
        f' text-anchor="middle">{escape(axis.name)}</text>'
    )


def mark(at: float, axis: Axis) -> str:
    """Draw where a fault struck."""
    where = across(at, axis)
    return (
        f'<path class="fault" d="M{where:.1f} {TOP}V{HEIGHT - BOTTOM}"><title>fault</title></path>'
    )


def drawn(line: Line, number: int, x: Axis, y: Axis) -> str:
    """Draw one line; a gap in its points is a gap in the line."""
    path = "L".join(f"{across(px, x):.1f} {down(py, y):.1f}" for px, py in line.points)
    if not path:
        return ""
    dot = f"M{path}h.01" if len(line.points) == 1 else f"M{path}"
    return f'<path class="line s{number}" d="{dot}"><title>{escape(line.name)}</title></path>'
