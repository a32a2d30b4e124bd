"""What a room makes of an act: the event to store, nothing, or a refusal. Pure; the time is an argument.

Refusals are `RefusedError`s. What only the log can tell (is the message still there, has the invite a use
left) is settled in the transaction that stores the event.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from veza.actors.chat.rights import Action, may_give, outranks
from veza.actors.chat.room_state import NO_SUCH_ROOM, PRIVATE_TALK, RoomState
from veza.actors.chat.text import MessageContent
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.room_log import MessageLookedUp, PostPrepared
from veza.actors.messages.rooms import (
    ActInRoom,
    AddMember,
    AddReaction,
    ChangeRoom,
    DeleteMessage,
    EditMessage,
    JoinRoom,
    LeaveRoom,
    ModerateMember,
    PinMessage,
    PostMessage,
    RemoveReaction,
    UnpinMessage,
)
from veza.actors.messages.rooms_service import RoomPasswordChecked
from veza.actors.messages.ways import InviteChecked
from veza.persistence.room_rows import (
    Entry,
    EventKind,
    Measure,
    MessageFound,
    Moderation,
    NewEvent,
    Post,
    Role,
    RoomKind,
    RoomSettings,
)
from veza.persistence.rows import Author

EDIT_WINDOW: Final = timedelta(minutes=15)
LONGEST_MUTE: Final = timedelta(days=365)
MAX_MEMBERS: Final = 1000
"""Of rooms that are not public."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a decision stands on: the room, the time, and what was looked up for it."""

    state: RoomState
    now: datetime
    found: object = None
    content: MessageContent | None = None


def decide(known: Known, command: ActInRoom) -> NewEvent | None:
    """Return the event that an act comes to; None if there is nothing to do. Raises `RefusedError`."""
    return _DECISIONS[type(command.act)](known, command, command.act)


def _event(known: Known, command: ActInRoom, kind: EventKind, **fields: Any) -> NewEvent:
    state = known.state
    return NewEvent(
        room_id=state.room.id, kind=kind, author=command.by, fence=state.fence, **fields
    )


def _require(known: Known, command: ActInRoom, action: Action) -> int:
    return known.state.require(command.by.id, action, known.now, is_staff=command.is_staff)


def _may(known: Known, command: ActInRoom, action: Action) -> bool:
    by, now = command.by.id, known.now
    return known.state.is_allowed(by, action, now, is_staff=command.is_staff)


# --- coming and going ---


def _join(known: Known, command: ActInRoom, act: JoinRoom) -> NewEvent | None:
    state = known.state
    if command.by.id in state.members:
        return None
    if state.is_banned(command.by.id, known.now):
        raise RefusedError(RejectCode.BANNED, "You are banned from this room.")
    if isinstance(known.found, InviteChecked) and not known.found.is_valid:
        # Whoever guesses is not to learn that the room exists.
        raise RefusedError(RejectCode.NOT_FOUND, NO_SUCH_ROOM)
    if state.room.is_archived:
        raise RefusedError(RejectCode.ROOM_ARCHIVED, "The room is archived.")
    if act.invite is None:
        _require_open_door(known, act)
    _require_space(state)
    return _event(known, command, EventKind.MEMBER_JOINED, details=Entry(invite=act.invite))


def _require_open_door(known: Known, act: JoinRoom) -> None:
    match known.state.room.kind:
        case RoomKind.PUBLIC:
            return
        case RoomKind.PASSWORD:
            if act.password is None:
                raise RefusedError(RejectCode.WRONG_ROOM_PASSWORD, "This room asks for a password.")
            if not (isinstance(known.found, RoomPasswordChecked) and known.found.is_right):
                raise RefusedError(RejectCode.WRONG_ROOM_PASSWORD, "That is not its password.")
        case RoomKind.PRIVATE:
            raise RefusedError(
                RejectCode.INVITE_REQUIRED, "Ask to be let in, or come with an invitation."
            )
        case _:
            raise RefusedError(RejectCode.NOT_FOUND, NO_SUCH_ROOM)


def _require_space(state: RoomState) -> None:
    if state.room.kind is not RoomKind.PUBLIC and len(state.members) >= MAX_MEMBERS:
        raise RefusedError(RejectCode.ROOM_FULL, f"A room has at most {MAX_MEMBERS} members.")


