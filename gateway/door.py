"""The door of one connection: who comes in, on which word and for how long, and which session serves them."""

import asyncio
from collections.abc import Awaitable
from typing import Final
from uuid import UUID

from aiohttp import web

from veza.actors.fanout import Outbox
from veza.actors.messages.accounts import Author
from veza.actors.messages.common import Key
from veza.actors.messages.sessions import CloseSession, OpenSession, SessionOpened
from veza.config.ids import uuid7
from veza.gateway import wire
from veza.gateway.admission import LineFullError
from veza.gateway.connections import Lease, Peer
from veza.gateway.errors import CloseCode, ProblemCode, ProblemError, expect
from veza.gateway.keys import ACTORS, CONNECTIONS, SETTINGS
from veza.gateway.leases import Holder, token_holder
from veza.gateway.rooms import author_of, is_staff
from veza.gateway.sockets import Socket

AUTH_SECONDS: Final = 10.0


class Door:
    """Signs one connection in, keeps who it is, and ends its session when it is gone.

    `session_id` is the sign-in's session, `session` the key of the session actor. All are None until
    somebody signed in. The connection itself is told to the door when it knocks, and not kept: of two that
    hold each other only the garbage collector gets rid, and it stops everybody.
    """

    __slots__ = (
        "_auth_timer",
        "_connections",
        "_loop",
        "_outbox",
        "_request",
        "_socket",
        "lease",
        "session",
        "session_id",
        "user",
    )

    def __init__(self, request: web.Request, outbox: Outbox, socket: Socket) -> None:
        self._request = request
        self._connections = request.app[CONNECTIONS]
        self._outbox = outbox
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        self._auth_timer: asyncio.TimerHandle | None = None
        self.session: Key | None = None
        self.user: Author | None = None
        self.session_id: UUID | None = None
        self.lease: Lease | None = None
        self._watch_for_auth()

    def close(self) -> None:
        """End what serves the connection: it is gone."""
        self._stop_watching()
        if self.session is not None:
            self._request.app[ACTORS].tell(self.session, CloseSession())

    def refuse(self, frame_id: str | None, error: ProblemError) -> None:
        """Say that a frame is refused."""
        self._outbox.push(wire.FrameRefused(frame_id=frame_id, problem=error))

    def welcome(self, peer: Peer, holder: Holder | ProblemError | None) -> Awaitable[None] | None:
        """Let a browser in that is known by its cookie, or say why it may not; others have to sign in."""
        if isinstance(holder, ProblemError):
            self._refuse_banned(None, holder)
            return None
        return None if holder is None else self._open_in_turn(peer, holder)

    async def _open_in_turn(self, peer: Peer, holder: Holder) -> None:
        async with self._connections.admission:
            await self._open_session(peer, holder, None)

    async def sign_in(self, peer: Peer, frame_id: str | None, token: str | None) -> None:
        """Sign in when it is this connection's turn: everybody may be coming back at once."""
        self._stop_watching()
        try:
            async with self._connections.admission:
                await self._let_in(peer, frame_id, token)
        except LineFullError as full:
            limited = ProblemError(
                ProblemCode.OVERLOADED, retry_after_seconds=full.retry_after_seconds
            )
            self.refuse(frame_id, limited)
            self._socket.close(CloseCode.RATE_LIMITED, "too many are signing in")
            return
        if self.session is None:
            self._watch_for_auth()

    def _watch_for_auth(self) -> None:
        self._stop_watching()
        self._auth_timer = self._loop.call_later(
            AUTH_SECONDS, self._socket.close, CloseCode.AUTH_TIMEOUT, "not signed in"
        )

    def _stop_watching(self) -> None:
        if self._auth_timer is not None:
            self._auth_timer.cancel()
            self._auth_timer = None

    async def _let_in(self, peer: Peer, frame_id: str | None, token: str | None) -> None:
        if token is None and self.user is None:
            self.refuse(frame_id, ProblemError(ProblemCode.UNAUTHENTICATED))
            self._socket.close(CloseCode.BAD_TOKEN, "no token and no session cookie")
            return
        try:
            holder = await token_holder(self._request, token) if token else None
        except ProblemError as error:
            if error.code is ProblemCode.ACCOUNT_BANNED:
                self._refuse_banned(frame_id, error)
                return
            self.refuse(frame_id, error)
            if error.code is ProblemCode.INVALID_TOKEN:
                self._socket.close(CloseCode.BAD_TOKEN, "the token is not valid")
            return
        if self.user is None and holder:
            await self._open_session(peer, holder, frame_id)
        elif not holder or self._is_own(holder):
            self._outbox.push(wire.Acknowledged(frame_id=frame_id))
        else:
            self.refuse(frame_id, somebody_elses())

    async def refresh(self, frame_id: str | None, token: str) -> None:
        """Live on, from now on on the word of another token, and as a part of its session."""
        if self.session is None:
            self.refuse(frame_id, ProblemError(ProblemCode.UNAUTHENTICATED))
            return
        try:
            holder = await token_holder(self._request, token)
            if not self._is_own(holder):
                raise somebody_elses()
        except ProblemError as error:
            if error.code is ProblemCode.ACCOUNT_BANNED:
                self._refuse_banned(frame_id, error)
            else:
                self.refuse(frame_id, error)
            return
        self.session_id, self.lease = holder.who.session_id, holder.lease
        self._outbox.push(wire.Acknowledged(frame_id=frame_id))

    async def _open_session(self, peer: Peer, holder: Holder, frame_id: str | None) -> None:
        who = holder.who
        if self._connections.is_shut_out(who.user.id, self._loop.time()):
            self._refuse_banned(frame_id, ProblemError(ProblemCode.ACCOUNT_BANNED))
            return
        if not await self._connections.admit(peer, who.user.id):
            self.refuse(frame_id, ProblemError(ProblemCode.TOO_MANY_CONNECTIONS))
            self._socket.close(CloseCode.TOO_MANY_CONNECTIONS, "too many connections")
            return
        user = self.user = author_of(who)
        self.session_id, self.lease = who.session_id, holder.lease
        key = self.session = ("session", str(uuid7()))
        command = OpenSession(user=user, outbox=self._outbox, is_staff=is_staff(who))
        try:
            opened = expect(await self._request.app[ACTORS].ask(key, command), SessionOpened)
        except ProblemError as error:
            self.refuse(frame_id, error)
            self._socket.close(CloseCode.RESTARTING, "no session just now")
            return
        self._stop_watching()
        ready = wire.SessionReady(
            frame_id=frame_id,
            session_id=opened.session_id,
            user=who.user,
            memberships=opened.memberships,
            blocked=opened.blocked,
            limits=wire.limits(self._request.app[SETTINGS]),
        )
        self._outbox.push(ready)

    def _refuse_banned(self, frame_id: str | None, error: ProblemError) -> None:
        self.refuse(frame_id, error)
        self._socket.close(CloseCode.BANNED, "banned")

    def _is_own(self, holder: Holder) -> bool:
        return self.user is not None and holder.who.user.id == self.user.id


def somebody_elses() -> ProblemError:
    """Return the problem of a token that is not its connection's user's."""
    return ProblemError(ProblemCode.INVALID_STATE, "This connection is somebody else's.")
