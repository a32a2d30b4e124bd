import asyncio

import pytest

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Busy, Crashed, Gone, RejectCode, Rejected
from veza.actors.runtime import RequestContext, request_context


async def test_messages_of_one_sender_arrive_in_the_order_sent(base, kit, recorder, settle):
    probe, seen = recorder
    senders = [base.spawn(kit.Machine) for _ in range(5)]
    for number in range(200):
        for sender in senders:
            base.post(sender, kit.Send(target=probe, message=number), base.address)
    await settle()
    for sender in senders:
        assert [message for message, who in seen if who is sender] == list(range(200))


async def test_what_a_handler_returns_is_the_reply(base, kit):
    machine = base.spawn(kit.Machine)
    assert await base.request(machine, kit.Echo(value=7), 5) == kit.Echo(value=7)


async def test_a_refusal_is_an_answer_and_the_actor_lives(base, kit):
    machine = base.spawn(kit.Machine)
    answer = await base.request(machine, kit.Refuse(), 5)
    assert answer == Rejected(
        command="Refuse", code=RejectCode.FORBIDDEN, detail="no", retry_after_seconds=2.0
    )
    assert machine.stats().errors == 0
    assert await base.request(machine, kit.Echo(), 5) == kit.Echo()


async def test_an_unexpected_exception_ends_a_state_machine_and_is_logged_once(base, kit, caplog):
    machine = base.spawn(kit.Machine, name="fragile")
    answer = await base.request(machine, kit.Fail(error=ValueError("bug")), 5)
    assert answer == Crashed(command="Fail")
    assert await base.request(machine, kit.Echo(), 5) == Gone(command="Echo")
    [line] = caplog.records
    assert (line.name, line.exc_info[1].args) == ("veza.actors", ("bug",))
    assert "/fragile" in line.getMessage()
    assert "Fail" in line.getMessage()
    [crash] = base.crashes
    assert (crash.path, crash.command, crash.error) == ("/fragile", "Fail", "ValueError('bug')")


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
async def test_exit_exceptions_end_only_the_actor_that_raised_them(base, kit, error):
    machine, service = base.spawn(kit.Machine), base.spawn(kit.Waiter)
    for actor in (machine, service):
        assert await base.request(actor, kit.Fail(error=error), 5) == Crashed(command="Fail")
        assert not actor.alive


async def test_an_unknown_message_is_a_dead_letter_not_a_crash(base, kit, caplog, settle):
    machine = base.spawn(kit.Machine)
    for _ in range(1000):
        base.post(machine, "what?", base.address)
    await settle()
    assert machine.alive
    assert {letter.reason for letter in base.dead_letters} == {"no handler"}
    assert 0 < len(caplog.records) < 20


async def test_a_log_storm_is_cut_and_its_size_told_later(base, kit, caplog, settle):
    service = base.spawn(kit.Waiter)
    for _ in range(500):
        base.post(service, kit.Fail(error=ValueError("again")), base.address)
    await settle()
    assert service.stats().errors == 500
    assert len(caplog.records) == 10


async def test_a_handler_is_found_by_a_base_class_of_the_message(base, settle):
    class Parent:
        pass

    class Child(Parent):
        pass

    class ByBase(SupervisedActor):
        def receiveMsg_Parent(self, message, sender):
            return "by base"

    assert await base.request(base.spawn(ByBase), Child(), 5) == "by base"


async def fill(base, kit, actor, count):
    """Send so many messages that no handler runs in between."""
    for number in range(count):
        base.post(actor, number, base.address)


async def test_a_full_mailbox_answers_busy_and_the_message_is_not_looked_at(
    base, kit, recorder, settle
):
    class Small(kit.Recorder):
        mailbox_limit = 10

    probe, answers = recorder
    seen = []
    small = base.spawn(Small, {"seen": seen})
    for number in range(20):
        small.post(number, probe)
    await settle()
    assert [message for message, _ in seen] == list(range(11))
    assert [message for message, _ in answers] == [Busy(command="int")] * 9
    assert (small.stats().dropped, small.stats().mailbox_high_water) == (9, 11)


