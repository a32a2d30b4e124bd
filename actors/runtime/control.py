"""The runtime's own messages to an actor's cell. They travel in the mailbox, in order."""

from veza.actors.messages.common import (
    Answer,
    Busy,
    Crashed,
    Gone,
    Ready,
    Rejected,
    TimedOut,
)
from veza.actors.runtime.exits import ActorStopped
from veza.actors.runtime.thespian_api import (
    ActorExitRequest,
    ActorSystemMessage,
    ChildActorExited,
    Thespian_StatusReq,
)

REPLIES = (Busy, Crashed, Gone, Rejected, TimedOut)
"""Never answered themselves, or two full mailboxes would answer each other for ever."""

NEWS = (ActorSystemMessage, ActorStopped, Ready)
"""Told to every actor it may concern; one without a handler for them just does not care."""

EXEMPT = (ActorSystemMessage, ActorStopped, Answer, Ready)
"""Not held back by a full mailbox nor by a stash: their number is bounded by what the actor did."""


NEVER_SUSPENDED = (ActorExitRequest, ChildActorExited, Thespian_StatusReq)
"""What a suspended actor handles still: the tree stays in order, and it can be asked to end."""


class Resume(ActorSystemMessage):
    """All that came before a restart, `become_ready` or a resumption has been held back by now.

    Only of the incarnation it was made for: of one that failed before it came, it says nothing.
    """

    __slots__ = ("incarnation",)

    def __init__(self, incarnation: int) -> None:
        self.incarnation = incarnation


class Finish(ActorSystemMessage):
    """A child, or the last child and the last handler, of an ending actor are gone."""


FINISH = Finish()
