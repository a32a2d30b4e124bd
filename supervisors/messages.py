"""What supervisors, the directory and the node tell each other; nobody outside this package sees it."""

from dataclasses import dataclass

from veza.actors.messages.common import Key
from veza.actors.runtime.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeFamily:
    """The sender starts the actors of this family when asked with `StartChild`. It has none yet.

    Only a message of a type in `starts_with` is a reason to start one; None means any message is.
    """

    family: str
    starts_with: frozenset[type] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartChild:
    """Start the actor of this key. Answered by `ChildReady`, or by `ChildGone` if it will not be."""

    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class StopChild:
    """Stop the actor of this key, in order. Answered by `ChildGone`."""

    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildReady:
    """The actor of the key answered `Ready`: its address may be told now."""

    key: Key
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildDown:
    """The actor of the key is being started again at another address: `ChildReady` or `ChildGone` follows."""

    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildGone:
    """There is no actor of this key any more, and none will be started by itself."""

    key: Key
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyOverdue:
    """A child was started for the given time and should be ready by now."""

    name: str
    starts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainSlice:
    """A family supervisor tells itself to end some more of its children."""