def _leave(known: Known, command: ActInRoom, _act: LeaveRoom) -> NewEvent | None:
    state = known.state
    role = state.members.get(command.by.id)
    if role is None:
        return None
    if state.room.kind is RoomKind.DIRECT:
        raise RefusedError(RejectCode.INVALID_STATE, "A conversation of two is not left.")
    if role is Role.OWNER and len(state.members) > 1:
        raise RefusedError(RejectCode.INVALID_STATE, "Make somebody else the owner first.")
    return _event(known, command, EventKind.MEMBER_LEFT)


def _add(known: Known, command: ActInRoom, act: AddMember) -> NewEvent | None:
    _require(known, command, Action.ADD_MEMBERS)
    if act.user_id in known.state.members:
        return None
    if known.state.is_banned(act.user_id, known.now):
        raise RefusedError(RejectCode.BANNED, "They are banned. Lift the ban first.")
    _require_space(known.state)
    subject = Author(id=act.user_id, name="")
    return _event(
        known,
        command,
        EventKind.MEMBER_JOINED,
        subject=subject,
        details=Entry(),
        peer=act.user_id,
    )


# --- messages ---


def _require_voice(known: Known, command: ActInRoom, action: Action) -> int:
    """Require that somebody may speak now: the right to, and not muted."""
    rank = _require(known, command, action)
    seconds = known.state.muted_seconds(command.by.id, known.now)
    if seconds > 0:
        raise RefusedError(
            RejectCode.MUTED, "You are muted in this room.", retry_after_seconds=seconds
        )
    return rank


def _post(known: Known, command: ActInRoom, act: PostMessage) -> NewEvent:
    _require_voice(known, command, Action.POST)
    return _event(
        known,
        command,
        EventKind.MESSAGE_POSTED,
        message_id=act.message_id,
        text=known.content.text if known.content else act.text,
        reply_to=act.reply_to,
        thread_id=act.thread_id,
        details=_post_details(known, command),
        peer=known.state.peer_of(command.by.id),
    )


def _post_details(known: Known, command: ActInRoom) -> Post | None:
    post = known.found.post if isinstance(known.found, PostPrepared) else None
    if known.content and known.content.mentions_room and _may(known, command, Action.CALL_ROOM):
        return replace(post or Post(), mentions_room=True)
    return post


def _found_message(known: Known) -> MessageFound:
    found = known.found.found if isinstance(known.found, MessageLookedUp) else None
    if found is None or found.is_deleted:
        raise RefusedError(RejectCode.UNKNOWN_MESSAGE, "There is no such message in this room.")
    return found


def _edit(known: Known, command: ActInRoom, act: EditMessage) -> NewEvent:
    _require_voice(known, command, Action.POST)
    found = _found_message(known)
    if not _may(known, command, Action.MODERATE):
        if found.author_id != command.by.id:
            raise RefusedError(RejectCode.FORBIDDEN, "That message is somebody else's.")
        if known.now - found.at > EDIT_WINDOW:
            raise RefusedError(RejectCode.EDIT_EXPIRED, "It is too late to change that message.")
    return _event(
        known,
        command,
        EventKind.MESSAGE_EDITED,
        message_id=act.message_id,
        text=known.content.text if known.content else act.text,
        details=found.details,
        peer=known.state.peer_of(command.by.id),
    )


def _delete(known: Known, command: ActInRoom, act: DeleteMessage) -> NewEvent:
    found = _found_message(known)
    own = found.author_id == command.by.id
    rank = _require(known, command, Action.READ if own else Action.MODERATE)
    author_role = known.state.members.get(found.author_id)
    if not own and not outranks(rank, author_role):
        raise RefusedError(RejectCode.FORBIDDEN, "Their role is not below yours.")
    return _event(
        known,
        command,
        EventKind.MESSAGE_DELETED,
        message_id=act.message_id,
        text=act.reason,
        subject=None if own else Author(id=found.author_id, name=""),
    )


def _change_message(kind: EventKind, action: Action) -> Callable[[Known, ActInRoom, Any], NewEvent]:
    def decide_change(
        known: Known,
        command: ActInRoom,
        act: PinMessage | UnpinMessage | AddReaction | RemoveReaction,
    ) -> NewEvent:
        _require_voice(known, command, action)
        emoji = act.emoji if isinstance(act, AddReaction | RemoveReaction) else ""
        peer = known.state.peer_of(command.by.id)
        return _event(known, command, kind, message_id=act.message_id, text=emoji, peer=peer)

    return decide_change


