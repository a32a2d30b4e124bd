"""Around an act in a room: what must be looked up first, what to say when it cannot be, and its pace."""

from datetime import datetime
from typing import Final
from uuid import UUID

from veza.actors.chat.rights import Action
from veza.actors.chat.room_state import HIDDEN_KINDS, NO_SUCH_ROOM, RoomState
from veza.actors.chat.text import MessageContent, read_text
from veza.actors.messages.common import (
    Busy,
    Crashed,
    Gone,
    Key,
    RefusedError,
    RejectCode,
    Rejected,
    TimedOut,
)
from veza.actors.messages.room_log import FindMessage, PreparePost
from veza.actors.messages.rooms import (
    ActInRoom,
    AddMember,
    AddReaction,
    DeleteMessage,
    EditMessage,
    JoinRoom,
    ModerateMember,
    PostMessage,
    RemoveReaction,
    RoomAct,
    RoomKind,
)
from veza.actors.messages.rooms_service import CheckRoomPassword
from veza.actors.messages.ways import CheckInvite, CountJoin
from veza.actors.rate_limit import Rate, RateLimiter
from veza.persistence.room_rows import EventKind, RoomEvent, Unstored

ROOMS: Final = ("rooms", "")
ROOM_FACTOR: Final = 10
ROOM_LOG: Final = ("room_log", "")
POSTS: Final = ("posts", "")
WAYS: Final = ("ways", "")

UNSTORED: Final = {
    Unstored.UNKNOWN_ROOM: (RejectCode.NOT_FOUND, NO_SUCH_ROOM),
    Unstored.UNKNOWN_AUTHOR: (RejectCode.FORBIDDEN, "This account is closed."),
    Unstored.BANNED_AUTHOR: (RejectCode.ACCOUNT_BANNED, "This account is banned."),
    Unstored.UNKNOWN_MESSAGE: (
        RejectCode.UNKNOWN_MESSAGE,
        "There is no such message in this room.",
    ),
    Unstored.UNKNOWN_ATTACHMENT: (
        RejectCode.ATTACHMENT_UNUSABLE,
        "That file is not yours to send here.",
    ),
    Unstored.TOO_MANY_REACTIONS: (
        RejectCode.TOO_MANY_REACTIONS,
        "That is enough different reactions to one message.",
    ),
    Unstored.INVALID_INVITE: (
        RejectCode.INVALID_INVITE,
        "The invitation is not valid, or not any more.",
    ),
    Unstored.BLOCKED: (RejectCode.BLOCKED, "One of you has blocked the other."),
    Unstored.UNSTORABLE_TEXT: (
        RejectCode.VALIDATION_FAILED,
        "The text has characters that are none.",
    ),
}


def lookup(
    room_id: UUID, state: RoomState, command: ActInRoom, content: MessageContent | None
) -> tuple[Key, object] | None:
    """Return what deciding an act needs to know first, and who knows it."""
    match command.act:
        case PostMessage(message_id=message_id, attachments=attachments) if content is not None:
            if not (attachments or content.mentions or content.tracks):
                return None
            return POSTS, PreparePost(
                room_id=room_id,
                message_id=message_id,
                author_id=command.by.id,
                names=content.mentions,
                attachments=attachments,
                tracks=content.tracks,
            )
        case EditMessage(message_id=message_id) | DeleteMessage(message_id=message_id):
            return ROOM_LOG, FindMessage(room_id=room_id, message_id=message_id)
        case JoinRoom() as join:
            return _lookup_join(room_id, state, join, command.by.id)
        case _:
            return None


def _lookup_join(
    room_id: UUID, state: RoomState, join: JoinRoom, user_id: UUID
) -> tuple[Key, object] | None:
    """Return what opens the door for somebody; unless it is done already, have it counted that they came."""
    joiner_id = None if join.is_counted else user_id
    match join:
        case JoinRoom(invite=str(code)) if state.room.kind in HIDDEN_KINDS:
            return WAYS, CheckInvite(room_id=room_id, code=code, joiner_id=joiner_id)
        case JoinRoom(invite=None, password=str(password)) if state.room.kind is RoomKind.PASSWORD:
            check = CheckRoomPassword(room_id=room_id, password=password, joiner_id=joiner_id)
            return ROOMS, check
        case _:
            return None if joiner_id is None else (WAYS, CountJoin(joiner_id=joiner_id))


def keep_hidden(state: RoomState, command: ActInRoom, now: datetime) -> None:
    """Refuse who is not to learn that the room exists as if it did not, whatever they try.

    Only an invitation is looked into: it may be one to this room.
    """
    if isinstance(command.act, JoinRoom) and command.act.invite is not None:
        return
    if state.hides_from(command.by.id, now, is_staff=command.is_staff):
        raise RefusedError(RejectCode.NOT_FOUND, NO_SUCH_ROOM)


