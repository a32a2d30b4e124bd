"""How everything looks that the commands print: figures, times, marks, tables; nothing acts on a terminal."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from veza.config.logging import escape_control
from veza.gateway.cli.client import Json

Row = TypeVar("Row")
Cell: TypeAlias = Callable[[Row], Text | str]

PIPE_COLUMNS: Final = 10_000
"""Into a file or a pipe nothing is cut off at a guessed width."""
GAP_COLUMNS: Final = 2
NAME_COLUMNS: Final = 16
FEW: Final = 10
"""Below that a decimal tells something."""
SECOND_MS: Final = 1000
MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
UNITS: Final = (("d", DAY, "h", HOUR), ("h", HOUR, "m", MINUTE), ("m", MINUTE, "s", 1))
UNIT_BYTES: Final = 1024
SIZES: Final = ("B", "kB", "MB", "GB", "TB")
BAD: Final = frozenset({"crashed", "hung", "mailbox_full", "intensity", "down"})
"""Kinds of ill health that somebody should look at now; the others explain themselves or pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[Row]):
    """One column: its head, what a row has in it, and from which width of the terminal on it is shown."""

    title: str
    cell: Cell[Row]
    justify: Literal["left", "right"] = "left"
    from_width: int = 0
    is_cut: bool = True


def number_column(title: str, cell: Cell[Row], from_width: int = 0) -> Column[Row]:
    """Describe a column of figures."""
    return Column(title=title, cell=cell, justify="right", from_width=from_width)


def lay_out(
    columns: Iterable[Column[Row]], rows: Iterable[Row], width: int = PIPE_COLUMNS
) -> Table:
    """Lay rows out, one a line, with the columns that have room; the first gives way to the others."""
    shown = [column for column in columns if column.from_width <= width]
    cells = [[styled(column.cell(row)) for column in shown] for row in rows]
    others = (
        GAP_COLUMNS + max([cell_len(column.title), *(line[number].cell_len for line in cells)])
        for number, column in enumerate(shown[1:], start=1)
    )
    left = max(NAME_COLUMNS, width - sum(others))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(shown):
        table.add_column(
            column.title,
            justify=column.justify,
            no_wrap=column.is_cut,
            max_width=None if number else left,
        )
    for line in cells:
        table.add_row(*line)
    return table


def styled(value: Text | str) -> Text:
    """Take words as they are: what looks like markup is none, what would move the cursor is spelled out."""
    return value if isinstance(value, Text) else Text(clean(value))


def clean(text: str) -> str:
    """Spell out what would act on the terminal or break the line, as the log does."""
    return str(escape_control(None, "", {"text": text})["text"])


def clean_lines(text: str) -> str:
    """Spell out what would act on the terminal; lines stay lines."""
    return str(escape_control(None, "", {"event": text})["event"])


def console() -> Console:
    """Return the standard output, as wide as it needs to be where it is no terminal."""
    width = None if sys.stdout.isatty() else PIPE_COLUMNS
    return Console(width=width, highlight=False, markup=False, emoji=False)


def show(*parts: RenderableType) -> None:
    """Print something to look at."""
    out = console()
    for part in parts:
        out.print(part)


def show_json(value: object) -> None:
    """Print what a script reads: the node's own JSON, escaped to ASCII."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


def show_json_line(value: object) -> None:
    """Print one line of JSON Lines."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def remark(text: str) -> None:
    """Tell a person something beside the answer: on standard error, so that no script reads it."""
    sys.stderr.write(f"{clean(text)}\n")


def heading(text: str) -> Text:
    """Return the title of a part, with an empty line above it."""
    return Text.assemble("\n", (text, "bold"))


def listed(
    entries: Sequence[Json], columns: Sequence[Column[Json]], *, as_json: bool, nothing: str
) -> None:
    """Print a list: as JSON, as a table, or that there is nothing."""
    if as_json:
        show_json(entries)
    elif entries:
        show(lay_out(columns, entries))
    else:
        show(nothing)


def count(number: float) -> str:
    """Return 12,345."""
    return f"{number:,.0f}"


def rate(number: float) -> str:
    """Return how often a second: 0, 0.4, 12,345."""
    return f"{number:.1f}" if 0 < number < FEW else count(number)


def milliseconds(ms: float) -> str:
    """Return 0, 0.4 ms, 12 ms, 3.4 s and so on."""
    if ms >= SECOND_MS:
        return seconds(ms / SECOND_MS)
    return f"{rate(ms)} ms" if ms else "0"


def seconds(duration: float) -> str:
    """Return a duration by its two largest units: 3.4 s, 2 m 5 s, 3 h 12 m, 4 d 3 h."""
    if duration < MINUTE:
        return f"{duration:.1f} s"
    whole = int(duration)
    for unit, long, part, short in UNITS:
        if whole >= long:
            return f"{whole // long} {unit} {whole % long // short} {part}"
    return f"{whole} s"


def size(number: float) -> str:
    """Return 512 B, 3.4 kB, 312 MB: binary units, as memory and disks are counted here."""
    power = 0
    while number >= UNIT_BYTES and power < len(SIZES) - 1:
        number, power = number / UNIT_BYTES, power + 1
    return f"{rate(number) if power else count(number)} {SIZES[power]}"


def moment(at: str) -> str:
    """Return a time of the node's (RFC 3339) as this machine's clock shows it."""
    local = datetime.fromisoformat(at).astimezone()
    today = datetime.now().astimezone().date()
    return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%Y-%m-%d %H:%M:%S}"


def since(at: str) -> float:
    """Return how many seconds ago a time was."""
    then = datetime.fromisoformat(at)
    return max(0.0, (datetime.now(then.tzinfo) - then).total_seconds())


def health(actor: Json) -> Text:
    """Return an actor's ill health: marked ! if it is bad, ~ if it passes; colours only repeat that."""
    reasons = actor["unhealthy"]
    if not reasons:
        return Text("ok", style="dim")
    is_bad = not BAD.isdisjoint(reasons)
    return Text(
        f"{'!' if is_bad else '~'} {clean(', '.join(reasons))}",
        style="bold red" if is_bad else "yellow",
    )


def facts(pairs: Iterable[tuple[str, Any]]) -> Table:
    """Lay out names and what they are; what is None is left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            table.add_row(name, styled(value if isinstance(value, Text) else str(value)))
    return table
