"""`veza media`: what is kept of tracks and messages: check it, tidy it up, encode it anew."""

from typing import Annotated, Final
from uuid import UUID

from cyclopts import App, Parameter, validators
from rich.text import Text

from veza.gateway.cli.client import Json, NodeClient, connected
from veza.gateway.cli.options import HERE, Reason, Where, reason_for
from veza.gateway.cli.outcome import Exit, UsageError
from veza.gateway.cli.rendering import Column, listed, show, show_json, size

app = App(name="media", help="What is kept of tracks and messages: check, gc, reprocess.")

PART_SECONDS: Final = 70.0
KINDS: Final = ("sources", "media", "attachments")
COLUMNS: Final[tuple[Column[Json], ...]] = (
    Column(title="FATE", cell=lambda each: each["fate"]),
    Column(title="KEY", cell=lambda each: each["key"], is_cut=False),
)


@app.command
async def check(
    *,
    fast: Annotated[
        bool, Parameter(negative="", help="Look at presence and size only; read nothing.")
    ] = False,
    where: Where = HERE,
) -> int:
    """Compare everything that the tables name with what is stored; exit code 1 if something is wrong.

    Every file is read and its SHA-256 compared. The node goes on meanwhile.
    """
    bad: list[Json] = []
    objects = size_bytes = 0
    async with connected(where.socket, PART_SECONDS) as client:
        for shelf in ("tracks", "attachments"):
            query: dict[str, str | int] = {"shelf": shelf, "fast": str(fast).lower()}
            while (part := await client.get("media/check", **query))["last"] is not None:
                bad += part["bad"]
                objects, size_bytes = objects + part["objects"], size_bytes + part["size_bytes"]
                query["after"] = part["last"]
    if where.as_json:
        show_json({"objects": objects, "size_bytes": size_bytes, "bad": bad})
    else:
        found = f"{objects} objects of {size(size_bytes)} checked."
        listed(bad, COLUMNS, as_json=False, nothing=f"{found} All are there, and whole.")
    return Exit.PROBLEM if bad else Exit.OK


@app.command
async def gc(
    *,
    delete: Annotated[
        bool, Parameter(negative="", help="Delete it; otherwise it is only counted.")
    ] = False,
    older_than_hours: Annotated[
        float,
        Parameter(help="Leave alone what is younger.", validator=validators.Number(gte=1)),
    ] = 24.0,
    reason: Reason = None,
    where: Where = HERE,
) -> int:
    """Find what is stored and no table names any more, as crashes leave it; delete it if asked."""
    why = reason_for("delete what no table names", reason) if delete else "count"
    objects = size_bytes = 0
    async with connected(where.socket, PART_SECONDS) as client:
        for kind in KINDS:
            body: dict[str, object] = {
                "kind": kind,
                "older_than_seconds": older_than_hours * 3600,
                "deletes": delete,
                "reason": why,
            }
            while (part := await client.post("media/gc", body))["last"]:
                objects, size_bytes = objects + part["objects"], size_bytes + part["size_bytes"]
                body["after"] = part["last"]
    if where.as_json:
        show_json({"objects": objects, "size_bytes": size_bytes, "deleted": delete})
    else:
        done = "deleted" if delete else "that no table names"
        show(Text(f"{objects} objects of {size(size_bytes)} {done}."))
    return Exit.OK


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
