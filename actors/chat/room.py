"""The room actor: takes acts one by one, has them stored, and tells everybody in one order."""

from collections import deque
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final
from uuid import UUID

import structlog

from veza.actors.chat.acts import (
    ROOM_LOG,
    WAYS,
    Pace,
    content_of,
    is_cut_short,
    is_failure,
    keep_hidden,
    lookup,
    rejection,
    unstored,
)
from veza.actors.chat.automod import Verdict
from veza.actors.chat.decisions import Known, decide
from veza.actors.chat.guard import Guard, until
from veza.actors.chat.log_follower import RETRY_SECONDS
from veza.actors.chat.member_signals import MemberSignals, now
from veza.actors.chat.rights import Action
from veza.actors.chat.room_rules import Action as RuleAction
from veza.actors.chat.text import MessageContent
from veza.actors.fanout import FanOut
from veza.actors.messages.bus import EventsAnnounced, HeadMoved
from veza.actors.messages.common import Answer, Busy, RefusedError, RejectCode
from veza.actors.messages.directory import Deliver
from veza.actors.messages.reports import FileRefused, RefusedFiled
from veza.actors.messages.room_log import AppendEvent, EventAppended
from veza.actors.messages.rooms import (
    ActInRoom,
    ActUnchanged,
    Author,
    EditMessage,
    EventStored,
    JoinRoom,
    LeaveRoom,
    MayAskToJoin,
    ModerateMember,
    PostMessage,
    ReadRoom,
    RequireRight,
    RightGranted,
    RoomAct,
    RoomAdded,
    RoomEvent,
    RoomJoined,
    RoomLeft,
)
from veza.actors.messages.ways import UncountJoin
from veza.actors.rate_limit import Rate
from veza.actors.runtime.address import Address
from veza.actors.topics import user_topic
from veza.persistence.bus import Bus
from veza.persistence.room_rows import (
    EventKind,
    Measure,
    Moderation,
    NewEvent,
    NothingChanged,
    Outdated,
    StoredEvent,
    Unstored,
)

logger = structlog.get_logger(__name__)

REPORTS: Final = ("reports", "")
ROOM_WRITER: Final = ("room_writer", "")
MAX_PENDING: Final = 1000
"""Two batches of the writer: past it the room refuses, so that one room never fills the writer's mailbox."""
MAX_IN_LINE: Final = 20
"""Acts of one member that wait while one of theirs is looked into."""
STORE_SECONDS: Final = 600.0
"""The writer answers in any case. Whoever asked the room waits less; the room must still hear of it."""


@dataclass(frozen=True, slots=True)
class _Act:
    """An act on its way, what its text says, and who waits to hear of it: nobody, if it is the room's own."""

    command: ActInRoom
    reply_to: Address | None
    content: MessageContent | None = None


@dataclass(frozen=True, slots=True)
class _LookingUp:
    """Tag: what deciding an act needs was asked for."""

    act: _Act


@dataclass(frozen=True, slots=True)
class _Storing:
    """Tag: the event that an act came to was given to the writer."""

    act: _Act


@dataclass(frozen=True, slots=True)
class _Reporting:
    """Tag: a message that a rule refused was given to be reported."""

    rule: str


