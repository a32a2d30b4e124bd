"""Holds a message against the automatic rules of its room, and remembers who broke them.

Pure but for the history, which the room owns and changes by its two `note` methods only.
"""

import re
from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from veza.actors.chat.folding import fingerprint
from veza.actors.chat.room_rules import (
    DAY,
    HOUR,
    MAX_COUNT,
    AccentsRule,
    Action,
    CapitalsRule,
    Escalation,
    FloodRule,
    LinkRule,
    MentionRule,
    RepeatRule,
    RoomRules,
    WordRule,
)
from veza.actors.chat.text import MessageContent

KEPT_SECONDS: Final = 30 * DAY
"""How long it counts that somebody was muted by these rules."""
_ACCENT: Final = re.compile(
    r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFacts:
    """What the rules must know of an author. `is_exempt`: a moderator of the room, or above."""

    account_age_seconds: float
    membership_age_seconds: float
    is_exempt: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A message broke a rule. `detail` is for its author: whole sentences.

    The message is posted if `action` is to warn, and shown to the moderators if it is to report.
    With `mute_seconds` above 0 its author is muted for so long, whatever the action.
    """

    action: Action
    rule: str
    detail: str
    mute_seconds: int = 0
    is_escalated: bool = False


class _Post(NamedTuple):
    at: float
    fingerprint: int
    mentions: int


class MemberHistory:
    """What one member wrote lately in one room, and which rules were broken. Bounded; times in seconds."""

    __slots__ = ("_mutes", "_posts", "_violations")

    def __init__(self) -> None:
        self._posts: deque[_Post] = deque(maxlen=MAX_COUNT)
        self._violations: deque[float] = deque(maxlen=MAX_COUNT)
        self._mutes: deque[float] = deque(maxlen=MAX_COUNT)

    def note(self, now: float, content: MessageContent) -> None:
        """Remember a message that was posted."""
        self._posts.append(_Post(now, fingerprint(content.text), content.mention_count))

    def note_violation(self, now: float, verdict: Verdict) -> None:
        """Remember a verdict that was carried out. Counting starts over after an escalation."""
        if verdict.is_escalated:
            self._violations.clear()
            self._mutes.append(now)
        else:
            self._violations.append(now)

    def posts_since(self, at: float) -> list[_Post]:
        """Return the posts after a moment, newest first."""
        found = []
        for post in reversed(self._posts):
            if post.at <= at:
                break
            found.append(post)
        return found

    def is_full(self, count: int, since: float) -> bool:
        """Whether there are so many posts after a moment, or more."""
        return len(self._posts) >= count and self._posts[-count].at > since

    def offence(self, escalation: Escalation | None, now: float) -> int:
        """Return for how many seconds one more violation mutes, 0 if it does not."""
        if escalation is None:
            return 0
        if self._violations_since(now - escalation.seconds) + 1 < escalation.violations:
            return 0
        match self._mutes_since(now - KEPT_SECONDS):
            case 0:
                return escalation.first_mute_seconds
            case 1:
                return escalation.second_mute_seconds
            case _:
                return escalation.further_mute_seconds

    def is_forgettable(self, now: float) -> bool:
        """Whether no rule can come to another verdict with this history than without."""
        return (
            not self.is_full(1, now - HOUR)
            and not self._violations_since(now - DAY)
            and not self._mutes_since(now - KEPT_SECONDS)
        )

    def _violations_since(self, at: float) -> int:
        return sum(moment > at for moment in self._violations)

    def _mutes_since(self, at: float) -> int:
        return sum(moment > at for moment in self._mutes)


def examine(
    rules: RoomRules,
    history: MemberHistory,
    content: MessageContent,
    member: MemberFacts,
    now: float,
) -> Verdict | None:
    """Return the verdict on a message that is about to be posted, or None if nothing is wrong with it.

    The rules are asked in a fixed order, and the first that is broken decides. `now` is on the
    clock of the history.
    """
    if member.is_exempt:
        return None
    complaints = (
        ("words", rules.words and _words(rules.words, content)),
        ("links", rules.links and _links(rules.links, content, member)),
        ("mentions", rules.mentions and _mentions(rules.mentions, history, content, now)),
        ("repeats", rules.repeats and _repeats(rules.repeats, history, content, now)),
        ("flood", rules.flood and _flood(rules.flood, history, now)),
        ("capitals", rules.capitals and _capitals(rules.capitals, content)),
        ("accents", rules.accents and _accents(rules.accents, content)),
    )
    for name, complaint in complaints:
        if complaint:
            return _verdict(rules, name, complaint, history.offence(rules.escalation, now))
    return None


def _words(rule: WordRule, content: MessageContent) -> str | None:
    if rule.words.find(content.text) is None:
        return None
    return "A word in your message is not allowed in this room."


def _links(rule: LinkRule, content: MessageContent, member: MemberFacts) -> str | None:
    is_new_here = member.membership_age_seconds < rule.membership_seconds
    is_new = member.account_age_seconds < rule.account_seconds
    if not (is_new or is_new_here) or not content.has_link:
        return None
    if is_new:
        return f"Links can be posted here once an account is {_span(rule.account_seconds)} old."
    return f"Links can be posted here by members of {_span(rule.membership_seconds)} and more."


def _mentions(
    rule: MentionRule, history: MemberHistory, content: MessageContent, now: float
) -> str | None:
    count = content.mention_count
    if not count:
        return None
    if count > rule.per_message:
        return f"Please mention at most {rule.per_message} people in a message."
    before = sum(post.mentions for post in history.posts_since(now - rule.seconds))
    if before + count > rule.per_window:
        return f"Please mention at most {rule.per_window} people within {_span(rule.seconds)}."
    return None


def _repeats(
    rule: RepeatRule, history: MemberHistory, content: MessageContent, now: float
) -> str | None:
    since = now - rule.seconds
    if len(content.text) < rule.min_chars or not history.is_full(rule.times - 1, since):
        return None
    mark = fingerprint(content.text)
    same = sum(post.fingerprint == mark for post in history.posts_since(since))
    return (
        "You have said that already. Please do not repeat it." if same + 1 >= rule.times else None
    )


def _flood(rule: FloodRule, history: MemberHistory, now: float) -> str | None:
    if not history.is_full(rule.messages, now - rule.seconds):
        return None
    return f"Not so fast, please: at most {rule.messages} messages within {_span(rule.seconds)}."


def _capitals(rule: CapitalsRule, content: MessageContent) -> str | None:
    text = content.text
    capitals = sum(map(str.isupper, text))
    letters = capitals + sum(map(str.islower, text))
    if letters < rule.min_letters or capitals * 100 < rule.percent * letters:
        return None
    return "Please write less in capitals."


def _accents(rule: AccentsRule, content: MessageContent) -> str | None:
    if content.text.isascii():
        return None
    accents = len(_ACCENT.findall(content.text))
    if accents * 100 <= rule.percent * (len(content.text) - accents):
        return None
    return "Please write without so many accents."


def _verdict(rules: RoomRules, name: str, complaint: str, escalated_seconds: int) -> Verdict:
    rule = getattr(rules, name)
    action: Action = rule.action
    muted = rule.mute_seconds if action is Action.MUTE else 0
    if escalated_seconds:
        muted = max(muted, escalated_seconds)
        action = action if action is Action.REPORT else Action.MUTE
    detail = " ".join(filter(None, (complaint, _AFTERMATH[action], _muted(muted) if muted else "")))
    return Verdict(action, name, detail, muted, is_escalated=escalated_seconds > 0)


_AFTERMATH: Final = {
    Action.WARN: "This is a warning.",
    Action.REFUSE: "",
    Action.MUTE: "",
    Action.REPORT: "Your message was not posted, and the moderators were told.",
}
_UNITS: Final = ((DAY, "day"), (HOUR, "hour"), (60, "minute"), (1, "second"))


def _muted(seconds: int) -> str:
    return f"You cannot write here for {_span(seconds)}."


def _span(seconds: int) -> str:
    """Say a time in the largest unit that fits without a rest."""
    size, unit = next(each for each in _UNITS if seconds % each[0] == 0)
    count = seconds // size
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
