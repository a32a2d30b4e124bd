"""Rules are data: every one can be written and read again, and a wrong one is told by its field."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veza.actors.chat.room_rules import Action, FloodRule, RoomRules, RulesError, WordRule
from veza.actors.chat.word_list import WordList


def test_what_is_left_out_is_as_by_default() -> None:
    assert RoomRules.from_json({}) == RoomRules()
    assert RoomRules.from_json({"flood": {}}) == RoomRules(flood=FloodRule())


def test_null_is_off() -> None:
    rules = RoomRules.from_json(dict.fromkeys(RoomRules.KINDS))

    assert rules.to_json() == dict.fromkeys(RoomRules.KINDS)


def test_rules_are_read_as_they_were_written() -> None:
    rules = RoomRules(
        flood=FloodRule(messages=5, seconds=2, action=Action.MUTE, mute_seconds=90),
        words=WordRule(words=WordList.of(["darn", "spam*"]), action=Action.REPORT),
        escalation=None,
    )

    assert RoomRules.from_json(json.loads(json.dumps(rules.to_json()))) == rules


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ([], "rules"),
        ({"floods": {}}, "floods"),
        ({"flood": 5}, "flood"),
        ({"flood": {"message": 5}}, "flood.message"),
        ({"flood": {"messages": 1}}, "flood.messages"),
        ({"flood": {"messages": 101}}, "flood.messages"),
        ({"flood": {"messages": "5"}}, "flood.messages"),
        ({"flood": {"messages": True}}, "flood.messages"),
        ({"flood": {"messages": 5.0}}, "flood.messages"),
        ({"flood": {"action": "shout"}}, "flood.action"),
        ({"flood": {"action": []}}, "flood.action"),
        ({"repeats": {"mute_seconds": 1}}, "repeats.mute_seconds"),
        ({"words": {"words": "darn"}}, "words.words"),
        ({"words": {"words": ["a", 1]}}, "words.words.1"),
        ({"words": {"words": ["a", "b", "c d"]}}, "words.words.2"),
        ({"words": {"words": ["a"] * 501}}, "words.words"),
        ({"escalation": {"action": "warn"}}, "escalation.action"),
    ],
)
def test_a_wrong_field_is_named(value, where) -> None:
    with pytest.raises(RulesError) as error:
        RoomRules.from_json(value)

    assert error.value.where == where
    assert error.value.reason.endswith(".")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["flood", "words", "action", "messages", "seconds", "x"]), inner
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)  # the machine may be busy
@given(anything)
def test_whatever_is_sent_is_rules_or_refused(value) -> None:
    try:
        rules = RoomRules.from_json(value)
    except RulesError:
        return
    assert RoomRules.from_json(rules.to_json()) == rules
