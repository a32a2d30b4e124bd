"""What is known of actors that have ended: why, and what they did."""

import asyncio
import time

import pytest

from veza.actors.runtime import exits_of


def kinds(cell):
    return [record.reason.kind for record in exits_of(cell)]


async def test_an_actor_that_never_ended_has_no_exits(base, kit):
    assert exits_of(base.spawn(kit.Machine)) == ()


async def test_exits_are_kept_over_restarts_newest_first_and_no_more_than_eight(base, kit, settle):
    root = base.spawn(kit.Supervisor, {"seen": []})
    child = base.spawn(kit.Machine, parent=root)
    for number in range(10):
        base.post(child, kit.Fail(error=ValueError(number)), base.address)
        await settle()
        base.restart(child)
        await settle()
    base.restart(child)
    base.kill(child, "enough")
    records = exits_of(child)
    assert kinds(child) == ["killed", "killed", *["crashed"] * 6]
    assert records[0].reason.detail == "enough"
    assert records[2].reason.detail == "ValueError(9)"
    assert [record.at for record in records] == sorted((r.at for r in records), reverse=True)
    assert time.time() - 5 < records[0].at <= time.time()


async def test_burying_a_crashed_actor_is_not_another_exit(base, kit, settle):
    root = base.spawn(kit.Supervisor, {"seen": []})
    child = base.spawn(kit.Machine, parent=root)
    base.post(child, kit.Fail(error=ValueError("x")), base.address)
    await settle()
    base.bury(child)
    assert (kinds(child), child.alive) == (["crashed"], False)


async def test_an_actor_owns_no_process_unless_it_says_so(base, kit):
    assert base.spawn(kit.Machine).instance.process_id() is None


def behaviour_of(base, actor_class):
    [found] = [each for each in base.behaviours() if each.actor_class is actor_class]
    return found


async def test_living_actors_are_counted_by_class_and_altogether(base, kit, settle):
    cells = [base.spawn(kit.Machine) for _ in range(3)]
    base.spawn(kit.Recorder, {"seen": []})
    assert (behaviour_of(base, kit.Machine).alive, base.alive_count) == (3, 4)
    base.kill(cells[0])
    base.stop(cells[1])
    await settle()
    assert (behaviour_of(base, kit.Machine).alive, base.alive_count) == (1, 2)


async def test_actors_that_cannot_start_are_not_counted_as_alive(base, kit):
    class Broken(kit.Machine):
        def __init__(self):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        base.spawn(Broken)
    assert (behaviour_of(base, Broken).alive, base.alive_count) == (0, 0)


async def test_what_ended_actors_did_is_added_to_their_class(base, kit, settle):
    root = base.spawn(kit.Supervisor, {"seen": []})
    child = base.spawn(kit.Machine, parent=root)
    for _ in range(20):
        base.post(child, kit.Refuse(), base.address)
    base.post(child, kit.Fail(error=ValueError("x")), base.address)
    await settle()
    base.restart(child)
    base.post(child, kit.Refuse(), base.address)
    base.stop(child)
    assert behaviour_of(base, kit.Machine).ended.messages_in == 0
    await settle()
    ended, stats = behaviour_of(base, kit.Machine).ended, child.stats()
    assert not child.alive
    assert (ended.messages_in, ended.errors, ended.restarts) == (stats.messages_in, 1, 1)
    assert ended.messages_in >= 23
    assert ended.handler_seconds == stats.handler_seconds > 0


async def test_refusals_of_a_full_mailbox_are_in_the_totals_too(base, kit):
    class Small(kit.Machine):
        mailbox_limit = 1

    small = base.spawn(Small)
    for _ in range(5):
        base.post(small, kit.Echo(), small)
    base.kill(small)
    assert behaviour_of(base, Small).ended.dropped == small.stats().dropped > 0


async def test_the_time_of_a_handler_that_outlives_its_actor_is_in_the_totals(base, kit, settle):
    service = base.spawn(kit.Waiter)
    base.post(service, kit.Echo(value=asyncio.Event()), base.address)
    await settle()
    base.kill(service)
    assert behaviour_of(base, kit.Waiter).ended.handler_seconds == 0
    await settle()
    assert behaviour_of(base, kit.Waiter).ended.handler_seconds > 0


async def test_the_run_queue_counts_actors_not_messages(base, kit, settle):
    cells = [base.spawn(kit.Machine) for _ in range(3)]
    for cell in cells:
        for _ in range(5):
            base.post(cell, kit.Echo(), cell)
    assert base.run_queue_length == 3
    for cell in cells:
        base.kill(cell)
    await settle()
    assert base.run_queue_length == 0


async def test_a_snapshot_takes_the_parents_path_from_who_knows_it(base, kit):
    top = base.spawn(kit.Machine, name="top")
    child = base.spawn(kit.Machine, parent=top)
    assert child.stats(top.path).path == child.stats().path == child.path == "/top/Machine-1"
    assert (child.stats("/elsewhere").path, child.stats().name) == (
        "/elsewhere/Machine-1",
        "Machine-1",
    )
    assert top.stats("").path == top.path == "/top"
