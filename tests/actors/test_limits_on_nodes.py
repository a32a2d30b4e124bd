"""What a member may do in a room holds over all nodes, for one who opens the room anew, too."""

import asyncio
from typing import Any
from uuid import uuid4

from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.rooms import (
    ActInRoom,
    EventStored,
    JoinRoom,
    PostMessage,
    RoomKind,
    RoomSettings,
)
from veza.actors.messages.rooms_service import CreateRoom
from veza.config.ids import uuid7

SLOW_SECONDS = 600


async def room_at(nodes: list[Any], members: list[Any], slow_mode_seconds: int = 0) -> Any:
    """A room that runs on these nodes, with an owner, and members who are nobody special."""
    settings = RoomSettings(
        name="Kitchen", kind=RoomKind.PUBLIC, slow_mode_seconds=slow_mode_seconds
    )
    owner, *others = members
    create = CreateRoom(room_id=uuid7(), creator=owner, settings=settings)
    room = (await nodes[0].node.ask(("rooms", ""), create)).room
    for node in nodes:
        for each in others:
            await node.node.ask(("room", str(room.id)), ActInRoom(by=each, act=JoinRoom()))
    return room


async def post(node: Any, room: Any, member: Any) -> Any:
    act = PostMessage(message_id=uuid4(), text=str(uuid4()))
    return await node.node.ask(("room", str(room.id)), ActInRoom(by=member, act=act))


async def told(node: Any, room: Any, seq: int) -> None:
    """Wait until a node has told an event."""
    async with asyncio.timeout(20):
        while node.cell(f"rooms/{room.id}").instance.told_seq < seq:
            await asyncio.sleep(0.01)


async def test_slow_mode_holds_on_every_node_and_where_the_room_is_opened_later(
    world, new_node
) -> None:
    one, two = await new_node(), await new_node()
    members = [await world.person(name) for name in ("ada", "ben", "carl")]
    ada, ben, carl = members
    room = await room_at([one, two], members, SLOW_SECONDS)

    stored = await post(one, room, ben)
    assert isinstance(stored, EventStored)
    await told(two, room, stored.event.seq)
    third = await new_node()

    for node in (one, two, third):
        refused = await post(node, room, ben)
        assert isinstance(refused, Rejected)
        assert refused.code is RejectCode.SLOW_MODE
        assert SLOW_SECONDS - 60 < refused.retry_after_seconds <= SLOW_SECONDS
        assert isinstance(await post(node, room, ada), EventStored)  # the owner is exempt
    assert isinstance(await post(third, room, carl), EventStored)


async def test_the_rate_of_messages_is_one_for_all_nodes(world, new_node) -> None:
    limits = {"message_burst": 10, "message_rate_per_10s": 1}
    one, two = await new_node(**limits), await new_node(**limits)
    ada, ben = [await world.person(name) for name in ("ada", "ben")]
    room = await room_at([one, two], [ada, ben])

    passed = 0
    for number in range(24):
        stored = await post((one, two)[number % 2], room, ben)
        if isinstance(stored, EventStored):
            passed += 1
            for node in (one, two):
                await told(node, room, stored.event.seq)
        else:
            assert stored.code is RejectCode.RATE_LIMITED

    assert 10 <= passed <= 12  # one comes back in ten seconds
