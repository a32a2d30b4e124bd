"""News that no log holds reach members on other nodes, once; without Redis they stay, and no act waits."""

import asyncio
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from veza.actors.chat.room import RoomActor
from veza.actors.messages.attachments import (
    AttachmentReady,
    AttachmentState,
    AttachmentStored,
    StoreAttachment,
)
from veza.actors.messages.presence import ReadMemberIds
from veza.actors.messages.reports import FileReport, ReportFiled, ReportTold
from veza.actors.messages.rooms import (
    ActInRoom,
    AddMember,
    EventStored,
    Measure,
    ModerateMember,
    ReceiptsMoved,
    RoomAdded,
    TypingChanged,
)
from veza.actors.messages.sessions import ActDone, MarkReceipt, SetTyping
from veza.actors.messages.tracks import WriteChunk
from veza.actors.messages.ways import (
    BlockUser,
    ConversationOpened,
    DraftChanged,
    KeepDraft,
    OpenDirect,
    UnblockUser,
)
from veza.config.ids import uuid7
from veza.persistence.redis_link import connect
from veza.persistence.reports import ReportReason


@pytest.fixture
async def linked(redis):
    """Wait until so many nodes hear a topic."""

    async def wait(topic: str, nodes: int) -> None:
        async with connect(redis.url) as client, asyncio.timeout(20):
            while (await client.pubsub_numsub(f"veza:{topic}"))[0][1] < nodes:
                await asyncio.sleep(0.01)

    return wait


@pytest.fixture
async def pair(talk, linked) -> Any:
    """The two of `talk`, once each of their nodes hears the other."""
    await linked(f"room:{talk.key[1]}", 2)
    for member in talk.members:
        await linked(f"user:{member.id}", 1)
    return talk


async def device(node: Any, of: Any, author: Any = None) -> Any:
    """A connection of somebody at a node."""
    return await type(of)(node, author or of.author).open()


async def types(client: Any, room_id: Any, *, on: bool = True) -> None:
    frame_id = client.frame_id()
    client.tell(SetTyping(frame_id=frame_id, room_id=room_id, is_typing=on))
    assert isinstance(await client.answer(frame_id), ActDone)


async def reads(client: Any, room_id: Any, seq: int) -> object:
    frame_id = client.frame_id()
    client.tell(MarkReceipt(frame_id=frame_id, room_id=room_id, read_seq=seq))
    return await client.answer(frame_id)


async def passed_on(node: Any, room_id: Any) -> None:
    """Wait until a room has told, or kept to itself, what it was given to pass on."""
    await node.node.ask(("room", str(room_id)), ReadMemberIds())
    room = next(
        cell.instance
        for cell in node.node.runtime.tree()
        if isinstance(cell.instance, RoomActor) and cell.instance.room_id == room_id
    )
    async with asyncio.timeout(30):
        while room.is_asking_blocks:
            await asyncio.sleep(0.01)


def typing(client: Any) -> list[tuple[str, bool]]:
    return [(each.user.name, each.is_typing) for each in client.of_kind(TypingChanged)]


def of(kind: type) -> Any:
    return lambda event: isinstance(event, kind)


async def test_who_writes_is_seen_on_the_other_node_and_once_on_each(pair) -> None:
    ada, ben = pair.readers
    room_id = pair.room.id

    await types(ada, room_id)
    await ben.wait_for(of(TypingChanged))
    await types(ben, room_id)
    await ada.wait_for(lambda e: isinstance(e, TypingChanged) and e.user == ben.author)
    await types(ada, room_id, on=False)
    await ben.wait_for(lambda e: isinstance(e, TypingChanged) and not e.is_typing)

    expected = [("ada", True), ("ben", True), ("ada", False)]
    assert typing(ada) == typing(ben) == expected
    counters = [node.resources.shared.bus.counters for node in pair.nodes]
    assert [(c.news_told, c.news_heard, c.unreadable) for c in counters] == [(2, 1, 0), (1, 2, 0)]


async def test_what_somebody_has_read_is_told_on_both_nodes(pair) -> None:
    ada, ben = pair.readers
    seq = await pair.post(1)
    await pair.heard(seq)

    await reads(ada, pair.room.id, seq)

    for reader in (ada, ben):
        read = await reader.wait_for(lambda e: isinstance(e, ReceiptsMoved) and e.is_read)
        assert read.seqs == ((ada.author.id, seq),)
        assert len([e for e in reader.of_kind(ReceiptsMoved) if e.is_read]) == 1


