"""A member: one client on a real WebSocket that writes, is cut off, comes back, and believes its server.

It does what a good client does and no more: it chooses its messages' ids and sends each until it is
acked, it enters its rooms from where it stood, reads a room anew when it is told to, and displays what
it is sent in the order it is sent. It repairs nothing: a hole or a double stays for the judge.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random
from socket import SHUT_RDWR
from typing import Final
from uuid import UUID

import aiohttp
import orjson
from aiohttp import WSMsgType
from soak import told
from soak.acts import WEIGHTS, Acts
from soak.people import Account, Draft, Habits
from soak.records import (
    Acked,
    Connected,
    Departed,
    Disconnected,
    Emptied,
    Entered,
    Failed,
    History,
    Refused,
    Seated,
    Sent,
    Tried,
)
from soak.views import Frame, Place, RoomView

from veza.actors.rate_limit import Rate, TokenBucket

FRAMES: Final = Rate(per_second=18.0, burst=80)
"""A node takes 20 frames a second of a connection, 100 at once; we stay below."""
PATIENCE_SECONDS: Final = 4.0
"""How long a member waits for an answer before it sends again, with the same id."""
AGAIN_SECONDS: Final = 0.3
BACK_SECONDS: Final = (0.05, 1.0)
OPEN_SECONDS: Final = 10.0
TICK_SECONDS: Final = 0.02
PAGE: Final = 200
BURST: Final = 6
ACTS: Final = frozenset(WEIGHTS)
ABSENT_SECONDS: Final = (20.0, 24.0)
"""How long somebody is away who is away for long: every node has noticed by then."""
PASSWORD: Final = "correct horse battery"
SIGNED_OUT: Final = frozenset({"account_banned", "invalid_token"})
EXPELLING: Final = frozenset({"kick", "ban"})
OUTSIDE: Final = frozenset({"not_a_member", "banned"})
"""Refusals that tell a member it is not in the room it took itself to be in."""


class Member:
    """One client of the run.

    Args:
        address: returns where to connect now: nodes come and go.
        dice: decides everything this member does of its own accord.

    """

    def __init__(
        self,
        number: int,
        account: Account,
        rooms: tuple[str, ...],
        *,
        session: aiohttp.ClientSession,
        address: Callable[[Random], str],
        history: History,
        clock: Callable[[], float],
        dice: Random,
        habits: Habits,
    ) -> None:
        self.number = number
        self.account = account
        self.history = history
        self.is_writing = True
        self.drafts: dict[str, Draft] = {}
        self._rooms_of: dict[str, str] = {}
        self._session = session
        self._address = address
        self._clock = clock
        self._dice = dice
        self._habits = habits
        self._views = {room: RoomView(room, self._display) for room in rooms}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._acts = Acts(habits.acts, dice)
        self._bucket = TokenBucket(FRAMES, 0.0)
        self._frames = 0
        self._asked: dict[str, tuple[str, str]] = {}
        self._next_send = 0.0
        self._is_quiet = asyncio.Event()
        history.add(Seated(client=number, user=account.user, rooms=rooms))

    def position(self, room: str) -> int | None:
        """Return the newest seq of a room that this member displays, while it is in it."""
        view = self._views[room]
        return view.position if view.place is Place.INSIDE else None

    def rooms(self) -> tuple[str, ...]:
        return tuple(self._views)

    async def live(self) -> None:
        """Connect, and come back whenever the connection ends, until cancelled."""
        while True:
            self.history.add(Tried(at=self._clock(), client=self.number))
            is_in = False
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                is_in = await self._connected()
            if not is_in:
                self.history.add(Failed(at=self._clock(), client=self.number))
            is_absent = is_in and self._dice.random() < self._habits.absences
            away_seconds = self._dice.uniform(*(ABSENT_SECONDS if is_absent else BACK_SECONDS))
            with suppress(TimeoutError):
                async with asyncio.timeout(away_seconds):
                    await self._is_quiet.wait()
            if self._is_quiet.is_set():
                await asyncio.sleep(self._dice.uniform(*BACK_SECONDS))

    def be_quiet(self) -> None:
        """Write nothing new from now on, and come back at once if away."""
        self.is_writing = False
        self._is_quiet.set()

    # --- one connection ---

    async def _connected(self) -> bool:
        """Be connected until that ends; False if it did not come so far."""
        node = self._address(self._dice)
        address = f"{node.replace('http', 'ws', 1)}/api/v1/ws?v=1"
        async with asyncio.timeout(OPEN_SECONDS):
            socket = await self._session.ws_connect(address, max_msg_size=0)
        try:
            self._socket, self._bucket = socket, TokenBucket(FRAMES, self._clock())
            self._asked = {}
            async with asyncio.timeout(OPEN_SECONDS):
                refusal = await self._sign_in(socket)
                if refusal in SIGNED_OUT:
                    await self._sign_in_anew(node)
                if refusal is not None:
                    return False
            self.history.add(Connected(at=self._clock(), client=self.number, node=node))
            self._come_in()
            writing = asyncio.create_task(self._write(socket))
            try:
                await self._read(socket)
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
                code = socket.close_code
                self.history.add(Disconnected(at=self._clock(), client=self.number, code=code))
            return True
        finally:
            cut(socket)
            await socket.close()

    async def _sign_in_anew(self, node: str) -> None:
        """Get another token: a ban of the account has ended its sessions, and may be over by now."""
        body = {"login": self.account.name, "password": PASSWORD}
        url = f"{node}/api/v1/auth/login"
        async with self._session.post(url, json=body) as answer:
            if answer.ok:
                self.account.token = (await answer.json())["access_token"]

    async def _sign_in(self, socket: aiohttp.ClientWebSocketResponse) -> str | None:
        """Say who we are; return why that was refused, if it was."""
        await self._frame(socket, "auth", {"token": self.account.token}, "auth")
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            frame = orjson.loads(message.data)
            if frame["t"] == "ready":
                for counted in told.counted_of(self.number, self._clock(), frame["d"]["rooms"]):
                    self.history.add(counted)
                return None
            if frame["t"] == "error":
                return str(frame["d"]["code"])
        return ""

    def _come_in(self) -> None:
        for view in self._views.values():
            view.lose()
            if self._dice.random() < self._habits.forgetting:
                view.position = None  # as a device that starts anew
        for draft in self.drafts.values():
            draft.due_at = 0.0

    # --- what comes ---

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                for line in message.data.split("\n"):
                    self._take(orjson.loads(line))

    def _take(self, frame: Frame) -> None:
        frame_id = frame.get("id")
        if frame_id is not None:
            kind, about = self._asked.pop(frame_id, ("", ""))
            self._answered(kind, about, frame)
        elif frame.get("seq") is not None and frame.get("room") in self._views:
            self._views[frame["room"]].take(frame)
            self._mind_expulsion(frame)
        elif frame["t"] == "presence" and frame.get("room") in self._views:
            self.history.add(told.presence_of(self.number, self._clock(), frame))
        elif frame["t"] == "receipt.read":
            for pointer in told.pointers_of(self.number, self._clock(), frame):
                self.history.add(pointer)

    def _answered(self, kind: str, about: str, frame: Frame) -> None:
        is_ack, d = frame["t"] == "ack", frame["d"]
        match kind:
            case "message.send" if is_ack:
                self._acked(d)
            case "message.send":
                self._refused(about, d)
            case "room.join" if is_ack:
                self._entered(self._views[about], d)
            case "room.history" if is_ack:
                view = self._views[about]
                if view.place is Place.READING and view.asked == frame["id"]:
                    view.due_at = 0.0
                    view.take_history(d["events"])
            case "room.leave" if is_ack:
                self._views[about].lose()
            case "room.join" | "room.history" | "room.leave":
                self._again(self._views[about])
            case _ if kind in ACTS:
                room, _, seq = about.partition(" ")
                of = (room, int(seq))
                self._acts.answered(kind, of, frame, self.history, self._clock(), self.number)

    def _acked(self, d: Frame) -> None:
        draft = self.drafts.pop(d["message_id"], None)
        room = draft.room if draft else self._rooms_of[d["message_id"]]
        acked = Acked(
            at=self._clock(),
            client=self.number,
            room=room,
            message_id=d["message_id"],
            seq=d["seq"],
            committed_at=d["at"],
        )
        self.history.add(acked)
        if draft is not None:
            self._acts.note(self._acts.mine, room, d["message_id"])

    def _refused(self, message_id: str, d: Frame) -> None:
        draft = self.drafts.get(message_id)
        if draft is None:
            return
        refused = Refused(
            at=self._clock(),
            client=self.number,
            room=draft.room,
            message_id=message_id,
            code=d["code"],
        )
        self.history.add(refused)
        wait = max(AGAIN_SECONDS, (d.get("retry_after_ms") or 0) / 1000)
        draft.due_at = self._clock() + wait
        view = self._views[draft.room]
        if d["code"] in OUTSIDE and view.place is Place.INSIDE:
            view.lose()

    def _entered(self, view: RoomView, d: Frame) -> None:
        entered = Entered(
            at=self._clock(),
            client=self.number,
            room=view.room,
            since=view.position,
            seq=d["seq"],
            is_recovered=d["recovered"],
        )
        self.history.add(entered)
        view.due_at, view.entered_seq = 0.0, d["seq"]
        if d["recovered"]:
            view.resume()
        else:
            self.history.add(Emptied(at=self._clock(), client=self.number, room=view.room))
            view.start_over(d["epoch"], d["seq"])

    def _again(self, view: RoomView) -> None:
        """Do once more what was refused, a little later."""
        view.due_at = self._clock() + AGAIN_SECONDS
        if view.place in {Place.ENTERING, Place.LEAVING}:
            view.place = Place.OUT

    def _display(self, event: Frame) -> None:
        shown = told.shown_of(self.number, self._clock(), event)
        self.history.add(shown)
        if shown.kind == "message.posted":
            self._acts.note(self._acts.seen, shown.room, str(shown.message_id))

    def _mind_expulsion(self, event: Frame) -> None:
        """Whoever is put out just now has heard the last of the room: come in again, if one may."""
        d, view = event["d"], self._views[event["room"]]
        is_out = d.get("measure") in EXPELLING and d["user"]["id"] == self.account.user
        if is_out and view.place is Place.INSIDE and event["seq"] > view.entered_seq:
            view.lose()
            view.due_at = self._clock() + AGAIN_SECONDS

    # --- what is said ---

    async def _write(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while not socket.closed:
            now = self._clock()
            for view in self._views.values():
                await self._tend(socket, view, now)
            if self.is_writing:
                self._write_new(now)
                await self._act(socket, now)
            for message_id, draft in list(self.drafts.items()):
                is_inside = self._views[draft.room].place in {Place.INSIDE, Place.READING}
                if is_inside and draft.due_at <= now:
                    await self._post(socket, message_id, draft)
            if self.is_writing and self._dice.random() < self._habits.drops * TICK_SECONDS:
                cut(socket)
            await asyncio.sleep(TICK_SECONDS)

    async def _tend(
        self, socket: aiohttp.ClientWebSocketResponse, view: RoomView, now: float
    ) -> None:
        """Do what is next on the way into a room, or now and then leave it."""
        if view.due_at > now:
            return
        d: Frame = {"room": view.room}
        match view.place:
            case Place.OUT | Place.ENTERING:
                view.place, kind = Place.ENTERING, "room.join"
                d["since"] = view.since()
            case Place.READING:
                kind = "room.history"
                d |= {"before_seq": view.before_seq, "limit": PAGE}
            case Place.INSIDE if self.is_writing and self._wants_out():
                view.place, kind = Place.LEAVING, "room.leave"
                self.history.add(Departed(at=now, client=self.number, room=view.room))
            case Place.LEAVING:
                view.place = Place.OUT
                return
            case _:
                return
        view.due_at = now + PATIENCE_SECONDS
        view.asked = await self._ask(socket, kind, d, view.room)

    def _wants_out(self) -> bool:
        return self._dice.random() < self._habits.leavings * TICK_SECONDS / len(self._views)

    def _write_new(self, now: float) -> None:
        if now < self._next_send or len(self.drafts) >= self._habits.in_flight:
            return
        self._next_send = now + self._dice.expovariate(self._habits.sends)
        for _ in range(BURST if self._dice.random() < self._habits.bursts else 1):
            message_id = str(UUID(int=self._dice.getrandbits(128), version=4))
            room = self._dice.choice(self.rooms())
            self.drafts[message_id] = Draft(room, f"{self.number} says {message_id}")
            self._rooms_of[message_id] = room

    async def _act(self, socket: aiohttp.ClientWebSocketResponse, now: float) -> None:
        positions = {room: seq for room in self._views if (seq := self.position(room))}
        act = self._acts.choose(now, positions)
        if act is not None:
            kind, d = act
            await self._ask(socket, kind, d, f"{d['room']} {d.get('seq', 0)}")

    async def _post(
        self, socket: aiohttp.ClientWebSocketResponse, message_id: str, draft: Draft
    ) -> None:
        d = {"room": draft.room, "message_id": message_id, "text": draft.text}
        times = 2 if self._dice.random() < self._habits.doubled else 1
        for _ in range(times):
            draft.due_at = self._clock() + PATIENCE_SECONDS
            sent = Sent(
                at=self._clock(),
                client=self.number,
                room=draft.room,
                message_id=message_id,
                text=draft.text,
            )
            self.history.add(sent)
            await self._ask(socket, "message.send", d, message_id)

    async def _ask(
        self, socket: aiohttp.ClientWebSocketResponse, kind: str, d: Frame, about: str
    ) -> str:
        """Send a command once the limit of frames allows it; the reader takes the answer."""
        while (wait := self._bucket.take(self._clock())) > 0:
            await asyncio.sleep(wait)
        self._frames += 1
        frame_id = str(self._frames)
        self._asked[frame_id] = (kind, about)
        await self._frame(socket, kind, d, frame_id)
        return frame_id

    async def _frame(
        self, socket: aiohttp.ClientWebSocketResponse, kind: str, d: Frame, frame_id: str
    ) -> None:
        frame = {"t": kind, "id": frame_id, "d": d}
        await socket.send_str(orjson.dumps(frame).decode())


def cut(socket: aiohttp.ClientWebSocketResponse) -> None:
    """End a connection as a dead network does: without a close frame."""
    connection = socket.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(SHUT_RDWR)
