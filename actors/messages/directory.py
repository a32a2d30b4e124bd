"""The protocol of the directory: how a message finds the actor of a key, whoever has to start it."""

from dataclasses import dataclass

from veza.actors.messages.common import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Hand `message` to the actor of `key`, started first if need be; the sender stays the sender.

    Replies are the actor's own, or `Gone`, or `Busy` when too much waits for the actor to start. News that
    are of no use to an actor that starts later are given with `starts_actor` False: if no actor of the key
    runs or is being started, they are dropped without a word.
    """

    key: Key
    message: object
    starts_actor: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverToAll:
    """Hand `message` to every actor of a family that runs; for what must be asked anew after a crash."""

    family: str
    message: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """An idle actor asks to be stopped. What arrives for its key meanwhile starts a new one."""

    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitEnd:
    """Reply, once no actor of the key is alive: `Ended`."""

    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    key: Key
    reason: str
