"""This project's runtime in the actor benchmark: everything a node has switched on is on."""

import asyncio

from actors_words import PAIRS, PING, SENDERS, UNLIMITED, Serve

from veza.actors.base import ServiceActor, SupervisedActor
from veza.actors.runtime import AsyncioSystemBase

FOREVER_SECONDS = 600


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


class AskingLeft(SupervisedActor):
    """Asks, and goes on when the `Answer` comes: what the project's state machines do."""

    def receiveMsg_Serve(self, message, sender):
        self.left, self.asker, self.other = message.count, sender, message.other
        self.ask_later(self.other, PING, "round")

    def receiveMsg_Answer(self, message, sender):
        self.left -= 1
        if self.left:
            self.ask_later(self.other, PING, "round")
        else:
            self.send(self.asker, message)


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


class AsyncIdle(ServiceActor):
    async def receiveMsg_Ping(self, message, sender):
        return message


class Veza:
    """Synchronous handlers."""

    name = "veza"
    left, right, sink, idle = Left, Right, Sink, Idle
    alive_counts = (10_000, 100_000)
    most_spawned = UNLIMITED

    def __init__(self):
        self.kept = []

    async def start(self):
        self.base = self.new_base()

    def new_base(self):
        return AsyncioSystemBase()

    def works(self):
        return {
            "round trips": self.round_trips,
            "1,000 pairs": self.pairs,
            "asks, one asker": self.asks,
            "1,000 askers": self.many_asks,
            "fan-in": self.fan_in,
            "spawns": self.spawn,
        }

    def made(self, actor_class, count):
        cells = [self.base.spawn(actor_class) for _ in range(count)]
        self.kept += cells
        return cells

    async def round_trips(self, count):
        [left], [right] = self.made(self.left, 1), self.made(self.right, 1)
        await self.base.request(left, Serve(other=right, count=count), FOREVER_SECONDS)
        return count

    async def pairs(self, count):
        each = max(1, count // PAIRS)
        lefts, rights = self.made(self.left, PAIRS), self.made(self.right, PAIRS)
        starts = (Serve(other=right, count=each) for right in rights)
        games = (
            self.base.request(left, start, FOREVER_SECONDS)
            for left, start in zip(lefts, starts, strict=True)
        )
        await asyncio.gather(*games)
        return each * PAIRS

    async def asks(self, count):
        [cell] = self.made(self.idle, 1)
        request = self.base.request
        for _ in range(count):
            await request(cell, PING, FOREVER_SECONDS)
        return count

    async def many_asks(self, count):
        each = max(1, count // PAIRS)
        request = self.base.request

        async def ask(cell):
            for _ in range(each):
                await request(cell, PING, FOREVER_SECONDS)

        await asyncio.gather(*map(ask, self.made(self.idle, PAIRS)))
        return each * PAIRS

    async def fan_in(self, count):
        each = count // SENDERS
        [sink], sources = self.made(self.sink, 1), self.made(Source, SENDERS)
        done = self.count_answers(sink, each * SENDERS)
        await asyncio.sleep(0)
        for source in sources:
            self.base.post(source, Serve(other=sink, count=each), self.base.address)
        await done
        return each * SENDERS

    def count_answers(self, sink, count):
        serve = Serve(other=None, count=count)
        return asyncio.ensure_future(self.base.request(sink, serve, FOREVER_SECONDS))

    async def spawn(self, count):
        """Start actors that each answer once."""
        self.made(self.idle, count)
        await self.answer_all()
        return count

    async def answer_all(self):
        """Have all that are kept answer once, to one actor that counts."""
        sink = self.base.spawn(self.sink)
        done = self.count_answers(sink, len(self.kept))
        await asyncio.sleep(0)
        post = self.base.post
        for cell in self.kept:
            post(cell, PING, sink)
        await done
        self.base.kill(sink)

    async def forget(self):
        for cell in self.kept:
            self.base.kill(cell)
        self.kept = []

    async def stop(self):
        await self.base.shutdown_async(5)


class VezaAsync(Veza):
    """`async` handlers."""

    name = "veza async"
    left, right, sink, idle = AsyncLeft, AsyncRight, AsyncSink, AsyncIdle


class VezaObserved(Veza):
    """As the first 2,000 actors of a node run: their last messages are kept."""

    name = "veza observed"
    alive_counts = ()

    def new_base(self):
        return AsyncioSystemBase(recent_budget=1_000_000)


class VezaAsking(Veza):
    """Actors that ask actors, with a time-out and exactly one answer to each question."""

    name = "veza ask_later"
    left, right = AskingLeft, Idle
    alive_counts = ()

    def works(self):
        return {"round trips": self.round_trips, "1,000 pairs": self.pairs}
