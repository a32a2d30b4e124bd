"""Sign-ins take turns in the order they came, a few at once; the line is bounded, and nobody keeps it up."""

import asyncio

import pytest

from veza.gateway.admission import Admission, LineFullError, Turnstile


class Visitors:
    """Tasks that have a turn until the test lets them go."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.inside: list[int] = []
        self.doors: dict[int, asyncio.Event] = {}

    async def visit(self, number: int) -> None:
        self.doors[number] = asyncio.Event()
        async with self.admission:
            self.inside.append(number)
            await self.doors[number].wait()
            self.inside.remove(number)

    async def come(self, *numbers: int) -> list["asyncio.Task[None]"]:
        tasks = [asyncio.create_task(self.visit(number)) for number in numbers]
        await settled()
        return tasks


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_so_many_at_once_and_the_others_in_the_order_they_came() -> None:
    visitors = Visitors(Admission(at_once=2, max_waiting=10))
    await visitors.come(1, 2, 3, 4, 5)
    assert visitors.inside == [1, 2]

    visitors.doors[2].set()
    await settled()
    assert visitors.inside == [1, 3]

    visitors.doors[1].set()
    visitors.doors[3].set()
    await settled()
    assert visitors.inside == [4, 5]


async def test_who_finds_the_line_full_is_sent_away_with_a_time_to_come_back() -> None:
    admission = Admission(at_once=1, max_waiting=2)
    visitors = Visitors(admission)
    await visitors.come(1, 2, 3)

    with pytest.raises(LineFullError) as full:
        admission.check()
    with pytest.raises(LineFullError):
        await visitors.visit(4)

    assert 1.0 <= full.value.retry_after_seconds <= 5.0
    visitors.doors[1].set()
    await settled()
    admission.check()
    assert visitors.inside == [2]


async def test_who_leaves_the_line_does_not_keep_it_up() -> None:
    visitors = Visitors(Admission(at_once=1, max_waiting=10))
    tasks = await visitors.come(1, 2, 3)

    tasks[1].cancel()
    visitors.doors[1].set()
    await settled()

    assert visitors.inside == [3]


async def test_who_leaves_just_as_it_is_called_hands_the_turn_on() -> None:
    visitors = Visitors(Admission(at_once=1, max_waiting=10))
    tasks = await visitors.come(1, 2, 3)

    visitors.doors[1].set()
    tasks[1].cancel()
    await settled()

    assert visitors.inside == [3]


async def test_a_sign_in_that_fails_gives_its_turn_back() -> None:
    admission = Admission(at_once=1, max_waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with admission:
                raise ZeroDivisionError


class Crowd:
    """Many who come to a turnstile at once; `counts` says how many had passed after each turn."""

    def __init__(self, turnstile: Turnstile) -> None:
        self.turnstile = turnstile
        self.passed: list[int] = []

    async def passes(self, number: int) -> None:
        await self.turnstile.passing()
        self.passed.append(number)

    async def counts(self, turns: int) -> list[int]:
        seen = []
        for _ in range(turns):
            await asyncio.sleep(0)
            seen.append(len(self.passed))
        return seen


async def test_so_many_pass_in_a_turn_of_the_loop_in_the_order_they_came() -> None:
    crowd = Crowd(Turnstile(a_turn=3))
    tasks = [asyncio.create_task(crowd.passes(number)) for number in range(12)]

    counts = await crowd.counts(10)
    await asyncio.gather(*tasks)

    before = [0, *counts]
    assert max(after - earlier for earlier, after in zip(before, counts, strict=False)) == 3
    assert counts[-1] == 12
    assert crowd.passed == sorted(crowd.passed)


async def test_who_comes_alone_does_not_wait() -> None:
    crowd = Crowd(Turnstile(a_turn=1))

    for number in range(3):
        task = asyncio.create_task(crowd.passes(number))
        await asyncio.sleep(0)
        assert task.done()
        await settled()


async def test_who_leaves_the_turnstile_takes_nobodys_place() -> None:
    crowd = Crowd(Turnstile(a_turn=1))
    tasks = [asyncio.create_task(crowd.passes(number)) for number in range(4)]
    await asyncio.sleep(0)

    tasks[1].cancel()
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert crowd.passed == [0, 3]
