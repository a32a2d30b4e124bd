"""Addresses for looking at actors, acting on them, listening to them and talking to them by hand."""

import platform
from http import HTTPStatus
from typing import Final

from aiohttp import web

from veza.actors.messages.operator import (
    ActedOn,
    ActOnActor,
    ActorAction,
    ActorInspected,
    InspectActor,
    ReadTrace,
    ReadTree,
    SendToActor,
    SentToActor,
    StartTrace,
    TraceRead,
    TreeRead,
)
from veza.actors.messages.permissions import Permission
from veza.gateway.answers import fresh_answer
from veza.gateway.errors import ProblemCode, ProblemError
from veza.gateway.ops.acting import acting, operate
from veza.gateway.ops.doors import Doors
from veza.gateway.wire import bodies
from veza.gateway.wire import ops as views
from veza.gateway.wire.tree import tree_json

doors = Doors()

_ACTIONS: Final = "|".join(ActorAction)
_MARGIN_SECONDS: Final = 2.0
"""How much longer than the actor's answer the operator's is waited for."""


@doors.declare("GET", "/ops/tree", answers={200: views.TreeView})
async def show_tree(request: web.Request, query: bodies.TreeQuery) -> web.Response:
    """Show the supervision tree of this node."""
    under = actor_path(query.under) if query.under else ""
    tree = await operate(request, ReadTree(under=under, children=query.children), TreeRead)
    return fresh_answer(tree_json(platform.node(), tree.root))


@doors.declare("GET", "/ops/actors/{path:.+}", answers={200: views.InspectedView})
async def inspect_actor(request: web.Request, path: str) -> web.Response:
    """Show one actor from near; `path` keeps its slashes."""
    inspected = await operate(request, InspectActor(path=actor_path(path)), ActorInspected)
    return fresh_answer(views.InspectedView.of(inspected).to_json())


@doors.declare(
    "POST", f"/ops/actors/{{path:.+}}/{{action:{_ACTIONS}}}", answers={200: views.ActedView}
)
async def act_on_actor(
    request: web.Request, path: str, action: ActorAction, body: bodies.Act
) -> web.Response:
    """Restart, stop, kill, suspend, resume or drain an actor."""
    by = await acting(request)
    command = ActOnActor(path=actor_path(path), action=action, by=by, reason=body.reason)
    acted = await operate(request, command, ActedOn)
    return fresh_answer(views.ActedView.of(acted).to_json())


@doors.declare("POST", "/ops/actors/{path:.+}/trace", answers={201: views.TraceView})
async def start_trace(request: web.Request, path: str, body: bodies.NewTrace) -> web.Response:
    """Keep the next messages of an actor for a while."""
    command = StartTrace(
        path=actor_path(path),
        limit=body.limit,
        seconds=body.seconds,
        message_type=body.type,
        with_bodies=body.with_bodies,
        by=await acting(request),
        reason=body.reason,
    )
    trace = await operate(request, command, TraceRead)
    return fresh_answer(views.TraceView.of(trace).to_json(), HTTPStatus.CREATED)


@doors.declare("GET", "/ops/traces/{trace_id}", answers={200: views.TraceView})
async def show_trace(request: web.Request, trace_id: str, query: bodies.TraceQuery) -> web.Response:
    """Show the messages of a trace that the reader has not seen yet."""
    trace = await operate(request, ReadTrace(trace_id=trace_id, after=query.after), TraceRead)
    return fresh_answer(views.TraceView.of(trace).to_json())


@doors.declare("POST", "/ops/tell", needs=Permission.OPS_SEND, answers={200: views.SentView})
async def tell_actor(request: web.Request, body: bodies.Tell) -> web.Response:
    """Send an actor a message by hand and wait for nothing."""
    return await send(request, body, 0.0)


@doors.declare("POST", "/ops/ask", needs=Permission.OPS_SEND, answers={200: views.SentView})
async def ask_actor(request: web.Request, body: bodies.Question) -> web.Response:
    """Send an actor a message by hand and show what it answers."""
    return await send(request, body, body.timeout_ms / 1000)


async def send(request: web.Request, body: bodies.Tell, timeout_seconds: float) -> web.Response:
    """Send a message that somebody wrote as JSON."""
    command = SendToActor(
        path=actor_path(body.path),
        message_type=body.type,
        fields=body.fields,
        timeout_seconds=timeout_seconds,
        by=await acting(request),
        reason=body.reason,
    )
    sent = await operate(request, command, SentToActor, timeout_seconds + _MARGIN_SECONDS)
    return fresh_answer(views.SentView.of(sent).to_json())


def actor_path(text: str) -> str:
    """Return an actor's path, which begins with a slash; what no path can hold names no actor."""
    if not text.isprintable():
        raise ProblemError(ProblemCode.NOT_FOUND)
    return text if text.startswith("/") else f"/{text}"
