"""N: a ban holds from its seq on. Whoever is banned is sent nothing past it and stores nothing past it."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from soak.findings import Violation
from soak.records import Entered, History, Row, Shown


@dataclass(frozen=True, slots=True)
class Ban:
    """From which seq of a room a user is banned, and from which one no more."""

    room: str
    user: str
    seq: int
    lifted_seq: float

    def holds(self, room: str, user: str, seq: float) -> bool:
        """Tell whether it keeps a user from what stands at a seq."""
        return (room, user) == (self.room, self.user) and self.seq < seq < self.lifted_seq


def check_bans(history: History) -> Iterator[Violation]:
    """N: nothing past a ban was stored by its user, or told to one of the user's clients.

    Once it is lifted, who comes in again may read what was written meanwhile.
    """
    bans = bans_of(history)
    for row in history.of(Row):
        if any(ban.holds(row.room, row.author, row.seq) for ban in bans):
            yield Violation(
                "N", f"user {row.author} is banned and stored seq {row.seq} of {row.room}"
            )
    users = history.users()
    entries: dict[tuple[int, str], int] = {}
    for record in history.of(Entered, Shown):
        key, user = (record.client, record.room), users[record.client]
        if isinstance(record, Entered):
            entries[key] = record.seq
            continue
        for ban in bans:
            is_past = (record.room, user) == (ban.room, ban.user) and record.seq > ban.seq
            if is_past and entries.get(key, 0) < ban.lifted_seq:
                text = (
                    f"client {record.client} of {user} was sent seq {record.seq} of {record.room}"
                )
                yield Violation("N", f"{text}, banned at seq {ban.seq}")


def bans_of(history: History) -> list[Ban]:
    """Return the bans, as anybody was told of them."""
    measures = {
        (shown.room, shown.seq): shown
        for shown in history.of(Shown)
        if shown.kind == "member.moderated" and shown.subject is not None
    }
    bans: list[Ban] = []
    open_bans: dict[tuple[str, str | None], int] = {}
    for (room, seq), shown in sorted(measures.items()):
        key = (room, shown.subject)
        if shown.measure == "ban":
            open_bans.setdefault(key, seq)
        elif shown.measure == "unban" and key in open_bans:
            bans.append(Ban(room, str(shown.subject), open_bans.pop(key), seq))
    lasting = (Ban(room, str(user), seq, inf) for (room, user), seq in open_bans.items())
    return [*bans, *lasting]