# --- members and the room itself ---


def _moderate(known: Known, command: ActInRoom, act: ModerateMember) -> NewEvent | None:
    state = known.state
    is_role = act.measure is Measure.ROLE
    rank = _require(known, command, Action.SET_ROLES if is_role else Action.MODERATE)
    if act.user_id == command.by.id:
        raise RefusedError(RejectCode.INVALID_STATE, "Not about yourself.")
    target = state.members.get(act.user_id)
    if not outranks(rank, target):
        raise RefusedError(RejectCode.FORBIDDEN, "Their role is not below yours.")
    if target is None and act.measure not in {Measure.BAN, Measure.UNBAN}:
        raise RefusedError(RejectCode.NOT_FOUND, "They are no member of this room.")
    if is_role:
        _require_role(rank, act.role)
    if act.measure is Measure.MUTE:
        _require_end(act.until, known.now)
    if act.until is not None and act.until <= known.now:
        raise RefusedError(RejectCode.VALIDATION_FAILED, "`until` is in the past.")
    return _event(
        known,
        command,
        EventKind.MEMBER_MODERATED,
        subject=Author(id=act.user_id, name=""),
        text=act.reason,
        details=Moderation(measure=act.measure, until=act.until, role=act.role),
    )


def _require_role(rank: int, role: Role | None) -> None:
    if role is None:
        raise RefusedError(RejectCode.VALIDATION_FAILED, "Which role?")
    if not may_give(rank, role):
        raise RefusedError(RejectCode.FORBIDDEN, "You give only roles below your own.")


def _require_end(until: datetime | None, now: datetime) -> None:
    if until is None or until - now > LONGEST_MUTE:
        raise RefusedError(RejectCode.VALIDATION_FAILED, "A mute ends within a year.")


def _change_room(known: Known, command: ActInRoom, act: ChangeRoom) -> NewEvent | None:
    state = known.state
    _require(known, command, Action.CHANGE_ROOM if act.is_archived is None else Action.ARCHIVE)
    if act.if_version is not None and act.if_version != state.room.changed_seq:
        raise RefusedError(RejectCode.VERSION_CONFLICT, "Somebody else changed the room meanwhile.")
    settings = changed_settings(state.settings, act)
    if act.password_hash is not None and settings.kind is not RoomKind.PASSWORD:
        raise RefusedError(
            RejectCode.VALIDATION_FAILED, "Only rooms of the kind `password` have one."
        )
    _require_kind(state.settings.kind, settings)
    if settings == state.settings:
        return None
    return _event(known, command, EventKind.ROOM_UPDATED, details=settings)


def _require_kind(kind: RoomKind, settings: RoomSettings) -> None:
    """Refuse a change of kind that makes no sense."""
    if settings.kind is kind:
        return
    if {settings.kind, kind} & PRIVATE_TALK:
        raise RefusedError(
            RejectCode.INVALID_STATE, "Conversations and rooms do not become another."
        )
    if settings.kind is RoomKind.PASSWORD and settings.password_hash is None:
        raise RefusedError(RejectCode.VALIDATION_FAILED, "Such a room needs a password.")


def changed_settings(settings: RoomSettings, act: ChangeRoom) -> RoomSettings:
    """Return a room's settings with what an act changes of them."""
    given = {
        "name": act.name,
        "topic": act.topic,
        "kind": act.kind,
        "slow_mode_seconds": act.slow_mode_seconds,
        "is_archived": act.is_archived,
        "rules": act.rules,
        "password_hash": act.password_hash,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(settings, **changes)


_DECISIONS: Final[Mapping[type, Callable[[Known, ActInRoom, Any], NewEvent | None]]] = {
    JoinRoom: _join,
    LeaveRoom: _leave,
    AddMember: _add,
    PostMessage: _post,
    EditMessage: _edit,
    DeleteMessage: _delete,
    PinMessage: _change_message(EventKind.MESSAGE_PINNED, Action.PIN),
    UnpinMessage: _change_message(EventKind.MESSAGE_UNPINNED, Action.PIN),
    AddReaction: _change_message(EventKind.REACTION_ADDED, Action.REACT),
    RemoveReaction: _change_message(EventKind.REACTION_REMOVED, Action.REACT),
    ModerateMember: _moderate,
    ChangeRoom: _change_room,
}
