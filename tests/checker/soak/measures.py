"""M and N beyond a room: each measure is in the audit log, of one commit, and a banned account is out."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID, uuid5

from soak.findings import Violation
from soak.presence import absences
from soak.records import (
    Audited,
    Connected,
    History,
    Planned,
    Reported,
    Row,
    Ruled,
    SessionEnded,
    Shown,
)

MODERATED: Final = "member.moderated"
ONCE: Final = frozenset({"ban", "unban"})
"""Measures of which asking twice takes no second one."""
HEARTBEAT_SECONDS: Final = 5.0
"""What soak nodes have: so long another node may take to notice that an account was banned."""
LATE_SECONDS: Final = 3.0
"""What a fault may add to that: most stop a node for up to two seconds."""
BANNING: Final = "account.ban"


# --- M: the audit log ---


def check_audit(history: History) -> Iterator[Violation]:
    """M: an event of a room that is a measure has one row in the audit log, of its own commit; and back."""
    audited = {each.act_id: each for each in history.all(Audited)}
    authors = {
        (row.room, row.message_id): row.author
        for row in history.of(Row)
        if row.kind == "message.posted"
    }
    rooms, wanted = {row.room for row in history.of(Row)}, set()
    for row in history.of(Row):
        action = action_of(row, authors)
        if action is None or not row.commit:
            continue
        act_id = act_of(row)
        wanted.add(act_id)
        found, where = audited.get(act_id), f"seq {row.seq} of {row.room} ({action})"
        if found is None:
            yield Violation("M", f"{where} is not in the audit log")
        elif (found.action, found.by) != (action, row.author):
            yield Violation("M", f"{where} is audited as {found.action} by {found.by}")
        elif found.commit != row.commit:
            text = f"{where} was stored by commit {row.commit}, its audit row by {found.commit}"
            yield Violation("M", text)
    for each in audited.values():
        room = each.target.removeprefix("room:").partition("/")[0]
        if room in rooms and each.act_id not in wanted:
            yield Violation("M", f"{each.action} of {each.target} is audited and not in the log")


def act_of(row: Row) -> str:
    """Return the id that the audit row of an event has, whoever writes it and however often."""
    return str(uuid5(UUID(row.room), str(row.seq)))


def action_of(row: Row, authors: dict[tuple[str, str | None], str]) -> str | None:
    """Return what the audit log calls a measure; None if it is none."""
    if row.kind == MODERATED:
        return f"room.{row.measure}"
    if row.kind == "room.updated":
        return "room.update"
    is_others = authors.get((row.room, row.message_id), row.author) != row.author
    return "room.delete_message" if row.kind == "message.deleted" and is_others else None


def check_acked_measures(history: History) -> Iterator[Violation]:
    """M: a measure that was acked is in the audit log, once, between when it was asked and acked."""
    audited = history.all(Audited)
    for ruled in history.of(Ruled):
        action = f"room.{ruled.measure}" if ruled.room else f"account.{ruled.measure}"
        target = f"room:{ruled.room}/user:{ruled.user}" if ruled.room else f"user {ruled.user}"
        count = sum(
            each.action == action
            and each.target == target
            and ruled.asked_time <= each.time <= ruled.time
            for each in audited
        )
        is_lost = count == 0 and ruled.measure in ONCE
        is_doubled = count > 1 and ruled.measure in ONCE and (ruled.room or ruled.measure != "ban")
        if is_lost or is_doubled:
            text = f"{action} of {target}, acked at {ruled.at:.2f} s, is {count} times in the audit log"
            yield Violation("M", text)


def check_commits(history: History) -> Iterator[Violation]:
    """M: sessions end with the ban of their account, reports change with their audit row: in one commit."""
    commits: dict[str, set[str]] = {}
    for each in history.of(Audited):
        if each.action == BANNING:
            commits.setdefault(each.target, set()).add(each.commit)
    for ended in history.of(SessionEnded):
        if ended.commit not in commits.get(f"user {ended.user}", ()):
            text = (
                f"session {ended.session} of user {ended.user} was ended by commit {ended.commit}"
            )
            yield Violation("M", f"{text}, which is no ban's of the audit log")
    for report in history.of(Reported):
        is_audited = any(
            each.action == f"report.{report.state}"
            and each.target == f"report {report.report}"
            and is_of_its_commit(each, report)
            for each in history.of(Audited)
        )
        if report.state != "open" and not is_audited:
            text = f"report {report.report} became {report.state} by commit {report.commit}"
            yield Violation("M", f"{text}, which has no row in the audit log")


def is_of_its_commit(audited: Audited, report: Reported) -> bool:
    """Tell whether an audit row may be of the commit of a report, which was changed behind a savepoint.

    The savepoint has a number of its own, past that of its transaction. A row of a later transaction has a
    number past both, one of an earlier transaction was written before this one began.
    """
    return int(audited.commit) <= int(report.commit) and audited.time >= report.time


# --- N: accounts ---


def check_account_bans(history: History) -> Iterator[Violation]:
    """N: a banned account stores nothing from the ban's ack on, and is sent nothing of what comes then.

    On the node that bans, from the ack on; on others, a heartbeat later.
    """
    bans = account_bans(history)
    if not bans:
        return
    rows = {(row.room, row.seq): row for row in history.of(Row)}
    for row in rows.values():
        if any(user == row.author and ban.time < row.time < end for user, ban, end, _ in bans):
            text = f"user {row.author}, whose account is banned, stored seq {row.seq} of {row.room}"
            yield Violation("N", text)
    users, nodes = history.users(), {}
    for record in history.of(Connected, Shown):
        if isinstance(record, Connected):
            nodes[record.client] = record.node
            continue
        row = rows.get((record.room, record.seq))
        for user, ban, _end, end_at in bans:
            if row is None or users[record.client] != user or row.time <= ban.time:
                continue
            is_there = bool(ban.node) and nodes.get(record.client) == ban.node
            notice = 0.0 if is_there else HEARTBEAT_SECONDS + LATE_SECONDS
            if ban.at + notice < record.at < end_at:
                text = (
                    f"client {record.client} of {user} was sent seq {record.seq} of {record.room}"
                )
                yield Violation(
                    "N", f"{text} at {record.at:.2f} s, its account banned {ban.at:.2f} s"
                )


def account_bans(history: History) -> list[tuple[str, Ruled, float, float]]:
    """Return the bans of accounts: whose, the ban, and until when by the wall's clock and by ours."""
    found: list[tuple[str, Ruled, float, float]] = []
    open_bans: dict[str, Ruled] = {}
    for ruled in history.of(Ruled):
        if ruled.room:
            continue
        if ruled.measure == "ban":
            open_bans[ruled.user] = ruled
        elif ruled.user in open_bans:
            ban = open_bans.pop(ruled.user)
            found.append((ruled.user, ban, ruled.asked_time, ruled.asked_at))
    return found


# --- Z ---


def check_proofs(history: History) -> Iterator[Violation]:
    """Z: what people were to do they did."""
    done = {each.measure if each.room else f"account {each.measure}" for each in history.of(Ruled)}
    done |= {row.kind for row in history.of(Row)}
    done |= {"report" for _ in history.of(Reported)}
    done |= {"absence" for spans in absences(history).values() if spans}
    for planned in history.of(Planned):
        for name in sorted(set(planned.proofs) - done):
            yield Violation("Z", f"there was no {name}")
