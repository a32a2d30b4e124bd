"""Actor rates and sizes, ours beside Thespian's simpleSystemBase, Pykka and Task + asyncio.Queue.

    python tests/bench/actors.py [--seconds N] [--json]

Rates are per CPU second of the process (the machine may be busy), the best of three interleaved
rounds; bytes are resident memory for each idle actor, taken in a fresh process.
"""

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / ".links"))

import pykka
from thespian.actors import Actor, ActorSystem

from veza.actors.base import ServiceActor, SupervisedActor
from veza.actors.runtime import AsyncioSystemBase

ROUNDS = 3
SENDERS = 100
MEASURES = ("round trips/s", "fan-in tells/s", "spawns/s")
IDLE_COUNTS = (10_000, 100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """Start: play so many rounds with `other`, then tell the asker."""

    other: object
    count: int


PING = Ping()


class Left(SupervisedActor):
    def receiveMsg_Serve(self, message, sender):
        self.left, self.asker = message.count, sender
        self.send(message.other, PING)

    def receiveMsg_Ping(self, message, sender):
        self.left -= 1
        self.send(sender if self.left else self.asker, message)


class Right(SupervisedActor):
    def receiveMsg_Ping(self, message, sender):
        self.send(sender, message)


class AsyncLeft(ServiceActor):
    concurrency = 1

    async def receiveMsg_Serve(self, message, sender):
        self.left, self.asker = message.count, sender
        self.send(message.other, PING)

    async def receiveMsg_Ping(self, message, sender):
        self.left -= 1
        self.send(sender if self.left else self.asker, message)


class AsyncRight(ServiceActor):
    async def receiveMsg_Ping(self, message, sender):
        self.send(sender, message)


class Sink(SupervisedActor):
    mailbox_limit = 10**8

    def receiveMsg_Serve(self, message, sender):
        self.left, self.asker = message.count, sender

    def receiveMsg_Ping(self, message, sender):
        self.left -= 1
        if not self.left:
            self.send(self.asker, message)


class AsyncSink(ServiceActor):
    mailbox_limit = 10**8

    async def receiveMsg_Serve(self, message, sender):
        self.left, self.asker = message.count, sender

    async def receiveMsg_Ping(self, message, sender):
        self.left -= 1
        if not self.left:
            self.send(self.asker, message)


class Source(SupervisedActor):
    def receiveMsg_Serve(self, message, sender):
        for _ in range(message.count):
            self.send(message.other, PING)


class Idle(SupervisedActor):
    def receiveMsg_Ping(self, message, sender):
        return message


class Ours:
    """This project's runtime, synchronous handlers."""

    name, left, right, sink, idle = "veza", Left, Right, Sink, Idle
    idle_counts = IDLE_COUNTS

    def __init__(self):
        self.kept = []

    async def start(self):
        self.base = AsyncioSystemBase()

    async def round_trips(self, count):
        left, right = self.base.spawn(self.left), self.base.spawn(self.right)
        await self.base.request(left, Serve(other=right, count=count), 600)
        self.base.kill(left)
        self.base.kill(right)

    async def fan_in(self, count):
        sink = self.base.spawn(self.sink)
        sources = [self.base.spawn(Source) for _ in range(SENDERS)]
        total = count // SENDERS * SENDERS
        done = asyncio.ensure_future(self.base.request(sink, Serve(other=None, count=total), 600))
        await asyncio.sleep(0)
        for source in sources:
            self.base.post(source, Serve(other=sink, count=count // SENDERS), self.base.address)
        await done
        for cell in (*sources, sink):
            self.base.kill(cell)

    async def spawn(self, count):
        """Start actors that each answer once."""
        cells = [self.base.spawn(self.idle) for _ in range(count)]
        for cell in cells:
            self.base.post(cell, PING, self.base.address)
        while self.base.scheduler.armed:  # until the run queue is empty
            await asyncio.sleep(0)
        self.kept = cells

    async def forget(self):
        for cell in self.kept:
            self.base.kill(cell)
        self.kept = []

    async def stop(self):
        await self.base.shutdown_async(5)


class AsyncIdle(ServiceActor):
    async def receiveMsg_Ping(self, message, sender):
        return message


class OursAsync(Ours):
    """This project's runtime, `async` handlers."""

    name, left, right, sink, idle = "veza async", AsyncLeft, AsyncRight, AsyncSink, AsyncIdle


class TaskQueue:
    """The textbook: a Task and an asyncio.Queue for each actor."""

    name = "task + queue"
    idle_counts = IDLE_COUNTS

    async def start(self):
        self.tasks = []

    async def round_trips(self, count):
        one, two = asyncio.Queue(), asyncio.Queue()

        async def answer():
            while True:
                await two.get()
                one.put_nowait(PING)

        task = asyncio.create_task(answer())
        for _ in range(count):
            two.put_nowait(PING)
            await one.get()
        self.tasks = [task]

    async def fan_in(self, count):
        queue = asyncio.Queue()

        async def send():
            for _ in range(count // SENDERS):
                queue.put_nowait(PING)

        senders = [asyncio.create_task(send()) for _ in range(SENDERS)]
        for _ in range(count // SENDERS * SENDERS):
            await queue.get()
        await asyncio.gather(*senders)

    async def spawn(self, count):
        answers = []

        async def serve(queue):
            while True:
                answers.append(await queue.get())

        queues = [asyncio.Queue() for _ in range(count)]
        self.tasks = [asyncio.create_task(serve(queue)) for queue in queues]
        for queue in queues:
            queue.put_nowait(PING)
        while len(answers) < count:  # the last of many answers
            await asyncio.sleep(0)

    async def forget(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = []

    async def stop(self):
        await self.forget()


class PlainLeft(Actor):
    def receiveMessage(self, message, sender):
        if isinstance(message, Serve):
            self.left, self.asker = message.count, sender
            self.send(message.other, PING)
        elif isinstance(message, Ping):
            self.left -= 1
            self.send(sender if self.left else self.asker, message)


class PlainRight(Actor):
    def receiveMessage(self, message, sender):
        if isinstance(message, Ping):
            self.send(sender, message)


class PlainSource(Actor):
    def receiveMessage(self, message, sender):
        if isinstance(message, Serve):
            for _ in range(message.count):
                self.send(message.other, PING)


class PlainSink(Actor):
    def receiveMessage(self, message, sender):
        if isinstance(message, Serve):
            self.left, self.asker = message.count, sender
        elif isinstance(message, Ping):
            self.left -= 1
            if not self.left:
                self.send(self.asker, message)


class Simple:
    """Thespian's own in-process base."""

    name = "simpleSystemBase"
    idle_counts = IDLE_COUNTS

    async def start(self):
        self.system = ActorSystem("simpleSystemBase", logDefs=False, transientUnique=True)

    async def round_trips(self, count):
        right = self.system.createActor(PlainRight)
        self.system.ask(self.system.createActor(PlainLeft), Serve(other=right, count=count), 600)

    async def fan_in(self, count):
        sink = self.system.createActor(PlainSink)
        self.system.tell(sink, Serve(other=None, count=count // SENDERS * SENDERS))
        sources = [self.system.createActor(PlainSource) for _ in range(SENDERS)]
        for source in sources:
            self.system.tell(source, Serve(other=sink, count=count // SENDERS))

    async def spawn(self, count):
        for actor in [self.system.createActor(PlainRight) for _ in range(count)]:
            self.system.tell(actor, PING)

    async def forget(self):
        """Start anew: this base keeps what it has created."""
        await self.stop()
        await self.start()

    async def stop(self):
        self.system.shutdown()


class PykkaRight(pykka.ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message):
        return message


class PykkaLeft(pykka.ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message):
        for _ in range(message.count):
            message.other.ask(PING)


class PykkaSource(pykka.ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message):
        for _ in range(message.count):
            message.other.tell(PING)


class Pykka:
    """A thread for each actor."""

    name = "pykka"
    idle_counts = (1_000,)

    async def start(self):
        """Nothing runs before the first actor."""

    async def round_trips(self, count):
        PykkaLeft.start().ask(Serve(other=PykkaRight.start(), count=count))
        pykka.ActorRegistry.stop_all()

    async def fan_in(self, count):
        sink = PykkaRight.start()
        sources = [PykkaSource.start() for _ in range(SENDERS)]
        waits = [
            source.ask(Serve(other=sink, count=count // SENDERS), block=False) for source in sources
        ]
        pykka.get_all(waits)
        sink.ask(PING)
        pykka.ActorRegistry.stop_all()

    async def spawn(self, count):
        count = min(count, 1_000)
        for actor in [PykkaRight.start() for _ in range(count)]:
            actor.ask(PING)
        return count

    async def forget(self):
        pykka.ActorRegistry.stop_all()

    async def stop(self):
        await self.forget()


CONTENDERS = {each.name: each for each in (Ours, OursAsync, Simple, Pykka, TaskQueue)}


async def rate(contender, work, seconds):
    """Work per CPU second; the amount grows until it takes long enough to tell."""
    count = 1_000
    while True:
        gc.collect()
        started = time.process_time()
        done = await work(count) or count
        spent = time.process_time() - started
        await contender.forget()
        if spent >= seconds or done < count:
            return done / spent
        count = int(count * max(2.0, min(20.0, 1.2 * seconds / max(spent, 1e-6))))


async def measure(seconds):
    """The best of some rounds for each contender and measure; rounds are interleaved."""
    best = {name: dict.fromkeys(MEASURES, 0.0) for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name, make in CONTENDERS.items():
            contender = make()
            await contender.start()
            for label, work in zip(
                MEASURES,
                (contender.round_trips, contender.fan_in, contender.spawn),
                strict=True,
            ):
                found = await rate(contender, work, seconds)
                best[name][label] = max(best[name][label], found)
            await contender.stop()
    return best


def show(text):
    sys.stdout.write(f"{text}\n")


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def idle_bytes(name, count):
    contender = CONTENDERS[name]()
    await contender.start()
    await contender.spawn(10)
    gc.collect()
    before = resident_bytes()
    await contender.spawn(count)
    gc.collect()
    used = (resident_bytes() - before) / count
    show(used)
    sys.stdout.flush()
    os._exit(0)  # no time is spent on taking 100,000 actors down


def sizes(name):
    """Bytes for each idle actor at each count, each in a process of its own."""
    found = {}
    for count in CONTENDERS[name].idle_counts:
        command = [sys.executable, __file__, "--idle", name, str(count)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found[f"bytes at {count}"] = float(output)
    return found


def report(results):
    ours = results["veza"]
    columns = [*MEASURES, *(f"bytes at {count}" for count in (1_000, *IDLE_COUNTS))]
    show(f"{'per CPU second':18}" + "".join(f"{column:>18}" for column in columns))
    for name, found in results.items():
        cells = [f"{found[column]:,.0f}" if column in found else "-" for column in columns]
        show(f"{name:18}" + "".join(f"{cell:>18}" for cell in cells))
    show("\nveza (synchronous) against")
    for name, found in results.items():
        ratios = [f"{ours[label] / found[label]:.1f}x" for label in MEASURES]
        show(f"{name:18}" + "".join(f"{ratio:>18}" for ratio in ratios))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU time of each measurement")
    parser.add_argument("--json", action="store_true", help="print figures for programs")
    parser.add_argument("--idle", nargs=2, metavar=("NAME", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.idle:
        asyncio.run(idle_bytes(options.idle[0], int(options.idle[1])))
    results = asyncio.run(measure(options.seconds))
    for name in results:
        results[name] |= sizes(name)
    if options.json:
        show(json.dumps(results, indent=2))
    else:
        report(results)


if __name__ == "__main__":
    main()
