"""The judge sees measures without their audit row, and what a banned account still gets or stores."""

from dataclasses import replace
from uuid import UUID, uuid5

import pytest
from soak.records import (
    Audited,
    Connected,
    History,
    Planned,
    Reported,
    Row,
    Ruled,
    Seated,
    SessionEnded,
    Shown,
)

ROOM = "01a20727-30cb-71de-b63d-5e33e197efc8"
MODULE = "soak.measures"


def found(*records: object) -> list[str]:
    from soak.judge import CHECKS

    history = History([*records])
    checks = [check for check in CHECKS if check.__module__ == MODULE]
    return [violation.rule for check in checks for violation in check(history)]


def event(seq: int, kind: str, author: str = "ada", **more: object) -> Row:
    values = {"message_id": None, "text": "", "time": float(seq), "commit": f"{100 + seq}", **more}
    return Row(room=ROOM, seq=seq, kind=kind, author=author, **values)


def audit(row: Row, action: str, **more: object) -> Audited:
    target = f"room:{ROOM}" + (f"/user:{row.subject}" if row.subject else "")
    values = {"by": row.author, "time": row.time, "commit": row.commit, **more}
    return Audited(
        act_id=str(uuid5(UUID(ROOM), str(row.seq))), action=action, target=target, **values
    )


BAN = event(5, "member.moderated", subject="bob", measure="ban")
POSTED = event(2, "message.posted", "bob", message_id="m2", text="m2")
DELETED = event(6, "message.deleted", message_id="m2")
UPDATED = event(7, "room.updated")
OWN_DELETED = event(8, "message.deleted", "bob", message_id="m2")


def test_measures_with_their_rows_are_well() -> None:
    audited = [
        audit(BAN, "room.ban"),
        audit(DELETED, "room.delete_message"),
        audit(UPDATED, "room.update"),
    ]

    assert found(POSTED, BAN, DELETED, UPDATED, OWN_DELETED, *audited) == []


@pytest.mark.parametrize("row", [BAN, DELETED, UPDATED])
def test_a_measure_without_its_row_is_seen(row) -> None:
    assert found(POSTED, row) == ["M"]


@pytest.mark.parametrize("tampered", [{"commit": "999"}, {"action": "room.kick"}, {"by": "eve"}])
def test_a_row_of_another_commit_act_or_person_is_seen(tampered) -> None:
    assert found(BAN, replace(audit(BAN, "room.ban"), **tampered)) == ["M"]


def test_a_row_without_its_event_is_seen() -> None:
    assert found(POSTED, audit(BAN, "room.ban")) == ["M"]


def ruled(measure: str, asked: float, done: float, **more: object) -> Ruled:
    """A measure against Bob's account. Our clock and the wall's are the same here."""
    values = {"room": "", "user": "bob", "by": "boss", "node": "north", **more}
    return Ruled(asked_at=asked, at=done, asked_time=asked, time=done, measure=measure, **values)


def account_audit(measure: str, time: float, **more: object) -> Audited:
    values = {"act_id": f"{measure}-{time}", "by": "boss", "commit": f"{round(time * 10)}", **more}
    return Audited(action=f"account.{measure}", target="user bob", time=time, **values)


BANNED = [
    Seated(client=1, user="bob", rooms=(ROOM,)),
    Connected(at=0.0, client=1, node="north"),
    ruled("ban", 10.0, 10.2),
    ruled("unban", 30.0, 30.2),
    account_audit("ban", 10.1),
    account_audit("unban", 30.1),
    SessionEnded(session="s", user="bob", commit="101"),
]


def test_a_ban_that_is_audited_and_ends_the_sessions_is_well() -> None:
    assert found(*BANNED) == []


@pytest.mark.parametrize("gone", [4, 5])
def test_an_acked_ban_that_is_not_in_the_audit_log_is_seen(gone) -> None:
    assert "M" in found(*(each for n, each in enumerate(BANNED) if n != gone))


def test_an_unban_that_is_twice_in_the_audit_log_is_seen() -> None:
    assert found(*BANNED, account_audit("unban", 30.15)) == ["M"]


def test_an_acked_ban_of_a_room_that_was_stored_twice_is_seen() -> None:
    again = event(6, "member.moderated", subject="bob", measure="ban")
    rows = [BAN, audit(BAN, "room.ban"), again, audit(again, "room.ban")]

    assert found(*rows, ruled("ban", 4.0, 5.5, room=ROOM)) == []
    assert found(*rows, ruled("ban", 4.0, 6.5, room=ROOM)) == ["M"]


def test_sessions_that_another_commit_ended_are_seen() -> None:
    assert found(*BANNED, SessionEnded(session="t", user="bob", commit="102")) == ["M"]


@pytest.mark.parametrize(
    ("time", "commit", "rules"),
    [(20.0, "7", []), (19.9, "6", ["M"]), (20.1, "9", ["M"])],
)
def test_a_report_that_was_handled_beside_its_audit_row_is_seen(time, commit, rules) -> None:
    report = Reported(report="r", state="resolved", time=20.0, commit="8")
    audited = Audited(
        act_id="a", action="report.resolved", target="report r", by="ada", time=time, commit=commit
    )

    assert found(report, audited) == rules
    assert found(report) == ["M"]


def said(at: float) -> list[object]:
    """Ada writes; Bob's client, whose account is banned at 10.2 s, displays it at some time."""
    row = event(9, "message.posted", message_id="m9", text="m9", time=10.3)
    shown = Shown(
        at=at, client=1, room=ROOM, seq=9, kind=row.kind, person="ada", message_id="m9", text="m9"
    )
    return [row, shown]


@pytest.mark.parametrize(("at", "rules"), [(10.4, ["N"]), (29.0, ["N"]), (31.0, [])])
def test_what_is_sent_to_a_banned_account_where_it_was_banned_is_seen(at, rules) -> None:
    assert found(*BANNED, *said(at)) == rules


@pytest.mark.parametrize(("at", "rules"), [(12.0, []), (20.0, ["N"])])
def test_another_node_has_a_heartbeat_to_notice(at, rules) -> None:
    elsewhere = [
        replace(each, node="south") if isinstance(each, Connected) else each for each in BANNED
    ]

    assert found(*elsewhere, *said(at)) == rules


@pytest.mark.parametrize(("time", "rules"), [(10.15, []), (20.0, ["N"]), (30.3, [])])
def test_what_a_banned_account_stores_is_seen(time, rules) -> None:
    stored = event(9, "message.posted", "bob", message_id="m9", text="m9", time=time)

    assert found(*BANNED, stored) == rules


def test_a_run_in_which_what_was_planned_did_not_happen_fails() -> None:
    planned = Planned(faults=(), proofs=("ban", "account ban", "absence"))

    assert found(*BANNED, planned) == ["Z", "Z"]
    assert found(*BANNED, replace(planned, proofs=("account ban", "account unban"))) == []