class RoomActor(MemberSignals):
    """One chat room. It owns the rules and the order of telling; the log owns history.

    An event is announced only after it is committed, in order of `seq` and without a hole: what this
    actor did not hear of (its answer was lost with a connection, another node stored it, or this actor
    crashed meanwhile) is read from the log before anything newer is told. An act decided on less than
    the log holds is not stored but decided again. Nothing that a client was told is kept only here.
    """

    def __init__(
        self,
        *,
        actor_id: str,
        directory: Address,
        fan_out: FanOut,
        bus: Bus,
        message_rate: Rate,
        act_rate: Rate,
        reaction_rate: Rate,
        own_host: str = "",
    ) -> None:
        super().__init__(room_id=UUID(actor_id), directory=directory, fan_out=fan_out, bus=bus)
        self.own_host = own_host
        self.pace = Pace(message_rate, act_rate, reaction_rate)
        self.guard = Guard()
        self.lines: dict[UUID, deque[_Act]] = {}
        self.outdated: list[_Act] = []
        self.pending = 0

    def inspect(self) -> dict[str, object]:
        return {
            "members": len(self.state.members) if self.state else 0,
            "told_seq": self.told_seq,
            "stored_seq": self.stored_seq,
            "pending": self.pending,
            "subscribers": self.fan_out.subscribers(self.topic),
        }

    # --- commands ---

    def receiveMsg_ActInRoom(self, command: ActInRoom, sender: Address) -> object:
        state = self.existing_room()
        if isinstance(command.act, JoinRoom) and command.by.id in state.members:
            return RoomJoined(room=state.describe(self.told_seq))
        keep_hidden(state, command, now())
        self.pace.spend(state, command, now(), monotonic())
        self._check_pending()
        act = _Act(command, sender, content_of(command, self.own_host))
        line = self.lines.get(command.by.id)
        if line is None:
            self._take(act)
        elif len(line) >= MAX_IN_LINE:
            raise _too_much("You are doing too much at once.")
        else:
            line.append(act)
        return None

    def receiveMsg_ReadRoom(self, command: ReadRoom, sender: Address) -> None:
        state = self.existing_room()
        state.require(command.by, Action.READ, now(), is_staff=command.is_staff)
        self.forward(self.directory, Deliver(key=ROOM_LOG, message=command.read), sender)

    def receiveMsg_RequireRight(self, command: RequireRight, _sender: Address) -> RightGranted:
        state = self.existing_room()
        state.require(command.by, Action[command.action], now(), is_staff=command.is_staff)
        is_moderator = state.is_allowed(
            command.by, Action.MODERATE, now(), is_staff=command.is_staff
        )
        return RightGranted(
            room=state.describe(self.told_seq),
            role=state.members.get(command.by),
            is_moderator=is_moderator,
        )

    def receiveMsg_MayAskToJoin(self, command: MayAskToJoin, _sender: Address) -> RightGranted:
        state = self.existing_room()
        state.require_asking(command.by, now())
        return RightGranted(room=state.describe(self.told_seq), role=None)

    # --- other nodes ---

    def receiveMsg_EventsAnnounced(self, message: EventsAnnounced, sender: Address) -> None:
        for event in message.events:
            self.pace.note_elsewhere(event, monotonic())
        super().receiveMsg_EventsAnnounced(message, sender)

    # --- answers ---

    def receiveMsg_Answer(self, answer: Answer, sender: Address) -> None:
        match answer:
            case Answer(tag=_Storing(act=act), message=EventAppended(result=result)):
                self.pending -= 1
                self._on_appended(act, result)
            case Answer(tag=_Storing(act=act)):
                self.pending -= 1
                self._answer(act, answer.message)
                if not isinstance(answer.message, Busy):
                    self.doubt()
            case Answer(tag=_Reporting(rule=rule)):
                if not isinstance(answer.message, RefusedFiled):
                    kind = type(answer.message).__name__
                    logger.warning(
                        "room.not_reported", room=str(self.room_id), rule=rule, reply=kind
                    )
            case Answer(tag=_LookingUp(act=act)):
                self._on_looked_up(act, answer.message)
            case _:
                super().receiveMsg_Answer(answer, sender)

    def is_busy(self) -> bool:
        is_at_work = self.pending or self.lines or self.outdated
        return bool(is_at_work) or super().is_busy()

    def on_told(self, event: RoomEvent) -> None:
        super().on_told(event)
        if event.kind is EventKind.MEMBER_JOINED and event.subject is not None:
            # The connections of whoever was added by somebody else do not hear this room yet.
            added = RoomAdded(room=self.existing_room().describe(event.seq), by=event.author)
            self.fan_out.publish(user_topic(event.subject.id), added)

    def on_level(self) -> None:
        """Take up acts that were decided on less than the log held."""
        if self.outdated:
            acts, self.outdated = self.outdated, []
            for act in acts:
                self._take_in_turn(act)

    # --- an act, from the command to the answer ---

    def _check_pending(self) -> None:
        """Refuse while more is being stored than the room may have under way."""
        if self.pending >= MAX_PENDING:
            raise _too_much("Too much is being written in this room at this moment.")

    def _take(self, act: _Act) -> None:
        """Decide an act, or look up first what deciding it needs; what its author does next waits."""
        question = lookup(self.room_id, self.existing_room(), act.command, act.content)
        if question is None:
            self._decide(act, None)
        else:
            self.lines[act.command.by.id] = deque()
            self.ask_service(*question, _LookingUp(act))

    def _take_in_turn(self, act: _Act) -> None:
        """Take an act unless one of its author's before it is being looked up."""
        line = self.lines.get(act.command.by.id)
        if line is None:
            self._take(act)
        else:
            line.append(act)

    def _on_looked_up(self, act: _Act, found: object) -> None:
        line = self.lines.pop(act.command.by.id, deque())
        self._decide(_counted(act), found)
        for waiting in line:
            self._take_in_turn(waiting)

    def _decide(self, act: _Act, found: object) -> None:
        if is_failure(found):
            self._answer(act, found)
            return
        known = Known(self.existing_room(), now(), found, act.content)
        try:
            event = decide(known, act.command)
            if event is not None and act.content is not None:
                self._keep_rules(known, act, act.content)
        except RefusedError as refused:
            self._answer(act, rejection(act.command.act, refused))
            return
        if event is None:
            self._answer(act, self._unchanged(act.command.act))
        else:
            self._append(event, act)

    def _keep_rules(self, known: Known, act: _Act, content: MessageContent) -> None:
        """Hold a text against the room's rules; raises `RefusedError` if it is not to be posted."""
        command = act.command
        verdict = self.guard.examine(known.state, command, content, known.now)
        if verdict is None or verdict.action is RuleAction.WARN:
            if isinstance(command.act, PostMessage):
                self.guard.note(known.state, command.by.id, content, known.now)
            return
        if verdict.mute_seconds:
            self._mute(known, command.by, verdict)
        if verdict.action is RuleAction.REPORT:
            self._report(command, verdict)
        raise RefusedError(RejectCode.ROOM_RULES, verdict.detail)

    def _report(self, command: ActInRoom, verdict: Verdict) -> None:
        """Let moderators see what a rule refused; its author does not wait for that."""
        if isinstance(command.act, PostMessage | EditMessage):
            refused = FileRefused(
                room_id=self.room_id,
                message_id=command.act.message_id,
                author=command.by,
                rule=verdict.rule,
                text=command.act.text,
                detail=verdict.detail,
            )
            self.ask_service(REPORTS, refused, _Reporting(verdict.rule))

    def _mute(self, known: Known, who: Author, verdict: Verdict) -> None:
        end = until(known.now, verdict.mute_seconds)
        event = NewEvent(
            room_id=self.room_id,
            kind=EventKind.MEMBER_MODERATED,
            author=who,
            subject=who,
            text=verdict.detail,
            details=Moderation(measure=Measure.MUTE, until=end, rule=verdict.rule),
            fence=known.state.fence,
        )
        mute = ModerateMember(user_id=who.id, measure=Measure.MUTE, until=end)
        self._append(event, _Act(ActInRoom(by=who, act=mute), None))

    def _answer(self, act: _Act, reply: object) -> None:
        if isinstance(act.command.act, JoinRoom) and is_cut_short(reply):
            self.tell_service(WAYS, UncountJoin(joiner_id=act.command.by.id))
        if act.reply_to is not None:
            self.send(act.reply_to, reply)

    def _append(self, event: NewEvent, act: _Act) -> None:
        self.pending += 1
        self.ask_service(ROOM_WRITER, AppendEvent(event=event), _Storing(act), STORE_SECONDS)

    def _on_appended(self, act: _Act, result: object) -> None:
        match result:
            case StoredEvent(event=event, is_new=is_new):
                self._answer(act, self._stored(event, is_new=is_new))
                if is_new:
                    self._note_own(event)
                    self.bus.announce(self.room_id, (event,))
                self.tell((event,))
                self.catch_up()
            case NothingChanged(head_seq=head_seq):
                self._answer(act, self._unchanged(act.command.act))
                self.receiveMsg_HeadMoved(HeadMoved(seq=head_seq), self.cell)
            case Outdated(head_seq=head_seq):
                if act.reply_to is not None:
                    self.outdated.append(act)
                self.stored_seq = max(self.stored_seq, head_seq)
                self.tell(())
                self.catch_up()
            case Unstored() as why:
                self._answer(act, unstored(act.command.act, why))

    def _note_own(self, event: RoomEvent) -> None:
        """Whoever writes has read what is above; whom one adds learns of it where this room does not run."""
        if event.kind is EventKind.MESSAGE_POSTED:
            self.note_pointer(event.author.id, read_seq=event.seq, delivered_seq=0, reply_to=None)
        elif event.kind is EventKind.MEMBER_JOINED and event.subject is not None:
            added = RoomAdded(room=self.existing_room().describe(event.seq), by=event.author)
            self.fan_out.publish_elsewhere(user_topic(event.subject.id), added)

    def _stored(self, event: RoomEvent, *, is_new: bool) -> object:
        room = self.existing_room()
        match event.kind:
            case EventKind.MEMBER_JOINED if event.subject is None:
                # At once, though older events may still have to be told: a right given harms nobody.
                room.apply(event)
                return RoomJoined(room=room.describe(self.told_seq))
            case EventKind.MEMBER_LEFT:
                return RoomLeft(room_id=self.room_id)
            case _:
                return EventStored(event=event, is_new=is_new)

    def _unchanged(self, act: RoomAct) -> object:
        match act:
            case JoinRoom():
                return RoomJoined(room=self.existing_room().describe(self.told_seq))
            case LeaveRoom():
                return RoomLeft(room_id=self.room_id)
            case _:
                return ActUnchanged(room_id=self.room_id)


def _counted(act: _Act) -> _Act:
    """Return an act that is not counted again if it has to be decided again."""
    join = act.command.act
    if not isinstance(join, JoinRoom):
        return act
    return replace(act, command=replace(act.command, act=replace(join, is_counted=True)))


def _too_much(detail: str) -> RefusedError:
    return RefusedError(RejectCode.UNAVAILABLE, detail, retry_after_seconds=RETRY_SECONDS)
