"""`veza dead-letters`: messages no handler saw; list them, send them again, forget them."""

from typing import Annotated, Final

from cyclopts import App, Parameter
from rich.text import Text

from veza.gateway.cli.acting import report
from veza.gateway.cli.client import Json, NodeClient, connected
from veza.gateway.cli.options import HERE, LIST_ENTRIES, Limit, Reason, Where, reason_for
from veza.gateway.cli.outcome import Exit, RefusalError, UsageError
from veza.gateway.cli.rendering import (
    Column,
    clean_lines,
    facts,
    heading,
    listed,
    moment,
    number_column,
    show,
    show_json,
)

KEPT_AT_MOST: Final = 10_000
"""More than a node keeps: to look for one letter all are read."""

app = App(name="dead-letters", help="Messages no handler saw: list, show, replay, discard.")

LetterId = Annotated[int, Parameter(help="The number of the letter, as `list` shows it.")]

COLUMNS: Final[tuple[Column[Json], ...]] = (
    number_column("ID", lambda letter: str(letter["letter_id"])),
    Column(title="AT", cell=lambda letter: moment(letter["at"])),
    Column(title="TYPE", cell=lambda letter: letter["type"]),
    Column(title="TO", cell=lambda letter: letter["target"]),
    Column(title="FROM", cell=lambda letter: letter["sender"]),
    Column(title="WHY", cell=lambda letter: letter["reason"], is_cut=False),
    Column(title="REPLAY", cell=lambda letter: "yes" if letter["can_replay"] else "no"),
)


@app.command(name="list")
async def list_letters(*, limit: Limit = LIST_ENTRIES, where: Where = HERE) -> int:
    """List them, newest first."""
    async with connected(where.socket) as client:
        letters = await client.entries("dead-letters", limit)
    listed(letters, COLUMNS, as_json=where.as_json, nothing="No dead letters.")
    return Exit.OK


@app.command(name="show")
async def show_letter(letter_id: LetterId, /, *, where: Where = HERE) -> int:
    """Show one with its body."""
    async with connected(where.socket) as client:
        letter = await find_letter(client, letter_id)
    if where.as_json:
        show_json(letter)
        return Exit.OK
    named = ((name, value) for name, value in letter.items() if name != "body" and value != "")
    show(facts(named), heading("Body"), Text(clean_lines(letter["body"])))
    return Exit.OK


@app.command
async def replay(letter_id: LetterId, /, *, reason: Reason = None, where: Where = HERE) -> int:
    """Send one again to its receiver."""
    return await settle(f"{letter_id}/replay", f"replay letter {letter_id}", reason, where)


@app.command
async def discard(
    letter_id: LetterId | None = None,
    /,
    *,
    every: Annotated[
        bool, Parameter(name="--all", negative="", help="Forget all of them.")
    ] = False,
    reason: Reason = None,
    where: Where = HERE,
) -> int:
    """Forget one, or all."""
    if (letter_id is None) != every:
        raise UsageError("give the number of a letter, or --all")
    if letter_id is None:
        return await settle("discard", "discard all dead letters", reason, where)
    return await settle(f"{letter_id}/discard", f"discard letter {letter_id}", reason, where)


async def find_letter(client: NodeClient, letter_id: int) -> Json:
    """Return one letter: the node lists them only, newest first. Raises `RefusalError`."""
    for letter in await client.entries("dead-letters", KEPT_AT_MOST):
        if letter["letter_id"] == letter_id:
            return letter
    raise RefusalError("not_found", f"There is no dead letter {letter_id}, or not any more")


async def settle(address: str, what: str, reason: str | None, where: Where) -> int:
    """Have letters replayed or discarded, and say how many were."""
    why = reason_for(what, reason)
    async with connected(where.socket) as client:
        answer = await client.post(f"dead-letters/{address}", {"reason": why})
    done = "replayed" if address.endswith("replay") else "discarded"
    report(answer, f"{answer['count']} {done}.", as_json=where.as_json)
    return Exit.OK
