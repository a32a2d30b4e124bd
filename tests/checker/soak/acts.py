"""What people do beside writing: edit, delete, react, read; and a moderator who bans and lets in again.

A server that does not know a type of frame says `unknown_type`, or 404 to the moderator: that act is then
left out for the rest of the run, and noted.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

import aiohttp
from soak.records import Acted, History, MarkedRead, Unknown
from soak.views import Frame

READ: Final = "receipt.read"
OWN: Final = ("message.edit", "message.delete")
ANY: Final = ("message.react", "message.unreact")
WEIGHTS: Final = {
    "message.edit": 4,
    "message.delete": 1,
    "message.react": 3,
    "message.unreact": 1,
    READ: 4,
}
KEPT: Final = 50
BAN_SECONDS: Final = (0.2, 2.0)
PAUSE_SECONDS: Final = (1.0, 4.0)
ASK_SECONDS: Final = 10.0
REASON: Final = "a soak test"


@dataclass(slots=True)
class Acts:
    """What one member may still do something to. `rate` acts a second; 0 is none."""

    rate: float
    dice: Random
    next_at: float = 0.0
    unknown: set[str] = field(default_factory=set)
    mine: list[tuple[str, str]] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)

    def note(self, kept: list[tuple[str, str]], room: str, message_id: str) -> None:
        """Remember a message, and forget the oldest one."""
        kept.append((room, message_id))
        del kept[:-KEPT]

    def choose(self, now: float, positions: dict[str, int]) -> tuple[str, Frame] | None:
        """Return the next act, if it is time for one: the type of its frame, and what it says."""
        kinds = [kind for kind in WEIGHTS if kind not in self.unknown]
        if not self.rate or not kinds or now < self.next_at:
            return None
        self.next_at = now + self.dice.expovariate(self.rate)
        kind = self.dice.choices(kinds, [WEIGHTS[each] for each in kinds])[0]
        if kind == READ:
            return self._read(positions)
        about = [each for each in (self.mine if kind in OWN else self.seen) if each[0] in positions]
        if not about:
            return None
        room, message_id = self.dice.choice(about)
        d: Frame = {"room": room, "message_id": message_id}
        if kind == "message.edit":
            d["text"] = f"{message_id} edited {self.dice.randrange(1000)}"
        elif kind in ANY:
            d["emoji"] = self.dice.choice("👍🎧🔥")
        return kind, d

    def _read(self, positions: dict[str, int]) -> tuple[str, Frame] | None:
        if not positions:
            return None
        room = self.dice.choice(sorted(positions))
        return READ, {"room": room, "seq": positions[room]}

    def answered(
        self,
        kind: str,
        about: tuple[str, int],
        frame: Frame,
        history: History,
        at: float,
        client: int,
    ) -> None:
        """Write down what became of an act; one that was refused for a reason is over."""
        room, read_seq = about
        if frame["t"] == "error":
            if frame["d"]["code"] == "unknown_type" and kind not in self.unknown:
                self.unknown.add(kind)
                history.add(Unknown(at=at, client=client, kind=kind))
        elif kind == READ:
            history.add(MarkedRead(at=at, client=client, room=room, seq=read_seq))
        else:
            seq = frame["d"].get("seq") or 0
            history.add(Acted(at=at, client=client, room=room, kind=kind, seq=seq))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderator:
    """The rooms' owner, who bans one user after the other for a moment."""

    session: aiohttp.ClientSession
    address: Callable[[Random], str]
    token: str
    rooms: Sequence[str]
    users: Sequence[str]
    history: History
    clock: Callable[[], float]
    dice: Random

    async def moderate(self) -> None:
        """Go on until cancelled, or until the server turns out not to know bans."""
        while True:
            await asyncio.sleep(self.dice.uniform(*PAUSE_SECONDS))
            room, user = self.dice.choice(self.rooms), self.dice.choice(self.users)
            if not await self._insist("PUT", room, user):
                self.history.add(Unknown(at=self.clock(), client=0, kind="ban"))
                return
            try:
                await asyncio.sleep(self.dice.uniform(*BAN_SECONDS))
            finally:
                await self._insist("DELETE", room, user)

    async def _insist(self, method: str, room: str, user: str) -> bool:
        """Ask until it is done; False if there is no such address."""
        while True:
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                status = await self._ask(method, room, user)
                if status < 300 or status in {404, 405, 409}:
                    return status not in {404, 405}
            await asyncio.sleep(BAN_SECONDS[0])

    async def _ask(self, method: str, room: str, user: str) -> int:
        url = f"{self.address(self.dice)}/api/v1/rooms/{room}/bans/{user}"
        headers = {"Authorization": f"Bearer {self.token}"}
        body = {"reason": REASON} if method == "PUT" else None
        async with (
            asyncio.timeout(ASK_SECONDS),
            self.session.request(method, url, json=body, headers=headers) as answer,
        ):
            return answer.status