async def test_a_dropping_mailbox_keeps_dead_letters_and_tells_nobody_but_askers(
    base, kit, recorder, settle
):
    class Small(kit.Recorder):
        mailbox_limit = 2
        when_full = "drop"

    probe, answers = recorder
    small = base.spawn(Small, {"seen": []})
    for number in range(5):
        small.post(number, probe)
    assert await base.request(small, kit.Echo(), 5) == Busy(command="Echo")
    await settle()
    assert answers == []
    assert [letter.message for letter in base.dead_letters] == [3, 4, kit.Echo()]


async def test_a_closing_mailbox_ends_the_actor(base, kit, recorder, settle):
    class Small(kit.Recorder):
        mailbox_limit = 2
        when_full = "close"

    probe, seen = recorder
    small = base.spawn(Small, {"seen": []}, parent=probe)
    for number in range(5):
        base.post(small, number, base.address)
    assert not small.alive
    await settle()
    [exit_news] = [
        message for message, sender in seen if sender is small and hasattr(message, "reason")
    ]
    assert (exit_news.reason.kind, exit_news.reason.detail) == ("killed", "the mailbox is full")


async def test_two_full_mailboxes_do_not_answer_each_other_for_ever(base, kit, settle):
    class Small(kit.Recorder):
        mailbox_limit = 1

    one, two = (base.spawn(Small, {"seen": []}) for _ in range(2))
    for number in range(10):
        one.post(number, two)
        two.post(number, one)
    await settle()
    assert one.stats().mailbox_depth == two.stats().mailbox_depth == 0


async def test_a_stop_reaches_an_actor_with_a_full_mailbox(base, kit, settle):
    class Small(kit.Recorder):
        mailbox_limit = 2

    small = base.spawn(Small, {"seen": []})
    await fill(base, kit, small, 5)
    base.stop(small)
    await settle()
    assert not small.alive


class Patient(SupervisedActor):
    """Stashes all but strings until a string comes."""

    stash_until_ready = frozenset({str})
    mailbox_limit = 5

    def __init__(self, *, seen):
        self.seen = seen

    def receiveMsg_str(self, message, sender):
        self.seen.append(message)
        self.become_ready()

    def receiveMsg_int(self, message, sender):
        self.seen.append(message)


async def test_messages_wait_in_order_until_the_actor_is_ready(base, recorder, settle):
    probe, news = recorder
    seen = []
    patient = base.spawn(Patient, {"seen": seen}, parent=probe)
    for number in range(3):
        base.post(patient, number, base.address)
    await settle()
    assert (seen, news) == ([], [])
    assert patient.stats().state == "stashing"
    base.post(patient, "loaded", base.address)
    base.post(patient, 3, base.address)
    await settle()
    assert seen == ["loaded", 0, 1, 2, 3]
    assert [type(message).__name__ for message, _ in news] == ["Ready"]


async def test_a_stash_is_bounded_like_the_mailbox(base, recorder, settle):
    probe, answers = recorder
    patient = base.spawn(Patient, {"seen": []})
    for number in range(4):
        patient.post(number, probe)
    await settle()
    for number in range(4):
        patient.post(number, probe)
    await settle()
    assert [message for message, _ in answers] == [Busy(command="int")] * 3


async def test_the_request_context_travels_with_the_message(base, kit, recorder, settle):
    noted = []

    def note(actor):
        noted.append(request_context.get().request_id)

    async def note_after_a_wait(actor):
        await one.wait()
        noted.append(request_context.get().request_id)

    one = asyncio.Event()
    machine, service = base.spawn(kit.Machine), base.spawn(kit.Waiter)
    for number in range(3):
        request_context.set(RequestContext(request_id=f"r{number}"))
        base.post(machine, kit.Send(target=machine, message=kit.Do(call=note)), base.address)
        base.post(service, kit.Do(call=note_after_a_wait), base.address)
    request_context.set(RequestContext(request_id="elsewhere"))
    await settle()
    one.set()
    await settle()
    assert sorted(noted) == ["r0", "r0", "r1", "r1", "r2", "r2"]


async def test_a_dead_letter_can_be_sent_again(base, kit, recorder, settle):
    class Small(kit.Recorder):
        mailbox_limit = 1
        when_full = "drop"

    seen = []
    small = base.spawn(Small, {"seen": seen})
    for number in range(3):
        base.post(small, number, base.address)
    await settle()
    [letter] = base.dead_letters
    base.replay(letter)
    await settle()
    assert [message for message, _ in seen] == [0, 1, 2]
    assert not base.dead_letters
