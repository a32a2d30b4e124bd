"""A room's watch over what its members write: the automatic rules, and what it remembers for them."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from veza.actors.chat.automod import MemberFacts, MemberHistory, Verdict, examine
from veza.actors.chat.rights import Action
from veza.actors.chat.room_state import RoomState
from veza.actors.chat.text import MessageContent
from veza.actors.messages.rooms import ActInRoom

FORGET_AT: Final = 1024
_TIME_SHIFT: Final = 80
"""A UUIDv7 begins with 48 bits of Unix milliseconds (RFC 9562, section 5.7)."""

NOTHING_YET: Final = MemberHistory()
"""Of those who wrote nothing that a rule will ask for; never added to."""


class Guard:
    """Histories of those who wrote lately. Kept in memory: a room that starts anew begins anew."""

    def __init__(self) -> None:
        self._histories: dict[UUID, MemberHistory] = {}
        self._forget_at = FORGET_AT

    def examine(
        self, state: RoomState, command: ActInRoom, content: MessageContent, now: datetime
    ) -> Verdict | None:
        """Hold a message against the room's rules, and remember a verdict against it."""
        who = command.by.id
        history = self._histories.get(who, NOTHING_YET)
        moment = now.timestamp()
        joined_at = state.joined_at.get(who)
        facts = MemberFacts(
            account_age_seconds=moment - account_made_at(who),
            membership_age_seconds=(now - joined_at).total_seconds() if joined_at else moment,
            is_exempt=state.is_allowed(who, Action.MODERATE, now, is_staff=command.is_staff),
        )
        verdict = examine(state.rules, history, content, facts, moment)
        if verdict is not None:
            self._of(who, moment).note_violation(moment, verdict)
        return verdict

    def note(self, state: RoomState, who: UUID, content: MessageContent, now: datetime) -> None:
        """Remember a message that is posted, if a rule will ask for it."""
        rules = state.rules
        if rules.flood or rules.repeats or (rules.mentions and content.mention_count):
            self._of(who, now.timestamp()).note(now.timestamp(), content)

    def _of(self, who: UUID, moment: float) -> MemberHistory:
        """Return somebody's history, to be added to."""
        if len(self._histories) > self._forget_at:
            self._histories = {
                user: each
                for user, each in self._histories.items()
                if not each.is_forgettable(moment)
            }
            # Doubling keeps the cost constant a message, however many are remembered.
            self._forget_at = max(FORGET_AT, 2 * len(self._histories))
        return self._histories.setdefault(who, MemberHistory())


def account_made_at(user_id: UUID) -> float:
    """Return when an account was made, in seconds since 1970: its id tells."""
    return (user_id.int >> _TIME_SHIFT) / 1000


def until(now: datetime, seconds: int) -> datetime:
    """Return the moment so many seconds later, in UTC."""
    return datetime.fromtimestamp(now.timestamp() + seconds, UTC)
