import asyncio

import pytest

from veza.actors.messages.common import Crashed, Gone
from veza.actors.runtime import ActorStopped, ChildExit
from veza.actors.runtime.thespian_api import ActorExitRequest


def exits(seen):
    return [message for message, _ in seen if isinstance(message, ChildExit)]


def reasons(seen):
    return [each.reason.kind for each in exits(seen)]


@pytest.fixture
def supervisor(base, kit):
    seen = []
    return base.spawn(kit.Supervisor, {"seen": seen}, name="root"), seen


async def test_paths_name_the_way_from_the_root(base, kit):
    root = base.spawn(kit.Machine, name="root")
    rooms = base.spawn(kit.Machine, parent=root, name="rooms")
    assert base.spawn(kit.Machine, parent=rooms, name="lobby").path == "/root/rooms/lobby"
    first, second = (base.spawn(kit.Machine, parent=rooms).path for _ in range(2))
    assert first.startswith("/root/rooms/Machine-")
    assert first != second


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (lambda base, kit, cell: base.stop(cell), "shutdown"),
        (lambda base, kit, cell: cell.post(ActorExitRequest(), cell), "normal"),
        (lambda base, kit, cell: base.kill(cell, "enough"), "killed"),
        (lambda base, kit, cell: cell.post(kit.Fail(error=ValueError("x")), cell), "crashed"),
    ],
)
async def test_a_parent_hears_of_each_death_once_with_its_reason(
    base, kit, recorder, settle, end, kind
):
    probe, seen = recorder
    child = base.spawn(kit.Machine, parent=probe)
    end(base, kit, child)
    end(base, kit, child)
    await settle()
    assert reasons(seen) == [kind]
    assert exits(seen)[0].childAddress is child
    assert not child.alive


async def test_a_constructor_that_fails_is_told_to_the_parent(base, kit, recorder, settle):
    probe, seen = recorder
    child = base.spawn(kit.Recorder, {"wrong": 1}, parent=probe)
    assert await base.request(child, kit.Echo(), 5) == Gone(command="Echo")
    assert reasons(seen) == ["not_started"]
    assert "TypeError" in exits(seen)[0].reason.traceback


async def test_a_constructor_that_fails_without_a_parent_raises(base, kit):
    with pytest.raises(TypeError):
        base.spawn(kit.Recorder, {"wrong": 1})
    assert list(base.tree()) == []


async def test_a_restart_in_place_keeps_address_and_mailbox(base, kit, supervisor, settle):
    root, news = supervisor
    seen = []
    child = base.spawn(kit.Recorder, {"seen": seen}, parent=root, name="room")
    await settle()
    old = child.instance
    base.post(child, 1, base.address)
    base.post(child, kit.Fail(error=ValueError("x")), base.address)
    base.post(child, 2, base.address)
    await settle()
    base.post(child, 3, base.address)
    await settle()
    assert (reasons(news), child.stats().state) == (["crashed"], "crashed")
    assert child.stats().mailbox_depth == 2
    base.restart(child)
    base.post(child, 4, base.address)
    await settle()
    assert [message for message, _ in seen] == [1, 2, 3, 4]
    assert child.instance is not old
    assert (child.stats().restarts, child.stats().last_exit.kind) == (1, "crashed")
    assert [type(message).__name__ for message, _ in news].count("Ready") == 2


async def test_a_running_actor_is_torn_down_before_it_is_restarted(base, kit, supervisor, settle):
    stopped = []

    class Closing(kit.Machine):
        def on_stop(self):
            stopped.append(self)

    root, news = supervisor
    child = base.spawn(Closing, parent=root)
    grandchild = base.spawn(kit.Machine, parent=child)
    old = child.instance
    base.restart(child)
    await settle()
    assert (stopped, grandchild.alive) == ([old], False)
    assert reasons(news) == []
    assert await base.request(child, kit.Echo(), 5) == kit.Echo()


async def test_a_restart_that_fails_is_another_death(base, kit, supervisor, settle):
    root, news = supervisor
    starts = []

    class Once(kit.Machine):
        def __init__(self):
            starts.append(1)
            if len(starts) > 1:
                raise ValueError("only once")

    child = base.spawn(Once, parent=root)
    base.post(child, kit.Fail(error=ValueError("x")), base.address)
    await settle()
    base.restart(child)
    await settle()
    assert reasons(news) == ["crashed", "not_started"]


async def test_a_buried_actor_answers_gone_and_is_not_told_twice(base, kit, supervisor, settle):
    root, news = supervisor
    child = base.spawn(kit.Machine, parent=root)
    base.post(child, kit.Fail(error=ValueError("x")), base.address)
    await settle()
    waiting = asyncio.ensure_future(base.request(child, kit.Echo(), 5))
    await settle()
    assert not waiting.done()
    base.bury(child)
    assert await waiting == Gone(command="Echo")
    assert reasons(news) == ["crashed"]
    assert base.restart(child) is False


