"""One WebSocket connection: it says who it is, then its commands go to its session actor.

The session puts its answers and events into the connection's outbox; this side reads, checks, and
notices the end of either. Order of life: hello, auth, ready, frames, close.
"""

import asyncio
from collections.abc import Awaitable
from typing import Final
from uuid import UUID

import structlog
from aiohttp import WSMsgType, web

from veza.actors.messages.accounts import Author
from veza.actors.messages.common import Key
from veza.actors.messages.sessions import CloseSession, OpenSession, SessionOpened
from veza.actors.rate_limit import Rate, TokenBucket
from veza.config.ids import uuid7
from veza.gateway import wire
from veza.gateway.admission import LineFullError
from veza.gateway.connections import AddressUse, Lease
from veza.gateway.endpoints import Access
from veza.gateway.errors import CloseCode, ProblemCode, ProblemError, expect
from veza.gateway.identity import identify_session, is_own_origin, require_role
from veza.gateway.inbox import Message
from veza.gateway.keys import ACTORS, CONNECTIONS, FAN_OUT, METRICS, SETTINGS, TREE_FEED
from veza.gateway.leases import Holder, cookie_holder, token_holder
from veza.gateway.rates import FRAME_WINDOW_SECONDS
from veza.gateway.rooms import author_of, is_staff
from veza.gateway.sockets import Socket, accept

logger = structlog.get_logger(__name__)

PLACE_SECONDS: Final = 30.0
"""When to come back where all connections of an address are taken."""
AUTH_SECONDS: Final = 10.0
VERSION: Final = "1"
BAD_FRAMES_ALLOWED: Final = 2
BAD_FRAME_WINDOW_SECONDS: Final = 60.0
_READ_LIMIT_FACTOR: Final = 16
"""A frame this many times over the limit is cut off unread; below, the close is a clean 1009."""


def add_to(app: web.Application) -> None:
    """Route the WebSocket."""
    app.router.add_get(wire.WEBSOCKET_PATH, open_websocket, allow_head=False)


async def open_websocket(request: web.Request) -> web.StreamResponse:
    """Shake hands; the connection lives on without the request."""
    settings = request.app[SETTINGS]
    response, form = accept(request, deflate=settings.ws_deflate)
    if request.app[CONNECTIONS].is_draining:
        raise ProblemError(ProblemCode.UNAVAILABLE, "Stopping.", retry_after_seconds=1.0)
    place = _place(request)
    try:
        holder = await _cookie_holder(request)
        await response.prepare(request)
    except BaseException:
        request.app[CONNECTIONS].give_up_place(place)
        raise
    if request.transport is None:
        request.app[CONNECTIONS].give_up_place(place)
    else:
        socket = Socket(request.transport, request.app[METRICS].count_close)
        connection = Connection(request, socket, form, place)
        socket.start(
            request,
            connection,
            settings.ws_max_frame_bytes * _READ_LIMIT_FACTOR,
            inflates=form != wire.PLAIN,
            first=connection.greet(holder),
        )
    return response


def _place(request: web.Request) -> AddressUse:
    """Take one of the places that the client's address has."""
    now = asyncio.get_running_loop().time()
    place = request.app[CONNECTIONS].take_place(request.remote, now)
    if place is None:
        detail = "There are too many connections from your address."
        raise ProblemError(
            ProblemCode.TOO_MANY_CONNECTIONS, detail, retry_after_seconds=PLACE_SECONDS
        )
    return place


async def _cookie_holder(request: web.Request) -> Holder | ProblemError | None:
    """Look a browser's cookie up in its turn; who finds the line full is sent away before it costs more.

    That the account is banned is returned, to be told over the WebSocket: of a handshake that is refused
    a page learns nothing, and tries again.
    """
    origin = request.headers.get("Origin")
    admission = request.app[CONNECTIONS].admission
    try:
        if origin is not None and is_own_origin(request, origin):
            async with admission.turn():
                return await cookie_holder(request)
        admission.check()
    except LineFullError as full:
        wait_seconds = full.retry_after_seconds
        raise ProblemError(ProblemCode.OVERLOADED, retry_after_seconds=wait_seconds) from full
    except ProblemError as error:
        if error.code is ProblemCode.ACCOUNT_BANNED:
            return error
        raise
    return None