async def test_nobody_is_shown_going_back_whichever_node_is_late(pair) -> None:
    ada, ben = pair.readers
    seqs = [await pair.post(1) for _ in range(3)]
    await pair.heard(seqs[-1])

    await reads(ada, pair.room.id, seqs[2])
    await ben.wait_for(lambda e: isinstance(e, ReceiptsMoved) and e.is_read)
    late = ReceiptsMoved(room_id=pair.room.id, is_read=True, seqs=((ada.author.id, seqs[1]),))
    # What ada's other device had read, told late by ben's node.
    pair.nodes[1].resources.fan_out.publish_elsewhere(f"room:{pair.room.id}", late)
    await types(ben, pair.room.id)
    await ada.wait_for(of(TypingChanged))

    for reader in (ada, ben):
        shown = [
            dict(e.seqs).get(ada.author.id) for e in reader.of_kind(ReceiptsMoved) if e.is_read
        ]
        assert shown == [seqs[2]]


@pytest.mark.parametrize("is_room_there", [False, True])
async def test_who_is_added_learns_of_it_on_whichever_node_and_once(
    pair, world, linked, is_room_there
) -> None:
    near, far = pair.nodes
    carl = await world.person("carl")
    here, there = [await device(node, pair.readers[0], carl) for node in (near, far)]
    await linked(f"user:{carl.id}", 2)
    room = pair.room
    if not is_room_there:
        room = await near.room(pair.members[0], "Loft")

    add = ActInRoom(by=pair.members[0], act=AddMember(user_id=carl.id))
    assert isinstance(await near.node.ask(("room", str(room.id)), add), EventStored)
    for client in (here, there):
        added = await client.wait_for(of(RoomAdded))
        assert added.room.id == room.id
    await near.node.ask(
        ("ways", ""), KeepDraft(room_id=pair.room.id, user_id=carl.id, text="later than that")
    )
    await there.wait_for(of(DraftChanged))

    assert [len(client.of_kind(RoomAdded)) for client in (here, there)] == [1, 1]


async def test_a_conversation_is_told_to_the_other_on_their_node(pair) -> None:
    near = pair.nodes[0]
    ada, ben = pair.readers

    opened = await near.node.ask(
        ("ways", ""), OpenDirect(room_id=uuid7(), creator=ada.author, other_id=ben.author.id)
    )

    assert isinstance(opened, ConversationOpened)
    added = await ben.wait_for(of(RoomAdded))
    assert (added.room, added.by) == (opened.room, ada.author)


async def test_a_draft_follows_its_writer_to_the_device_on_the_other_node(pair, linked) -> None:
    ada = pair.readers[0]
    phone = await device(pair.nodes[1], ada)
    await linked(f"user:{ada.author.id}", 2)

    keep = KeepDraft(room_id=pair.room.id, user_id=ada.author.id, text="not yet")
    await pair.nodes[0].node.ask(("ways", ""), keep)

    expected = DraftChanged(room_id=pair.room.id, text="not yet")
    assert await phone.wait_for(of(DraftChanged)) == expected
    assert await ada.wait_for(of(DraftChanged)) == expected


async def test_a_report_reaches_the_moderator_on_the_other_node(pair) -> None:
    ada, ben = pair.readers
    seq = await pair.post(1)
    posted = await ben.wait_for(lambda event: getattr(event, "seq", 0) == seq)
    command = FileReport(
        report_id=uuid7(),
        reporter=await pair.nodes[1].person("carl"),
        room_id=pair.room.id,
        message_id=posted.message_id,
        user_id=None,
        reason=ReportReason.SPAM,
        text="",
    )
    told = await pair.nodes[1].node.ask(("reports", ""), command)

    assert isinstance(told, ReportTold)
    filed = await ada.wait_for(of(ReportFiled))
    assert filed.report_id == told.report.id


async def test_a_thumbnail_is_told_to_the_room_on_both_nodes_whichever_made_it(pair) -> None:
    ada, ben = pair.readers
    file = BytesIO()
    Image.effect_noise((90, 60), 40).save(file, "PNG")
    upload_id = uuid7()
    near = pair.nodes[0].node
    await near.ask(("media", ""), WriteChunk(upload_id=upload_id, offset=0, data=file.getvalue()))
    command = StoreAttachment(
        attachment_id=uuid7(),
        upload_id=upload_id,
        owner=ben.author,
        room_id=pair.room.id,
        filename="cover.png",
    )
    stored = await near.ask(("attachments", ""), command)
    assert isinstance(stored, AttachmentStored)

    # The owner is told, and the room in which the owner is, too.
    for reader, times in ((ada, 1), (ben, 2)):
        ready = await reader.wait_for(of(AttachmentReady))
        assert (ready.state, ready.width_px, ready.height_px) == (AttachmentState.READY, 90, 60)
        async with asyncio.timeout(20):
            while len(reader.of_kind(AttachmentReady)) < times:
                reader.news.clear()
                await reader.news.wait()


