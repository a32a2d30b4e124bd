"""Whatever happens to actors in whatever order: no message vanishes, no death is told twice."""

import asyncio
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veza.actors.base import ServiceActor
from veza.actors.runtime import AsyncioSystemBase, ChildExit

CHILDREN = 3
TRACES = 4
STEPS = [
    "send",
    "send",
    "send",
    "crash",
    "stop",
    "kill",
    "restart",
    "bury",
    "spawn",
    "turn",
    "open",
    "suspend",
    "resume",
    "trace",
]

steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, CHILDREN - 1)), max_size=60)


class Gated(ServiceActor):
    """Awaits its gate before it notes a number; SystemExit ends it."""

    concurrency = 2
    mailbox_limit = 1000

    def __init__(self, *, seen, gate):
        self.seen, self.gate = seen, gate

    async def receiveMsg_int(self, message, sender):
        self.seen.append((message, sender))
        await self.gate.wait()

    async def receiveMsg_Fail(self, message, sender):
        raise SystemExit


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps, asynchronous=st.booleans())
def test_every_message_is_handled_or_a_dead_letter_and_every_death_told_once(
    kit, steps, asynchronous
):
    asyncio.run(play(kit, steps, asynchronous))


class World:
    """A supervising parent with some children, and everything the steps do to them."""

    def __init__(self, kit, asynchronous):
        self.base = AsyncioSystemBase()
        self.kit, self.asynchronous = kit, asynchronous
        self.news, self.seen, self.gate = [], [], asyncio.Event()
        self.parent = self.base.spawn(kit.Supervisor, {"seen": self.news})
        self.everybody = []
        self.children = [self.new_child() for _ in range(CHILDREN)]

    def new_child(self):
        if self.asynchronous:
            kwargs = {"seen": self.seen, "gate": self.gate}
            child = self.base.spawn(Gated, kwargs, parent=self.parent)
        else:
            child = self.base.spawn(self.kit.Recorder, {"seen": self.seen}, parent=self.parent)
        self.everybody.append(child)
        return child

    def take(self, step, which, number):
        child, base = self.children[which], self.base
        actions = {
            "send": lambda: base.post(child, number, base.address),
            "crash": lambda: base.post(child, self.kit.Fail(error=ValueError("x")), base.address),
            "stop": lambda: base.stop(child),
            "kill": lambda: base.kill(child),
            "restart": lambda: base.restart(child),
            "bury": lambda: base.bury(child),
            "spawn": lambda: self.replace(which),
            "open": self.gate.set,
            "suspend": lambda: base.suspend(child),
            "resume": lambda: base.resume(child),
            "trace": lambda: self.trace(child),
        }
        actions[step]()

    def replace(self, which):
        if not self.children[which].alive:
            self.children[which] = self.new_child()

    def trace(self, child):
        if child.alive and sum(1 for _ in self.base.timers) < TRACES:
            self.base.trace(child, limit=3, seconds=60)

    async def end(self):
        self.gate.set()
        for child in self.everybody:
            self.base.stop(child)
        async with asyncio.timeout(30):
            while any(child.alive for child in self.everybody):
                await asyncio.sleep(0)
                for child in self.everybody:
                    self.base.bury(child)
            while self.base.scheduler.armed:  # a cancelled runner hands the queue on a turn later
                await asyncio.sleep(0)


async def play(kit, steps, asynchronous):
    world = World(kit, asynchronous)
    for number, (step, which) in enumerate(steps):
        if step == "turn":
            await asyncio.sleep(0)
        else:
            world.take(step, which, number)
    await world.end()
    check_messages(steps, world.seen, world.base)
    check_deaths(world.everybody, world.news)
    check_totals(world.everybody, world.base)
    assert await world.base.shutdown_async(5) == []


def check_messages(steps, seen, base):
    """Each number sent was handled, or is kept as a dead letter; never both, never twice."""
    sent = Counter(number for number, (step, _) in enumerate(steps) if step == "send")
    handled = Counter(message for message, _ in seen if isinstance(message, int))
    dead = Counter(
        letter.message for letter in base.dead_letters if isinstance(letter.message, int)
    )
    assert handled + dead == sent


def check_totals(everybody, base):
    """What the dead did is in their class's totals, and nobody is counted as alive who is not."""
    [behaviour] = [each for each in base.behaviours() if each.name in ("Gated", "Recorder")]
    snapshots = [child.stats() for child in everybody]
    assert behaviour.alive == 0
    assert behaviour.ended.messages_in <= sum(each.messages_in for each in snapshots)
    assert behaviour.ended.restarts == sum(each.restarts for each in snapshots)
    assert behaviour.ended.errors <= sum(each.errors for each in snapshots)


def check_deaths(everybody, news):
    told = Counter(message.child for message, _ in news if isinstance(message, ChildExit))
    for child in everybody:
        assert 1 <= told[child] <= child.stats().restarts + 1