class Connection:
    """A client's connection, from hello to close (a `Peer` of the registry)."""

    __slots__ = (
        "_actors",
        "_auth_timer",
        "_bad_frames",
        "_bucket",
        "_connections",
        "_loop",
        "_metrics",
        "_outbox",
        "_place",
        "_request",
        "_session",
        "_settings",
        "_socket",
        "_watch",
        "heard_at",
        "lease",
        "number",
        "opened_at",
        "session_id",
        "user",
    )

    def __init__(self, request: web.Request, socket: Socket, form: int, place: AddressUse) -> None:
        app = request.app
        self._place = place
        self._request = request
        self._socket = socket
        self._settings = app[SETTINGS]
        self._actors = app[ACTORS]
        self._connections = app[CONNECTIONS]
        self._metrics = app[METRICS]
        self._loop = asyncio.get_running_loop()
        self._outbox = app[FAN_OUT].open(socket, form)
        burst = self._settings.ws_frames_per_5s
        rate = Rate(per_second=burst / FRAME_WINDOW_SECONDS, burst=burst)
        self._bucket = TokenBucket(rate, self._loop.time())
        self._bad_frames: list[float] = []
        self._auth_timer = self._loop.call_later(
            AUTH_SECONDS, self.close, CloseCode.AUTH_TIMEOUT, "not signed in"
        )
        self._session: Key | None = None
        self._watch: asyncio.Task[None] | None = None
        self.number = 0
        self.user: Author | None = None
        self.session_id: UUID | None = None
        self.lease: Lease | None = None
        self.opened_at = self.heard_at = self._loop.time()
        self._connections.add(self)

    def ended(self) -> None:
        """Clean up once the connection is gone."""
        self._connections.remove(self)
        self._connections.give_up_place(self._place)
        self._auth_timer.cancel()
        self._end_session()
        self._outbox.close()

    # --- what the registry asks for ---

    @property
    def user_id(self) -> UUID | None:
        """Whose connection it is, once somebody signed in."""
        return None if self.user is None else self.user.id

    @property
    def session(self) -> str | None:
        """Which session actor serves it."""
        return self._session and self._session[1]

    @property
    def address(self) -> str | None:
        """Where it comes from."""
        return self._request.remote

    def queue_bytes(self) -> int:
        """How much waits to be sent."""
        return self._outbox.waiting_bytes()

    def ping(self) -> None:
        """Send a ping."""
        self._outbox.append(wire.ping_frame())

    def cut_off_if_stuck(self, now: float) -> None:
        """Close if it takes nothing any more."""
        self._outbox.cut_off_if_stuck(now)

    def announce_drain(self, retry_after_ms: int) -> None:
        """Say that the server stops."""
        self._outbox.push(wire.Draining(retry_after_ms=retry_after_ms))

    def close(self, code: CloseCode, reason: str) -> None:
        """Close after everything queued."""
        self._socket.close(code, reason)

    # --- who it is ---

    async def greet(self, holder: Holder | ProblemError | None) -> None:
        """Say hello, and know a browser by its cookie, or why it may not come in."""
        if self._request.query.get("v", VERSION) != VERSION:
            self.close(CloseCode.VERSION, f"this server speaks v={VERSION}")
            return
        hello = wire.Hello(
            heartbeat_ms=self._settings.ws_heartbeat_ms,
            max_frame=self._settings.ws_max_frame_bytes,
        )
        self._outbox.push(hello)
        if isinstance(holder, ProblemError):
            self._refuse_banned(None, holder)
        elif holder is not None:
            async with self._connections.admission.turn():
                await self._open_session(holder, None)

    async def _in_turn(self, frame_id: str | None, token: str | None) -> None:
        """Sign in when it is this connection's turn: everybody may be coming back at once."""
        self._auth_timer.cancel()
        try:
            async with self._connections.admission.turn():
                await self._sign_in(frame_id, token)
        except LineFullError as full:
            limited = ProblemError(
                ProblemCode.OVERLOADED, retry_after_seconds=full.retry_after_seconds
            )
            self._refuse(frame_id, limited)
            self.close(CloseCode.RATE_LIMITED, "too many are signing in")
            return
        if self._session is None:
            self._watch_for_auth()

    def _watch_for_auth(self) -> None:
        self._auth_timer.cancel()
        self._auth_timer = self._loop.call_later(
            AUTH_SECONDS, self.close, CloseCode.AUTH_TIMEOUT, "not signed in"
        )

    async def _sign_in(self, frame_id: str | None, token: str | None) -> None:
        if token is None and self.user_id is None:
            self._refuse(frame_id, ProblemError(ProblemCode.UNAUTHENTICATED))
            self.close(CloseCode.BAD_TOKEN, "no token and no session cookie")
            return
        try:
            holder = await token_holder(self._request, token) if token else None
        except ProblemError as error:
            if error.code is ProblemCode.ACCOUNT_BANNED:
                self._refuse_banned(frame_id, error)
                return
            self._refuse(frame_id, error)
            if error.code is ProblemCode.INVALID_TOKEN:
                self.close(CloseCode.BAD_TOKEN, "the token is not valid")
            return
        if self.user_id is None and holder:
            await self._open_session(holder, frame_id)
        elif not holder or holder.who.user.id == self.user_id:
            self._outbox.push(wire.Acknowledged(frame_id=frame_id))
        else:
            self._refuse(frame_id, somebody_elses())

    async def _refresh(self, frame_id: str | None, token: str) -> None:
        """Live on, from now on on the word of another token, and as a part of its session."""
        if self._session is None:
            self._refuse(frame_id, ProblemError(ProblemCode.UNAUTHENTICATED))
            return
        try:
            holder = await token_holder(self._request, token)
            if holder.who.user.id != self.user_id:
                raise somebody_elses()
        except ProblemError as error:
            if error.code is ProblemCode.ACCOUNT_BANNED:
                self._refuse_banned(frame_id, error)
            else:
                self._refuse(frame_id, error)
            return
        self.session_id, self.lease = holder.who.session_id, holder.lease
        self._outbox.push(wire.Acknowledged(frame_id=frame_id))

    async def _open_session(self, holder: Holder, frame_id: str | None) -> None:
        who = holder.who
        if self._connections.is_shut_out(who.user.id, self._loop.time()):
            self._refuse_banned(frame_id, ProblemError(ProblemCode.ACCOUNT_BANNED))
            return
        if not self._connections.admit(self, who.user.id):
            self._refuse(frame_id, ProblemError(ProblemCode.TOO_MANY_CONNECTIONS))
            self.close(CloseCode.TOO_MANY_CONNECTIONS, "too many connections")
            return
        user = self.user = author_of(who)
        self.session_id, self.lease = who.session_id, holder.lease
        key = self._session = ("session", str(uuid7()))
        command = OpenSession(user=user, outbox=self._outbox, is_staff=is_staff(who))
        try:
            opened = expect(await self._actors.ask(key, command), SessionOpened)
        except ProblemError as error:
            self._refuse(frame_id, error)
            self.close(CloseCode.RESTARTING, "no session just now")
            return
        self._auth_timer.cancel()
        self._watch = asyncio.create_task(self._watch_session(key))
        ready = wire.SessionReady(
            frame_id=frame_id,
            session_id=opened.session_id,
            user=who.user,
            memberships=opened.memberships,
            blocked=opened.blocked,
            limits=wire.limits(self._settings),
        )
        self._outbox.push(ready)

    def _refuse_banned(self, frame_id: str | None, error: ProblemError) -> None:
        self._refuse(frame_id, error)
        self.close(CloseCode.BANNED, "banned")

    async def _watch_session(self, key: Key) -> None:
        reason = await self._actors.ended(key)
        logger.info("ws.session_ended", reason=reason)
        self._session = None
        self.close(CloseCode.RESTARTING, "the session ended")

    def _end_session(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._session is not None:
            self._actors.tell(self._session, CloseSession())

    # --- what it says ---

    def take(self, message: Message) -> Awaitable[None] | None:
        """Take a message; what is returned must be done before the next."""
        self.heard_at = self._loop.time()
        if message.type is WSMsgType.CLOSE:
            self._socket.answer_close(message.data)
            return None
        if not self._socket.is_open:
            return None
        wait_seconds = self._bucket.take(self.heard_at) or self._place.bucket.take(self.heard_at)
        acting = None
        if message.type is WSMsgType.TEXT:
            acting = self._take_text(message.data, wait_seconds)
        elif message.type is WSMsgType.BINARY:
            self._take_bad_frame(None, "Frames are text.")
        elif message.type is WSMsgType.PING:
            self._outbox.append(wire.pong_frame(message.data))
        # Nothing is read as long as the client has no frame left: its own socket fills up.
        return asyncio.sleep(wait_seconds) if wait_seconds else acting

    def _take_text(self, text: str, wait_seconds: float) -> Awaitable[None] | None:
        limit = self._settings.ws_max_frame_bytes
        if len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit):
            self.close(CloseCode.FRAME_TOO_BIG, "frame too big")
            return None
        try:
            frame = wire.decode_frame(text)
        except wire.FrameError as error:
            self._metrics.count_frame(error.problem.code.value)
            if error.problem.code is ProblemCode.BAD_FRAME:
                self._take_bad_frame(error.frame_id, error.problem.detail)
            else:
                self._refuse(error.frame_id, error.problem)
            return None
        self._metrics.count_frame(frame.type)
        if wait_seconds:
            limited = ProblemError(ProblemCode.RATE_LIMITED, retry_after_seconds=wait_seconds)
            self._refuse(frame.frame_id, limited)
            return None
        return self._act(frame)

    def _act(self, frame: wire.ClientFrame) -> Awaitable[None] | None:
        body = frame.body
        if isinstance(body, wire.SessionCommand) and self._session is not None:
            self._actors.tell(self._session, body.message(frame.frame_id))
        elif isinstance(body, wire.Ping):
            self._outbox.push(wire.Pong(frame_id=frame.frame_id))
        elif isinstance(body, wire.Auth):
            if body.batch:
                self._outbox.form |= wire.BATCHED
            return self._in_turn(frame.frame_id, body.token)
        elif isinstance(body, wire.AuthRefresh):
            return self._refresh(frame.frame_id, body.token)
        elif isinstance(body, wire.OpsWatch | wire.OpsUnwatch) and self.session_id is not None:
            return self._watch_tree(frame, self.session_id)
        else:
            self._refuse(frame.frame_id, ProblemError(ProblemCode.UNAUTHENTICATED))
        return None

    async def _watch_tree(self, frame: wire.ClientFrame, session_id: UUID) -> None:
        feed = self._request.app[TREE_FEED]
        try:
            if isinstance(frame.body, wire.OpsWatch):
                # Asked anew: a role may have come or gone since the connection was opened.
                require_role(await identify_session(self._request.app, session_id), Access.OPS)
        except ProblemError as error:
            feed.unwatch(self._outbox)
            self._refuse(frame.frame_id, error)
            return
        self._outbox.push(wire.Acknowledged(frame_id=frame.frame_id))
        if isinstance(frame.body, wire.OpsWatch):
            feed.watch(self._outbox)
        else:
            feed.unwatch(self._outbox)

    def _take_bad_frame(self, frame_id: str | None, detail: str) -> None:
        """Forgive two within a minute, close at the third."""
        now = self._loop.time()
        self._refuse(frame_id, ProblemError(ProblemCode.BAD_FRAME, detail))
        since = now - BAD_FRAME_WINDOW_SECONDS
        self._bad_frames = [*(at for at in self._bad_frames if at > since), now]
        if len(self._bad_frames) > BAD_FRAMES_ALLOWED:
            self.close(CloseCode.BAD_FRAME, "too many bad frames")

    def _refuse(self, frame_id: str | None, error: ProblemError) -> None:
        self._outbox.push(wire.FrameRefused(frame_id=frame_id, problem=error))


def somebody_elses() -> ProblemError:
    """Return the problem of a token that is not its connection's user's."""
    return ProblemError(ProblemCode.INVALID_STATE, "This connection is somebody else's.")
