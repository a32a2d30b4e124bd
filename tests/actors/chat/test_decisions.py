"""What becomes of an act: an event, nothing, or a refusal with a code that says which."""

from datetime import timedelta
from uuid import UUID

import pytest

from veza.actors.chat.decisions import EDIT_WINDOW, MAX_MEMBERS, Known, decide
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.room_log import MessageLookedUp
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
)
from veza.actors.messages.rooms_service import RoomPasswordChecked
from veza.persistence.room_rows import (
    Entry,
    EventKind,
    Measure,
    MessageFound,
    Moderation,
    Role,
    RoomKind,
)

MESSAGE = UUID(int=100)


@pytest.fixture
def act(make_state, people, now):
    """Let somebody, by name, do something; return the event or the code of the refusal."""

    def run(name, what, *, state=None, found=None, is_staff=False):
        command = ActInRoom(by=people[name], act=what, is_staff=is_staff)
        try:
            return decide(Known(state or make_state(), now, found), command)
        except RefusedError as refused:
            return refused.code

    return run


@pytest.fixture
def message_of(people, now):
    def make(name, age=timedelta(), *, is_deleted=False):
        found = MessageFound(
            message_id=MESSAGE,
            author_id=people[name].id,
            at=now - age,
            is_deleted=is_deleted,
            text="salut",
            details=None,
        )
        return MessageLookedUp(found=found)

    return make


def test_an_event_carries_the_fence_it_was_decided_behind(act) -> None:
    event = act("member", PostMessage(message_id=MESSAGE, text="salut"))

    assert event.kind is EventKind.MESSAGE_POSTED
    assert event.fence == 3


# --- coming and going ---


def test_a_public_room_is_open_to_whoever_is_not_banned(act, make_state, people) -> None:
    assert act("stranger", JoinRoom()).kind is EventKind.MEMBER_JOINED
    banned = make_state()
    banned.bans[people["stranger"].id] = None
    assert act("stranger", JoinRoom(), state=banned) is RejectCode.BANNED


def test_a_ban_that_is_over_keeps_nobody_out(act, make_state, people, now) -> None:
    state = make_state()
    state.bans[people["stranger"].id] = now - timedelta(seconds=1)

    assert act("stranger", JoinRoom(), state=state).kind is EventKind.MEMBER_JOINED


def test_a_member_who_joins_again_changes_nothing(act) -> None:
    assert act("member", JoinRoom()) is None


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (RoomKind.PASSWORD, RejectCode.WRONG_ROOM_PASSWORD),
        (RoomKind.PRIVATE, RejectCode.INVITE_REQUIRED),
        (RoomKind.INVITE_ONLY, RejectCode.NOT_FOUND),
        (RoomKind.GROUP, RejectCode.NOT_FOUND),
        (RoomKind.DIRECT, RejectCode.NOT_FOUND),
    ],
)
def test_a_closed_room_says_what_it_wants_or_that_it_is_not_there(
    act, make_state, kind, code
) -> None:
    assert act("stranger", JoinRoom(), state=make_state(kind)) is code


@pytest.mark.parametrize("kind", [RoomKind.PASSWORD, RoomKind.PRIVATE, RoomKind.INVITE_ONLY])
def test_an_invitation_opens_every_room_and_is_named_in_the_event(act, make_state, kind) -> None:
    event = act("stranger", JoinRoom(invite="abcdefgh"), state=make_state(kind))

    assert event.details == Entry(invite="abcdefgh")


def test_only_the_right_password_opens(act, make_state) -> None:
    state = make_state(RoomKind.PASSWORD)

    wrong = act(
        "stranger", JoinRoom(password="x"), state=state, found=RoomPasswordChecked(is_right=False)
    )
    right = act(
        "stranger", JoinRoom(password="x"), state=state, found=RoomPasswordChecked(is_right=True)
    )

    assert wrong is RejectCode.WRONG_ROOM_PASSWORD
    assert right.kind is EventKind.MEMBER_JOINED


def test_a_full_room_takes_nobody_but_a_public_one_is_never_full(act, make_state) -> None:
    crowd = {UUID(int=1000 + n): Role.MEMBER for n in range(MAX_MEMBERS)}
    private, public = make_state(RoomKind.PRIVATE), make_state()
    for state in (private, public):
        state.members.update(crowd)

    assert act("stranger", JoinRoom(invite="abcdefgh"), state=private) is RejectCode.ROOM_FULL
    assert act("stranger", JoinRoom(), state=public).kind is EventKind.MEMBER_JOINED


