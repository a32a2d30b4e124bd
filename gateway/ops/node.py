"""Addresses for the node as a whole: figures, connections, jobs, the audit log, and its orderly end."""

import asyncio
from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import web

from veza.actors.messages.audit import AUDIT, ActsListed, ListActs
from veza.actors.messages.jobs import JobsListed, ListJobs
from veza.actors.messages.operator import ActedOn, ActOnActor, ActorAction, ReadNode
from veza.actors.messages.ops import NodeFigures
from veza.actors.messages.permissions import Permission
from veza.actors.messages.tracks import JOBS
from veza.gateway.answers import fresh_answer
from veza.gateway.errors import expect
from veza.gateway.keys import ACTORS, CONNECTIONS
from veza.gateway.ops.acting import acting, operate
from veza.gateway.ops.doors import Doors
from veza.gateway.paging import Paging
from veza.gateway.wire import bodies
from veza.gateway.wire import ops as views

doors = Doors()

ROOT: Final = "/veza/root"
"""Whose draining is that of the node."""


@doors.declare("GET", "/ops/nodes", answers={200: views.NodePage})
async def list_nodes(request: web.Request) -> web.Response:
    """Show the figures of this node."""
    figures = await operate(request, ReadNode(), NodeFigures)
    node = views.NodeView.at(figures, len(request.app[CONNECTIONS]))
    return fresh_answer(views.NodePage(data=[node]).to_json())


@doors.declare("GET", "/ops/connections", answers={200: views.ConnectionPage})
async def list_connections(request: web.Request, query: bodies.PageQuery) -> web.Response:
    """List the open WebSockets of this node, newest first."""
    paging = Paging(request, "connections", query, int)
    now = asyncio.get_running_loop().time()
    listed = request.app[CONNECTIONS].listed(now, limit=paging.read_limit, before=paging.start)
    shown, cursor = paging.cut(listed, lambda connection: connection.connection_id)
    data = [views.ConnectionView.of(connection) for connection in shown]
    return fresh_answer(views.ConnectionPage(data=data, next_cursor=cursor).to_json())


@doors.declare("GET", "/ops/jobs", answers={200: views.QueuedJobPage})
async def list_jobs(request: web.Request, query: bodies.JobsQuery) -> web.Response:
    """List everybody's jobs, of one state or of all, newest first."""
    paging = Paging(request, f"jobs {query.state or ''}", query, UUID)
    command = ListJobs(state=query.state, before=paging.start, limit=paging.read_limit)
    listed = expect(await request.app[ACTORS].ask(JOBS, command), JobsListed).jobs
    shown, cursor = paging.cut(listed, lambda queued: queued.job.id)
    data = [views.QueuedJobView.of(queued) for queued in shown]
    return fresh_answer(views.QueuedJobPage(data=data, next_cursor=cursor).to_json())


@doors.declare(
    "GET",
    "/ops/audit",
    http_path="/audit",
    needs=Permission.AUDIT_READ,
    answers={200: views.ActPage},
)
async def list_acts(request: web.Request, query: bodies.PageQuery) -> web.Response:
    """List what operators did, newest first."""
    paging = Paging(request, "audit", query, UUID)
    command = ListActs(limit=paging.read_limit, before_id=paging.start)
    listed = expect(await request.app[ACTORS].ask(AUDIT, command), ActsListed).acts
    shown, cursor = paging.cut(listed, lambda act: act.act_id)
    data = [views.ActView.of(act) for act in shown]
    return fresh_answer(views.ActPage(data=data, next_cursor=cursor).to_json())


@doors.declare("POST", "/ops/drain", answers={202: views.ActedView})
async def drain_node(request: web.Request, body: bodies.Act) -> web.Response:
    """Drain the node and end it, as SIGTERM does."""
    by = await acting(request)
    command = ActOnActor(path=ROOT, action=ActorAction.DRAIN, by=by, reason=body.reason)
    acted = await operate(request, command, ActedOn)
    return fresh_answer(views.ActedView.of(acted).to_json(), HTTPStatus.ACCEPTED)
