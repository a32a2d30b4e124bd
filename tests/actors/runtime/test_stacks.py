import asyncio

from veza.actors.runtime.stacks import busy_handlers


async def rest(event):
    await event.wait()


async def test_a_handler_that_waits_shows_its_frames_from_the_outermost_in(base, kit, until):
    released = asyncio.Event()

    async def linger(actor):
        await rest(released)

    cell = base.spawn(kit.Waiter, name="waiter")
    base.post(cell, kit.Do(call=linger), base.address)
    await until(lambda: busy_handlers(cell))
    [handler] = busy_handlers(cell)

    assert handler.message_type == "Do"
    assert handler.seconds >= 0
    functions = [line.split(" in ")[1].split(":")[0] for line in handler.stack]
    assert functions[0].endswith("receiveMsg_Do")
    assert [name.rsplit(".")[-1] for name in functions[1:4]] == ["linger", "rest", "wait"]
    assert handler.stack[2].endswith("await event.wait()")
    assert all(line.split(":")[0].count("/") <= 2 for line in handler.stack)

    released.set()
    await until(lambda: not busy_handlers(cell))


async def test_of_several_handlers_the_longest_comes_first(base, kit, until):
    released = asyncio.Event()

    async def linger(actor):
        await released.wait()

    cell = base.spawn(kit.Waiter, name="waiter")
    for _ in range(3):
        base.post(cell, kit.Do(call=linger), base.address)
        count = len(busy_handlers(cell)) + 1
        await until(lambda count=count: len(busy_handlers(cell)) == count)

    seconds = [handler.seconds for handler in busy_handlers(cell)]
    assert seconds == sorted(seconds, reverse=True)
    released.set()
    await until(lambda: not busy_handlers(cell))


async def test_an_actor_at_rest_has_none(base, kit):
    assert busy_handlers(base.spawn(kit.Machine)) == ()