def test_an_owner_leaves_only_an_empty_room_and_nobody_leaves_a_talk_of_two(
    act, make_state, people
) -> None:
    alone = make_state()
    alone.members = {people["owner"].id: Role.OWNER}

    assert act("owner", LeaveRoom()) is RejectCode.INVALID_STATE
    assert act("owner", LeaveRoom(), state=alone).kind is EventKind.MEMBER_LEFT
    assert act("member", LeaveRoom()).kind is EventKind.MEMBER_LEFT
    assert act("stranger", LeaveRoom()) is None
    talk = make_state(RoomKind.DIRECT)
    assert act("member", LeaveRoom(), state=talk) is RejectCode.INVALID_STATE


def test_a_banned_person_is_not_added_by_others(act, make_state, people) -> None:
    state = make_state()
    state.bans[people["stranger"].id] = None

    assert (
        act("moderator", AddMember(user_id=people["stranger"].id), state=state) is RejectCode.BANNED
    )


# --- messages ---


def test_who_may_not_write_hears_why(act, make_state, people, now) -> None:
    post = PostMessage(message_id=MESSAGE, text="salut")
    muted, banned = make_state(), make_state()
    muted.mutes[people["member"].id] = now + timedelta(minutes=5)
    banned.bans[people["stranger"].id] = None

    assert act("stranger", post) is RejectCode.NOT_A_MEMBER
    assert act("stranger", post, state=banned) is RejectCode.BANNED
    assert act("stranger", post, state=make_state(RoomKind.INVITE_ONLY)) is RejectCode.NOT_FOUND
    assert act("read_only", post) is RejectCode.FORBIDDEN
    assert act("member", post, state=muted) is RejectCode.MUTED
    assert act("member", post, state=make_state(is_archived=True)) is RejectCode.ROOM_ARCHIVED


def test_a_muted_member_neither_edits_nor_reacts(act, make_state, people, now, message_of) -> None:
    state = make_state()
    state.mutes[people["member"].id] = now + timedelta(minutes=5)
    edit = EditMessage(message_id=MESSAGE, text="other")

    assert act("member", edit, state=state, found=message_of("member")) is RejectCode.MUTED
    assert (
        act("member", AddReaction(message_id=MESSAGE, emoji="👍"), state=state) is RejectCode.MUTED
    )


def test_an_author_edits_for_a_while_and_a_moderator_always(act, message_of) -> None:
    edit = EditMessage(message_id=MESSAGE, text="other")
    late = message_of("member", EDIT_WINDOW + timedelta(seconds=1))

    assert act("member", edit, found=message_of("member")).text == "other"
    assert act("member", edit, found=late) is RejectCode.EDIT_EXPIRED
    assert act("member", edit, found=message_of("owner")) is RejectCode.FORBIDDEN
    assert act("moderator", edit, found=late).kind is EventKind.MESSAGE_EDITED


@pytest.mark.parametrize(
    "change", [EditMessage(message_id=MESSAGE, text="x"), DeleteMessage(message_id=MESSAGE)]
)
def test_what_is_deleted_or_never_was_is_not_changed(act, change, message_of) -> None:
    gone = message_of("member", is_deleted=True)

    assert act("member", change, found=gone) is RejectCode.UNKNOWN_MESSAGE
    assert act("member", change, found=MessageLookedUp(found=None)) is RejectCode.UNKNOWN_MESSAGE


def test_others_messages_are_deleted_by_those_above_their_author(act, message_of, people) -> None:
    delete = DeleteMessage(message_id=MESSAGE, reason="spam")

    assert act("member", delete, found=message_of("member")).subject is None
    assert act("member", delete, found=message_of("read_only")) is RejectCode.FORBIDDEN
    assert act("moderator", delete, found=message_of("owner")) is RejectCode.FORBIDDEN
    deleted = act("moderator", delete, found=message_of("member"))
    assert deleted.subject.id == people["member"].id
    assert act("moderator", delete, found=message_of("stranger")).kind is EventKind.MESSAGE_DELETED


