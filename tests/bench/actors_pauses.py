"""What a user would notice: how long a quiet actor's answer takes, and how long the loop stands still."""

import asyncio
import gc
import statistics
import time
from collections import deque
from uuid import uuid4

from actors_words import PING, Ping

from veza.actors.base import SupervisedActor
from veza.actors.runtime import AsyncioSystemBase
from veza.actors.runtime.garbage import GarbageKeeper

ALIVE = 100_000
FLOOD = 20_000
BUSY = 20
WORK_SECONDS = 20e-6
ASK_EVERY_SECONDS = 0.005
BEAT_SECONDS = 0.001
CHURN_A_BEAT = 5
MESSAGES_A_BEAT = 50
CYCLES_A_BEAT = 50


class Work:
    """So many turns of an empty loop that they take a certain CPU time, told once at the start."""

    def __init__(self, seconds, turns=100_000):
        self.turns = turns
        took = min(self._timed() for _ in range(5))
        self.turns = int(turns * seconds / took)

    def _timed(self):
        started = time.process_time()
        self()
        return time.process_time() - started

    def __call__(self):
        for _ in range(self.turns):
            pass


def milliseconds(seconds, name):
    """The 99th of a hundred and the worst, by the clock or in the process's own CPU time."""
    ordered = sorted(seconds)
    p99 = ordered[int(len(ordered) * 0.99)]
    return {f"p99 {name}": 1000 * p99, f"max {name}": 1000 * ordered[-1]}


# A quiet actor beside a flooded one.


class Worker(SupervisedActor):
    """Works at each message, then sends itself the next: never more than these wait."""

    mailbox_limit = 2 * FLOOD

    def __init__(self, *, work):
        self.work = work

    def receiveMsg_Ping(self, message, sender):
        self.work()
        self.send(self.cell, message)


class Quiet(SupervisedActor):
    def receiveMsg_Ping(self, message, sender):
        return message


