"""The node runs on uvloop; what touches the loop is proved on it as well."""

import asyncio
import time

import uvloop

from veza.actors.messages.common import TimedOut
from veza.actors.runtime import AsyncioSystemBase


def test_handlers_timers_and_time_outs_work_on_uvloop(kit):
    uvloop.run(play(kit))


async def play(kit):
    base = AsyncioSystemBase()
    machine, service = base.spawn(kit.Machine), base.spawn(kit.Waiter)
    gate = asyncio.Event()
    slow = [asyncio.ensure_future(base.request(service, kit.Echo(value=gate), 5)) for _ in range(9)]
    for number in range(100):
        assert await base.request(machine, kit.Echo(value=number), 5) == kit.Echo(value=number)
    lost = await base.request(service, kit.Echo(value=asyncio.Event()), 0.003)
    assert lost == TimedOut(command="Echo")
    gate.set()
    assert await asyncio.gather(*slow) == [kit.Echo(value="waited")] * 9
    fired = asyncio.get_running_loop().create_future()
    started = time.monotonic()
    base.timers.after(0.0205, lambda: fired.set_result(time.monotonic()))
    assert await fired - started >= 0.0205
    base.kill(service)
    assert await base.shutdown_async(1) == []