def test_pins_are_for_moderators_and_for_friends(act, make_state) -> None:
    pin = PinMessage(message_id=MESSAGE)

    assert act("member", pin) is RejectCode.FORBIDDEN
    assert act("member", pin, state=make_state(RoomKind.GROUP)).kind is EventKind.MESSAGE_PINNED


# --- members and the room ---


def measure(person, what, **more):
    return ModerateMember(user_id=person.id, measure=what, **more)


def test_a_measure_needs_the_right_a_lower_target_and_never_oneself(act, people) -> None:
    kick = measure(people["member"], Measure.KICK, reason="rude")

    event = act("moderator", kick)
    assert event.details == Moderation(measure=Measure.KICK)
    assert (event.subject.id, event.text) == (people["member"].id, "rude")
    assert act("member", measure(people["read_only"], Measure.KICK)) is RejectCode.FORBIDDEN
    assert act("moderator", measure(people["admin"], Measure.BAN)) is RejectCode.FORBIDDEN
    assert act("moderator", measure(people["moderator"], Measure.WARN)) is RejectCode.INVALID_STATE
    assert act("stranger", kick) is RejectCode.NOT_A_MEMBER


def test_strangers_are_banned_but_neither_muted_nor_warned(act, people) -> None:
    assert (
        act("moderator", measure(people["stranger"], Measure.BAN)).kind
        is EventKind.MEMBER_MODERATED
    )
    assert act("moderator", measure(people["stranger"], Measure.WARN)) is RejectCode.NOT_FOUND


def test_a_mute_ends_within_a_year(act, people, now) -> None:
    target = people["member"]

    assert act("moderator", measure(target, Measure.MUTE)) is RejectCode.VALIDATION_FAILED
    for days in (-1, 400):
        until = now + timedelta(days=days)
        refused = act("moderator", measure(target, Measure.MUTE, until=until))
        assert refused is RejectCode.VALIDATION_FAILED
    assert act("moderator", measure(target, Measure.MUTE, until=now + timedelta(hours=1)))


def test_roles_are_given_by_admins_below_their_own(act, people) -> None:
    member = people["member"]

    assert (
        act("moderator", measure(member, Measure.ROLE, role=Role.READ_ONLY)) is RejectCode.FORBIDDEN
    )
    assert act("admin", measure(member, Measure.ROLE, role=Role.ADMIN)) is RejectCode.FORBIDDEN
    assert (
        act("admin", measure(member, Measure.ROLE, role=Role.MODERATOR)).details.role
        is Role.MODERATOR
    )
    assert act("owner", measure(member, Measure.ROLE, role=Role.OWNER)).details.role is Role.OWNER


def test_administrators_of_the_instance_rule_rooms_but_not_private_talks(
    act, make_state, people
) -> None:
    kick = measure(people["owner"], Measure.KICK)

    assert act("stranger", kick, is_staff=True).kind is EventKind.MEMBER_MODERATED
    talk = make_state(RoomKind.GROUP)
    assert act("stranger", kick, state=talk, is_staff=True) is RejectCode.NOT_FOUND


def test_a_room_is_changed_by_admins_and_archived_by_its_owner(act, make_state) -> None:
    assert act("moderator", ChangeRoom(name="Cellar")) is RejectCode.FORBIDDEN
    assert act("admin", ChangeRoom(name="Cellar")).details.name == "Cellar"
    assert act("admin", ChangeRoom(is_archived=True)) is RejectCode.FORBIDDEN
    assert act("owner", ChangeRoom(is_archived=True)).details.is_archived
    archived = make_state(is_archived=True)
    assert not act("owner", ChangeRoom(is_archived=False), state=archived).details.is_archived
    assert act("owner", ChangeRoom(name="Kitchen")) is None


def test_a_change_based_on_an_older_version_is_refused(act) -> None:
    assert act("admin", ChangeRoom(name="Cellar", if_version=1)) is RejectCode.VERSION_CONFLICT


def test_a_room_gets_a_password_or_stays_what_it_is(act, make_state) -> None:
    bare = ChangeRoom(kind=RoomKind.PASSWORD)
    talk = make_state(RoomKind.GROUP)

    assert act("admin", bare) is RejectCode.VALIDATION_FAILED
    assert act("admin", ChangeRoom(kind=RoomKind.PASSWORD, password_hash="x"))
    assert act("owner", ChangeRoom(kind=RoomKind.PUBLIC), state=talk) is RejectCode.INVALID_STATE