def content_of(command: ActInRoom, own_host: str) -> MessageContent | None:
    """Read the text of an act that has one. Raises `RefusedError` if there is nothing to see in it."""
    if not isinstance(command.act, PostMessage | EditMessage):
        return None
    content = read_text(command.act.text, own_host)
    has_files = isinstance(command.act, PostMessage) and command.act.attachments
    if content.is_empty and not has_files:
        raise RefusedError(RejectCode.VALIDATION_FAILED, "There is nothing to see in the message.")
    return content


def rejection(act: RoomAct, refused: RefusedError) -> Rejected:
    """Return the answer to an act that is refused."""
    return Rejected(
        command=type(act).__name__,
        code=refused.code,
        detail=refused.detail,
        retry_after_seconds=refused.retry_after_seconds,
    )


def unstored(act: RoomAct, why: Unstored) -> Rejected:
    """Return the answer to an act whose event cannot be stored."""
    code, detail = UNSTORED[why]
    if why is Unstored.UNKNOWN_AUTHOR and isinstance(act, AddMember | ModerateMember):
        code, detail = RejectCode.NOT_FOUND, "There is no such account."
    return Rejected(command=type(act).__name__, code=code, detail=detail)


def is_failure(found: object) -> bool:
    """Tell whether a question was not answered: refused, crashed, busy, too late, or nobody there."""
    return isinstance(found, Rejected | Crashed | Busy | TimedOut | Gone)


def is_cut_short(found: object) -> bool:
    """Tell whether it was the server that could not, rather than somebody who may not."""
    if isinstance(found, Rejected):
        return found.code is RejectCode.UNAVAILABLE
    return is_failure(found)


def times(rate: Rate, factor: int) -> Rate:
    """Return a rate that many times as high."""
    return Rate(per_second=rate.per_second * factor, burst=rate.burst * factor)


class Pace:
    """How fast the members of a room may act: messages, reactions and other acts by rate, and slow mode.

    All together may write ten times what one may. What is done on other nodes counts as it is heard of;
    slow mode goes by the log, too, which forgets nothing when the room moves.
    """

    def __init__(self, message_rate: Rate, act_rate: Rate, reaction_rate: Rate) -> None:
        self._room: RateLimiter[None] = RateLimiter(times(message_rate, ROOM_FACTOR))
        self._reactions: RateLimiter[UUID] = RateLimiter(reaction_rate)
        self._messages: RateLimiter[UUID] = RateLimiter(message_rate)
        self._acts: RateLimiter[UUID] = RateLimiter(act_rate)
        self._last_posts: dict[UUID, float] = {}

    def spend(
        self, state: RoomState, command: ActInRoom, now: datetime, clock_seconds: float
    ) -> None:
        """Count an act; raises `RefusedError` with the time to wait if it comes too soon."""
        if state.hides_from(command.by.id, now, is_staff=command.is_staff):
            return  # to be told to wait would tell that the room exists
        is_post = isinstance(command.act, PostMessage)
        limiter = self._messages if is_post else self._acts
        limiter.spend(command.by.id, clock_seconds)
        if is_post:
            self._room.spend(None, clock_seconds)
        elif isinstance(command.act, AddReaction | RemoveReaction):
            self._reactions.spend(command.by.id, clock_seconds)
        slow_seconds = state.settings.slow_mode_seconds
        if slow_seconds and is_post and not _is_exempt(state, command, now):
            stored_at = state.last_posts.get(command.by.id)
            past_seconds = None if stored_at is None else (now - stored_at).total_seconds()
            self._keep_slow(command.by.id, slow_seconds, clock_seconds, past_seconds)

    def note_elsewhere(self, event: RoomEvent, clock_seconds: float) -> None:
        """Count what another node let pass."""
        who = event.author.id
        if event.kind is EventKind.MESSAGE_POSTED:
            self._messages.count(who, clock_seconds)
            self._room.count(None, clock_seconds)
            return
        self._acts.count(who, clock_seconds)
        if event.kind in {EventKind.REACTION_ADDED, EventKind.REACTION_REMOVED}:
            self._reactions.count(who, clock_seconds)

    def _keep_slow(
        self, who: UUID, slow_seconds: int, clock_seconds: float, past_seconds: float | None
    ) -> None:
        """Refuse who wrote too short a while ago: `past_seconds` by the log, if that has anything."""
        since = self._last_posts.get(who)
        waits = [0.0]
        if since is not None:
            waits.append(since + slow_seconds - clock_seconds)
        if past_seconds is not None:
            waits.append(slow_seconds - past_seconds)
        if max(waits) > 0:
            raise RefusedError(
                RejectCode.SLOW_MODE,
                f"Slow mode: one message every {slow_seconds} s.",
                retry_after_seconds=max(waits),
            )
        self._last_posts = {
            user: at for user, at in self._last_posts.items() if at + slow_seconds > clock_seconds
        }
        self._last_posts[who] = clock_seconds


def _is_exempt(state: RoomState, command: ActInRoom, now: datetime) -> bool:
    return state.is_allowed(command.by.id, Action.MODERATE, now, is_staff=command.is_staff)