async def asked_every_so_often(ask, seconds):
    """How long each answer took."""
    waits, worked, until = [], [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        at, cpu = time.perf_counter(), time.process_time()
        await ask()
        waits.append(time.perf_counter() - at)
        worked.append(time.process_time() - cpu)
        await asyncio.sleep(ASK_EVERY_SECONDS)
    median = {"p50 ms, own CPU": 1000 * statistics.median(worked)}
    return median | milliseconds(worked, "ms, own CPU") | milliseconds(waits, "ms")


async def fairness_of_veza(work, seconds):
    base = AsyncioSystemBase()
    quiet = base.spawn(Quiet)
    flooded, *busy = [base.spawn(Worker, {"work": work}) for _ in range(1 + BUSY)]
    for cell in (*[flooded] * FLOOD, *busy):
        base.post(cell, PING, base.address)
    waits = await asked_every_so_often(lambda: base.request(quiet, PING, 60), seconds)
    for cell in (flooded, *busy, quiet):
        base.kill(cell)
    await base.shutdown_async(5)
    return waits


async def fairness_of_tasks(work, seconds):
    """Task and Queue; a considerate author yields after each message, or nobody else would run."""

    async def worker(queue):
        while True:
            message = await queue.get()
            work()
            queue.put_nowait(message)
            await asyncio.sleep(0)

    async def serve(queue):
        while True:
            message, reply = await queue.get()
            reply.set_result(message)

    async def ask():
        reply = asyncio.get_running_loop().create_future()
        quiet.put_nowait((PING, reply))
        await reply

    queues, quiet = [asyncio.Queue() for _ in range(1 + BUSY)], asyncio.Queue()
    tasks = [asyncio.create_task(worker(queue)) for queue in queues]
    tasks.append(asyncio.create_task(serve(quiet)))
    for queue in (*[queues[0]] * FLOOD, *queues[1:]):
        queue.put_nowait(PING)
    waits = await asked_every_so_often(ask, seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return waits


async def fairness(seconds):
    work = Work(WORK_SECONDS)
    return {
        "veza": await fairness_of_veza(work, seconds),
        "task + queue": await fairness_of_tasks(work, seconds),
    }


# Pauses of the loop with many actors alive.


class Session(SupervisedActor):
    """Holds about what a session of the project holds."""

    def __init__(self):
        super().__init__()
        self.session_id = uuid4()
        self.user = {"id": uuid4(), "name": "somebody"}
        self.outbox = [deque(), set()]
        self.rooms = {uuid4()}
        self.changing = {}

    def receiveMsg_Ping(self, message, sender):
        return message


class Family(SupervisedActor):
    supervises = True
    stops_in_order = False
    mailbox_limit = 2 * ALIVE

    def receiveMsg_object(self, message, sender):
        """Hears of every birth and death."""


class Beats:
    """A timer that comes each millisecond: how late it is, and how much the process worked meanwhile."""

    def __init__(self, loop):
        self.late, self.worked = [], []
        self._loop = loop
        self._is_over = False
        self._again()

    def _again(self):
        self._clocks = time.perf_counter(), time.process_time()
        self._loop.call_later(BEAT_SECONDS, self._beat)

    def _beat(self):
        at, cpu = self._clocks
        self.late.append(time.perf_counter() - at - BEAT_SECONDS)
        self.worked.append(time.process_time() - cpu)
        if not self._is_over:
            self._again()

    def over(self):
        self._is_over = True
        late = milliseconds(self.late, "pause ms")
        return late | {"max pause ms, own CPU": 1000 * max(self.worked)}


class Population:
    """Actors that are born, get messages and end."""

    def __init__(self, actor_class, is_supervised):
        self.base = AsyncioSystemBase()
        self.actor_class = actor_class
        self.parent = self.base.spawn(Family) if is_supervised else None
        self.cells = deque()

    def bear(self, count):
        spawn, actor_class, parent = self.base.spawn, self.actor_class, self.parent
        self.cells.extend([spawn(actor_class, parent=parent) for _ in range(count)])

    async def grow(self):
        while len(self.cells) < ALIVE:
            self.bear(100)
            await asyncio.sleep(0)
        return {}

    async def churn(self, seconds):
        """Each beat: some are born, the oldest end, others get a message that they answer.

        Actors leave no cycles, so some are made here: the collector shall have its work.
        """
        base, cells = self.base, self.cells
        until = time.perf_counter() + seconds
        beats = 0
        while time.perf_counter() < until:
            self.bear(CHURN_A_BEAT)
            for _ in range(CHURN_A_BEAT):
                base.stop(cells.popleft())
            for _ in range(MESSAGES_A_BEAT):
                base.post(cells[-1], PING, self.parent or base.address)
                cells.rotate(997)
            for _ in range(CYCLES_A_BEAT):
                cycle = []
                cycle.append(cycle)
            beats += 1
            await asyncio.sleep(BEAT_SECONDS)
        return {
            "born and ended/s": beats * CHURN_A_BEAT / seconds,
            "messages/s": beats * MESSAGES_A_BEAT / seconds,
        }


class Passes:
    """Times the collector's passes, on the clock and as the process's own work."""

    def __init__(self):
        self.clocks = 0.0, 0.0
        self.begin()

    def begin(self):
        self.seconds, self.worked = [], []

    def __call__(self, phase, info):
        if phase == "start":
            self.clocks = time.perf_counter(), time.process_time()
        else:
            at, cpu = self.clocks
            self.seconds.append(time.perf_counter() - at)
            self.worked.append(time.process_time() - cpu)

    def found(self):
        return {
            "GC passes": len(self.seconds),
            "max GC pass ms": 1000 * max(self.seconds, default=0.0),
            "max GC pass ms, own CPU": 1000 * max(self.worked, default=0.0),
        }


async def pauses(kind, seconds):
    """The longest pauses while 100,000 are made and while some of them come and go."""
    is_kept, is_supervised = kind != "unkept", kind != "plain"
    population = Population(Session if is_supervised else Plain, is_supervised)
    loop = asyncio.get_running_loop()
    keeper = GarbageKeeper(lambda: len(population.cells))
    if is_kept:
        keeper.start(loop)
    passes, found = Passes(), {}
    gc.callbacks.append(passes)
    for phase, doing in (("growing", population.grow()), ("churn", population.churn(seconds))):
        passes.begin()
        beats = Beats(loop)
        await asyncio.sleep(2 * BEAT_SECONDS)
        rates = await doing
        await asyncio.sleep(2 * BEAT_SECONDS)
        found[phase] = beats.over() | passes.found() | rates
    found["churn"]["full passes"] = max(0, keeper.full_passes - 1)
    return found


class Plain(SupervisedActor):
    def receiveMsg_Ping(self, message: Ping, sender):
        return message
