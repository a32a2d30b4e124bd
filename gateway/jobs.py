"""Addresses for the jobs that publish tracks."""

from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.tracks import JOBS, CancelJob, DescribeJob, JobDescribed, RetryJob
from veza.gateway import wire
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import Access, Endpoints
from veza.gateway.errors import expect
from veza.gateway.keys import ACTORS

routes = Endpoints("jobs")


@routes.declare("GET", "/jobs/{job_id}", access=Access.SIGNED_IN, answers={200: wire.JobView})
async def show_job(request: web.Request, job_id: UUID, who: Identified) -> web.Response:
    """Show how far one of one's own jobs is."""
    return await job_answer(request, DescribeJob(job_id=job_id, viewer_id=who.user.id))


@routes.declare(
    "POST", "/jobs/{job_id}/cancel", access=Access.SIGNED_IN, answers={200: wire.JobView}
)
async def cancel_job(request: web.Request, job_id: UUID, who: Identified) -> web.Response:
    """Stop a job that is not finished."""
    return await job_answer(request, CancelJob(job_id=job_id, viewer_id=who.user.id))


@routes.declare(
    "POST", "/jobs/{job_id}/retry", access=Access.SIGNED_IN, answers={200: wire.JobView}
)
async def retry_job(request: web.Request, job_id: UUID, who: Identified) -> web.Response:
    """Queue a failed or cancelled job anew."""
    return await job_answer(request, RetryJob(job_id=job_id, viewer_id=who.user.id))


async def job_answer(request: web.Request, command: object) -> web.Response:
    """Ask the jobs service and show the job it answers with."""
    reply = await request.app[ACTORS].ask(JOBS, command)
    return json_answer(request, wire.JobView.of(expect(reply, JobDescribed).job))
