"""The directory: (family, id) to address. It finds or starts the actor a message is for.

Nobody outside this package holds an address. An address is used only after its actor was `Ready`;
what arrives earlier waits here, bounded. An actor that retires is out of the directory before it is
stopped, and what arrives meanwhile is for its successor, which is started once it is gone: one key
never has two actors.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar, Final

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Busy, Gone, Key
from veza.actors.messages.directory import AwaitEnd, Deliver, DeliverToAll, Ended, Retire
from veza.actors.runtime.address import Address
from veza.supervisors.messages import (
    ChildDown,
    ChildGone,
    ChildReady,
    ServeFamily,
    StartChild,
    StopChild,
)

MAX_WAITING: Final = 1000
MAX_WAITING_IN_ALL: Final = 20_000
"""What waits for actors that start, of one key and of all: past either the sender hears `Busy`."""


@dataclass(frozen=True, slots=True)
class _Family:
    supervisor: Address
    starts_with: frozenset[type] | None


@dataclass(slots=True)
class _Entry:
    """One key: ready with an address, or starting or retiring without one."""

    address: Address | None = None
    is_retiring: bool = False
    waiting: deque[tuple[Deliver, Address]] = field(default_factory=deque)
    mourners: list[Address] = field(default_factory=list)


class Directory(SupervisedActor):
    """Every message between the outside and an actor, and between families, is handed on here."""

    mailbox_limit: ClassVar[int] = 100_000
    # Every message passes here, some four times: what waits here waits for one actor, but is everybody's.
    slot_messages: ClassVar[int] = 256

    def __init__(self) -> None:
        super().__init__()
        self.families: dict[str, _Family] = {}
        self.entries: dict[Key, _Entry] = {}
        self.waiting = 0

    def inspect(self) -> dict[str, object]:
        return {
            "families": sorted(self.families),
            "entries": len(self.entries),
            "waiting": self.waiting,
        }

    def receiveMsg_Deliver(self, message: Deliver, sender: Address) -> None:
        entry = self.entries.get(message.key)
        if entry is None and not message.starts_actor:
            return
        if entry is None:
            entry = self._start(message.key, message.message)
        if entry is None:
            self.send(sender, Gone(command=type(message.message).__name__))
        elif entry.address is not None:
            self.forward(entry.address, message.message, sender)
        elif len(entry.waiting) >= MAX_WAITING or self.waiting >= MAX_WAITING_IN_ALL:
            self.send(sender, Busy(command=type(message.message).__name__))
        else:
            entry.waiting.append((message, sender))
            self.waiting += 1

    def receiveMsg_DeliverToAll(self, message: DeliverToAll, sender: Address) -> None:
        for key, entry in self.entries.items():
            if key[0] == message.family and entry.address is not None:
                self.forward(entry.address, message.message, sender)

    def receiveMsg_Retire(self, message: Retire, _sender: Address) -> None:
        entry = self.entries.get(message.key)
        family = self.families.get(message.key[0])
        if entry is not None and family is not None and not entry.is_retiring:
            entry.address = None
            entry.is_retiring = True
            self.send_always(family.supervisor, StopChild(key=message.key))

    def receiveMsg_AwaitEnd(self, message: AwaitEnd, sender: Address) -> None:
        entry = self.entries.get(message.key)
        if entry is None:
            self.send(sender, Ended(key=message.key, reason="not running"))
        else:
            entry.mourners.append(sender)

    # --- supervisors' news ---

    def receiveMsg_ServeFamily(self, message: ServeFamily, sender: Address) -> None:
        """Forget a family's entries: a supervisor that serves anew has no children."""
        self.families[message.family] = _Family(sender, message.starts_with)
        for key in [key for key in self.entries if key[0] == message.family]:
            self.receiveMsg_ChildGone(ChildGone(key=key, reason="supervisor restarted"), sender)

    def receiveMsg_ChildReady(self, message: ChildReady, _sender: Address) -> None:
        entry = self.entries.setdefault(message.key, _Entry())
        if entry.is_retiring:
            return
        entry.address = message.address
        self.waiting -= len(entry.waiting)
        while entry.waiting:
            waiting, sender = entry.waiting.popleft()
            self.forward(message.address, waiting.message, sender)

    def receiveMsg_ChildDown(self, message: ChildDown, _sender: Address) -> None:
        entry = self.entries.get(message.key)
        if entry is not None:
            entry.address = None

    def receiveMsg_ChildGone(self, message: ChildGone, _sender: Address) -> None:
        entry = self.entries.pop(message.key, None)
        if entry is None:
            return
        self.waiting -= len(entry.waiting)
        for mourner in entry.mourners:
            self.send(mourner, Ended(key=message.key, reason=message.reason))
        for waiting, sender in entry.waiting:
            if entry.is_retiring:
                self.receiveMsg_Deliver(waiting, sender)
            elif waiting.starts_actor:
                self.send(sender, Gone(command=type(waiting.message).__name__))

    def _start(self, key: Key, message: object) -> _Entry | None:
        family = self.families.get(key[0])
        if family is None:
            return None
        if family.starts_with is not None and type(message) not in family.starts_with:
            return None
        entry = self.entries[key] = _Entry()
        self.send_always(family.supervisor, StartChild(key=key))
        return entry
