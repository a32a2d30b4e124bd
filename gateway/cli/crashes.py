"""`veza crashes`: what failed in the code, grouped by where."""

from typing import Annotated, Final

from cyclopts import App, Parameter
from rich.text import Text

from veza.gateway.cli.client import Json, connected
from veza.gateway.cli.options import HERE, Where
from veza.gateway.cli.outcome import Exit
from veza.gateway.cli.rendering import (
    Column,
    clean_lines,
    count,
    facts,
    heading,
    listed,
    moment,
    number_column,
    show,
    show_json,
)

app = App(name="crashes", help="What failed in the code, grouped by where: list, show.")

COLUMNS: Final[tuple[Column[Json], ...]] = (
    Column(title="FINGERPRINT", cell=lambda group: group["fingerprint"]),
    number_column("COUNT", lambda group: count(group["count"])),
    Column(title="LAST", cell=lambda group: moment(group["last_at"])),
    Column(title="CLASS", cell=lambda group: group["class"]),
    Column(title="ON", cell=lambda group: group["command"]),
    Column(
        title="ERROR", cell=lambda group: f"{group['error_type']}: {group['error']}", is_cut=False
    ),
)


@app.command(name="list")
async def list_groups(*, where: Where = HERE) -> int:
    """List the groups, the latest first."""
    async with connected(where.socket) as client:
        groups = (await client.get("crashes"))["data"]
    listed(groups, COLUMNS, as_json=where.as_json, nothing="No crashes.")
    return Exit.OK


@app.command(name="show")
async def show_group(
    fingerprint: Annotated[str, Parameter(help="As `list` shows it.")], /, *, where: Where = HERE
) -> int:
    """Show a group with its newest crashes and their tracebacks."""
    async with connected(where.socket) as client:
        found = await client.get(f"crashes/{fingerprint}")
    if where.as_json:
        show_json(found)
        return Exit.OK
    show(facts(found["group"].items()))
    for crash in found["crashes"]:
        request = f", request {crash['request_id']}" if crash["request_id"] else ""
        show(
            heading(f"{moment(crash['at'])} {crash['path']} on {crash['command']}{request}"),
            Text(clean_lines(crash["traceback"].rstrip() or crash["error"])),
        )
    return Exit.OK
