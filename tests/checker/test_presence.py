"""The judge sees who is shown as there though they are gone, and as gone though they are there."""

import pytest
from soak.presence import merged
from soak.records import (
    Connected,
    Departed,
    Disconnected,
    Ended,
    Entered,
    History,
    Planned,
    PresenceShown,
    Seated,
    Shown,
    Struck,
    Tried,
)

ROOM = "kitchen"
JOINED, LEFT = "member.joined", "member.left"


class Watched:
    """Ada, client 0, looks at a room of herself and Bob, client 1, on one node; the run ends at 100 s."""

    def __init__(self) -> None:
        self.records = [
            Planned(faults=()),
            Seated(client=0, user="ada", rooms=(ROOM,)),
            Seated(client=1, user="bob", rooms=(ROOM,)),
        ]
        self.connect(0.0, 0)
        self.enter(0.1)
        for seq, user in enumerate(("ada", "bob"), start=1):
            self.event(0.2, seq, JOINED, user)

    def connect(self, at: float, client: int) -> None:
        self.add(Tried(at=at, client=client), Connected(at=at, client=client))

    def disconnect(self, at: float, client: int) -> None:
        self.add(Disconnected(at=at, client=client, code=None))

    def enter(self, at: float) -> None:
        self.add(Entered(at=at, client=0, room=ROOM, since=None, seq=2, is_recovered=False))

    def event(self, at: float, seq: int, kind: str, user: str, **more: object) -> None:
        said = {"room": ROOM, "seq": seq, "kind": kind, "person": user, **more}
        self.add(Shown(at=at, client=0, **said))

    def told(self, at: float, *there: str, gone: tuple[str, ...] = (), full: bool = False) -> None:
        shown = PresenceShown(at=at, client=0, room=ROOM, is_full=full, there=there, gone=gone)
        self.add(shown)

    def add(self, *records: object) -> None:
        self.records += records

    def found(self) -> set[str]:
        from soak.judge import CHECKS

        history = History([*self.records, Ended(quiet_at=99.0, at=100.0)])
        rules = [check for check in CHECKS if check.__module__ == "soak.presence"]
        return {violation.rule for check in rules for violation in check(history)}


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_who_comes_and_goes_and_is_shown_so_is_well(watched) -> None:
    watched.told(0.3, "ada", full=True)
    watched.connect(10.0, 1)
    watched.told(10.3, "bob")
    watched.disconnect(30.0, 1)
    watched.told(35.3, gone=("bob",))
    watched.connect(60.0, 1)
    watched.told(60.3, "bob")

    assert watched.found() == set()


def test_who_went_and_is_still_shown_as_there_is_seen(watched) -> None:
    watched.told(0.3, "ada", full=True)
    watched.connect(10.0, 1)
    watched.told(10.3, "bob")
    watched.disconnect(30.0, 1)
    watched.told(45.0, gone=("bob",))
    watched.connect(60.0, 1)
    watched.told(60.3, "bob")

    assert watched.found() == {"K"}


def test_on_several_nodes_a_dead_ones_devices_may_be_shown_for_longer(watched) -> None:
    watched.records[0] = Planned(faults=(), nodes=2)
    watched.told(0.3, "ada", full=True)
    watched.connect(10.0, 1)
    watched.told(10.3, "bob")
    watched.disconnect(30.0, 1)
    watched.told(45.0, gone=("bob",))
    watched.connect(60.0, 1)
    watched.told(60.3, "bob")

    assert watched.found() == set()


def test_who_reconnects_at_once_and_is_shown_as_gone_for_a_moment_is_seen(watched) -> None:
    watched.connect(0.0, 1)
    watched.told(0.3, "ada", "bob", full=True)
    watched.disconnect(20.0, 1)
    watched.connect(20.5, 1)
    assert watched.found() == set()

    watched.told(30.0, gone=("bob",))
    assert watched.found() == {"K"}


def test_who_is_there_and_never_shown_is_seen(watched) -> None:
    watched.connect(0.0, 1)
    watched.told(0.3, "ada", full=True)

    assert watched.found() == {"K"}


def test_a_whole_list_that_leaves_somebody_out_shows_them_as_gone(watched) -> None:
    watched.connect(0.0, 1)
    watched.told(0.3, "ada", "bob", full=True)
    watched.enter(20.0)
    watched.told(20.1, "ada", full=True)

    assert watched.found() == {"K"}


def test_of_who_is_no_member_nothing_is_asked(watched) -> None:
    watched.connect(0.0, 1)
    watched.told(0.3, "ada", "bob", full=True)
    watched.event(20.0, 3, LEFT, "bob")

    assert watched.found() == set()

    watched.event(40.0, 4, JOINED, "bob")
    assert watched.found() == {"K"}


def test_who_left_the_room_sees_nothing_of_it(watched) -> None:
    watched.connect(0.0, 1)
    watched.told(0.3, "ada", full=True)
    watched.add(Departed(at=5.0, client=0, room=ROOM))

    assert watched.found() == set()


def test_a_run_in_which_nobody_is_ever_shown_proves_nothing(watched) -> None:
    watched.records[0] = Planned(faults=(), proofs=("absence",))
    assert watched.found() == {"Z"}

    watched.told(0.4, "ada")
    assert watched.found() == set()


@pytest.mark.parametrize(("fault", "rules"), [("redis", set()), ("room", {"K"})])
def test_what_a_dead_redis_blurs_is_left_out(watched, fault, rules) -> None:
    watched.connect(0.0, 1)
    watched.told(0.3, "ada", "bob", full=True)
    watched.add(Struck(at=30.0, over_at=30.5, fault=fault, what=""))
    watched.told(31.0, gone=("bob",))
    watched.told(36.0, "bob")

    assert watched.found() == rules


def test_a_reconnect_is_none_unless_presence_was_lost_in_between() -> None:
    spans = [(0.0, 10.0), (13.0, 20.0), (30.0, 40.0)]

    assert merged(spans, 4.0, ()) == [(0.0, 20.0), (30.0, 40.0)]
    assert merged(spans, 4.0, [(11.0, 12.0)]) == spans
