"""`veza media`: what is kept of tracks, and made of them."""

from typing import Annotated
from uuid import UUID

from cyclopts import App, Parameter
from rich.text import Text

from veza.gateway.cli.client import NodeClient, connected
from veza.gateway.cli.options import HERE, Reason, Where, reason_for
from veza.gateway.cli.outcome import Exit, UsageError
from veza.gateway.cli.rendering import show, show_json

app = App(name="media", help="What is kept of tracks: encode it anew.")


@app.command
async def reprocess(
    track: Annotated[UUID | None, Parameter(help="One track's id.")] = None,
    /,
    *,
    every: Annotated[
        bool, Parameter(name="--all", negative="", help="All published tracks.")
    ] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Only say how many there are.")] = False,
    reason: Reason = None,
    where: Where = HERE,
) -> int:
    """Encode tracks anew, beside what plays: one, all, or those that other settings made.

    They go behind what is uploaded, and nobody hears of one before it is whole.
    """
    if track is not None and every:
        raise UsageError("One track, or --all: not both.")
    async with connected(where.socket) as client:
        found = await client.get("encodings")
        wanted = 1 if track else found["published" if every else "outdated"]
        queued = 0
        if not dry_run and wanted:
            which = {"track_id": str(track)} if track else {"which": "all" if every else "outdated"}
            why = reason_for(f"encode {wanted} tracks anew", reason)
            queued = await queue(client, {**which, "reason": why})
    if where.as_json:
        show_json({**found, "queued": queued})
    elif dry_run:
        show(
            Text(f"{found['outdated']} of {found['published']} tracks were made by other settings.")
        )
    else:
        show(Text(f"{queued} of {wanted} queued" + rest_of(wanted - queued)))
    return Exit.OK


def rest_of(tracks: int) -> str:
    """Say what became of tracks that were not queued."""
    return "; the others are being worked on, or are gone." if tracks else "."


async def queue(client: NodeClient, body: dict[str, str]) -> int:
    """Have them queued, part by part; return how many were."""
    queued = 0
    while True:
        part = await client.post("encodings", body)
        queued += int(part["queued"])
        if part["last"] is None or "track_id" in body:
            return queued
        body = {**body, "after": part["last"]}
