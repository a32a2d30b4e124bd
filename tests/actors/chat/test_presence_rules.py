"""What a user's presence is, and what a room is told of it: pure rules."""

from itertools import permutations
from uuid import uuid4

import pytest

from veza.actors.chat.presence_rooms import COUNT_EVERY_SECONDS, RoomPresence
from veza.actors.chat.presence_rules import (
    OFFLINE,
    Choice,
    DeviceState,
    Truth,
    read_word,
    shown,
    truth_of,
    word_of,
)
from veza.actors.messages.presence import Listening, Status
from veza.actors.messages.rooms import RoomKind

THERE, IDLE = DeviceState(), DeviceState(is_idle=True)
ONLINE = Truth(status=Status.ONLINE)


@pytest.mark.parametrize(
    ("devices", "chosen", "status"),
    [
        ((), Status.ONLINE, Status.OFFLINE),
        ((), Status.DND, Status.OFFLINE),
        ((THERE,), Status.ONLINE, Status.ONLINE),
        ((IDLE,), Status.ONLINE, Status.IDLE),
        ((IDLE, THERE), Status.ONLINE, Status.ONLINE),
        ((IDLE, IDLE), Status.DND, Status.DND),
        ((THERE, IDLE), Status.INVISIBLE, Status.INVISIBLE),
    ],
)
def test_the_best_device_counts_and_a_choice_wins(
    devices: tuple[DeviceState, ...], chosen: Status, status: Status
) -> None:
    for order in permutations(devices):
        assert truth_of(order, Choice(at_ms=1, status=chosen)).status is status


def test_the_latest_activity_is_told_whatever_the_order_of_devices() -> None:
    old = DeviceState(activity=Listening(track_id=None, title="old"), said_ms=1)
    new = DeviceState(activity=Listening(track_id=None, title="new"), said_ms=2)
    for order in permutations((old, new, DeviceState(said_ms=3))):
        activity = truth_of(order, Choice()).activity
        assert activity is not None
        assert activity.title == "new"


def test_who_is_invisible_is_seen_as_offline_without_what_they_do() -> None:
    hidden = Truth(status=Status.INVISIBLE, activity=Listening(track_id=None, title="x"))

    assert shown(hidden) == OFFLINE


@pytest.mark.parametrize(
    "activity",
    [
        None,
        Listening(track_id=None, title="Aube"),
        Listening(track_id=uuid4(), title=" a\u00e9 | b "),
    ],
)
def test_a_word_for_other_nodes_says_all_of_a_device(activity: Listening | None) -> None:
    device = DeviceState(is_idle=True, activity=activity, said_ms=7)
    choice = Choice(at_ms=9, status=Status.DND)

    assert read_word(word_of(device, choice)) == (device, choice)


def test_a_word_of_another_version_says_that_the_device_is_there() -> None:
    assert read_word("online") == (DeviceState(), Choice())


def room_of(count: int, kind: RoomKind = RoomKind.PUBLIC) -> tuple[RoomPresence, list]:
    people = [uuid4() for _ in range(count)]
    room = RoomPresence(uuid4(), kind, people, 0)
    for each in people:
        room.put(each, ONLINE, None)
    room.mark_known()
    return room, people


def test_what_was_undone_is_not_told() -> None:
    room, people = room_of(3)

    assert room.put(people[0], OFFLINE, None)
    assert room.put(people[0], ONLINE, None)

    assert room.take(1.0) is None


def test_past_a_hundred_only_the_count_is_told_and_everybody_again_below() -> None:
    room, people = room_of(101)
    assert room.snapshot().people == ()

    room.put(people[0], Truth(status=Status.DND), None)
    assert room.take(0.0) is None
    extra = uuid4()
    room.admit(extra, ONLINE)
    counted = room.take(1.0)
    assert counted is not None
    assert (counted.online, counted.is_full, counted.people) == (102, True, ())
    assert room.due_at == 1.0 + COUNT_EVERY_SECONDS
    room.dismiss(extra)
    room.put(people[1], OFFLINE, None)
    whole = room.take(4.0)
    assert whole is not None
    assert (whole.online, whole.is_full, len(whole.people)) == (100, True, 100)


def test_conversations_are_told_by_name_however_many_they_are() -> None:
    room, people = room_of(150, RoomKind.GROUP)

    room.put(people[0], OFFLINE, None)
    told = room.take(0.0)

    assert told is not None
    assert [each.user_id for each in told.people] == [people[0]]
    assert len(room.snapshot().people) == 149
