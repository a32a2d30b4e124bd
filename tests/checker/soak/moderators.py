"""Those who keep order while everything fails: the rooms' owner, and an administrator.

They ask until it is done, and end in the middle of nothing: what is under way might be done after its
undoing.
What they were told is done is written down with the time of the wall's clock, which the database has too.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from time import time
from typing import Any, Final

import aiohttp
from soak.records import Acked, History, Ruled

PAUSE_SECONDS: Final = (0.5, 2.0)
BANNED_SECONDS: Final = (0.2, 2.0)
MUTED_SECONDS: Final = 2
ACCOUNT_PAUSE_SECONDS: Final = (5.0, 9.0)
ASK_SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 0.2
NEWEST: Final = 20
MOST_REPORTS: Final = 9
"""An account may file ten an hour."""
REASON: Final = "a soak test"
OVER: Final = frozenset({403, 404, 409, 422})
"""Refusals that asking again does not change: who is to be muted has left, the message is deleted."""

Done = tuple[int, Any]


@dataclass(slots=True, kw_only=True)
class Keeper:
    """One who may do more than others. `token` is theirs, `user` who they are."""

    session: aiohttp.ClientSession
    address: Callable[[Random], str]
    user: str
    token: str
    history: History
    clock: Callable[[], float]
    dice: Random
    is_over: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    asked: int = field(default=0, init=False)
    node: str = field(default="", init=False)

    async def pause(self, seconds: tuple[float, float]) -> bool:
        """Wait for a while; False if that was the end of the run."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.dice.uniform(*seconds)):
                await self.is_over.wait()
        return not self.is_over.is_set()

    async def rule(self, method: str, path: str, ruling: tuple[str, str, str], **body: Any) -> bool:
        """Take a measure (room, user, name) and write it down; whether it was taken."""
        room, user, measure = ruling
        asked_at, asked_time = self.clock(), time()
        status, _ = await self.insist(method, path, {"reason": REASON, **body})
        if status in OVER:
            return False
        ruled = Ruled(
            asked_at=asked_at,
            at=self.clock(),
            asked_time=asked_time,
            time=time(),
            room=room,
            user=user,
            measure=measure,
            by=self.user,
            node=self.node if self.asked == 1 else "",
        )
        self.history.add(ruled)
        return True

    async def insist(self, method: str, path: str, body: Any = None) -> Done:
        """Ask until it is done, or refused for good."""
        self.asked = 0
        while True:
            self.asked += 1
            self.node = self.address(self.dice)
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                status, told = await self._ask(method, path, body)
                if status < 300 or status in OVER:
                    return status, told
            await asyncio.sleep(AGAIN_SECONDS)

    async def _ask(self, method: str, path: str, body: Any) -> Done:
        headers = {"Authorization": f"Bearer {self.token}", "If-Match": "*"}
        url = f"{self.node}/api/v1{path}"
        query = {}
        if method == "DELETE":
            body, query = None, body or {}
        async with (
            asyncio.timeout(ASK_SECONDS),
            self.session.request(method, url, json=body, params=query, headers=headers) as answer,
        ):
            is_json = "json" in answer.headers.get("Content-Type", "")
            return answer.status, await answer.json() if is_json else None


@dataclass(slots=True, kw_only=True)
class Moderator(Keeper):
    """The rooms' owner: bans for a moment, kicks, mutes, deletes, changes the topic, looks at reports."""

    rooms: Sequence[str]
    users: Sequence[str]
    reports_left: int = MOST_REPORTS

    async def moderate(self) -> None:
        """Go on until it is over; in the end nobody is banned."""
        measures = [self.ban, self.kick, self.mute, self.delete, self.change, self.report]
        while True:
            # Each in its turn: in a run that faults slow down none is left out.
            self.dice.shuffle(measures)
            for measure in measures:
                if not await self.pause(PAUSE_SECONDS):
                    return
                await measure(self.dice.choice(self.rooms))

    async def ban(self, room: str) -> None:
        user = self.dice.choice(self.users)
        path = f"/rooms/{room}/bans/{user}"
        await self.rule("PUT", path, (room, user, "ban"))
        await self.pause(BANNED_SECONDS)
        await self.rule("DELETE", path, (room, user, "unban"))

    async def kick(self, room: str) -> None:
        user = self.dice.choice(self.users)
        await self.rule("DELETE", f"/rooms/{room}/members/{user}", (room, user, "kick"))

    async def mute(self, room: str) -> None:
        """Mute the first who is a member just now: others cannot be muted."""
        for user in self.dice.sample(self.users, len(self.users)):
            until = datetime.now(UTC) + timedelta(seconds=MUTED_SECONDS)
            path = f"/rooms/{room}/mutes/{user}"
            if await self.rule("PUT", path, (room, user, "mute"), until=until.isoformat()):
                return

    async def change(self, room: str) -> None:
        await self.insist("PATCH", f"/rooms/{room}", {"topic": f"{self.dice.random()}"})

    async def delete(self, room: str) -> None:
        message_id = self._newest(room)
        if message_id is not None:
            await self.insist("DELETE", f"/messages/{message_id}", {})

    async def report(self, room: str) -> None:
        """Report a message, and say what becomes of that."""
        message_id = self._newest(room)
        if message_id is None or not self.reports_left:
            return
        self.reports_left -= 1
        body = {"message_id": message_id, "room": room, "reason": "spam"}
        status, told = await self.insist("POST", "/reports", body)
        if status < 300:
            await self.insist(
                "PATCH", f"/reports/{told['id']}", {"state": "resolved", "note": REASON}
            )

    def _newest(self, room: str) -> str | None:
        newest = [
            each.message_id
            for each in self.history.records[-500:]
            if isinstance(each, Acked) and each.room == room
        ]
        return self.dice.choice(newest[-NEWEST:]) if newest else None


@dataclass(slots=True, kw_only=True)
class Administrator(Keeper):
    """Bans accounts of the whole server, one at a time, for a moment."""

    users: Sequence[str]

    async def administer(self) -> None:
        """Go on until it is over; in the end nobody is banned."""
        while await self.pause(ACCOUNT_PAUSE_SECONDS):
            user = self.dice.choice(self.users)
            await self.rule("PUT", f"/users/{user}/ban", ("", user, "ban"))
            await self.pause(BANNED_SECONDS)
            await self.rule("DELETE", f"/users/{user}/ban", ("", user, "unban"))
