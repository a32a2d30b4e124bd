import time

import pytest

from veza.actors.runtime.watchdog import Watchdog


def block_until(watchdog, blocked_count):
    deadline = time.monotonic() + 30
    while watchdog.blocked_count < blocked_count and time.monotonic() < deadline:
        time.sleep(0.002)


@pytest.mark.parametrize("kind", ["Machine", "Waiter"])
async def test_a_handler_that_blocks_the_loop_is_named_with_its_stack(
    base, kit, caplog, until, kind
):
    async def block_in_async_handler(actor):
        block_until(watchdog, 1)

    def block(actor):
        block_until(watchdog, 1)

    watchdog = Watchdog(base, limit_seconds=0.01)
    watchdog.start()
    call = block if kind == "Machine" else block_in_async_handler
    base.post(base.spawn(getattr(kit, kind), name="culprit"), kit.Do(call=call), base.address)
    await until(lambda: watchdog.blocked_count)
    watchdog.stop()
    [line] = caplog.records
    assert "/culprit on Do" in line.getMessage()
    assert "in block_until" in line.getMessage()
    assert watchdog.blocked_count == 1


async def test_a_blockage_is_kept_with_how_long_it_lasted(base, until):
    watchdog = Watchdog(base, limit_seconds=0.01)
    watchdog.start()
    block_until(watchdog, 1)
    await until(lambda: watchdog.blockages)
    watchdog.stop()
    [blockage] = watchdog.blockages
    assert blockage.seconds >= 0.01
    assert blockage.at_work == "no actor"
    assert "in block_until" in blockage.stack
    assert watchdog.worst_lag_seconds() >= blockage.seconds / 2
