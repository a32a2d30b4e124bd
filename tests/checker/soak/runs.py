"""One run: people on a node of their own, faults while they write, quiet, and the judgement.

The seed decides who writes what, who leaves, and which fault strikes in which order and after which
pause; when a frame arrives is up to the machine.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final

import aiohttp
from soak.database import AWAY, Database
from soak.faults import FAULTS, MIXES, Schedule
from soak.findings import Violation
from soak.judge import judge
from soak.members import PASSWORD, Member
from soak.moderators import Administrator, Moderator
from soak.people import Account, Habits
from soak.presence import absences
from soak.records import (
    Acked,
    Connected,
    Ended,
    Entered,
    History,
    Planned,
    Ruled,
    Seated,
    Sent,
    Struck,
)
from soak.world import World, own_world

POLL_SECONDS: Final = 0.2
EXTRA_SECONDS: Final = 120.0
"""How long faults that have not struck yet may take beyond the time of a run."""
ROOMS: Final = 3
ROOMS_EACH: Final = 2
PEOPLE: Final = 8
MEMBERS: Final = 12
"""More than people: some have two devices."""
ABSENTEE: Final = PEOPLE - 1
LONG_SECONDS: Final = 45.0
PROOFS: Final = (
    *("message.edited", "message.deleted", "reaction.added", "room.updated", "report"),
    *("ban", "unban", "kick", "mute", "account ban", "account unban", "absence"),
)
"""What has to have happened where people do more than write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is. `settle_seconds`: how long after the last fault everything may take to be well."""

    mix: str
    seed: int
    seconds: float
    settle_seconds: float
    habits: Habits = field(default_factory=Habits)

    @property
    def name(self) -> str:
        return f"{self.mix}-{self.seed}"

    @property
    def is_long(self) -> bool:
        """Whether there is time for everything that people do now and then."""
        return self.seconds >= LONG_SECONDS

    def dice(self, what: object) -> Random:
        return Random(f"{self.mix}/{self.seed}/{what}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    plan: Plan
    history: History
    violations: list[Violation]

    def figures(self) -> dict[str, int]:
        """Count what happened."""
        history = self.history
        acked = {(ack.room, ack.message_id) for ack in history.of(Acked)}
        return {
            "sends": len(history.all(Sent)),
            "acks": len(acked),
            "faults": len(history.all(Struck)),
            "reconnects": len(history.all(Connected)) - len(history.all(Seated)),
            "resumed": sum(each.is_recovered for each in history.of(Entered)),
            "measures": len(history.all(Ruled)),
            "absences": sum(map(len, absences(history).values())),
            "violations": len(self.violations),
        }


async def perform(plan: Plan, data: Path) -> Outcome:
    """Carry out a run on a data folder of its own."""
    history, started = History(), monotonic()

    def clock() -> float:
        return monotonic() - started

    mix = MIXES[plan.mix]
    async with (
        own_world(data, mix.nodes, is_wired=mix.is_wired) as world,
        aiohttp.ClientSession() as session,
    ):
        company = Company(plan, world, session, history, clock)
        accounts = await sign_up(session, world.nodes[0].url, PEOPLE + 1)
        administrator = accounts.pop()
        await world.database.make_admin(administrator.user)
        rooms = await make_rooms(session, world.nodes[0].url, accounts[0])
        members = company.members(accounts, rooms)
        living = [asyncio.create_task(member.live()) for member in members]
        try:
            async with company.moderated(accounts, rooms, administrator):
                await strike(plan, world, history, clock)
            for member in members:
                member.be_quiet()
            quiet_at = clock()
            await settle(world.database, members, rooms, plan.settle_seconds)
            history.add(Ended(quiet_at=quiet_at, at=clock()))
        finally:
            await end(living)
        for record in await world.database.logs(rooms):
            history.add(record)
    return Outcome(plan=plan, history=history, violations=judge(history))


@dataclass(frozen=True, slots=True)
class Company:
    """What the people of a run share."""

    plan: Plan
    world: World
    session: aiohttp.ClientSession
    history: History
    clock: Callable[[], float]

    def members(self, accounts: Sequence[Account], rooms: Sequence[str]) -> list[Member]:
        """Seat the members; some people have two."""
        return [
            Member(
                number,
                accounts[number % len(accounts)],
                tuple(self.plan.dice(f"rooms {number}").sample(rooms, ROOMS_EACH)),
                session=self.session,
                address=self.world.address,
                history=self.history,
                clock=self.clock,
                dice=self.plan.dice(f"member {number}"),
                habits=self._habits(number),
            )
            for number in range(MEMBERS)
        ]

    def _habits(self, number: int) -> Habits:
        """One with a single device stays away whenever it was cut off, so that a user is gone each run."""
        habits = self.plan.habits
        return replace(habits, absences=1.0) if number == ABSENTEE and habits.absences else habits

    @asynccontextmanager
    async def moderated(
        self, accounts: Sequence[Account], rooms: Sequence[str], administrator: Account
    ) -> AsyncIterator[None]:
        """Have order kept, where people do more than write; in the end nobody is banned."""
        users = [account.user for account in accounts[1:]]
        owner = Moderator(
            **self._keeper(accounts[0], "moderator"),
            rooms=rooms,
            users=users,
        )
        boss = Administrator(**self._keeper(administrator, "administrator"), users=users)
        keepers = (owner.moderate(), boss.administer()) if self.plan.habits.acts else ()
        tasks = [asyncio.create_task(keeper) for keeper in keepers]
        try:
            yield
            for keeper in (owner, boss):
                keeper.is_over.set()
            if tasks:
                await asyncio.wait(tasks, timeout=EXTRA_SECONDS)
        finally:
            await end(tasks)

    def _keeper(self, account: Account, what: str) -> dict[str, Any]:
        return {
            "session": self.session,
            "address": self.world.address,
            "user": account.user,
            "token": account.token,
            "history": self.history,
            "clock": self.clock,
            "dice": self.plan.dice(what),
        }


async def end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks; one that had failed before fails the run."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


async def strike(plan: Plan, world: World, history: History, clock: Callable[[], float]) -> None:
    """Let one fault after the other happen until the time is up and each of the mix has struck."""
    schedule = Schedule(plan.mix, plan.dice("faults"))
    dice = plan.dice("strikes")
    proofs = PROOFS if plan.is_long and plan.habits.acts else ()
    history.add(Planned(faults=schedule.names, nodes=len(world.nodes), proofs=proofs))
    ends_at = clock() + plan.seconds
    with suppress(TimeoutError):
        async with asyncio.timeout(plan.seconds + EXTRA_SECONDS):
            while clock() < ends_at or schedule.missing:
                await asyncio.sleep(schedule.pause_seconds())
                name, at = schedule.next(), clock()
                what = await FAULTS[name].strike(world, dice)
                if what is not None:
                    schedule.struck(name)
                    history.add(Struck(at=at, over_at=clock(), fault=name, what=what))


async def settle(
    database: Database, members: Sequence[Member], rooms: Sequence[str], seconds: float
) -> None:
    """Wait until everything is acked and everybody has everything; the judge sees it if that fails."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not await is_settled(database, members, rooms):
                await asyncio.sleep(POLL_SECONDS)


async def is_settled(database: Database, members: Sequence[Member], rooms: Sequence[str]) -> bool:
    if any(member.drafts for member in members):
        return False
    try:
        newest = await database.heads(rooms)
    except AWAY:
        return False
    return all(
        member.position(room) == newest[room] for member in members for room in member.rooms()
    )


async def sign_up(session: aiohttp.ClientSession, url: str, count: int) -> list[Account]:
    """Make the people of a run."""
    accounts = []
    for number in range(count):
        name = f"person{number}"
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        async with session.post(f"{url}/api/v1/auth/register", json=body) as answer:
            answer.raise_for_status()
            told = await answer.json()
        accounts.append(Account(told["user"]["id"], name, told["access_token"]))
    return accounts


async def make_rooms(session: aiohttp.ClientSession, url: str, owner: Account) -> list[str]:
    headers = {"Authorization": f"Bearer {owner.token}"}
    rooms = []
    for number in range(ROOMS):
        body = {"name": f"Room {number}"}
        async with session.post(f"{url}/api/v1/rooms", json=body, headers=headers) as answer:
            answer.raise_for_status()
            rooms.append(str((await answer.json())["id"]))
    return rooms
