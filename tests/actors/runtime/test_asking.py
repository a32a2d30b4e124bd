import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Answer, Busy, Crashed, Gone, TimedOut
from veza.actors.runtime import AsyncioSystemBase, RequestContext, request_context

SOON = 0.02


def answers(seen):
    return [message for message, _ in seen if isinstance(message, Answer)]


def asking(target, message, tag, timeout=5.0):
    return lambda actor: actor.ask_later(target, message, tag, timeout)


async def test_a_question_is_answered_by_exactly_one_tagged_answer(base, kit, recorder, settle):
    probe, seen = recorder
    machine = base.spawn(kit.Machine)
    for number in range(3):
        question = asking(machine, kit.Echo(value=number), ("tag", number))
        base.post(probe, kit.Do(call=question), base.address)
    await settle()
    assert answers(seen) == [
        Answer(tag=("tag", number), message=kit.Echo(value=number)) for number in range(3)
    ]


async def test_no_answer_in_time_is_an_answer_too_and_the_late_one_a_dead_letter(
    base, kit, recorder, settle, until
):
    probe, seen = recorder
    gate = asyncio.Event()
    service = base.spawn(kit.Waiter)
    base.post(
        probe, kit.Do(call=asking(service, kit.Echo(value=gate), 1, timeout=SOON)), base.address
    )
    await until(lambda: answers(seen))
    gate.set()
    await settle()
    assert answers(seen) == [Answer(tag=1, message=TimedOut(command="Echo"))]
    assert [letter.reason for letter in base.dead_letters] == ["late answer"]


async def test_each_way_to_fail_has_its_answer(base, kit, recorder, settle):
    class Full(kit.Waiter):
        concurrency = 1
        mailbox_limit = 1

    probe, seen = recorder
    dead, full = base.spawn(kit.Machine), base.spawn(Full)
    crashing = base.spawn(kit.Machine)
    base.kill(dead)
    for _ in range(3):
        base.post(full, kit.Echo(value=asyncio.Event()), base.address)
        await settle()
    failing = kit.Fail(error=ValueError("x"))
    for target, message in ((dead, kit.Echo()), (full, kit.Echo()), (crashing, failing)):
        base.post(probe, kit.Do(call=asking(target, message, target)), base.address)
    await settle()
    assert {each.tag: each.message for each in answers(seen)} == {
        dead: Gone(command="Echo"),
        full: Busy(command="Echo"),
        crashing: Crashed(command="Fail"),
    }
    base.kill(full)


async def test_answers_to_an_earlier_incarnation_are_dropped(base, kit, settle, until):
    gate, seen = asyncio.Event(), []
    service = base.spawn(kit.Waiter)
    asker = base.spawn(kit.Recorder, {"seen": seen})
    question = asking(service, kit.Echo(value=gate), "old")
    base.post(asker, kit.Do(call=question), base.address)
    base.post(asker, kit.Do(call=lambda actor: actor.wakeup_after(SOON, "old timer")), base.address)
    await settle()
    base.restart(asker)
    base.post(asker, kit.Do(call=lambda actor: actor.wakeup_after(SOON, "new")), base.address)
    gate.set()
    await until(lambda: seen)
    assert [message for message, _ in seen] == ["new"]


async def test_a_forwarded_question_is_answered_straight_and_by_the_new_actors_end(
    base, kit, settle
):
    class Directory(SupervisedActor):
        def __init__(self, *, target):
            self.target = target

        def receiveMsg_object(self, message, sender):
            self.forward(self.target, message, sender)

    machine = base.spawn(kit.Machine)
    silent = base.spawn(kit.Recorder, {"seen": []})
    to_machine = base.spawn(Directory, {"target": machine})
    to_silent = base.spawn(Directory, {"target": silent})
    assert await base.request(to_machine, kit.Echo(value=1), 5) == kit.Echo(value=1)
    waiting = asyncio.ensure_future(base.request(to_silent, "hello?", 5))
    await settle()
    base.kill(to_silent)
    await settle()
    assert not waiting.done()
    base.kill(silent)
    assert await waiting == Gone(command="str")


async def test_a_question_that_is_cancelled_leaves_nothing_behind(base, kit, settle):
    service = base.spawn(kit.Waiter)
    gate = asyncio.Event()
    waiting = asyncio.ensure_future(base.request(service, kit.Echo(value=gate), 5))
    await settle()
    waiting.cancel()
    await settle()
    assert service.asked is None
    gate.set()
    await settle()
    assert not base.dead_letters


async def test_an_answer_comes_in_the_context_of_the_question(base, kit, settle):
    noted = []

    class Asker(kit.Machine):
        def receiveMsg_Answer(self, message, sender):
            noted.append(request_context.get().request_id)

    asker, machine = base.spawn(Asker), base.spawn(kit.Machine)
    request_context.set(RequestContext(request_id="mine"))
    base.post(asker, kit.Do(call=asking(machine, kit.Echo(), 1)), base.address)
    request_context.set(RequestContext(request_id="other"))
    await settle()
    assert noted == ["mine"]


steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask and lose", "release", "kill", "restart", "let time pass"]),
        st.integers(0, 2),
    ),
    max_size=40,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps)
def test_no_ask_ever_gets_the_answer_of_another(kit, steps):
    """Whatever is answered late, lost, killed or restarted in between."""
    asyncio.run(play(kit, steps))


async def play(kit, steps):
    base = AsyncioSystemBase()
    services = [base.spawn(kit.Waiter) for _ in range(3)]
    gates, asked = [], []

    async def answer_when_open(number, gate):
        await gate.wait()
        return kit.Echo(value=number)

    for number, (step, which) in enumerate(steps):
        service = services[which]
        if step.startswith("ask"):
            gate = asyncio.Event()
            gates.append(gate)
            timeout = 0.0005 if step == "ask and lose" else 5.0
            question = kit.Do(
                call=lambda _, number=number, gate=gate: answer_when_open(number, gate)
            )
            asked.append((number, asyncio.ensure_future(base.request(service, question, timeout))))
        elif step == "release" and gates:
            gates.pop(which % len(gates)).set()
        elif step == "kill":
            base.kill(service)
            services[which] = base.spawn(kit.Waiter)
        elif step == "restart":
            base.restart(service)
        await asyncio.sleep(0.001 if step == "let time pass" else 0)
    for gate in gates:
        gate.set()
    for number, future in asked:
        answer = await future
        assert answer == kit.Echo(value=number) or isinstance(answer, (TimedOut, Gone, Crashed))
    assert await base.shutdown_async(5) == []