async def test_questions_the_crashed_actor_had_taken_are_answered_crashed(
    base, kit, supervisor, settle
):
    root, _ = supervisor
    child = base.spawn(kit.Supervisor, {"seen": []}, parent=root)
    taken = asyncio.ensure_future(base.request(child, "never answered", 5))
    await settle()
    base.post(child, kit.Fail(error=ValueError("x")), base.address)
    untaken = asyncio.ensure_future(base.request(child, kit.Echo(), 5))
    await settle()
    assert await taken == Crashed(command="str")
    assert not untaken.done()
    base.restart(child)
    assert await untaken == kit.Echo()


async def test_an_exit_waits_for_the_children_and_ends_after_them(base, kit, settle):
    order = []

    class Ending(kit.Machine):
        def __init__(self, *, label):
            self.label = label

        def on_stop(self):
            order.append(self.label)

    top = base.spawn(Ending, {"label": "top"})
    for number in range(3):
        child = base.spawn(Ending, {"label": f"child {number}"}, parent=top)
        base.spawn(Ending, {"label": f"grandchild {number}"}, parent=child)
    base.stop(top)
    await settle()
    assert order[-1] == "top"
    for number in range(3):
        assert order.index(f"grandchild {number}") < order.index(f"child {number}")


async def test_a_supervisor_stops_its_children_one_by_one_newest_first(base, kit, settle):
    order = []

    class Ending(kit.Supervisor):
        def on_stop(self):
            order.append(self.cell.name)

    top = base.spawn(Ending, {"seen": []}, name="top")
    for name in ("a", "b", "c"):
        child = base.spawn(Ending, {"seen": []}, parent=top, name=name)
        base.spawn(Ending, {"seen": []}, parent=child, name=name * 2)
    base.stop(top)
    await settle()
    assert order == ["cc", "c", "bb", "b", "aa", "a", "top"]


async def test_an_ending_parent_starts_no_more_children(base, kit, settle):
    class Replacing(kit.Machine):
        def receiveMsg_ChildExit(self, message, sender):
            self.spawn(kit.Machine)

    top = base.spawn(Replacing)
    base.spawn(kit.Machine, parent=top)
    base.stop(top)
    await settle()
    assert list(base.tree()) == []


async def test_children_of_a_plain_exit_may_outlive_it(base, kit, settle):
    top = base.spawn(kit.Machine)
    child = base.spawn(kit.Machine, parent=top)
    base.post(top, ActorExitRequest(recursive=False), base.address)
    await settle()
    assert not top.alive
    assert (child.alive, child.path.count("/")) == (True, 1)


async def test_the_stop_hook_runs_once_for_every_end_and_its_failure_is_logged(base, kit, caplog):
    calls = []

    class Hooked(kit.Machine):
        def on_stop(self):
            calls.append(self)
            raise OSError("leak")

    cell = base.spawn(Hooked)
    base.kill(cell)
    base.kill(cell)
    assert len(calls) == 1
    assert "on_stop" in caplog.text


async def test_stop_self_ends_after_what_waits_and_carries_its_reason(base, kit, recorder, settle):
    probe, seen = recorder
    child = base.spawn(kit.Machine, parent=probe)
    base.post(child, kit.Do(call=lambda actor: actor.stop_self("idle")), base.address)
    base.post(child, kit.Send(target=probe, message="still there"), base.address)
    await settle()
    assert "still there" in [message for message, _ in seen]
    assert [(each.reason.kind, each.reason.detail) for each in exits(seen)] == [("normal", "idle")]


async def test_a_kill_does_not_wait_behind_a_full_mailbox(base, kit, settle):
    seen = []
    cell = base.spawn(kit.Recorder, {"seen": seen})
    for number in range(1000):
        base.post(cell, number, base.address)
    asked = asyncio.ensure_future(base.request(cell, "last", 5))
    await asyncio.sleep(0)
    handled = len(seen)
    base.kill(cell)
    assert not cell.alive
    assert await asked == Gone(command="str")
    await settle()
    assert len(seen) == handled


async def test_a_handler_may_kill_its_own_actor(base, kit, settle):
    cell = base.spawn(kit.Machine)
    for _ in range(3):
        base.post(cell, kit.Do(call=lambda actor: actor.runtime.kill(actor.cell)), base.address)
    await settle()
    assert not cell.alive


async def test_a_watcher_hears_once_when_the_watched_is_gone_for_good(
    base, kit, supervisor, recorder, settle
):
    (root, _), (probe, seen) = supervisor, recorder
    child = base.spawn(kit.Machine, parent=root)
    for _ in range(2):
        base.post(probe, kit.Do(call=lambda actor: actor.watch(child)), base.address)
    await settle()
    base.post(child, kit.Fail(error=ValueError("x")), base.address)
    await settle()
    base.restart(child)
    await settle()
    assert seen == []
    base.kill(child, "enough")
    await settle()
    assert [message.reason.detail for message, _ in seen] == ["enough"]
    base.post(probe, kit.Do(call=lambda actor: actor.watch(child)), base.address)
    await settle()
    assert [type(message) for message, _ in seen] == [ActorStopped, ActorStopped]


