"""Every open WebSocket of the node: who holds it, whether it still lives, and how all of them end.

One task beats for all connections: no timer and no task for each.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import count, islice
from math import ceil
from random import SystemRandom
from typing import Final, Protocol
from uuid import UUID

from veza.actors.messages.accounts import Author
from veza.actors.rate_limit import Rate, TokenBucket
from veza.actors.shared_places import LocalPlaces, SharedPlaces
from veza.gateway.admission import Admission, Turnstile
from veza.gateway.errors import CloseCode
from veza.gateway.rates import client_of

OWN_ADDRESSES: Final = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
UNBOUNDED: Final = Rate(per_second=1e9, burst=10**9)
SHUT_OUT_SECONDS: Final = 60.0
"""Longer than any answer is waited for."""
_SLOTS: Final = 16
_RETRY_AFTER_MS: Final = (500, 5_000)
_DRAIN_STEP_SECONDS: Final = 0.1
_LAST_WORDS_SECONDS: Final = 2.0
"""How long those who were sent away may take to go."""
SWEEP_SECONDS: Final = 0.25
"""How often all connections are looked at for one that is stuck."""
_dice = SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSeen:
    """One connection as operators see it. `opened_at` is in seconds since 1970."""

    connection_id: int
    user: Author | None
    session: str | None
    address: str
    opened_at: float
    idle_ms: int
    queue_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """How long a connection may live on what it was signed in with, and how it is closed after that.

    `until` is in seconds since 1970: what it stands for does not live longer because the machine slept.
    """

    until: float
    code: CloseCode
    reason: str


class Peer(Protocol):
    """What the registry needs of a connection.

    `number` is the registry's, `opened_at` and `heard_at` are the event loop's time. `session_id` is
    the sign-in's session, `session` the id of the session actor. `lease` is None until it signed in.
    """

    number: int
    opened_at: float
    heard_at: float

    @property
    def user(self) -> Author | None:
        """Whose connection it is."""

    @property
    def session_id(self) -> UUID | None:
        """Which sign-in's."""

    @property
    def lease(self) -> Lease | None:
        """How long it may live."""

    @property
    def session(self) -> str | None:
        """Which session actor serves it."""

    @property
    def address(self) -> str | None:
        """Where it comes from."""

    def queue_bytes(self) -> int:
        """How much waits to be sent."""

    def ping(self) -> None:
        """Send a ping."""

    def take_permissions(self, granted: frozenset[str]) -> None:
        """Go on with what its user may do by now."""

    def cut_off_if_stuck(self, now: float) -> None:
        """Close if it takes nothing any more."""

    def announce_drain(self, retry_after_ms: int) -> None:
        """Send `server.draining`."""

    def close(self, code: CloseCode, reason: str) -> None:
        """Close after everything queued; harmless the second time."""


@dataclass(slots=True)
class AddressUse:
    """What the connections of one address use together."""

    client: str
    bucket: TokenBucket
    connections: int = 0


