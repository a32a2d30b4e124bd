"""Addresses for those who keep order: reports, what was done in a room, and accounts that are shut out."""

import asyncio
from dataclasses import replace
from http import HTTPStatus
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import (
    ACCOUNTS,
    AccountBannable,
    AccountBanned,
    AccountBansListed,
    AccountUnbanned,
    BanAccount,
    Identified,
    ListAccountBans,
    UnbanAccount,
)
from veza.actors.messages.common import Rejected
from veza.actors.messages.permissions import Permission, holds
from veza.actors.messages.reading import MESSAGES, MeasuresRead, ReadMeasures
from veza.actors.messages.reports import (
    REPORTS,
    FileReport,
    HandleReport,
    ListReports,
    ReportsListed,
    ReportTold,
    ShowReport,
)
from veza.config.ids import uuid7
from veza.gateway import wire
from veza.gateway.answers import json_answer, no_content
from veza.gateway.endpoints import NO_CONTENT, Access, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.keys import ACTORS, CONNECTIONS, REQUEST_ID
from veza.gateway.messages import HIDDEN, room_of
from veza.gateway.paging import Paging, time_and_id
from veza.gateway.rates import REPORTS_FILED
from veza.gateway.rooms import author_of, require

routes = Endpoints("moderation")


@routes.declare(
    "PUT",
    "/users/{user_id}/ban",
    access=Access.SIGNED_IN,
    needs=Permission.ACCOUNTS_BAN,
    answers={200: wire.AccountBanView},
)
async def ban_account(
    request: web.Request, user_id: UUID, body: wire.NewBan, who: Identified
) -> web.Response:
    """Shut an account out: its sessions end, and its open connections close with 4503."""
    command = BanAccount(
        user_id=user_id,
        until=body.until,
        reason=body.reason,
        by=author_of(who),
        request_id=request[REQUEST_ID],
    )
    actors, connections = request.app[ACTORS], request.app[CONNECTIONS]
    expect(await actors.ask(ACCOUNTS, replace(command, is_rehearsal=True)), AccountBannable)
    # Before the commit: nothing that is committed after it may reach one of these connections.
    connections.shut_out(user_id, asyncio.get_running_loop().time())
    reply = await actors.ask(ACCOUNTS, command)
    if isinstance(reply, Rejected):
        connections.let_in(user_id)
    banned = expect(reply, AccountBanned)
    return json_answer(request, wire.AccountBanView.of(banned.ban))


@routes.declare(
    "DELETE",
    "/users/{user_id}/ban",
    access=Access.SIGNED_IN,
    needs=Permission.ACCOUNTS_BAN,
    answers={204: NO_CONTENT},
)
async def unban_account(
    request: web.Request, user_id: UUID, query: wire.UnbanQuery, who: Identified
) -> web.Response:
    """Let an account in again; it signs in anew."""
    command = UnbanAccount(
        user_id=user_id, reason=query.reason, by=author_of(who), request_id=request[REQUEST_ID]
    )
    expect(await request.app[ACTORS].ask(ACCOUNTS, command), AccountUnbanned)
    request.app[CONNECTIONS].let_in(user_id)
    return no_content()


@routes.declare(
    "GET",
    "/bans",
    access=Access.SIGNED_IN,
    needs=Permission.ACCOUNTS_BAN,
    answers={200: wire.AccountBanPage},
)
async def list_account_bans(request: web.Request, query: wire.PageQuery) -> web.Response:
    """List the accounts that are shut out, newest first."""
    paging = Paging(request, "bans", query, time_and_id)
    command = ListAccountBans(limit=paging.read_limit, before=paging.start)
    listed = expect(await request.app[ACTORS].ask(ACCOUNTS, command), AccountBansListed).bans
    shown, cursor = paging.cut(listed, lambda ban: f"{ban.at.isoformat()} {ban.user.id}")
    data = [wire.AccountBanView.of(ban) for ban in shown]
    return json_answer(request, wire.AccountBanPage(data=data, next_cursor=cursor))


