"""A running base for each test, with a probe that keeps what it is sent."""

import asyncio
from dataclasses import dataclass

import pytest

from veza.actors.base import ServiceActor, SupervisedActor
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.runtime import AsyncioSystemBase


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    value: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    error: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Make an actor send a message."""

    target: object
    message: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """Make an actor call a function with itself, and answer what it returns."""

    call: object


class Handlers:
    def receiveMsg_Echo(self, message, sender):
        return message

    def receiveMsg_Fail(self, message, sender):
        raise message.error

    def receiveMsg_Refuse(self, message, sender):
        raise RefusedError(RejectCode.FORBIDDEN, "no", retry_after_seconds=2.0)

    def receiveMsg_Send(self, message, sender):
        self.send(message.target, message.message)

    def receiveMsg_Do(self, message, sender):
        return message.call(self)


class Machine(Handlers, SupervisedActor):
    """A state machine that does what it is told."""


class Recorder(Handlers, SupervisedActor):
    """Keeps everything else it gets in a list that the test holds."""

    mailbox_limit = 100_000

    def __init__(self, *, seen):
        self.seen = seen

    def receiveMsg_object(self, message, sender):
        self.seen.append((message, sender))


class Supervisor(Recorder):
    """Keeps its children's cells when they crash; restarts or buries them when told."""

    supervises = True


class Waiter(ServiceActor):
    """Answers an Echo once the event in its value is set (at once if that is no event)."""

    concurrency = 4

    async def receiveMsg_Echo(self, message, sender):
        if isinstance(message.value, asyncio.Event):
            await message.value.wait()
            return Echo(value="waited")
        return message

    async def receiveMsg_Fail(self, message, sender):
        raise message.error

    async def receiveMsg_Do(self, message, sender):
        return await message.call(self)


class Kit:
    """The message and actor classes above, for test modules, which do not import each other."""

    Echo, Fail, Refuse, Send, Do = Echo, Fail, Refuse, Send, Do
    Handlers, Machine, Recorder = Handlers, Machine, Recorder
    Supervisor, Waiter = Supervisor, Waiter


@pytest.fixture(scope="session")
def kit():
    return Kit


@pytest.fixture
async def base():
    system = AsyncioSystemBase()
    yield system
    await system.shutdown_async(5.0)


async def settled(system):
    """Let everything that can happen without waiting for time happen."""
    idle_rounds = 0
    while idle_rounds < 3:
        await asyncio.sleep(0)
        idle_rounds = 0 if system.scheduler.ready else idle_rounds + 1


@pytest.fixture
def until():
    """Wait for something that takes real time: a timer, a thread."""

    async def wait(condition):
        async with asyncio.timeout(30):
            while not condition():  # any condition, not one event
                await asyncio.sleep(0.001)

    return wait


@pytest.fixture
def settle(base):
    return lambda: settled(base)


@pytest.fixture
def recorder(base):
    """A probe: its cell, and the list of (message, sender) it got."""
    seen = []
    return base.spawn(Recorder, {"seen": seen}, name="probe"), seen
