"""Reports at their service: what comes at once is kept once, bounds hold, and no room depends on it."""

import asyncio

import pytest
from structlog.testing import capture_logs

from veza.actors.chat.reports import MAX_OPEN_OF_RULES
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.reports import (
    FileRefused,
    FileReport,
    HandleReport,
    ListReports,
    RefusedFiled,
    ReportFiled,
    ReportReason,
    ReportState,
    ReportTold,
)
from veza.actors.messages.rooms import ActInRoom, ChangeRoom, EventStored, JoinRoom, PostMessage
from veza.config.ids import uuid7

REPORTS = ("reports", "")
RULES = '{"words": {"words": ["darn"], "action": "report"}, "escalation": null}'


@pytest.fixture
async def ada(world):
    return await world.client("ada")


@pytest.fixture
async def bob(world):
    return await world.person("bob")


@pytest.fixture
async def room(world, ada, bob):
    made = await world.room(ada.author)
    await act(world, made, bob, JoinRoom())
    return made


async def act(world, room, who, what):
    return await world.node.ask(("room", str(room.id)), ActInRoom(by=who, act=what))


def post(text):
    return PostMessage(message_id=uuid7(), text=text)


def filing(room, reporter, message_id):
    return FileReport(
        report_id=uuid7(),
        reporter=reporter,
        room_id=room.id,
        message_id=message_id,
        user_id=None,
        reason=ReportReason.SPAM,
        text="",
    )


async def listed(world, room, viewer):
    command = ListReports(viewer=viewer.id, room_id=room.id, state=None, before=None, limit=100)
    return (await world.node.ask(REPORTS, command)).reports


async def test_of_two_reports_at_once_one_is_kept(world, ada, bob, room):
    stored = await act(world, room, ada.author, post("buy this"))
    message_id = stored.event.message_id

    replies = await asyncio.gather(
        *(world.node.ask(REPORTS, filing(room, bob, message_id)) for _ in range(10))
    )

    kept = [reply for reply in replies if isinstance(reply, ReportTold)]
    codes = {reply.code for reply in replies if isinstance(reply, Rejected)}
    assert len(kept) == 1
    assert codes == {RejectCode.ALREADY_EXISTS}


async def test_a_report_outlives_its_message_and_its_room(world, ada, bob, room):
    stored = await act(world, room, ada.author, post("buy this"))
    told = await world.node.ask(REPORTS, filing(room, bob, stored.event.message_id))
    async with world.pool.acquire() as conn:
        await conn.execute("DELETE FROM rooms WHERE id = $1", room.id)

    command = HandleReport(
        report_id=told.report.id,
        state=ReportState.RESOLVED,
        note="",
        by=bob,
        request_id="request-1",
    )
    after = (await world.node.ask(REPORTS, command)).report

    assert (after.evidence, after.room_id, after.subject) == ("buy this", None, ada.author)


async def test_one_member_fills_no_list_by_breaking_rules(world, ada, bob, room):
    replies = [
        await world.node.ask(
            REPORTS,
            FileRefused(
                room_id=room.id,
                message_id=uuid7(),
                author=bob,
                rule="words",
                text=f"darn {number}",
                detail="It was not posted.",
            ),
        )
        for number in range(MAX_OPEN_OF_RULES + 2)
    ]

    assert replies[-3:] == [RefusedFiled(is_new=True)] + 2 * [RefusedFiled(is_new=False)]
    assert len(await listed(world, room, ada.author)) == MAX_OPEN_OF_RULES
    await ada.wait_for(lambda event: isinstance(event, ReportFiled))


async def test_what_a_rule_refuses_stays_refused_when_it_cannot_be_reported(world, ada, bob, room):
    await act(world, room, ada.author, ChangeRoom(rules=RULES))
    async with world.pool.acquire() as conn:
        await conn.execute("ALTER TABLE reports RENAME TO away")
    try:
        with capture_logs() as log:
            refused = await act(world, room, bob, post("darn it"))
            stored = await act(world, room, bob, post("hello"))
            async with asyncio.timeout(30):
                while "room.not_reported" not in [line["event"] for line in log]:
                    await act(world, room, bob, post("hello"))
    finally:
        async with world.pool.acquire() as conn:
            await conn.execute("ALTER TABLE away RENAME TO reports")

    assert isinstance(refused, Rejected)
    assert refused.code is RejectCode.ROOM_RULES
    assert isinstance(stored, EventStored)
    assert await listed(world, room, ada.author) == ()