@routes.declare(
    "POST",
    "/reports",
    access=Access.SIGNED_IN,
    answers={201: wire.OwnReportView},
    rate=REPORTS_FILED,
)
async def file_report(request: web.Request, body: wire.NewReport, who: Identified) -> web.Response:
    """Report a message that one may read, or an account, to those who keep order."""
    room_id = body.room
    if body.message_id is not None:
        room_id = await _room_of_message(request, body.message_id, room_id, who)
    command = FileReport(
        report_id=uuid7(),
        reporter=author_of(who),
        room_id=room_id,
        message_id=body.message_id,
        user_id=body.user_id,
        reason=body.reason,
        text=body.text,
    )
    told = expect(await request.app[ACTORS].ask(REPORTS, command), ReportTold)
    return json_answer(request, wire.OwnReportView.of(told.report), HTTPStatus.CREATED)


async def _room_of_message(
    request: web.Request, message_id: UUID, room_id: UUID | None, who: Identified
) -> UUID:
    if room_id is None:
        return await room_of(request, message_id, who)
    await require(request, room_id, who, "READ")
    return room_id


@routes.declare(
    "GET",
    "/reports",
    access=Access.SIGNED_IN,
    needs=Permission.REPORTS_READ,
    answers={200: wire.ReportPage},
)
async def list_reports(
    request: web.Request, query: wire.ReportsQuery, who: Identified
) -> web.Response:
    """List the reports of all rooms and accounts, newest first."""
    return await _reports(request, None, query, who)


@routes.declare(
    "GET", "/rooms/{room_id}/reports", access=Access.SIGNED_IN, answers={200: wire.ReportPage}
)
async def list_room_reports(
    request: web.Request, room_id: UUID, query: wire.ReportsQuery, who: Identified
) -> web.Response:
    """List the reports of a room to its moderators, newest first."""
    await require(request, room_id, who, "MODERATE")
    return await _reports(request, room_id, query, who)


async def _reports(
    request: web.Request, room_id: UUID | None, query: wire.ReportsQuery, who: Identified
) -> web.Response:
    paging = Paging(request, f"reports {room_id or ''} {query.state or ''}", query, UUID)
    command = ListReports(
        viewer=who.user.id,
        room_id=room_id,
        state=query.state,
        before=paging.start,
        limit=paging.read_limit,
    )
    listed = expect(await request.app[ACTORS].ask(REPORTS, command), ReportsListed).reports
    shown, cursor = paging.cut(listed, lambda report: report.id)
    data = [wire.ReportView.of(report) for report in shown]
    return json_answer(request, wire.ReportPage(data=data, next_cursor=cursor))


@routes.declare(
    "PATCH", "/reports/{report_id}", access=Access.SIGNED_IN, answers={200: wire.ReportView}
)
async def handle_report(
    request: web.Request, report_id: UUID, body: wire.ReportChange, who: Identified
) -> web.Response:
    """Say what became of a report: as a moderator of its room, or of the instance."""
    actors = request.app[ACTORS]
    if not holds(who.user.permissions, Permission.REPORTS_HANDLE):
        show = ShowReport(report_id=report_id, viewer=who.user.id)
        room_id = expect(await actors.ask(REPORTS, show), ReportTold).report.room_id
        await _require_moderator(request, room_id, who)
    command = HandleReport(
        report_id=report_id,
        state=body.state,
        note=body.note,
        by=author_of(who),
        request_id=request[REQUEST_ID],
    )
    handled = expect(await actors.ask(REPORTS, command), ReportTold).report
    return json_answer(request, wire.ReportView.of(handled))


async def _require_moderator(request: web.Request, room_id: UUID | None, who: Identified) -> None:
    """Refuse others as if there was no such report: they are not to learn that there is one."""
    try:
        if room_id is not None:
            await require(request, room_id, who, "MODERATE")
            return
    except ProblemError as error:
        if error.code not in HIDDEN:
            raise
    raise ProblemError(ProblemCode.NOT_FOUND, "There is no such report.")


@routes.declare(
    "GET", "/rooms/{room_id}/moderation", access=Access.SIGNED_IN, answers={200: wire.MeasurePage}
)
async def list_measures(
    request: web.Request, room_id: UUID, query: wire.PageQuery, who: Identified
) -> web.Response:
    """List what moderators did in a room, newest first: about members, messages and the room itself."""
    await require(request, room_id, who, "MODERATE")
    paging = Paging(request, f"moderation {room_id}", query, int)
    command = ReadMeasures(room_id=room_id, before_seq=paging.start, limit=paging.read_limit)
    read = expect(await request.app[ACTORS].ask(MESSAGES, command), MeasuresRead).measures
    shown, cursor = paging.cut(read, lambda event: event.seq)
    return json_answer(request, wire.measure_page(shown, cursor))
