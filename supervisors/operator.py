"""The operator: ops staff's hands inside a node. It looks at any actor, and acts on it.

It stands beside the tree, not in it, so that nothing it may be asked to mend can take it away. Every act
is written to the log and to the audit log, with who and why, before it is done; a database that is
away does not keep anybody from mending it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import ServiceActor
from veza.actors.messages.audit import AUDIT, ActRecorded, RecordAct
from veza.actors.messages.common import Key, RefusedError, RejectCode
from veza.actors.messages.operator import (
    ActedOn,
    ActOnActor,
    ActorAction,
    ActorInspected,
    CrashesListed,
    CrashRead,
    DeadLettersListed,
    DeadLettersSettled,
    DiscardDeadLetters,
    Drain,
    InspectActor,
    ListCrashes,
    ListDeadLetters,
    Operator,
    ReadCrash,
    ReadNode,
    ReadTotals,
    ReadTrace,
    ReadTree,
    ReplayDeadLetter,
    SendToActor,
    SentToActor,
    StartTrace,
    TotalsRead,
    TraceRead,
    TreeRead,
    Undrain,
)
from veza.actors.messages.ops import ActorNode, ClassTotals, NodeFigures
from veza.actors.runtime import (
    ActorEndedError,
    Cell,
    DeadLetter,
    TooManyTracesError,
    Trace,
    request_context,
)
from veza.actors.runtime.address import Address
from veza.actors.runtime.cell import SUSPENDED
from veza.config.ids import uuid7
from veza.supervisors import sight
from veza.supervisors.directory import Directory
from veza.supervisors.family import FamilySupervisor
from veza.supervisors.fate import can_drain, end_of, fate, is_last_straw, is_made_anew
from veza.supervisors.hand_message import answer_text, hand_message
from veza.supervisors.masking import described
from veza.supervisors.supervisor import Supervisor
from veza.supervisors.survey import Survey, is_draining
from veza.supervisors.totals import Totals

AUDIT_SECONDS: Final = 2.0
MAX_CHILDREN: Final = 1_000
MAX_TRACES_KEPT: Final = 32
MAX_TRACE_MESSAGES: Final = 500
MAX_TRACE_SECONDS: Final = 60.0
STRUCTURE: Final = (Supervisor, FamilySupervisor, Directory)
"""Without these nothing is restarted, and nobody is found."""

logger = logging.getLogger("veza.operator")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAccess:
    """What the operator needs of its node."""

    root: Callable[[], Cell]
    ask: Callable[[Key, object, float], Awaitable[object]]
    figures: Callable[[Iterable[ClassTotals]], NodeFigures]
    drain: Callable[[], None]


class OperatorActor(ServiceActor):
    """Answers the commands of `veza.actors.messages.operator`."""

    mailbox_limit: ClassVar[int] = 256
    # Looks that wait for their turn and questions that wait for an answer keep nobody from acting.
    concurrency: ClassVar[int] = 128

    def __init__(self, *, node: NodeAccess) -> None:
        super().__init__()
        self.node = node
        self.totals = Totals(self.runtime)
        self.walking = asyncio.Lock()
        self.traces: dict[str, Trace] = {}

    # --- look ---

    async def receiveMsg_ReadTree(self, command: ReadTree, _sender: Address) -> TreeRead:
        top = self._find(command.under) if command.under else self.node.root()
        return TreeRead(root=await self._survey(top, min(command.children, MAX_CHILDREN)))

    async def receiveMsg_ReadNode(self, _command: ReadNode, _sender: Address) -> NodeFigures:
        return self.node.figures(await self._totals())

    async def receiveMsg_ReadTotals(self, _command: ReadTotals, _sender: Address) -> TotalsRead:
        return TotalsRead(classes=await self._totals())

    async def receiveMsg_InspectActor(
        self, command: InspectActor, _sender: Address
    ) -> ActorInspected:
        cell = self._find(command.path)
        node = await self._survey(cell, sight.CHILDREN_SHOWN)
        try:
            observed = self.runtime.look(cell)
        except ActorEndedError as error:
            raise ended() from error
        return sight.inspected(cell, node, observed, self.traces)

    # Long walks take turns: each stops the loop for a slice at a time, and slices add up.

    async def _survey(self, top: Cell, children: int) -> ActorNode:
        async with self.walking:
            return await Survey(top, children).read()

    async def _totals(self) -> tuple[ClassTotals, ...]:
        async with self.walking:
            return await self.totals.read()

    # --- act ---

    async def receiveMsg_ActOnActor(self, command: ActOnActor, _sender: Address) -> ActedOn:
        cell = self._find(command.path)
        self._check(cell, command.action)
        is_audited = await self._audit(
            command.by, f"actor.{command.action}", command.path, command.reason
        )
        if not cell.alive:
            raise ended()
        note = self._act(cell, command.action)
        return ActedOn(path=command.path, action=command.action, note=note, is_audited=is_audited)

    def _check(self, cell: Cell, action: ActorAction) -> None:
        """Refuse what would only do harm."""
        if cell is self.cell or cell.parent is None:
            raise invalid("Its end is the node's: drain the root instead.")
        # By the class: an instance is not always there.
        if action is ActorAction.SUSPEND and issubclass(cell.behaviour.actor_class, STRUCTURE):
            raise invalid("Nothing could be mended any more: drain or restart it.")
        kind = end_of(cell, action)
        is_root = cell is self.node.root()
        if kind is None or (is_root and action is ActorAction.DRAIN):
            return
        if is_root:
            raise invalid("That would end the node: drain it instead.")
        if is_last_straw(cell, kind):
            raise invalid(
                "Its supervisor has used up its restarts and would give up: wait a while."
            )

    def _act(self, cell: Cell, action: ActorAction) -> str:
        match action:
            case ActorAction.RESTART:
                return self._restart(cell)
            case ActorAction.STOP:
                return self._stop(cell)
            case ActorAction.KILL:
                note = f"Ended at once. {fate(cell, 'killed')}"
                self.runtime.kill(cell, "killed by an operator")
                return note
            case ActorAction.SUSPEND:
                if not self.runtime.suspend(cell):
                    raise invalid("It is not running.")
                return "Handles nothing until it is resumed; what comes waits in its mailbox."
            case ActorAction.RESUME:
                return self._resume(cell)
            case ActorAction.DRAIN:
                return self._drain(cell)

    def _restart(self, cell: Cell) -> str:
        if is_made_anew(cell):
            note = f"Ended at once. {fate(cell, 'killed')}"
            self.runtime.kill(cell, "restarted by an operator")
            return note
        if not self.runtime.restart(cell):
            raise invalid("It is ending.")
        return "A new instance took over at the same address, with the same mailbox."

    def _stop(self, cell: Cell) -> str:
        how = "at once, and what waited is lost" if cell.state == SUSPENDED else "behind what waits"
        note = f"Ends {how}. {fate(cell, 'shutdown')}"
        self.runtime.stop(cell)
        return note

    def _resume(self, cell: Cell) -> str:
        if self.runtime.resume(cell):
            return "Takes up what waited, in order."
        if is_draining(cell):
            self.send(cell, Undrain())
            return "Takes on work again."
        raise invalid("It is neither suspended nor draining.")

    def _drain(self, cell: Cell) -> str:
        if cell is self.node.root():
            self.node.drain()
            return "The node drains and ends."
        if can_drain(cell):
            self.send(cell, Drain())
            return "Takes on nothing new; what there is ends in order. Resume takes this back."
        return self._stop(cell)

    # --- traces ---

    async def receiveMsg_StartTrace(self, command: StartTrace, _sender: Address) -> TraceRead:
        cell = self._find(command.path)
        if not (
            1 <= command.limit <= MAX_TRACE_MESSAGES and 0 < command.seconds <= MAX_TRACE_SECONDS
        ):
            raise RefusedError(
                RejectCode.VALIDATION_FAILED,
                f"At most {MAX_TRACE_MESSAGES} messages and {MAX_TRACE_SECONDS:.0f} seconds.",
            )
        # Whether texts of people could be read is what somebody will want to know later.
        action = "actor.trace.bodies" if command.with_bodies else "actor.trace"
        await self._audit(command.by, action, command.path, command.reason)
        try:
            trace = self.runtime.trace(
                cell,
                limit=command.limit,
                seconds=command.seconds,
                message_type=command.message_type,
                describe=partial(described, with_texts=True) if command.with_bodies else None,
            )
        except TooManyTracesError as error:
            raise RefusedError(RejectCode.RATE_LIMITED, str(error)) from error
        except ActorEndedError as error:
            raise ended() from error
        while len(self.traces) >= MAX_TRACES_KEPT:
            self.traces.pop(next(iter(self.traces))).stop()
        trace_id = str(uuid7())
        self.traces[trace_id] = trace
        return sight.trace_read(trace_id, trace, after=0)

    async def receiveMsg_ReadTrace(self, command: ReadTrace, _sender: Address) -> TraceRead:
        trace = self.traces.get(command.trace_id)
        if trace is None:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such trace, or no more.")
        return sight.trace_read(command.trace_id, trace, command.after)

    # --- what failed ---

    async def receiveMsg_ListDeadLetters(
        self, command: ListDeadLetters, _sender: Address
    ) -> DeadLettersListed:
        return sight.dead_letters(self.runtime.letters, command)

    async def receiveMsg_ReplayDeadLetter(
        self, command: ReplayDeadLetter, _sender: Address
    ) -> DeadLettersSettled:
        letter = self._letter(command.letter_id)
        if not sight.can_replay(letter):
            raise invalid("Its receiver is gone for good.")
        is_audited = await self._audit(
            command.by, "dead_letter.replay", str(command.letter_id), command.reason
        )
        self.runtime.replay(self._letter(command.letter_id))
        return DeadLettersSettled(count=1, is_audited=is_audited)

    async def receiveMsg_DiscardDeadLetters(
        self, command: DiscardDeadLetters, _sender: Address
    ) -> DeadLettersSettled:
        ids = command.letter_ids
        target = "all" if ids is None else ", ".join(map(str, ids))
        for letter_id in ids or ():
            self._letter(letter_id)
        is_audited = await self._audit(command.by, "dead_letter.discard", target, command.reason)
        return DeadLettersSettled(count=self.runtime.letters.discard(ids), is_audited=is_audited)

    async def receiveMsg_ListCrashes(
        self, _command: ListCrashes, _sender: Address
    ) -> CrashesListed:
        return sight.crashes(self.runtime.letters)

    async def receiveMsg_ReadCrash(self, command: ReadCrash, _sender: Address) -> CrashRead:
        found = sight.crash(self.runtime.letters, command.fingerprint)
        if found is None:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such crash, or no more.")
        return found

    # --- by hand ---

    async def receiveMsg_SendToActor(self, command: SendToActor, _sender: Address) -> SentToActor:
        cell = self._find(command.path)
        message = hand_message(command.message_type, command.fields)
        is_audited = await self._audit(
            command.by, f"actor.send.{command.message_type}", command.path, command.reason
        )
        if not cell.alive:
            raise ended()
        if not command.timeout_seconds:
            self.runtime.post(cell, message, self.runtime.address)
            return SentToActor(reply_type="", reply="", is_audited=is_audited)
        reply = await self.ask(cell, message, command.timeout_seconds)
        return SentToActor(
            reply_type=type(reply).__name__, reply=answer_text(reply), is_audited=is_audited
        )

    # --- inside ---

    def _find(self, path: str) -> Cell:
        """Return the actor of a path; raises `RefusedError` if there is none."""
        root = self.node.root()
        top = root.parent or root
        first, *names = path.strip("/").split("/")
        cell = top if first == top.name else None
        for name in names:
            cell = child_of(cell, name) if cell is not None else None
        if cell is None:
            raise RefusedError(RejectCode.NOT_FOUND, f"No actor has the path {path[:200]}.")
        return cell

    def _letter(self, letter_id: int) -> DeadLetter:
        letter = self.runtime.letters.dead.get(letter_id)
        if letter is None:
            raise RefusedError(RejectCode.NOT_FOUND, f"Dead letter {letter_id} is not kept.")
        return letter

    async def _audit(self, by: Operator, action: str, target: str, reason: str) -> bool:
        """Write down who is about to do what, and why; tell whether more than the log has it."""
        request_id = request_context.get().request_id
        logger.warning(
            "%s %s by %s (%s): %s",
            action,
            target,
            by.name,
            by.via,
            reason,
            extra={"request_id": request_id, "user_id": by.user_id},
        )
        act = RecordAct(
            act_id=uuid7(),
            actor_id=UUID(by.user_id) if by.user_id else None,
            actor_name=by.name,
            via=by.via,
            action=action,
            target=target,
            reason=reason,
            request_id=request_id,
        )
        return isinstance(await self.node.ask(AUDIT, act, AUDIT_SECONDS), ActRecorded)


def ended() -> RefusedError:
    return RefusedError(RejectCode.NOT_FOUND, "The actor has ended meanwhile.")


def child_of(cell: Cell, name: str) -> Cell | None:
    """Return the child of a name; a family's is looked up, for there may be very many."""
    supervisor = cell.instance
    if isinstance(supervisor, FamilySupervisor):
        member = supervisor.by_key.get((supervisor.spec.family, name))
        return member.cell if member else None
    return next((child for child in cell.children or () if child.label == name), None)


def invalid(why: str) -> RefusedError:
    return RefusedError(RejectCode.INVALID_STATE, why)
