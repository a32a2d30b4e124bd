"""The hub delivers each durable event once and in order, in few writes, and never grows without bound."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.actors.fanout import SLOW_CONSUMER, FanOut, FanOutLimits, Outbox


class Socket:
    """A transport that keeps what it is given, and can be told to stop taking bytes."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.stuck_bytes = 0
        self.closed: int | None = None

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def buffered_bytes(self) -> int:
        return self.stuck_bytes

    def close(self, code: int, _reason: str) -> None:
        self.closed = code

    def received(self) -> list[int]:
        return [int(part) for part in b"".join(self.writes).split(b"\n") if part]


class Turns:
    """Callbacks that run when the test says so: one loop turn."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.due.append(callback)

    def run(self) -> None:
        due, self.due = self.due, []
        for callback in due:
            callback()


def encode(event: object) -> bytes:
    return f"{event}\n".encode()


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def hub(turns: Turns) -> FanOut:
    return make_hub(turns)


def make_hub(turns: Turns, **limits: int) -> FanOut:
    return FanOut(encode, turns.call_soon, FanOutLimits(**limits))


def join(hub: FanOut, socket: Socket, *, after: int = 0, head: int = 0) -> Outbox:
    outbox = hub.open(socket)
    hub.hold("room", outbox)
    assert hub.subscribe("room", outbox, after_seq=after, head_seq=head)
    return outbox


def test_events_of_one_turn_reach_a_connection_in_one_write(hub: FanOut, turns: Turns) -> None:
    socket = Socket()
    outbox = join(hub, socket)

    hub.publish("room", 1, seq=1)
    hub.publish("room", 2, seq=2)
    outbox.push(100)
    turns.run()

    assert len(socket.writes) == 1
    assert sorted(socket.received()) == [1, 2, 100]


def test_members_with_the_same_backlog_share_one_bytes_object(hub: FanOut, turns: Turns) -> None:
    first, second = Socket(), Socket()
    join(hub, first)
    join(hub, second)

    hub.publish("room", 1, seq=1)
    hub.publish("room", 2, seq=2)
    turns.run()

    assert first.writes[0] is second.writes[0]


def test_an_event_published_between_hold_and_subscribe_is_not_missed(
    hub: FanOut, turns: Turns
) -> None:
    socket = Socket()
    outbox = hub.open(socket)
    hub.hold("room", outbox)
    hub.publish("room", 1, seq=1)
    hub.publish("room", 2, seq=2)

    assert hub.subscribe("room", outbox, after_seq=0, head_seq=0)
    hub.publish("room", 3, seq=3)
    turns.run()

    assert socket.received() == [1, 2, 3]


def test_a_subscription_past_the_kept_events_is_refused_and_delivers_nothing(turns: Turns) -> None:
    hub = make_hub(turns, replay_events=2)
    socket, late = Socket(), Socket()
    join(hub, socket)
    for seq in range(1, 6):
        hub.publish("room", seq, seq=seq)
    outbox = hub.open(late)
    hub.hold("room", outbox)

    assert not hub.subscribe("room", outbox, after_seq=1, head_seq=5)
    assert hub.subscribe("room", outbox, after_seq=3, head_seq=5)
    turns.run()

    assert late.received() == [4, 5]


def test_a_slow_reader_loses_volatile_events_first_and_no_durable_one(turns: Turns) -> None:
    hub = make_hub(turns, volatile_bytes=10, outbox_bytes=1000)
    slow, quick = Socket(), Socket()
    join(hub, slow)
    join(hub, quick)
    slow.stuck_bytes = 11

    hub.publish("room", 7)
    hub.publish("room", 1, seq=1)
    turns.run()

    assert slow.received() == [1]
    assert quick.received() == [7, 1]
    assert hub.counters.dropped_volatile == 1


def test_a_reader_past_its_budget_is_closed_with_4002_and_harms_nobody(turns: Turns) -> None:
    hub = make_hub(turns, outbox_bytes=50)
    stuck, quick = Socket(), Socket()
    join(hub, stuck)
    join(hub, quick)
    stuck.stuck_bytes = 50

    for seq in range(1, 4):
        hub.publish("room", seq, seq=seq)
        turns.run()

    assert stuck.closed == SLOW_CONSUMER
    assert stuck.writes == []
    assert quick.received() == [1, 2, 3]
    assert hub.subscribers("room") == 1


def test_a_topic_is_forgotten_with_its_last_holder(hub: FanOut, turns: Turns) -> None:
    outbox = join(hub, Socket())
    hub.publish("room", 1, seq=1)

    outbox.close()
    turns.run()
    late = hub.open(Socket())
    hub.hold("room", late)

    assert not hub.subscribe("room", late, after_seq=0, head_seq=1)


def test_after_unsubscribe_nothing_is_delivered(hub: FanOut, turns: Turns) -> None:
    socket = Socket()
    outbox = join(hub, socket)

    hub.unsubscribe("room", outbox)
    hub.publish("room", 1, seq=1)
    turns.run()

    assert socket.writes == []


@given(st.lists(st.sampled_from(["publish", "turn", "late"]), max_size=60))
def test_every_subscriber_gets_every_later_event_once_in_order(steps: list[str]) -> None:
    turns = Turns()
    hub = make_hub(turns)
    head = 0
    members: list[tuple[int, Socket]] = []
    for step in steps:
        if step == "publish":
            head += 1
            hub.publish("room", head, seq=head)
        elif step == "turn":
            turns.run()
        else:
            socket = Socket()
            join(hub, socket, after=head, head=head)
            members.append((head, socket))
    turns.run()

    for start, socket in members:
        assert socket.received() == list(range(start + 1, head + 1))


class Others:
    """The other nodes."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object, int]] = []
        self.attended: list[str] = []

    def tell(self, name: str, event: object, after_seq: int) -> None:
        self.told.append((name, event, after_seq))

    def attend(self, name: str) -> None:
        self.attended.append(name)

    def disregard(self, name: str) -> None:
        self.attended.remove(name)


def test_what_is_told_everywhere_is_told_once_here_and_once_there(
    hub: FanOut, turns: Turns
) -> None:
    socket, others = Socket(), Others()
    join(hub, socket)
    hub.publish_everywhere("room", 1)
    hub.connect(others)

    hub.publish("room", 2)
    hub.publish_everywhere("room", 3, after_seq=7)
    hub.publish_everywhere("nobody here", 4)
    hub.publish_elsewhere("room", 5)
    turns.run()

    assert socket.received() == [1, 2, 3]
    assert others.told == [("room", 3, 7), ("nobody here", 4, 0), ("room", 5, 0)]


def test_the_topics_that_somebody_holds_are_attended_and_no_others(hub: FanOut) -> None:
    others = Others()
    first = join(hub, Socket())
    hub.connect(others)
    second = join(hub, Socket())
    assert others.attended == ["room"]

    first.close()
    assert others.attended == ["room"]
    second.close()
    assert others.attended == []
    join(hub, Socket())
    hub.connect(None)
    assert others.attended == []
