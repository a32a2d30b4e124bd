"""One WebSocket connection, once hands are shaken: what the client says goes to its session actor.

The session puts its answers and events into the connection's outbox; this side reads, checks, and
notices the end of either. Order of life: hello, auth, ready, frames, close.
"""

import asyncio
from collections.abc import Awaitable
from typing import Final
from uuid import UUID

from aiohttp import WSMsgType, web

from veza.actors.messages.accounts import Author
from veza.actors.messages.permissions import Permission, holds
from veza.actors.messages.sessions import SetStaff
from veza.actors.rate_limit import Rate, TokenBucket
from veza.gateway import wire
from veza.gateway.connections import AddressUse, Lease
from veza.gateway.door import Door
from veza.gateway.errors import CloseCode, ProblemCode, ProblemError
from veza.gateway.identity import identify_session, require_permission
from veza.gateway.inbox import Message
from veza.gateway.keys import ACTORS, CONNECTIONS, FAN_OUT, METRICS, SETTINGS, TREE_FEED
from veza.gateway.leases import Holder
from veza.gateway.rates import FRAME_WINDOW_SECONDS
from veza.gateway.sockets import Socket

BAD_FRAMES_ALLOWED: Final = 2
BAD_FRAME_WINDOW_SECONDS: Final = 60.0


class Connection:
    """A client's connection, from hello to close (a `Peer` of the registry)."""

    __slots__ = (
        "_actors",
        "_bad_frames",
        "_bucket",
        "_connections",
        "_door",
        "_loop",
        "_max_frame_bytes",
        "_metrics",
        "_outbox",
        "_place",
        "_request",
        "_socket",
        "heard_at",
        "number",
        "opened_at",
    )

    def __init__(self, request: web.Request, socket: Socket, form: int, place: AddressUse) -> None:
        app = request.app
        settings = app[SETTINGS]
        self._place = place
        self._request = request
        self._socket = socket
        self._max_frame_bytes = settings.ws_max_frame_bytes
        self._actors = app[ACTORS]
        self._connections = app[CONNECTIONS]
        self._metrics = app[METRICS]
        self._loop = asyncio.get_running_loop()
        self.opened_at = self.heard_at = self._loop.time()
        self._outbox = app[FAN_OUT].open(socket, form)
        burst = settings.ws_frames_per_5s
        rate = Rate(per_second=burst / FRAME_WINDOW_SECONDS, burst=burst)
        self._bucket = TokenBucket(rate, self.opened_at)
        self._bad_frames: tuple[float, ...] = ()
        self._door = Door(request, self._outbox, socket)
        self.number = 0
        self._connections.add(self)

    def welcome(self, holder: Holder | ProblemError | None) -> Awaitable[None] | None:
        """Let a browser in that is known by its cookie, or say why it may not; others have to sign in."""
        return self._door.welcome(self, holder)

    def ended(self) -> None:
        """Clean up once the connection is gone."""
        self._connections.remove(self)
        self._connections.give_up_place(self._place)
        self._door.close()
        self._outbox.close()

    # --- what the registry asks for ---

    def take_permissions(self, granted: frozenset[str]) -> None:
        """Go on with what its user may do by now."""
        if self._door.session is not None:
            is_staff = holds(granted, Permission.ROOMS_MODERATE)
            self._actors.tell(self._door.session, SetStaff(is_staff=is_staff))
        if not holds(granted, Permission.OPS_READ):
            self._request.app[TREE_FEED].unwatch(self._outbox)

    @property
    def user(self) -> Author | None:
        """Whose connection it is, once somebody signed in."""
        return self._door.user

    @property
    def session_id(self) -> UUID | None:
        """Which sign-in's."""
        return self._door.session_id

    @property
    def lease(self) -> Lease | None:
        """How long it may live."""
        return self._door.lease

    @property
    def session(self) -> str | None:
        """Which session actor serves it."""
        return self._door.session and self._door.session[1]

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
        limit = self._max_frame_bytes
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
                self._door.refuse(error.frame_id, error.problem)
            return None
        self._metrics.count_frame(frame.type)
        if wait_seconds:
            limited = ProblemError(ProblemCode.RATE_LIMITED, retry_after_seconds=wait_seconds)
            self._door.refuse(frame.frame_id, limited)
            return None
        return self._act(frame)

    def _act(self, frame: wire.ClientFrame) -> Awaitable[None] | None:
        body = frame.body
        session = self._door.session
        if isinstance(body, wire.SessionCommand) and session is not None:
            self._actors.tell(session, body.message(frame.frame_id))
        elif isinstance(body, wire.Ping):
            self._outbox.push(wire.Pong(frame_id=frame.frame_id))
        elif isinstance(body, wire.Auth):
            if body.batch:
                self._outbox.form |= wire.BATCHED
            return self._door.sign_in(self, frame.frame_id, body.token)
        elif isinstance(body, wire.AuthRefresh):
            return self._door.refresh(frame.frame_id, body.token)
        elif (
            isinstance(body, wire.OpsWatch | wire.OpsUnwatch) and self._door.session_id is not None
        ):
            return self._watch_tree(frame, self._door.session_id)
        else:
            self._door.refuse(frame.frame_id, ProblemError(ProblemCode.UNAUTHENTICATED))
        return None

    async def _watch_tree(self, frame: wire.ClientFrame, session_id: UUID) -> None:
        feed = self._request.app[TREE_FEED]
        try:
            if isinstance(frame.body, wire.OpsWatch):
                # Asked anew: a role may have come or gone since the connection was opened.
                who = await identify_session(self._request.app, session_id)
                require_permission(who, Permission.OPS_READ)
        except ProblemError as error:
            feed.unwatch(self._outbox)
            self._door.refuse(frame.frame_id, error)
            return
        self._outbox.push(wire.Acknowledged(frame_id=frame.frame_id))
        if isinstance(frame.body, wire.OpsWatch):
            feed.watch(self._outbox)
        else:
            feed.unwatch(self._outbox)

    def _take_bad_frame(self, frame_id: str | None, detail: str) -> None:
        """Forgive two within a minute, close at the third."""
        now = self._loop.time()
        self._door.refuse(frame_id, ProblemError(ProblemCode.BAD_FRAME, detail))
        since = now - BAD_FRAME_WINDOW_SECONDS
        self._bad_frames = (*(at for at in self._bad_frames if at > since), now)
        if len(self._bad_frames) > BAD_FRAMES_ALLOWED:
            self.close(CloseCode.BAD_FRAME, "too many bad frames")
