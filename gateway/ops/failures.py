"""Addresses for what failed: messages that no handler saw, and crashes by their cause."""

from aiohttp import web

from veza.actors.messages.operator import (
    CrashesListed,
    CrashRead,
    DeadLettersListed,
    DeadLettersSettled,
    DiscardDeadLetters,
    ListCrashes,
    ListDeadLetters,
    ReadCrash,
    ReplayDeadLetter,
)
from veza.gateway.answers import fresh_answer
from veza.gateway.ops.acting import acting, operate
from veza.gateway.ops.doors import Doors
from veza.gateway.paging import Paging
from veza.gateway.wire import bodies
from veza.gateway.wire import ops as views

doors = Doors()


@doors.declare("GET", "/ops/dead-letters", answers={200: views.DeadLetterPage})
async def list_dead_letters(request: web.Request, query: bodies.PageQuery) -> web.Response:
    """List messages that no handler saw, newest first."""
    paging = Paging(request, "dead letters", query, int)
    command = ListDeadLetters(limit=query.limit, before_id=paging.start)
    listed = await operate(request, command, DeadLettersListed)
    page = views.DeadLetterPage(
        data=[views.DeadLetterView.of(letter) for letter in listed.letters],
        next_cursor=paging.cursor_at(listed.next_before_id),
        total=listed.total,
    )
    return fresh_answer(page.to_json())


@doors.declare("POST", "/ops/dead-letters/{letter_id}/replay", answers={200: views.SettledView})
async def replay_dead_letter(
    request: web.Request, letter_id: int, body: bodies.Act
) -> web.Response:
    """Send a dead letter again."""
    by = await acting(request)
    return await settle(request, ReplayDeadLetter(letter_id=letter_id, by=by, reason=body.reason))


@doors.declare("POST", "/ops/dead-letters/{letter_id}/discard", answers={200: views.SettledView})
async def discard_dead_letter(
    request: web.Request, letter_id: int, body: bodies.Act
) -> web.Response:
    """Forget a dead letter."""
    by = await acting(request)
    command = DiscardDeadLetters(letter_ids=(letter_id,), by=by, reason=body.reason)
    return await settle(request, command)


@doors.declare("POST", "/ops/dead-letters/discard", answers={200: views.SettledView})
async def discard_dead_letters(request: web.Request, body: bodies.Act) -> web.Response:
    """Forget all dead letters."""
    by = await acting(request)
    return await settle(request, DiscardDeadLetters(letter_ids=None, by=by, reason=body.reason))


async def settle(
    request: web.Request, command: ReplayDeadLetter | DiscardDeadLetters
) -> web.Response:
    """Carry out what is to become of dead letters."""
    settled = await operate(request, command, DeadLettersSettled)
    return fresh_answer(views.SettledView.of(settled).to_json())


@doors.declare("GET", "/ops/crashes", answers={200: views.CrashPage})
async def list_crashes(request: web.Request) -> web.Response:
    """List crashes by their cause, the latest first."""
    listed = await operate(request, ListCrashes(), CrashesListed)
    groups = [views.CrashGroupView.of(group) for group in listed.groups]
    return fresh_answer(views.CrashPage(data=groups, total=listed.total).to_json())


@doors.declare("GET", "/ops/crashes/{fingerprint}", answers={200: views.CrashDetailView})
async def show_crash(request: web.Request, fingerprint: str) -> web.Response:
    """Show one cause of crashes with the newest of them."""
    crash = await operate(request, ReadCrash(fingerprint=fingerprint), CrashRead)
    return fresh_answer(views.CrashDetailView.of(crash).to_json())
