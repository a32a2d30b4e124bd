"""The plain lists: `veza connections`, `veza audit`."""

from typing import Final

from veza.gateway.cli.client import Json, connected
from veza.gateway.cli.options import HERE, LIST_ENTRIES, Limit, Where
from veza.gateway.cli.outcome import Exit
from veza.gateway.cli.rendering import Column, listed, milliseconds, moment, number_column, size

CONNECTION_COLUMNS: Final[tuple[Column[Json], ...]] = (
    Column(title="CONNECTION", cell=lambda each: str(each["connection_id"])),
    Column(title="USER", cell=lambda each: each["user"]["name"] if each["user"] else "-"),
    Column(title="SESSION", cell=lambda each: each.get("session") or "-"),
    Column(title="ADDRESS", cell=lambda each: each["address"]),
    Column(title="OPENED", cell=lambda each: moment(each["opened_at"])),
    number_column("IDLE", lambda each: milliseconds(each["idle_ms"])),
    number_column("QUEUED", lambda each: size(each["queue_bytes"])),
)


async def connections(*, limit: Limit = LIST_ENTRIES, where: Where = HERE) -> int:
    """List the open WebSockets."""
    async with connected(where.socket) as client:
        entries = await client.entries("connections", limit)
    listed(entries, CONNECTION_COLUMNS, as_json=where.as_json, nothing="Nobody is connected.")
    return Exit.OK


AUDIT_COLUMNS: Final[tuple[Column[Json], ...]] = (
    Column(title="AT", cell=lambda act: moment(act["at"])),
    Column(title="WHO", cell=lambda act: act["actor_name"]),
    Column(title="VIA", cell=lambda act: act["via"]),
    Column(title="ACTION", cell=lambda act: act["action"]),
    Column(title="TARGET", cell=lambda act: act["target"]),
    Column(title="REASON", cell=lambda act: act["reason"], is_cut=False),
)


async def audit(*, limit: Limit = LIST_ENTRIES, where: Where = HERE) -> int:
    """List what was done to this node by hand: who, when, why."""
    async with connected(where.socket) as client:
        entries = await client.entries("audit", limit)
    listed(entries, AUDIT_COLUMNS, as_json=where.as_json, nothing="Nothing was done by hand.")
    return Exit.OK
