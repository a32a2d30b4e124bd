"""The peers of the actor benchmark, each in the form its own documentation would recommend."""

import asyncio

import pykka
from actors_words import PAIRS, PING, SENDERS, UNLIMITED, Ping, Serve
from thespian.actors import Actor, ActorSystem

PYKKA_PAIRS = 100
PYKKA_ACTORS = 1_000


class TaskQueue:
    """The textbook: a Task and an asyncio.Queue for each actor; a question brings a Future along."""

    name = "task + queue"
    alive_counts = (10_000, 100_000)
    most_spawned = UNLIMITED

    async def start(self):
        self.tasks = []
        self.queues = []

    def works(self):
        return {
            "round trips": self.round_trips,
            "1,000 pairs": self.pairs,
            "asks, one asker": self.asks,
            "1,000 askers": self.many_asks,
            "fan-in": self.fan_in,
            "spawns": self.spawn,
        }

    def run(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.append(task)
        return task

    async def play(self, count):
        """One pair's rounds."""
        one, two = asyncio.Queue(), asyncio.Queue()

        async def answer():
            while True:
                await two.get()
                one.put_nowait(PING)

        self.run(answer())
        for _ in range(count):
            two.put_nowait(PING)
            await one.get()

    async def round_trips(self, count):
        await self.play(count)
        return count

    async def pairs(self, count):
        each = max(1, count // PAIRS)
        await asyncio.gather(*(self.play(each) for _ in range(PAIRS)))
        return each * PAIRS

    async def ask_one(self, count):
        queue = asyncio.Queue()
        new_future = asyncio.get_running_loop().create_future

        async def serve():
            while True:
                message, reply = await queue.get()
                reply.set_result(message)

        self.run(serve())
        for _ in range(count):
            reply = new_future()
            queue.put_nowait((PING, reply))
            await reply

    async def asks(self, count):
        await self.ask_one(count)
        return count

    async def many_asks(self, count):
        each = max(1, count // PAIRS)
        await asyncio.gather(*(self.ask_one(each) for _ in range(PAIRS)))
        return each * PAIRS

    async def fan_in(self, count):
        queue = asyncio.Queue()
        each = count // SENDERS

        async def send():
            for _ in range(each):
                queue.put_nowait(PING)

        for _ in range(SENDERS):
            self.run(send())
        for _ in range(each * SENDERS):
            await queue.get()
        return each * SENDERS

    async def spawn(self, count):
        """Start actors that each answer once."""
        answers = self.answers = asyncio.Queue()

        async def serve(queue):
            while True:
                answers.put_nowait(await queue.get())

        self.queues = [asyncio.Queue() for _ in range(count)]
        for queue in self.queues:
            self.run(serve(queue))
        await self.answer_all()
        return count

    async def answer_all(self):
        for queue in self.queues:
            queue.put_nowait(PING)
        for _ in self.queues:
            await self.answers.get()

    async def forget(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks, self.queues = [], []

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


class SimpleBase:
    """Thespian's own in-process base. It blocks its caller, so there are no askers at once."""

    name = "thespian simple"
    alive_counts = (10_000,)
    most_spawned = UNLIMITED

    async def start(self):
        self.system = ActorSystem("simpleSystemBase", logDefs=False, transientUnique=True)
        self.actors = []

    def works(self):
        return {
            "round trips": self.round_trips,
            "1,000 pairs": self.pairs,
            "asks, one asker": self.asks,
            "fan-in": self.fan_in,
            "spawns": self.spawn,
        }

    async def round_trips(self, count):
        right = self.system.createActor(PlainRight)
        self.system.ask(self.system.createActor(PlainLeft), Serve(other=right, count=count), 600)
        return count

    async def pairs(self, count):
        """Start them by one actor: the system runs only while its caller waits."""
        each = max(1, count // PAIRS)
        starter, sink = self.system.createActor(Starter), self.system.createActor(PlainSink)
        games = []
        for _ in range(PAIRS):
            right = self.system.createActor(PlainRight)
            games.append((self.system.createActor(PlainLeft), Serve(other=right, count=each)))
        self.system.tell(starter, games)
        self.system.ask(sink, PING, 0)
        return each * PAIRS

    async def asks(self, count):
        actor = self.system.createActor(PlainRight)
        for _ in range(count):
            self.system.ask(actor, PING, 600)
        return count

    async def fan_in(self, count):
        each = count // SENDERS
        sink = self.system.createActor(PlainSink)
        self.system.tell(sink, Serve(other=None, count=each * SENDERS))
        sources = [self.system.createActor(PlainSource) for _ in range(SENDERS)]
        for source in sources:
            self.system.tell(source, Serve(other=sink, count=each))
        return each * SENDERS

    async def spawn(self, count):
        self.actors = [self.system.createActor(PlainRight) for _ in range(count)]
        await self.answer_all()
        return count

    async def answer_all(self):
        for actor in self.actors:
            self.system.ask(actor, PING, 600)

    async def forget(self):
        """Start anew: this base keeps what it has created."""
        await self.stop()
        await self.start()

    async def stop(self):
        self.system.shutdown()


class Starter(Actor):
    def receiveMessage(self, message, sender):
        if isinstance(message, list):
            for left, serve in message:
                self.send(left, serve)


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
    """A thread for each actor; hence fewer of them."""

    name = "pykka"
    alive_counts = (PYKKA_ACTORS,)
    most_spawned = PYKKA_ACTORS

    async def start(self):
        self.actors = []

    def works(self):
        return {
            "round trips": self.round_trips,
            "1,000 pairs": self.pairs,
            "asks, one asker": self.asks,
            "1,000 askers": self.many_asks,
            "fan-in": self.fan_in,
            "spawns": self.spawn,
        }

    async def round_trips(self, count):
        PykkaLeft.start().ask(Serve(other=PykkaRight.start(), count=count))
        return count

    async def pairs(self, count):
        each = max(1, count // PYKKA_PAIRS)
        games = [
            PykkaLeft.start().ask(Serve(other=PykkaRight.start(), count=each), block=False)
            for _ in range(PYKKA_PAIRS)
        ]
        pykka.get_all(games)
        return each * PYKKA_PAIRS

    async def asks(self, count):
        actor = PykkaRight.start()
        for _ in range(count):
            actor.ask(PING)
        return count

    async def many_asks(self, count):
        """A thousand questions on their way at once, from one thread."""
        actors = [PykkaRight.start() for _ in range(PYKKA_PAIRS)]
        for _ in range(max(1, count // PAIRS)):
            waits = [actor.ask(PING, block=False) for actor in actors for _ in range(10)]
            pykka.get_all(waits)
        return max(1, count // PAIRS) * PAIRS

    async def fan_in(self, count):
        each = count // SENDERS
        sink = PykkaRight.start()
        sources = [PykkaSource.start() for _ in range(SENDERS)]
        pykka.get_all(
            [source.ask(Serve(other=sink, count=each), block=False) for source in sources]
        )
        sink.ask(PING)
        return each * SENDERS

    async def spawn(self, count):
        self.actors = [PykkaRight.start() for _ in range(count)]
        await self.answer_all()
        return count

    async def answer_all(self):
        pykka.get_all([actor.ask(PING, block=False) for actor in self.actors])

    async def forget(self):
        self.actors = []
        pykka.ActorRegistry.stop_all()

    async def stop(self):
        await self.forget()
