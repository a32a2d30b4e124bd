"""The automatic rules of a room as data: what is counted, what happens then, and their form in JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from veza.actors.chat.word_list import WordError, WordList

HOUR: Final = 3_600
DAY: Final = 24 * HOUR
MAX_COUNT: Final = 100
"""Messages that a rule can look back on; a member's history keeps so many."""
MAX_WINDOW_SECONDS: Final = HOUR
MAX_MUTE_SECONDS: Final = 28 * DAY


class Action(StrEnum):
    """What happens to a message that a rule is against; its author is told in any case."""

    WARN = "warn"
    """It is posted."""
    REFUSE = "refuse"
    """It is not posted."""
    MUTE = "mute"
    """It is not posted, and its author cannot write for a while."""
    REPORT = "report"
    """It is not posted, and the moderators get to see it."""


class RulesError(ValueError):
    """Rules that cannot be. `where` names the field, as in `flood.messages` or `words.words.3`."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


def _count(default: int, low: int, high: int) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """`mute_seconds` matters if the action is to mute."""

    action: Action = Action.REFUSE
    mute_seconds: int = _count(HOUR, 60, MAX_MUTE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodRule(_Rule):
    """At most so many messages in so many seconds."""

    messages: int = _count(10, 2, MAX_COUNT)
    seconds: int = _count(10, 1, MAX_WINDOW_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatRule(_Rule):
    """The same text, or one that reads the same, not so many times in so many seconds.

    Texts shorter than `min_chars` may be repeated: people clap in time.
    """

    times: int = _count(3, 2, MAX_COUNT)
    seconds: int = _count(60, 1, MAX_WINDOW_SECONDS)
    min_chars: int = _count(4, 1, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionRule(_Rule):
    """At most so many people mentioned in one message, and in all of so many seconds."""

    per_message: int = _count(8, 1, MAX_COUNT)
    per_window: int = _count(20, 1, 10 * MAX_COUNT)
    seconds: int = _count(60, 1, MAX_WINDOW_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRule(_Rule):
    """No links by those whose account or membership is younger."""

    account_seconds: int = _count(HOUR, 0, 365 * DAY)
    membership_seconds: int = _count(300, 0, 365 * DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class WordRule(_Rule):
    """None of these words."""

    words: WordList = field(default_factory=WordList)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalsRule(_Rule):
    """Less than such a share of capitals, in a text of so many letters."""

    percent: int = _count(80, 30, 100)
    min_letters: int = _count(20, 5, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccentsRule(_Rule):
    """At most so many loose accents to a hundred characters: letters are not to be buried."""

    percent: int = _count(40, 5, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """So many violations in so many seconds mute; each further time within 30 days for longer."""

    violations: int = _count(3, 2, MAX_COUNT)
    seconds: int = _count(HOUR, 60, DAY)
    first_mute_seconds: int = _count(HOUR, 60, MAX_MUTE_SECONDS)
    second_mute_seconds: int = _count(DAY, 60, MAX_MUTE_SECONDS)
    further_mute_seconds: int = _count(7 * DAY, 60, MAX_MUTE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRules:
    """A room's rules; None is a rule that the room does not have. They do not hold for moderators.

    Without rules of its own a room has the one about mentions: how fast anybody may write is limited in any
    case, and on a new server everybody is new.
    """

    flood: FloodRule | None = None
    repeats: RepeatRule | None = None
    mentions: MentionRule | None = field(default_factory=MentionRule)
    links: LinkRule | None = None
    words: WordRule | None = None
    capitals: CapitalsRule | None = None
    accents: AccentsRule | None = None
    escalation: Escalation | None = field(default_factory=Escalation)

    KINDS: ClassVar[Mapping[str, type[_Rule | Escalation]]] = {
        "flood": FloodRule,
        "repeats": RepeatRule,
        "mentions": MentionRule,
        "links": LinkRule,
        "words": WordRule,
        "capitals": CapitalsRule,
        "accents": AccentsRule,
        "escalation": Escalation,
    }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read rules: what is left out is as by default, null is off. Raises `RulesError`."""
        members = _members("rules", value, cls.KINDS)
        return cls(
            **{
                name: None if part is None else _read(cls.KINDS[name], name, part)
                for name, part in members.items()
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return all rules in the form that `from_json` reads."""
        rules = {name: getattr(self, name) for name in self.KINDS}
        return {name: None if rule is None else _written(rule) for name, rule in rules.items()}


def _members(where: str, value: object, known: Mapping[str, object]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RulesError(where, "An object is expected.")
    for name in value:
        if name not in known:
            raise RulesError(name if where == "rules" else f"{where}.{name}", "Nobody knows that.")
    return value


def _read(kind: type[Any], where: str, value: object) -> Any:
    known = {each.name: each for each in fields(kind)}
    return kind(
        **{
            name: _value(f"{where}.{name}", part, known[name].metadata)
            for name, part in _members(where, value, known).items()
        }
    )


def _value(where: str, value: object, bounds: Mapping[str, int]) -> object:
    if where.endswith(".action"):
        return _action(where, value)
    if where.endswith(".words"):
        return _words(where, value)
    if type(value) is not int:  # True is an int too, but no number
        raise RulesError(where, "A whole number is expected.")
    if not bounds["low"] <= value <= bounds["high"]:
        raise RulesError(where, f"From {bounds['low']} to {bounds['high']}.")
    return value


def _action(where: str, value: object) -> Action:
    if not isinstance(value, str) or value not in set(Action):
        raise RulesError(where, f"One of {', '.join(Action)}.")
    return Action(value)


def _words(where: str, value: object) -> WordList:
    if not isinstance(value, list):
        raise RulesError(where, "A list of words is expected.")
    for index, word in enumerate(value):
        if not isinstance(word, str):
            raise RulesError(f"{where}.{index}", "A word is expected.")
    try:
        return WordList.of(value)
    except WordError as error:
        at = where if error.index is None else f"{where}.{error.index}"
        raise RulesError(at, str(error)) from error


def _written(rule: Any) -> dict[str, Any]:
    values = {each.name: getattr(rule, each.name) for each in fields(rule)}
    return {
        name: list(value.entries) if isinstance(value, WordList) else value
        for name, value in values.items()
    }
