"""Commands that act on one actor, or drain the node; each is kept in the audit log with its reason."""

from rich.text import Text

from veza.gateway.cli.client import Json, actor_address, connected
from veza.gateway.cli.names import find_actor
from veza.gateway.cli.options import HERE, ActorName, Reason, Where, reason_for
from veza.gateway.cli.outcome import Exit
from veza.gateway.cli.rendering import clean, remark, show, show_json


async def restart(actor: ActorName, /, *, reason: Reason = None, where: Where = HERE) -> int:
    """Start an actor anew at the same address; what waits for it is kept."""
    return await act(actor, "restart", reason, where)


async def stop(actor: ActorName, /, *, reason: Reason = None, where: Where = HERE) -> int:
    """End an actor in order, behind the messages that wait; a permanent one is started again."""
    return await act(actor, "stop", reason, where)


async def kill(actor: ActorName, /, *, reason: Reason = None, where: Where = HERE) -> int:
    """End an actor at once."""
    return await act(actor, "kill", reason, where)


async def suspend(actor: ActorName, /, *, reason: Reason = None, where: Where = HERE) -> int:
    """Let an actor handle nothing until it is resumed; what comes waits."""
    return await act(actor, "suspend", reason, where)


async def resume(actor: ActorName, /, *, reason: Reason = None, where: Where = HERE) -> int:
    """Let a suspended or draining actor go on."""
    return await act(actor, "resume", reason, where)


async def drain(
    actor: ActorName | None = None, /, *, reason: Reason = None, where: Where = HERE
) -> int:
    """Let an actor take on nothing new and end what there is; without an actor, drain and end the node."""
    if actor is not None:
        return await act(actor, "drain", reason, where)
    why = reason_for("drain the node", reason)
    async with connected(where.socket) as client:
        answer = await client.post("drain", {"reason": why})
    report(answer, "The node drains and ends.", as_json=where.as_json)
    return Exit.OK


async def act(actor: str, action: str, reason: str | None, where: Where) -> int:
    """Find the actor that is meant, and have it done."""
    async with connected(where.socket) as client:
        path = await find_actor(client, actor)
        why = reason_for(f"{action} {path}", reason)
        answer = await client.post(f"{actor_address(path)}/{action}", {"reason": why})
    report(answer, f"{path}: {action}. {answer['note']}", as_json=where.as_json)
    return Exit.OK


def report(answer: Json, words: str, *, as_json: bool) -> None:
    """Say what was done; and if the audit log could not be written."""
    if as_json:
        show_json(answer)
    else:
        show(Text(clean(words)))
    if not answer.get("is_audited", True):
        remark("The audit log could not be written: the node's own log has it.")
