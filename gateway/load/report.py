"""One HTML file that tells a run, or several side by side. No network, script or other file."""

import math
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any, Final

from veza.gateway.load.charts import Line, chart, linear, nines_axis, seconds_axis
from veza.gateway.load.histogram import Latencies
from veza.gateway.load.progress import fault_text
from veza.gateway.load.quantities import duration_text
from veza.gateway.load.results import BESIDE

Result = dict[str, Any]
Picture = Callable[[Result], str]

STYLE: Final = (files("veza.gateway.load") / "report.css").read_text("utf-8").replace("</", "")
NINES: Final = 5
MEBIBYTE: Final = 1024 * 1024
VERDICTS: Final = {
    "passed": "All thresholds kept.",
    "broken": "Thresholds broken.",
    "invalid": "INVALID: the tester could not keep its own schedule. Do not believe these figures.",
    "aborted": "Aborted.",
    "failed": "Failed.",
}


def report_page(results: Sequence[Result]) -> str:
    """Return the whole page. Its policy lets nothing in but the one style sheet, by hash."""
    digest = b64encode(sha256(STYLE.encode()).digest()).decode("ascii")
    title = " and ".join(dict.fromkeys(f"{each['name']}" for each in results))
    body = "".join(
        (
            f"<h1>Load test: {escape(title)}</h1>",
            section("Verdict", results, verdict),
            f"<section><h2>Figures</h2>{figures_table(results)}</section>",
            reading(),
            section("Throughput", results, throughput(results)),
            section("Errors", results, errors(results)),
            *(
                section(f"{name}: time over the run", results, over_time(results, name))
                for name in names_of(results)
            ),
            *(
                section(f"{name}: percentiles", results, curve(results, name))
                for name in names_of(results)
            ),
            section("Server", results, server(results)),
            section("Faults", results, faults) if any(each["faults"] for each in results) else "",
            section("Thresholds", results, thresholds),
            section("Correctness", results, correctness),
            section("Notes", results, notes),
            section("Environment", results, surroundings),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        f" style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}: load test</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def section(title: str, results: Sequence[Result], picture: Picture) -> str:
    """Show one thing of every run, side by side."""
    columns = "".join(
        f"<div><h3>{escape(label(each))}</h3>{picture(each)}</div>" for each in results
    )
    return f'<section><h2>{escape(title)}</h2><div class="runs">{columns}</div></section>'


def label(result: Result) -> str:
    """Name a run among others."""
    return f"{result['name']} / {result['target']}"


def names_of(results: Sequence[Result]) -> list[str]:
    """Return every operation that any run measured, in order."""
    return sorted({name for each in results for name in each["operations"]})


# --- words and tables ---


def verdict(result: Result) -> str:
    """Tell how it ended, and why."""
    why = "".join(f"<li>{escape(each)}</li>" for each in result["why"])
    kind = "good" if result["verdict"] == "passed" else "bad"
    text = VERDICTS[result["verdict"]]
    return f'<p class="verdict {kind}">{escape(text)}</p>' + (f"<ul>{why}</ul>" if why else "")


def reading() -> str:
    """Say how to read the figures."""
    return (
        '<p class="how">Latency is counted from when an arrival was <em>meant</em> to start, so a server'
        " that stalls is charged for everybody who had to wait. Service time is counted from when the"
        " request left. Where the two part, something queued.</p>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the first column names the rows."""
    top = "".join(f'<th scope="col">{escape(each)}</th>' for each in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(each)}</td>" for each in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def figures_table(results: Sequence[Result]) -> str:
    """Set the runs' figures side by side."""
    rows: list[list[str]] = [
        ["asked / got per second"]
        + [f"{r['rate']['asked']:.1f} / {r['rate']['got']:.1f}" for r in results],
        ["started, failed, dropped"]
        + [
            " / ".join(f"{r['arrivals'][k]:,}" for k in ("started", "failed", "dropped"))
            for r in results
        ],
        ["generator late: p99, max"]
        + [
            f"{shown(r['generator']['late'], 'p99')}, {shown(r['generator']['late'], 'max')}"
            for r in results
        ],
        ["lost / duplicated / reordered / gaps"]
        + [
            " / ".join(f"{r['checks'][k]:,}" for k in ("lost", "duplicated", "reordered", "gaps"))
            for r in results
        ],
        *(
            [f"processor: {name}"] + [percent(r, key) for r in results]
            for name, key in (
                ("node", "cpu_percent"),
                ("what the node started", "children_cpu_percent"),
                ("tester", "tester_cpu_percent"),
            )
        ),
    ]
    rows += [
        [f"{name} {key}: latency (service)"] + [both(each, name, key) for each in results]
        for name in names_of(results)
        for key in ("p50", "p90", "p99", "p99.9", "p99.99", "max")
    ]
    return table(["", *(label(each) for each in results)], rows)


def both(result: Result, name: str, key: str) -> str:
    """Tell a latency with its service time."""
    each = result["operations"].get(name)
    if each is None or not each["count"]:
        return "not measured"
    return f"{shown(each['intended'], key)} ({shown(each['service'], key)})"


def shown(figures: Result, key: str) -> str:
    """Tell one time."""
    return duration_text(figures[key])


def percent(result: Result, key: str) -> str:
    """Tell the mean of a share of a core over the samples."""
    values = [each[key] for each in result["server"] if key in each]
    return f"{sum(values) / len(values):.0f} % of a core" if values else "not measured"


def thresholds(result: Result) -> str:
    """Tell which thresholds were kept."""
    rows = [
        [each["name"], each["wanted"], each["shown"], "kept" if each["is_kept"] else "BROKEN"]
        for each in result["thresholds"]
    ]
    return table(["threshold", "wanted", "found", ""], rows)


def correctness(result: Result) -> str:
    """Tell what became of the messages."""
    checks = result["checks"]
    rows = [
        [name.replace("_", " "), f"{value:,}"]
        for name, value in checks.items()
        if type(value) is int
    ]
    examples = "".join(
        f"<li>{escape(each)}</li>" for kept in checks["examples"].values() for each in kept
    )
    return table(["messages", ""], rows) + (f"<ul>{examples}</ul>" if examples else "")


def faults(result: Result) -> str:
    """Tell what each fault did."""
    rows = [[f"{each['at']:.1f} s", fault_text(each)] for each in result["faults"]]
    return table(["at", "what happened"], rows)


def notes(result: Result) -> str:
    """Tell what limited the run, how operations failed and what happened on the way."""
    told = [
        *result["notes"],
        *(f"{name.replace('_', ' ')}: {count}" for name, count in result["counters"].items()),
        *(
            f"{name} failed with {code}: {count}"
            for name, each in result["operations"].items()
            for code, count in each["failures"].items()
        ),
    ]
    return "<ul>" + "".join(f"<li>{escape(each)}</li>" for each in told or ["none"]) + "</ul>"


def surroundings(result: Result) -> str:
    """Tell where the run took place."""
    given = {**result["environment"], **result["environment"]["packages"]}
    rows = [
        [name.replace("_", " "), str(value)] for name, value in given.items() if name != "packages"
    ]
    return table(["environment", ""], rows)


# --- charts ---


def rate_text(value: float) -> str:
    """Show a number per second."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"  # noqa: PLR2004


def answered(row: Result) -> int:
    """Return how many arrivals of a second were answered."""
    return sum(
        each["count"] - each.get("unanswered", 0)
        for name, each in row["operations"].items()
        if name not in BESIDE
    )


def failed(row: Result) -> int:
    """Return how many arrivals of a second failed."""
    return sum(each["failed"] for name, each in row["operations"].items() if name not in BESIDE)


def strikes(result: Result) -> list[tuple[float, float]]:
    """Return where faults struck."""
    return [(each["at"], 0.0) for each in result["faults"]]


def over_seconds(result: Result, value: Callable[[Result], float]) -> list[tuple[float, float]]:
    """Return a figure of each second, at its middle."""
    return [
        (row["second"] + 0.5, value(row))
        for row in result["series"]
        if row["second"] < result["seconds"]
    ]


def throughput(results: Sequence[Result]) -> Picture:
    """Draw what was asked and what was answered."""
    top = max((row["asked"] for each in results for row in each["series"]), default=1)

    def picture(result: Result) -> str:
        lines = [
            Line("asked", over_seconds(result, lambda row: row["asked"])),
            Line("answered", over_seconds(result, answered)),
        ]
        y = linear(top, rate_text, "per second")
        return chart(
            "Arrivals per second", lines, seconds_axis(result["seconds"]), y, strikes(result)
        )

    return picture


def errors(results: Sequence[Result]) -> Picture:
    """Draw what failed and what was not even started."""
    top = max(
        (max(failed(row), row["dropped"]) for each in results for row in each["series"]), default=0
    )

    def picture(result: Result) -> str:
        lines = [
            Line("failed", over_seconds(result, failed)),
            Line("dropped", over_seconds(result, lambda row: row["dropped"])),
        ]
        y = linear(max(4, top), rate_text, "per second")
        return chart(
            "Failed per second", lines, seconds_axis(result["seconds"]), y, strikes(result)
        )

    return picture


def over_time(results: Sequence[Result], name: str) -> Picture:
    """Draw latency and service time by second, on one scale for all runs."""
    keys = (("latency p99", "p99"), ("service p99", "service_p99"), ("latency p50", "p50"))

    def points(result: Result, key: str) -> list[tuple[float, float]]:
        return [
            (row["second"] + 0.5, row["operations"][name][key])
            for row in result["series"]
            if row["operations"].get(name, {}).get("count")
        ]

    top = max((y for each in results for _, key in keys for _, y in points(each, key)), default=0)

    def picture(result: Result) -> str:
        lines = [Line(text, points(result, key)) for text, key in keys]
        x, y = seconds_axis(result["seconds"]), linear(top, duration_text, "")
        return chart(f"{name} by second", lines, x, y, strikes(result))

    return picture


def curve(results: Sequence[Result], name: str) -> Picture:
    """Draw the percentile curves: a stall shows as a wall between latency and service time."""

    def points(result: Result, key: str) -> list[tuple[float, float]]:
        text = result["operations"].get(name, {}).get(key, {}).get("hdr", "")
        found = Latencies.decode(text).curve() if text else []
        return [(-math.log10(1 - share / 100), value) for share, value in found]

    kinds = (("latency", "intended"), ("service", "service"))
    top = max((y for each in results for _, key in kinds for _, y in points(each, key)), default=0)

    def picture(result: Result) -> str:
        lines = [Line(text, points(result, key)) for text, key in kinds]
        return chart(
            f"{name} by percentile", lines, nines_axis(NINES), linear(top, duration_text, "")
        )

    return picture


def sampled(result: Result, key: str) -> list[tuple[float, float]]:
    """Return a figure of the server over the run; memory in MiB."""
    scale = MEBIBYTE if key == "rss_bytes" else 1
    if key == "mailboxes":
        depths = ((each["at"], each[key]) for each in result["server"] if key in each)
        return [(at, max((one["depth"] for one in found), default=0)) for at, found in depths]
    return [(each["at"], each[key] / scale) for each in result["server"] if key in each]


SERVER: Final = (
    (
        "Processor, percent of a core",
        " %",
        (
            ("node", "cpu_percent"),
            ("what it started", "children_cpu_percent"),
            ("tester", "tester_cpu_percent"),
        ),
    ),
    ("Whole machine, percent of all cores", " %", (("busy", "machine_cpu_percent"),)),
    ("Event loop lag", " ms", (("lag", "loop_lag_ms"),)),
    ("Deepest mailbox", "", (("messages", "mailboxes"),)),
    ("Database", "", (("in use", "database"),)),
    ("Memory", " MiB", (("resident", "rss_bytes"),)),
    ("Restarts", "", (("actors", "restarts"),)),
)


def server(results: Sequence[Result]) -> Picture:
    """Draw the node's figures on the time axis of the run, on one scale for all runs."""

    def drawn(result: Result, title: str, unit: str, keys: Sequence[tuple[str, str]]) -> str:
        lines = [Line(name, sampled(result, key)) for name, key in keys if sampled(result, key)]
        if not lines:
            return ""
        top = max(y for each in results for _, key in keys for _, y in sampled(each, key))
        last = max(each["at"] for each in result["server"])
        y = linear(max(1, top), lambda value: f"{value:g}{unit}", "")
        return chart(title, lines, seconds_axis(last), y, strikes(result))

    def picture(result: Result) -> str:
        charts = "".join(drawn(result, title, unit, keys) for title, unit, keys in SERVER)
        return charts or "<p>Nothing could be seen of the server.</p>"

    return picture
