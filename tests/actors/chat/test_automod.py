"""The automatic rules: what is refused, what never is, and what becomes of those who go on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veza.actors.chat.automod import KEPT_SECONDS, MemberFacts, MemberHistory, Verdict, examine
from veza.actors.chat.room_rules import DAY, HOUR, MAX_COUNT, Action, LinkRule, RoomRules
from veza.actors.chat.text import read_text

OLD = MemberFacts(account_age_seconds=365 * DAY, membership_age_seconds=30 * DAY)
MODERATOR = MemberFacts(account_age_seconds=0, membership_age_seconds=0, is_exempt=True)
NEW = MemberFacts(account_age_seconds=60, membership_age_seconds=30)
ESCALATING = {"words": {"words": ["darn"]}, "escalation": {}}
OFF = dict.fromkeys(RoomRules.KINDS)


def only(**rules) -> RoomRules:
    return RoomRules.from_json({**OFF, **rules})


class Writer:
    """Somebody who writes in a room, as the room would treat them."""

    def __init__(self, rules: RoomRules, facts: MemberFacts = OLD) -> None:
        self.rules = rules
        self.facts = facts
        self.history = MemberHistory()

    def says(self, text: str, at: float = 0.0) -> Verdict | None:
        content = read_text(text)
        verdict = examine(self.rules, self.history, content, self.facts, at)
        if verdict:
            self.history.note_violation(at, verdict)
        if verdict is None or verdict.action is Action.WARN:
            self.history.note(at, content)
        return verdict


class TestFlood:
    def test_so_many_messages_in_so_many_seconds_and_no_more(self) -> None:
        ada = Writer(only(flood={"messages": 3, "seconds": 10}))

        assert [ada.says(f"message {n}", n) for n in range(3)] == [None] * 3
        refused = ada.says("message 3", 9.9)
        assert refused == Verdict(
            Action.REFUSE, "flood", "Not so fast, please: at most 3 messages within 10 seconds."
        )
        assert ada.says("message 3", 10.0) is None
        assert ada.says("message 4", 10.5) is not None

    @settings(deadline=None)  # the machine may be busy
    @given(st.lists(st.floats(0, 5), max_size=60))
    def test_no_window_ever_holds_more(self, pauses) -> None:
        ada = Writer(only(flood={"messages": 4, "seconds": 7}))
        posted, now = [], 0.0
        for number, pause in enumerate(pauses):
            now += pause
            if ada.says(f"number {number}", now) is None:
                posted.append(now)

        for first, fifth in zip(posted, posted[4:], strict=False):
            assert fifth - first >= 7 - 1e-6


class TestRepeats:
    def test_the_third_time_is_too_much_in_any_dress(self) -> None:
        ada = Writer(only(repeats={}))

        assert ada.says("Buy my beats!", 0) is None
        assert ada.says("something else", 1) is None
        assert ada.says("BUY  my beaaats", 2) is None
        verdict = ada.says("buy m\u0443 beats...", 3)
        assert verdict is not None
        assert verdict.rule == "repeats"
        assert ada.says("Buy my beats!", 61) is None

    def test_people_may_clap(self) -> None:
        ada = Writer(only(repeats={}))

        assert [ada.says("🔥", n) for n in range(9)] == [None] * 9
        assert [ada.says("lol", n) for n in range(9)] == [None] * 9


class TestMentions:
    def test_so_many_in_one_message(self) -> None:
        ada = Writer(only(mentions={"per_message": 3}))

        assert ada.says("@aa @bb @cc `@dd @ee`") is None
        assert ada.says("@aa @aa @AA @aa @bb") is None
        verdict = ada.says("@aa @bb @cc @room")
        assert verdict is not None
        assert verdict.detail == "Please mention at most 3 people in a message."

    def test_so_many_in_a_while(self) -> None:
        ada = Writer(only(mentions={"per_message": 3, "per_window": 5, "seconds": 60}))

        assert ada.says("@aa @bb @cc", 0) is None
        assert ada.says("no one", 1) is None
        verdict = ada.says("@aa @bb @cc", 2)
        assert verdict is not None
        assert verdict.detail == "Please mention at most 5 people within 1 minute."
        assert ada.says("nobody at all", 3) is None
        assert ada.says("@aa @bb @cc", 60) is None


class TestLinks:
    @pytest.mark.parametrize("text", ["https://x.example", "discord.gg/abc", "`www.example.com`"])
    def test_new_accounts_post_none(self, text) -> None:
        verdict = Writer(only(links={}), NEW).says(text)

        assert verdict is not None
        assert verdict.detail == "Links can be posted here once an account is 1 hour old."

    def test_new_members_post_none(self) -> None:
        facts = MemberFacts(account_age_seconds=DAY, membership_age_seconds=299)
        verdict = Writer(only(links={}), facts).says("https://x.example")

        assert verdict is not None
        assert verdict.detail == "Links can be posted here by members of 5 minutes and more."

    def test_all_others_do_and_everybody_may_point_at_a_track(self) -> None:
        assert Writer(only(links={}), OLD).says("https://x.example") is None
        assert Writer(only(links={}), NEW).says("kick.wav is nice") is None
        track = "/tracks/0190a0a0-0000-7000-8000-000000000001?t=5"
        assert Writer(only(links={}), NEW).says(f"hear {track}") is None


class TestLooks:
    def test_words_are_refused_without_saying_them_again(self) -> None:
        verdict = Writer(only(words={"words": ["darn*"]})).says("Darned!")

        assert verdict is not None
        assert verdict.detail == "A word in your message is not allowed in this room."

    def test_capitals(self) -> None:
        rules = only(capitals={})

        assert Writer(rules).says("WHY DOES NOBODY LISTEN TO MY TRACK") is not None
        assert Writer(rules).says("WHY does nobody LISTEN to my track") is None
        assert Writer(rules).says("LOL OK") is None

    def test_accents(self) -> None:
        rules = only(accents={})

        assert Writer(rules).says("h\u0338\u0335\u0337\u0336i\u0338\u0335\u0337") is not None
        assert Writer(rules).says("d\u00e9j\u00e0 vu, tr\u00e8s bient\u00f4t, x\u0304 = 3") is None


class TestActions:
    def verdict(self, **rule) -> Verdict:
        found = Writer(only(words={"words": ["darn"], **rule})).says("darn")
        assert found is not None
        return found

    def test_each_action_says_what_comes_of_it(self) -> None:
        complaint = "A word in your message is not allowed in this room."

        assert self.verdict(action="refuse").detail == complaint
        assert self.verdict(action="warn").detail == f"{complaint} This is a warning."
        muted = self.verdict(action="mute", mute_seconds=7200)
        assert muted.detail == f"{complaint} You cannot write here for 2 hours."
        assert muted.mute_seconds == 7200
        reported = self.verdict(action="report")
        assert reported.mute_seconds == 0
        assert reported.detail.endswith("was not posted, and the moderators were told.")

    def test_moderators_are_exempt_from_every_rule(self) -> None:
        ada = Writer(RoomRules.from_json({"words": {"words": ["darn"]}}), MODERATOR)

        assert {ada.says("darn https://x.example @aa @bb") for _ in range(30)} == {None}


class TestEscalation:
    def test_the_third_violation_mutes_and_each_further_time_for_longer(self) -> None:
        ada = Writer(only(**ESCALATING))
        mutes = [ada.says("darn", n).mute_seconds for n in range(12)]

        assert mutes == [0, 0, HOUR, 0, 0, DAY, 0, 0, 7 * DAY, 0, 0, 7 * DAY]

    def test_an_escalated_verdict_says_so(self) -> None:
        ada = Writer(only(**ESCALATING))
        ada.says("darn")
        ada.says("darn")
        verdict = ada.says("darn")

        assert verdict.action is Action.MUTE
        assert verdict.is_escalated
        assert verdict.detail.endswith("You cannot write here for 1 hour.")

    def test_old_violations_are_forgotten(self) -> None:
        ada = Writer(only(**ESCALATING))

        assert [ada.says("darn", n * HOUR / 2).mute_seconds for n in range(6)] == [0] * 6

    def test_old_mutes_are_forgotten(self) -> None:
        ada = Writer(only(**ESCALATING))
        first = [ada.says("darn", n).mute_seconds for n in range(3)]

        later = KEPT_SECONDS + 10
        assert [ada.says("darn", later + n).mute_seconds for n in range(3)] == first

    def test_a_report_stays_a_report(self) -> None:
        ada = Writer(only(words={"words": ["darn"], "action": "report"}, escalation={}))
        verdicts = [ada.says("darn") for _ in range(3)]

        assert {verdict.action for verdict in verdicts} == {Action.REPORT}
        assert [verdict.mute_seconds for verdict in verdicts] == [0, 0, HOUR]

    def test_the_longer_mute_holds(self) -> None:
        rule = {"words": ["darn"], "action": "mute", "mute_seconds": 2 * DAY}
        ada = Writer(only(words=rule, escalation={}))

        assert {ada.says("darn").mute_seconds for _ in range(6)} == {2 * DAY}


class TestHistory:
    def test_it_is_bounded(self) -> None:
        ada = Writer(RoomRules.from_json({**OFF, "words": {"words": ["darn"]}}))
        for n in range(1_000):
            ada.says("fine", n)
            ada.says("darn", n)

        assert len(ada.history.posts_since(-1)) == MAX_COUNT

    def test_examining_changes_nothing(self) -> None:
        ada = Writer(RoomRules(links=LinkRule()))
        content = read_text("https://x.example @aa")

        first = [examine(ada.rules, ada.history, content, NEW, 0) for _ in range(20)]

        assert len(set(first)) == 1
        assert ada.history.is_forgettable(0)

    def test_it_is_forgotten_when_it_tells_nothing_any_more(self) -> None:
        ada = Writer(only(**ESCALATING))
        assert ada.history.is_forgettable(0)
        ada.says("fine", 0)
        assert not ada.history.is_forgettable(HOUR - 1)
        assert ada.history.is_forgettable(HOUR)
        ada.says("darn", HOUR)
        assert not ada.history.is_forgettable(HOUR + DAY - 1)
        ada.says("darn", HOUR)
        ada.says("darn", HOUR)
        assert not ada.history.is_forgettable(HOUR + 29 * DAY)
        assert ada.history.is_forgettable(HOUR + KEPT_SECONDS)


def test_an_ordinary_conversation_breaks_no_default() -> None:
    ada = Writer(RoomRules(), NEW)
    said = [
        *(
            "hi all!",
            "new mix: /tracks/0190a0a0-0000-7000-8000-000000000001?t=83",
            "@bob @eve what",
        ),
        *(
            "do you think?",
            "I know",
            "I know",
            "too loud...",
            "OK",
            "THAT BASS THOUGH",
            "🔥",
            "🔥",
            "🔥",
        ),
    ]

    assert [ada.says(text, at * 2) for at, text in enumerate(said)] == [None] * len(said)