async def test_a_dead_watcher_is_forgotten_by_what_it_watched(base, kit, recorder, settle):
    target, watcher = base.spawn(kit.Machine), base.spawn(kit.Machine)
    base.post(watcher, kit.Do(call=lambda actor: actor.watch(target)), base.address)
    await settle()
    base.kill(watcher)
    assert not target.rare.watchers


async def test_shutdown_ends_all_and_names_those_it_had_to_kill(kit):
    from veza.actors.runtime import AsyncioSystemBase

    base = AsyncioSystemBase()
    base.spawn(kit.Machine, name="good")
    stuck = base.spawn(kit.Waiter, name="stuck")
    base.post(stuck, kit.Echo(value=asyncio.Event()), base.address)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await base.shutdown_async(0.05) == ["/stuck"]
    assert list(base.tree()) == []


async def test_an_actor_given_a_time_to_stop_is_killed_when_it_is_over(base, kit, until):
    seen = []
    top = base.spawn(kit.Supervisor, {"seen": seen}, name="top")
    stuck = base.spawn(kit.Waiter, parent=top, name="stuck", shutdown_seconds=0.01)
    quick = base.spawn(kit.Machine, parent=top, name="quick", shutdown_seconds=0.01)
    base.post(stuck, kit.Echo(value=asyncio.Event()), base.address)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    base.stop(top)
    await until(lambda: not top.alive)
    assert [(each.child, each.reason.kind) for each in exits(seen)] == [
        (quick, "shutdown"),
        (stuck, "killed"),
    ]


async def test_a_message_to_a_dead_actor_is_kept_as_a_dead_letter(base, kit, settle):
    cell = base.spawn(kit.Machine, name="late")
    base.kill(cell)
    base.post(cell, "too late", base.address)
    await settle()
    [letter] = base.dead_letters
    assert (letter.target, letter.message, letter.reason) == (cell, "too late", "the actor is gone")


async def test_what_a_lost_instance_sent_itself_is_lost_with_it(base, kit, supervisor, settle):
    root, _ = supervisor
    seen = []
    helper = base.spawn(kit.Machine)
    child = base.spawn(kit.Recorder, {"seen": seen}, parent=root)

    def ask_send_and_crash(actor):
        actor.ask_later(helper, kit.Echo(), "old")
        actor.send(actor.cell, "to myself")
        raise ValueError("x")

    base.post(child, kit.Do(call=ask_send_and_crash), base.address)
    base.post(child, "from outside", base.address)
    await settle()
    base.restart(child)
    await settle()
    assert [message for message, _ in seen] == ["from outside"]


async def test_an_answer_already_in_the_mailbox_is_not_given_to_the_next_incarnation(
    base, kit, supervisor, settle
):
    root, _ = supervisor
    seen = []
    helper = base.spawn(kit.Machine)
    child = base.spawn(kit.Recorder, {"seen": seen}, parent=root)

    def ask(actor):
        actor.ask_later(helper, kit.Echo(), "old")

    base.post(child, kit.Do(call=ask), base.address)
    while child.stats().mailbox_depth == 0 or helper.stats().messages_in == 0:
        child.scheduler.drain(0.0)
    base.restart(child)
    await settle()
    assert seen == []


async def test_a_stop_that_meets_a_crashed_actor_waits_for_its_parents_decision(
    base, kit, supervisor, settle
):
    root, news = supervisor
    child = base.spawn(kit.Machine, parent=root)
    base.post(child, kit.Fail(error=ValueError("x")), base.address)
    base.post(child, ActorExitRequest(), base.address)
    await settle()
    assert child.stats().state == "crashed"
    assert base.restart(child)
    await settle()
    assert reasons(news) == ["crashed", "shutdown"]
    assert not child.alive


async def test_an_exit_hook_that_fails_does_not_keep_the_actor_alive(base, kit, recorder, settle):
    class Refusing(kit.Machine):
        def receiveMsg_ActorExitRequest(self, message, sender):
            raise ValueError("I will not")

    probe, seen = recorder
    child = base.spawn(Refusing, parent=probe)
    base.stop(child)
    await settle()
    assert reasons(seen) == ["crashed"]
    assert not child.alive


async def test_a_failing_constructor_takes_the_children_it_had_started_with_it(base, kit):
    class HalfBuilt(kit.Machine):
        def __init__(self):
            self.spawn(kit.Machine, name="started")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        base.spawn(HalfBuilt)
    assert list(base.tree()) == []
