"""The judge sees two writers of a room at once, what an outdated right stored, and sums that are wrong."""

import pytest
from soak.records import (
    Acked,
    Banned,
    Connected,
    Fate,
    Head,
    History,
    Planned,
    Reaction,
    Row,
    Seat,
)

ROOM = "kitchen"
POSTED = "message.posted"


def log(*events: dict) -> list[Row]:
    """A log whose first three events are two people and a message; each event a commit of its own."""
    first = [
        {"kind": "member.joined", "author": "ada"},
        {"kind": "member.joined", "author": "bob"},
        {"kind": POSTED, "author": "bob", "message_id": "m3", "text": "m3"},
    ]
    rows = []
    for seq, said in enumerate([*first, *events], start=1):
        values = {"message_id": None, "text": "", "time": float(seq), "commit": str(100 + seq)}
        rows.append(Row(room=ROOM, seq=seq, **{**values, **said}))
    return rows


def moderated(measure: str, **more: object) -> dict:
    said = {"kind": "member.moderated", "author": "ada", "subject": "bob", "measure": measure}
    return {**said, **more}


def said(**more: object) -> dict:
    return {"kind": POSTED, "author": "bob", "message_id": "m9", "text": "m9", **more}


def found(*records: object) -> list[str]:
    from soak.judge import CHECKS

    checks = [check for check in CHECKS if check.__module__ == "soak.owners"]
    return [violation.rule for check in checks for violation in check(History([*records]))]


def test_what_one_commit_stores_stands_together() -> None:
    mine = said(author="ada", commit="a", message_id="m8")
    theirs = said(commit="b")

    assert found(*log(mine, mine, theirs, theirs)) == []
    assert found(*log(mine, theirs, mine)) == ["O"]


def test_two_messages_that_were_acked_at_one_place_are_seen() -> None:
    acks = [
        Acked(at=1.0, client=0, room=ROOM, message_id=name, seq=4, committed_at="12:00")
        for name in ("m4", "m5")
    ]

    assert found(*acks[:1], *acks[:1]) == []
    assert found(*acks) == ["O"]


@pytest.mark.parametrize(
    "before",
    [
        {"kind": "member.left", "author": "bob"},
        moderated("kick"),
        moderated("ban"),
        moderated("mute", until=9.0),
        moderated("role", role="read_only"),
    ],
)
@pytest.mark.parametrize("kind", [POSTED, "reaction.added", "message.edited"])
def test_what_is_stored_past_a_lost_right_is_seen(before, kind) -> None:
    assert found(*log(said(kind=kind), before)) == []
    assert found(*log(before, said(kind=kind))) == ["O"]


@pytest.mark.parametrize(
    "after",
    [
        [moderated("kick"), {"kind": "member.joined", "author": "bob"}],
        [moderated("ban"), moderated("unban"), {"kind": "member.joined", "author": "bob"}],
        [moderated("mute", until=9.0), moderated("unmute")],
        [moderated("mute", until=4.5)],
        [moderated("role", role="read_only"), moderated("role", role="member")],
    ],
)
def test_what_is_stored_once_the_right_is_back_is_well(after) -> None:
    assert found(*log(*after, said())) == []


def test_a_banned_one_who_joins_is_seen() -> None:
    assert found(*log(moderated("ban"), {"kind": "member.joined", "author": "bob"})) == ["O"]


@pytest.mark.parametrize(
    ("before", "rules"), [([], ["O"]), ([moderated("role", role="moderator")], [])]
)
def test_a_measure_by_one_who_is_no_moderator_is_seen(before, rules) -> None:
    kick = moderated("kick", author="bob", subject="ada")

    assert found(*log(*before, kick)) == rules


def test_a_room_in_which_one_of_two_nodes_stored_nothing_proves_nothing_about_both() -> None:
    planned, head = Planned(faults=(), nodes=2), Head(room=ROOM, seq=2)
    records: list[object] = [planned, head]
    for client, node in enumerate(("north", "south")):
        records.append(Connected(at=0.0, client=client, node=node))
        ack = Acked(
            at=1.0, client=client, room=ROOM, message_id=node, seq=client, committed_at="12:00"
        )
        records.append(ack)

    assert found(*records) == []
    assert found(*records[:-1]) == ["Z"]


@pytest.mark.parametrize("kind", ["message.edited", "message.deleted"])
def test_a_change_of_what_somebody_else_wrote_is_seen(kind) -> None:
    change = {"kind": kind, "author": "bob", "message_id": "m4", "text": "better"}
    posted = said(author="ada", message_id="m4")

    assert found(*log(posted, change)) == ["O"]
    assert found(*log(posted, moderated("role", role="moderator"), change)) == []


def test_who_left_takes_back_what_they_said_and_who_is_banned_does_not() -> None:
    deleted = {"kind": "message.deleted", "author": "bob", "message_id": "m3"}

    assert found(*log({"kind": "member.left", "author": "bob"}, deleted)) == []
    assert found(*log(moderated("ban"), deleted)) == ["O"]


# --- S ---

CHANGES = (
    {"kind": "message.edited", "author": "bob", "message_id": "m3", "text": "better"},
    said(message_id="m5"),
    {"kind": "reaction.added", "author": "ada", "message_id": "m3", "text": "🔥"},
    {"kind": "reaction.added", "author": "ada", "message_id": "m5", "text": "🔥"},
    {"kind": "message.deleted", "author": "bob", "message_id": "m5"},
    {"kind": "member.joined", "author": "eve"},
    moderated("ban", subject="eve"),
)
KEPT = (
    Seat(room=ROOM, user="ada", role="owner"),
    Seat(room=ROOM, user="bob", role="member"),
    Banned(room=ROOM, user="eve"),
    Fate(room=ROOM, message_id="m3", is_deleted=False, text="better"),
    Fate(room=ROOM, message_id="m5", is_deleted=True, text=None),
    Reaction(room=ROOM, message_id="m3", user="ada", emoji="🔥"),
)


def test_what_is_kept_beside_the_log_and_adds_up_is_well() -> None:
    assert found(*log(*CHANGES), *KEPT) == []


@pytest.mark.parametrize("lost", range(1, len(KEPT)))
def test_what_is_not_kept_is_seen(lost) -> None:
    kept = [each for n, each in enumerate(KEPT) if n != lost]

    assert found(*log(*CHANGES), *kept) == ["S"]


@pytest.mark.parametrize(
    "more",
    [
        Seat(room=ROOM, user="eve", role="member"),
        Banned(room=ROOM, user="bob"),
        Fate(room=ROOM, message_id="m9", is_deleted=True, text=None),
        Reaction(room=ROOM, message_id="m5", user="ada", emoji="🔥"),
    ],
)
def test_what_is_kept_and_not_in_the_log_is_seen(more) -> None:
    assert found(*log(*CHANGES), *KEPT, more) == ["S"]
