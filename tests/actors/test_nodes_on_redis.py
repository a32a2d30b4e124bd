"""Members on two nodes see each other's messages at once over Redis, and later, but all of them, without."""

import asyncio


async def test_members_on_two_nodes_hear_each_other_in_one_order(talk) -> None:
    seqs = await asyncio.gather(*(talk.post(number % 2) for number in range(200)))

    await talk.heard(max(seqs))
    first = max(told[0] for told in (talk.told(0), talk.told(1)))
    for at in (0, 1):
        told = [seq for seq in talk.told(at) if seq >= first]
        assert told == list(range(first, max(seqs) + 1))
    assert sum(node.resources.shared.bus.counters.heard for node in talk.nodes) > 0


async def test_what_is_said_while_redis_is_dead_is_heard_later_and_never_lost(talk, redis) -> None:
    await talk.heard(await talk.post(0))

    redis.kill()
    async with asyncio.timeout(30):
        while any(node.resources.shared.bus.is_up for node in talk.nodes):
            await asyncio.sleep(0.01)
    during = [await talk.post(number % 2) for number in range(20)]
    await talk.heard(during[-1])  # the heads of the log tell, with Redis still dead
    redis.start()
    async with asyncio.timeout(20):
        while not all(node.resources.shared.bus.is_up for node in talk.nodes):
            await asyncio.sleep(0.01)
    last = await talk.post(1)
    await talk.heard(last)

    for at in (0, 1):
        told = talk.told(at)
        assert told == list(range(told[0], last + 1))


async def test_a_kill_of_redis_amid_messages_loses_and_repeats_none(talk, redis) -> None:
    async def write(at: int) -> list[int]:
        return [await talk.post(at) for _ in range(100)]

    writing = asyncio.gather(write(0), write(1))
    for _ in range(2):
        await asyncio.sleep(0.05)
        redis.kill()
        await asyncio.sleep(0.05)
        redis.start()
    seqs = [seq for each in await writing for seq in each]
    await talk.heard(max(seqs))

    assert len(set(seqs)) == 200
    for at in (0, 1):
        told = talk.told(at)
        assert told == list(range(told[0], max(seqs) + 1))


async def test_news_start_no_room_on_a_node_where_nobody_is(talk, new_node) -> None:
    third = await new_node()

    await talk.heard(await talk.post(0))

    assert not third.resources.shared.bus.rooms
    paths = [cell.path for cell in third.node.runtime.tree()]
    assert [path for path in paths if path.startswith("/veza/root/rooms/")] == []