async def test_who_is_kicked_hears_nothing_later_on_the_other_node(pair, world) -> None:
    near, far = pair.nodes
    ada, ben = pair.readers
    carl = await device(far, ben, await world.person("carl"))
    await carl.join(pair.room)
    await ada.wait_for(lambda e: getattr(e, "author", None) == carl.author)

    room = far.cell(f"rooms/{pair.room.id}")
    heard = far.resources.shared.bus.counters
    far.node.runtime.suspend(room)  # whatever hurries past the event would be there before it
    kick = ModerateMember(user_id=ben.author.id, measure=Measure.KICK)
    kicked = await near.node.ask(pair.key, ActInRoom(by=ada.author, act=kick, is_staff=True))
    assert isinstance(kicked, EventStored), kicked
    await types(ada, pair.room.id)
    async with asyncio.timeout(20):
        while not heard.news_heard:
            await asyncio.sleep(0.01)
    far.node.runtime.resume(room)
    await carl.wait_for(of(TypingChanged))

    assert ben.events[-1] == kicked.event
    assert typing(ben) == []


async def test_a_block_set_on_one_node_holds_on_the_other(pair, linked) -> None:
    near, far = pair.nodes
    ada, ben = pair.readers
    opened = await near.node.ask(
        ("ways", ""), OpenDirect(room_id=uuid7(), creator=ada.author, other_id=ben.author.id)
    )
    for each in (ada, ben):
        await each.join(opened.room)
    await linked(f"room:{opened.room.id}", 2)

    pair_of = {"user_id": ben.author.id, "blocked_id": ada.author.id}
    await far.node.ask(("ways", ""), BlockUser(**pair_of))
    await types(ada, opened.room.id)
    await types(ada, opened.room.id, on=False)
    await passed_on(near, opened.room.id)
    await far.node.ask(("ways", ""), UnblockUser(**pair_of))
    await types(ada, opened.room.id)
    await ben.wait_for(of(TypingChanged))

    assert typing(ben) == [("ada", True)]


async def test_who_writes_and_stops_is_told_in_that_order_however_late_the_blocks_are_read(
    pair, linked, pool
) -> None:
    near = pair.nodes[0]
    ada, ben = pair.readers
    command = OpenDirect(room_id=uuid7(), creator=ada.author, other_id=ben.author.id)
    opened = await near.node.ask(("ways", ""), command)
    for each in (ada, ben):
        await each.join(opened.room)
    await linked(f"room:{opened.room.id}", 2)
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE user_blocks IN ACCESS EXCLUSIVE MODE")
        for is_on in (True, False) * 4:
            await types(ada, opened.room.id, on=is_on)

    async with asyncio.timeout(30):
        while len(typing(ben)) < 8:
            await asyncio.sleep(0.01)
    assert typing(ben) == [("ada", True), ("ada", False)] * 4


async def test_while_redis_is_dead_acts_go_on_and_afterwards_all_is_as_it_was(
    pair, redis, linked
) -> None:
    near = pair.nodes[0]
    ada, ben = pair.readers
    room_id = pair.room.id
    carl = await device(near, ben)
    await carl.join(pair.room)

    redis.kill()
    async with asyncio.timeout(30):
        while any(node.resources.shared.bus.is_up for node in pair.nodes):
            await asyncio.sleep(0.01)
    await types(ada, room_id)
    await carl.wait_for(of(TypingChanged))  # on the same node as ever
    seq = await pair.post(0)
    assert isinstance(await reads(ben, room_id, await pair.post(1)), ActDone)
    keep = KeepDraft(room_id=room_id, user_id=ben.author.id, text="not yet")
    await near.node.ask(("ways", ""), keep)
    await ben.wait_for(lambda e: getattr(e, "seq", 0) == seq)
    assert typing(ben) == []
    assert near.resources.shared.bus.counters.news_dropped > 0

    redis.start()
    await linked(f"room:{room_id}", 2)
    await linked(f"user:{ben.author.id}", 2)
    async with asyncio.timeout(20):
        while not all(node.resources.shared.bus.is_up for node in pair.nodes):
            await asyncio.sleep(0.01)
    await types(ada, room_id)
    await ben.wait_for(of(TypingChanged))
    await near.node.ask(
        ("ways", ""), KeepDraft(room_id=room_id, user_id=ben.author.id, text="now it is")
    )
    last = await ben.wait_for(of(DraftChanged))

    assert typing(ben) == [("ada", True)]
    assert last.text == "now it is"
