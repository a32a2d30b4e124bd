"""One room is flooded as fast as can be; the others hardly notice, and it is well again afterwards."""

import asyncio
import resource
from collections import Counter
from time import perf_counter
from uuid import uuid4

import pytest

from veza.actors.chat.room import MAX_PENDING
from veza.actors.messages.common import Busy, RejectCode, Rejected
from veza.actors.messages.rooms import ActInRoom, EventStored, PostMessage
from veza.actors.messages.sessions import ActDone, CommandFailed, DoInRoom
from veza.config.settings import Settings

QUIET_ROOMS = 4
FLOODERS = 6
FLOODS = {
    "thousands a second": (50, 0.1, 0.100),
    "as fast as the loop goes": (200, 0.0, 5.0),
}
"""How many each who floods leaves unanswered, how long it pauses between (seconds), and what one message
of a neighbour may take then, sent to acknowledged (seconds; on a slow machine ten times what it takes
without a flood, if that is more). The second flood leaves more unanswered
than the room's mailbox takes and uses up the processor, so that everybody waits for a turn: measured
0.2 s in the middle. The first is as much as 150 connections may send."""
ROUNDS = 60
PACE_SECONDS = 0.02


async def accepted(client, room, frame_id, message_id=None):
    message_id = message_id or uuid4()
    client.tell(
        DoInRoom(
            frame_id=frame_id,
            room_id=room.id,
            act=PostMessage(message_id=message_id, text="salut"),
        )
    )
    answer = await client.answer(frame_id)
    client.events.clear()
    return answer


async def latencies(people, name):
    """Send in every quiet room at a person's pace; return what each acknowledgement took."""
    took = []

    async def talk(client, room):
        for number in range(ROUNDS):
            await asyncio.sleep(PACE_SECONDS)
            began = perf_counter()
            answer = await accepted(client, room, f"{name}-{number}")
            took.append(perf_counter() - began)
            assert isinstance(answer, ActDone), answer

    await asyncio.gather(*(talk(client, room) for client, room in people))
    return sorted(took)


def p99(took):
    return took[int(len(took) * 0.99)]


class Flood:
    """Members of one room who write as fast as the loop lets them: as clients, and past all sessions."""

    def __init__(self, world, room, unanswered, pause_seconds):
        self.world, self.room = world, room
        self.unanswered, self.pause_seconds = unanswered, pause_seconds
        self.is_on = True
        self.sent = 0
        self.replies = Counter()
        self.under_way = set()

    async def as_client(self, client):
        """By the connection's session, past the gateway's limit of frames; always so many unanswered."""
        answered = sent = 0
        while self.is_on or answered < sent:
            answered += self.count(client)
            while self.is_on and sent - answered < self.unanswered:
                sent += 1
                message_id = uuid4()
                frame_id = f"{message_id}"
                client.tell(
                    DoInRoom(
                        frame_id=frame_id,
                        room_id=self.room.id,
                        act=PostMessage(message_id=message_id, text="x"),
                    )
                )
            await asyncio.sleep(self.pause_seconds)
        self.sent += sent

    def count(self, client):
        answers = 0
        for event in client.events:
            if isinstance(event, CommandFailed):
                self.replies[event.code] += 1
                answers += 1
            elif isinstance(event, ActDone):
                self.replies["accepted"] += 1
                answers += 1
        client.events.clear()
        return answers

    async def directly(self, author):
        """By the room's key, as the REST side would, many at once."""
        while self.is_on:
            posts = (
                ActInRoom(by=author, act=PostMessage(message_id=uuid4(), text="y"))
                for _ in range(self.unanswered)
            )
            key = ("room", str(self.room.id))
            for answer in await asyncio.gather(*(self.world.node.ask(key, p) for p in posts)):
                match answer:
                    case EventStored():
                        self.replies["accepted"] += 1
                    case Rejected(code=code):
                        self.replies[code] += 1
                    case Busy():
                        self.replies["busy"] += 1
                    case other:
                        self.replies[type(other).__name__] += 1
            self.sent += self.unanswered
            await asyncio.sleep(self.pause_seconds)


@pytest.fixture
async def strict(world, tmp_path):
    """A node whose rate everybody here keeps, but for those who flood: 250 at once, then one a second."""
    node = type(world)(
        world.pool, tmp_path / "strict", Settings(data=tmp_path, bcrypt_cost=4, message_burst=250)
    )
    await node.node.start()
    yield node
    await node.node.stop(10)


@pytest.mark.parametrize("how", FLOODS)
async def test_a_flooded_room_refuses_politely_and_its_neighbours_hardly_notice(
    strict, how, record_property
):
    world = strict
    owner = await world.client("owner")
    flooded = await world.room(owner.author, "Flooded")
    clients = [await world.client(f"flooder{number}") for number in range(FLOODERS)]
    for client in clients:
        await client.join(flooded)
    people = []
    for number in range(QUIET_ROOMS):
        client = await world.client(f"person{number}")
        room = await world.room(client.author, f"Quiet {number}")
        await client.join(room)
        people.append((client, room))
    room_cell, directory = world.cell(f"rooms/{flooded.id}"), world.cell("directory")
    writer = world.cell("services/room_writer")

    await latencies(people, "warm")
    alone = await latencies(people, "alone")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unanswered, pause_seconds, most_seconds = FLOODS[how]
    flood = Flood(world, flooded, unanswered, pause_seconds)
    flooding = [
        asyncio.ensure_future(flood.as_client(client)) for client in clients[: FLOODERS // 2]
    ] + [
        asyncio.ensure_future(flood.directly(client.author)) for client in clients[FLOODERS // 2 :]
    ]
    beside = await latencies(people, "beside")
    flood.is_on = False
    await asyncio.gather(*flooding)

    record_property("alone_ms", [1000 * alone[len(alone) // 2], 1000 * p99(alone)])
    record_property("beside_ms", [1000 * beside[len(beside) // 2], 1000 * p99(beside)])
    record_property("flood", [flood.sent, {str(k): v for k, v in flood.replies.items()}])
    record_property("grown_kib", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    # The middle, and the tail with room for whatever else this machine does meanwhile.
    assert beside[len(beside) // 2] < max(most_seconds, 10 * alone[len(alone) // 2]), beside
    assert p99(beside) < 5 * max(most_seconds, p99(alone)), (p99(alone), p99(beside))
    assert flood.sent > 2000
    refused = {RejectCode.RATE_LIMITED, RejectCode.UNAVAILABLE, "busy"}
    assert set(flood.replies) - {"accepted"} <= refused
    assert flood.replies[RejectCode.RATE_LIMITED] > 0
    for cell, answers in ((room_cell, MAX_PENDING), (directory, 0), (writer, 0)):
        # And the one at hand, the room's own timers, and the answers it waits for: a batch's come at once.
        assert cell.stats().mailbox_high_water <= cell.behaviour.mailbox_limit + 4 + answers
    assert room_cell.instance.pending <= MAX_PENDING

    afterwards = await latencies(people, "after")
    assert afterwards[len(afterwards) // 2] < 0.100 + 5 * alone[len(alone) // 2]
    assert isinstance(await accepted_after_a_while(owner, flooded), ActDone)
    assert len(room_cell.asked or ()) == room_cell.instance.pending == 0


async def accepted_after_a_while(client, room):
    """The flooded room takes a message of somebody who did not flood it."""
    await client.join(room)
    return await accepted(client, room, "well-again")