class Connections:
    """The node's connections.

    Args:
        per_user: how many one user may hold.
        heartbeat_seconds: how often each is pinged; two intervals of silence end it.
        per_address: how many may come from one address (of IPv6 the /64); 0 is any number.
        address_rate: how much all connections of an address may say together.
        places: where other nodes' connections count, too.

    """

    def __init__(
        self,
        per_user: int,
        heartbeat_seconds: float,
        *,
        per_address: int = 0,
        address_rate: Rate = UNBOUNDED,
        places: SharedPlaces | None = None,
    ) -> None:
        self._places = places or LocalPlaces()
        self._per_user = per_user
        self._per_address = per_address
        self._address_rate = address_rate
        self._by_address: dict[str, AddressUse] = {}
        self._heartbeat_seconds = heartbeat_seconds
        self._peers: dict[int, Peer] = {}
        self._numbers = count(1)
        self._slots: tuple[set[Peer], ...] = tuple(set() for _ in range(_SLOTS))
        self._by_user: dict[UUID, set[Peer]] = {}
        self._shut_out: dict[UUID, float] = {}
        self._is_empty = asyncio.Event()
        self.admission = Admission()
        self.turnstile = Turnstile()
        self.is_draining = False

    def __len__(self) -> int:
        return len(self._peers)

    def add(self, peer: Peer) -> None:
        """Watch over a new connection."""
        peer.number = next(self._numbers)
        self._peers[peer.number] = peer
        self._slots[peer.number % _SLOTS].add(peer)

    async def take_place(self, address: str | None, now: float) -> AddressUse | None:
        """Count a connection as its address's, until `give_up_place`; None if that would be one too many.

        This machine's own are not counted: through a proxy on it, everybody comes from there.
        """
        if self._per_address == 0 or address in OWN_ADDRESSES:
            return AddressUse("", TokenBucket(UNBOUNDED, now))
        client = client_of(address)
        use = self._by_address.get(client)
        if use is None:
            bucket = TokenBucket(self._address_rate, now)
            use = self._by_address[client] = AddressUse(client, bucket)
        if use.connections >= self._per_address:
            return None
        use.connections += 1
        is_taken = False
        try:
            is_taken = await self._places.take(f"address:{client}", self._per_address)
        finally:
            if not is_taken:
                self._leave_address(use)
        return use if is_taken else None

    def give_up_place(self, use: AddressUse) -> None:
        """Count it no more."""
        if use.client:
            self._leave_address(use)
            self._places.give_up(f"address:{use.client}")

    def _leave_address(self, use: AddressUse) -> None:
        use.connections -= 1
        if use.connections <= 0:
            self._by_address.pop(use.client, None)

    def shut_out(self, user_id: UUID, now: float) -> None:
        """Close an account's connections and take no more of them for a while. `now`: the loop's time.

        Its sessions are over once the ban is committed; what was found out about them before that may
        still be on its way, as long as anybody waits for an answer.
        """
        self._shut_out = {who: at for who, at in self._shut_out.items() if at > now}
        self._shut_out[user_id] = now + SHUT_OUT_SECONDS
        for peer in tuple(self._by_user.get(user_id, ())):
            peer.close(CloseCode.BANNED, "banned")

    def let_in(self, user_id: UUID) -> None:
        """Take an account's connections again."""
        self._shut_out.pop(user_id, None)

    def is_shut_out(self, user_id: UUID, now: float) -> bool:
        """Tell whether an account was shut out a moment ago."""
        return self._shut_out.get(user_id, now) > now

    def session_ids(self) -> tuple[UUID, ...]:
        """Return the sessions that connections here belong to."""
        return tuple({p.session_id for p in self._peers.values() if p.session_id is not None})

    async def admit(self, peer: Peer, user_id: UUID) -> bool:
        """Count a connection as the user's; False if that would be one too many, or if it is gone."""
        held = self._by_user.setdefault(user_id, set())
        if len(held) >= self._per_user:
            return False
        held.add(peer)
        is_taken = False
        try:
            is_taken = await self._places.take(f"user:{user_id}", self._per_user)
        finally:
            if not is_taken:
                self._leave_user(peer, user_id)
        if is_taken and self._peers.get(peer.number) is not peer:
            self._leave_user(peer, user_id)
            self._places.give_up(f"user:{user_id}")
            return False
        return is_taken

    def _leave_user(self, peer: Peer, user_id: UUID) -> bool:
        """Count a connection as the user's no more; return whether it was one."""
        held = self._by_user.get(user_id, set())
        was_held = peer in held
        held.discard(peer)
        if not held:
            self._by_user.pop(user_id, None)
        return was_held

    def remove(self, peer: Peer) -> None:
        """Forget a connection that is gone."""
        self._peers.pop(peer.number, None)
        if not self._peers:
            self._is_empty.set()
        self._slots[peer.number % _SLOTS].discard(peer)
        if peer.user is not None and self._leave_user(peer, peer.user.id):
            self._places.give_up(f"user:{peer.user.id}")

    def listed(self, now: float, *, limit: int, before: int | None) -> list[ConnectionSeen]:
        """Describe connections, newest first: those opened before one. `now` is the loop's time."""
        unix_offset = time.time() - now
        return [seen(peer, now, unix_offset) for peer in islice(self._older(before), limit)]

    def _older(self, before: int | None) -> Iterator[Peer]:
        # In order of their numbers, as they came.
        for number, peer in reversed(self._peers.items()):
            if before is None or number < before:
                yield peer

    def sign_out(self, session_id: UUID) -> None:
        """Close the connections of a session that has just ended."""
        for peer in tuple(self._peers.values()):
            if peer.session_id == session_id:
                peer.close(CloseCode.SIGNED_OUT, "signed out")

    def end_sessions(self, ended: Mapping[UUID, bool]) -> None:
        """Close the connections of sessions that are over; of each it says whether by a ban."""
        for peer in tuple(self._peers.values()):
            is_banned = None if peer.session_id is None else ended.get(peer.session_id)
            if is_banned:
                peer.close(CloseCode.BANNED, "banned")
            elif is_banned is not None:
                peer.close(CloseCode.SIGNED_OUT, "signed out")

    def take_permissions(self, user_id: UUID, granted: frozenset[str]) -> None:
        """Tell an account's connections what it may do by now."""
        for peer in tuple(self._by_user.get(user_id, ())):
            peer.take_permissions(granted)

    def beat(self, slot: int, now: float, unix_now: float) -> None:
        """Ping one slot's connections; close those silent for two intervals, or past their lease."""
        for peer in tuple(self._slots[slot]):
            if peer.lease is not None and unix_now >= peer.lease.until:
                peer.close(peer.lease.code, peer.lease.reason)
            elif now - peer.heard_at >= 2 * self._heartbeat_seconds:
                peer.close(CloseCode.NO_PONG, "silent for too long")
            else:
                peer.ping()

    def sweep(self, now: float) -> None:
        """Close the connections that take nothing any more: no timer for each."""
        for peer in tuple(self._peers.values()):
            peer.cut_off_if_stuck(now)

    async def beat_forever(self) -> None:
        """Give each slot its beat once an interval, and look for stuck ones, until cancelled."""
        loop = asyncio.get_running_loop()
        step = self._heartbeat_seconds / _SLOTS
        slot, next_beat = 0, loop.time() + step
        while True:
            await asyncio.sleep(min(step, SWEEP_SECONDS))
            now = loop.time()
            self.sweep(now)
            if now >= next_beat:
                slot, next_beat = (slot + 1) % _SLOTS, max(next_beat + step, now)
                self.beat(slot, now, time.time())

    async def drain(self, seconds: float) -> None:
        """Take no new connections; end those there are with 4001, spread over `seconds`."""
        self.is_draining = True
        waiting = list(self._peers.values())
        steps = max(1, int(seconds / _DRAIN_STEP_SECONDS))
        for steps_left in range(steps, 0, -1):
            for _ in range(ceil(len(waiting) / steps_left)):
                peer = waiting.pop()
                peer.announce_drain(_dice.randint(*_RETRY_AFTER_MS))
                peer.close(CloseCode.DRAINING, "the server stops")
            if waiting:
                await asyncio.sleep(_DRAIN_STEP_SECONDS)
        await self._wait_for_the_last()

    async def _wait_for_the_last(self) -> None:
        """Give those who were sent away a little time to go."""
        self._is_empty.clear()
        if self._peers:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_SECONDS):
                    await self._is_empty.wait()


def seen(peer: Peer, now: float, unix_offset: float) -> ConnectionSeen:
    """Describe a connection to operators."""
    return ConnectionSeen(
        connection_id=peer.number,
        user=peer.user,
        session=peer.session,
        address=masked(peer.address),
        opened_at=peer.opened_at + unix_offset,
        idle_ms=max(0, round((now - peer.heard_at) * 1000)),
        queue_bytes=peer.queue_bytes(),
    )


def masked(address: str | None) -> str:
    """Return the network an address is of, /24 or /48: enough to tell neighbours, not people."""
    if address is None:
        return "unknown"
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ip_network((ip, 48 if isinstance(ip, IPv6Address) else 24), strict=False))
