"""Addresses for those who keep order: reports, what was done in a room, and accounts that are shut out."""

import asyncio
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import (
    AccountBannable,
    AccountBanned,
    AccountBansListed,
    AccountUnbanned,
    BanAccount,
    Identified,
    ListAccountBans,
    UnbanAccount,
)
from veza.actors.messages.common import Key, Rejected
from veza.actors.messages.reading import MeasuresRead, ReadMeasures
from veza.actors.messages.reports import (
    FileReport,
    HandleReport,
    ListReports,
    ReportsListed,
    ReportTold,
    ShowReport,
)
from veza.config.ids import uuid7
from veza.gateway import wire
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import NO_CONTENT, Access, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.identity import ACCOUNTS
from veza.gateway.keys import ACTORS, CONNECTIONS, CURSORS, REQUEST_ID
from veza.gateway.messages import HIDDEN, room_of
from veza.gateway.rates import REPORTS_FILED
from veza.gateway.rooms import author_of, is_staff, require

routes = Endpoints("moderation")

REPORTS: Final[Key] = ("reports", "")
MESSAGES: Final[Key] = ("messages", "")


@routes.declare(
    "PUT", "/users/{user_id}/ban", access=Access.ADMIN, answers={200: wire.AccountBanView}
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


@routes.declare("DELETE", "/users/{user_id}/ban", access=Access.ADMIN, answers={204: NO_CONTENT})
async def unban_account(
    request: web.Request, user_id: UUID, query: wire.UnbanQuery, who: Identified
) -> web.Response:
    """Let an account in again; it signs in anew."""
    command = UnbanAccount(
        user_id=user_id, reason=query.reason, by=author_of(who), request_id=request[REQUEST_ID]
    )
    expect(await request.app[ACTORS].ask(ACCOUNTS, command), AccountUnbanned)
    request.app[CONNECTIONS].let_in(user_id)
    return web.Response(status=HTTPStatus.NO_CONTENT)


@routes.declare("GET", "/bans", access=Access.ADMIN, answers={200: wire.AccountBanPage})
async def list_account_bans(request: web.Request, query: wire.PageQuery) -> web.Response:
    """List the accounts that are shut out, newest first."""
    cursors = request.app[CURSORS]
    before = _position(cursors.decode("bans", query.cursor)) if query.cursor else None
    command = ListAccountBans(limit=query.limit + 1, before=before)
    listed = expect(await request.app[ACTORS].ask(ACCOUNTS, command), AccountBansListed).bans
    page, has_more = listed[: query.limit], len(listed) > query.limit
    position = f"{page[-1].at.isoformat()} {page[-1].user.id}" if has_more else None
    view = wire.AccountBanPage(
        data=[wire.AccountBanView.of(ban) for ban in page],
        next_cursor=position and cursors.encode("bans", position),
    )
    return json_answer(request, view)


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


@routes.declare("GET", "/reports", access=Access.ADMIN, answers={200: wire.ReportPage})
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
    cursors = request.app[CURSORS]
    scope = f"reports {room_id or ''} {query.state or ''}"
    command = ListReports(
        viewer=who.user.id,
        room_id=room_id,
        state=query.state,
        before=UUID(cursors.decode(scope, query.cursor)) if query.cursor else None,
        limit=query.limit + 1,
    )
    listed = expect(await request.app[ACTORS].ask(REPORTS, command), ReportsListed).reports
    page, has_more = listed[: query.limit], len(listed) > query.limit
    view = wire.ReportPage(
        data=[wire.ReportView.of(report) for report in page],
        next_cursor=cursors.encode(scope, str(page[-1].id)) if has_more else None,
    )
    return json_answer(request, view)


@routes.declare(
    "PATCH", "/reports/{report_id}", access=Access.SIGNED_IN, answers={200: wire.ReportView}
)
async def handle_report(
    request: web.Request, report_id: UUID, body: wire.ReportChange, who: Identified
) -> web.Response:
    """Say what became of a report: as a moderator of its room, or an administrator."""
    actors = request.app[ACTORS]
    if not is_staff(who):
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
    cursors, scope = request.app[CURSORS], f"moderation {room_id}"
    before = int(cursors.decode(scope, query.cursor)) if query.cursor else None
    command = ReadMeasures(room_id=room_id, before_seq=before, limit=query.limit + 1)
    read = expect(await request.app[ACTORS].ask(MESSAGES, command), MeasuresRead).measures
    page, has_more = read[: query.limit], len(read) > query.limit
    cursor = cursors.encode(scope, str(page[-1].seq)) if has_more else None
    return json_answer(request, wire.measure_page(page, cursor))


def _position(text: str) -> tuple[datetime, UUID]:
    at, _, user_id = text.partition(" ")
    return datetime.fromisoformat(at), UUID(user_id)
