"""A peer that speaks the ops contract with made-up trees, for states that a healthy node does not reach."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import orjson
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from veza.gateway import static
from veza.gateway.keys import PAGE
from veza.gateway.page import WEB_ROOT, Page

ROOT = "/veza/root"
SHOWN = 50
TRACEBACK = """Traceback (most recent call last):
  File "/srv/veza/actors/streams/pipeline.py", line 88, in receiveMsg_FrameDecoded
    self.loudness.add(message.samples)
  File "/srv/veza/codecs/loudness.py", line 41, in add
    blocks = samples.reshape(-1, self.block)
ValueError: cannot reshape array of size 4410 into shape (4800)"""


def rfc(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def actor(path: str, class_name: str, **changes: Any) -> dict[str, Any]:
    """A row of a healthy, idle actor, but for the changes."""
    parent = path.rpartition("/")[0] if path != ROOT else None
    started = rfc(datetime.now(UTC) - timedelta(hours=3))
    row = {
        "path": path,
        "parent": parent,
        "name": path.rpartition("/")[2],
        "class": class_name,
        "state": "idle",
        "unhealthy": [],
        "mailbox": 0,
        "mailbox_limit": 1000,
        "mailbox_high_water": 3,
        "head_age_ms": 0,
        "messages": 1200,
        "messages_out": 900,
        "errors": 0,
        "dropped": 0,
        "restarts": 0,
        "busy_ms": 800,
        "current": "",
        "current_ms": 0,
        "started_at": started,
        "last_exit": None,
        "restart": "permanent",
        "supervision": None,
        "process": None,
        "child_count": 0,
    }
    return {**row, **changes}


def supervisor(path: str, **changes: Any) -> dict[str, Any]:
    kept = {
        "strategy": "one_for_one",
        "restarts_used": 0,
        "restarts_allowed": 5,
        "period_seconds": 60.0,
    }
    return actor(path, "Supervisor", **{"supervision": kept, **changes})


def troubled() -> list[dict[str, Any]]:
    """A tree with one of each trouble."""
    up = f"{ROOT}/streams"
    used_up = {**supervisor("x")["supervision"], "restarts_used": 4}
    return [
        supervisor(ROOT),
        actor(f"{ROOT}/directory", "DirectoryActor", messages=48_211, busy_ms=2100),
        actor(f"{ROOT}/accounts", "AccountsActor", state="running", current="SignIn", current_ms=3),
        actor(
            f"{ROOT}/mailer",
            "MailerActor",
            state="running",
            unhealthy=["hung", "mailbox_full"],
            mailbox=1000,
            head_age_ms=96_400,
            current="SendMail",
            current_ms=94_100,
        ),
        actor(
            f"{ROOT}/roomlog",
            "RoomLogActor",
            state="ready",
            unhealthy=["waiting"],
            mailbox=212,
            head_age_ms=2240,
        ),
        supervisor(f"{ROOT}/rooms", strategy="family"),
        supervisor(f"{ROOT}/sessions"),
        supervisor(up, unhealthy=["intensity"], restarts=4, supervision=used_up),
        actor(
            f"{up}/job-71",
            "StreamJobActor",
            state="running",
            restart="transient",
            process={"pid": 4711, "cpu_seconds": 12.0, "rss_bytes": 84_000_000},
        ),
        actor(
            f"{up}/job-70",
            "StreamJobActor",
            unhealthy=["restarted"],
            restarts=3,
            restart="transient",
            last_exit="crashed: ValueError",
        ),
        actor(
            f"{ROOT}/relay",
            "RelayActor",
            state="down",
            unhealthy=["down"],
            last_exit="gave up: 6 restarts in 60 s",
            restarts=6,
        ),
        actor(f"{ROOT}/jobs", "JobsActor", unhealthy=["suspended"], mailbox=7),
        *(
            actor(f"{ROOT}/rooms/room-{number:03}", "RoomActor", messages=number * 7)
            for number in range(SHOWN)
        ),
        *(actor(f"{ROOT}/sessions/user-{number}", "SessionActor") for number in range(8)),
    ]


def crowd(size: int) -> list[dict[str, Any]]:
    """A tree of that many actors below one supervisor, every one of them shown."""
    members = f"{ROOT}/crowd"
    return [
        supervisor(ROOT),
        supervisor(members),
        *(actor(f"{members}/member-{number:05}", "MemberActor") for number in range(size)),
    ]


class Peer:
    """Serves the page itself, and made-up answers to what the page asks."""

    def __init__(self) -> None:
        self.roles = ["ops"]
        self.rows: dict[str, dict[str, Any]] = {}
        self.unseen: dict[str, int] = {}
        self.checks = {"database": True, "directory": True}
        self.blocks: list[dict[str, Any]] = []
        self.figures: dict[str, Any] = {}
        self.letters = [self._letter(number) for number in (1003, 1002, 1001)]
        self.said: list[dict[str, Any]] = []  # frames of the page, in order
        self.acts: list[tuple[str, dict[str, Any]]] = []  # posts of the page, in order
        self.traced = 0
        self.rev = 0
        self.beats = count(1)  # a second each, however long the test takes
        self.opened = datetime.now(UTC)
        self.started = datetime.now(UTC) - timedelta(days=2, hours=5)
        self.sockets: set[web.WebSocketResponse] = set()
        self.watchers: set[web.WebSocketResponse] = set()
        self.heard = asyncio.Condition()
        self.url = ""

    def holds(self, rows: list[dict[str, Any]], **unseen: int) -> "Peer":
        """Make this the tree; `unseen` is how many more children a path's last part has."""
        self.rows = {row["path"]: row for row in rows}
        self.unseen = {f"{ROOT}/{name}": number for name, number in unseen.items()}
        return self

    # --- what the page sees ---

    def _below(self, path: str) -> dict[str, int]:
        family = [self.rows[path]]
        if path == ROOT:
            family = list(self.rows.values())
        elif self.children(path):
            family += [row for row in self.rows.values() if row["path"].startswith(f"{path}/")]
        total = {
            name: sum(row[name] for row in family)
            for name in ("mailbox", "messages", "errors", "restarts")
        }
        unseen = sum(self.unseen.values()) if path == ROOT else self.unseen.get(path, 0)
        return {
            **total,
            "actors": len(family) + unseen,
            "unhealthy": sum(bool(row["unhealthy"]) for row in family),
            "head_age_ms": max(row["head_age_ms"] for row in family),
        }

    def children(self, path: str) -> list[dict[str, Any]]:
        if path.startswith(f"{ROOT}/crowd/"):
            return []
        return [row for row in self.rows.values() if row["parent"] == path]

    def view(self, path: str) -> dict[str, Any]:
        row = self.rows[path]
        child_count = len(self.children(path)) + self.unseen.get(path, 0)
        return {**row, "child_count": child_count, "below": self._below(path)}

    def node(self) -> dict[str, Any]:
        figures = {
            "node_id": "node-1",
            "host": "porch",
            "version": "0.4.0",
            "python": "3.11.9",
            "pid": 300,
            "phase": "ready",
            "started_at": rfc(self.started),
            "actors": len(self.rows) + sum(self.unseen.values()),
            "messages": 50_000,
            "restarts": 13,
            "errors": 2,
            "run_queue": 0,
            "loop_lag_ms": 0.4,
            "loop_lag_max_ms": 6.2,
            "gc_pause_max_ms": 3.1,
            "cpu_seconds": 420.0,
            "rss_bytes": 212_000_000,
            "open_files": 143,
            "open_files_limit": 65_536,
            "dead_letters": len(self.letters),
            "crashes": 7,
            "database_connections": 6,
            "database_connections_limit": 20,
            "checks": self.checks,
            "connections": 311,
        }
        return {**figures, **self.figures}

    async def beat(self, *paths: str, gone: tuple[str, ...] = (), skip: int = 0) -> None:
        """Tell the watchers of these rows, as a second passes; `skip` so many revisions."""
        self.rev += 1 + skip
        for path in gone:
            self.rows.pop(path, None)
        changed = [self.view(path) for path in {ROOT: None, **dict.fromkeys(paths)}]
        await self._send(full=False, actors=changed, gone=list(gone), to=self.watchers)

    async def _send(self, *, to: set[web.WebSocketResponse], **d: Any) -> None:
        at = self.opened + timedelta(seconds=next(self.beats))
        frame = {"t": "ops.tree", "d": {"rev": self.rev, "at": rfc(at), "node": self.node(), **d}}
        for socket in tuple(to):
            await socket.send_str(orjson.dumps(frame).decode())

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until the page has said enough for this to hold."""
        async with asyncio.timeout(20), self.heard:
            await self.heard.wait_for(is_so)

    def times(self, kind: str) -> int:
        return sum(frame["t"] == kind for frame in self.said)

    def letter(self, number: int) -> dict[str, Any]:
        return next(letter for letter in self.letters if letter["letter_id"] == number)

    def _letter(self, number: int) -> dict[str, Any]:
        return {
            "letter_id": number,
            "at": rfc(datetime.now(UTC) - timedelta(minutes=1004 - number)),
            "target": f"{ROOT}/rooms/room-007",
            "sender": f"{ROOT}/sessions/user-1",
            "type": "PostMessage" if number % 2 else "LeaveRoom",
            "reason": "the actor had ended",
            "request_id": f"0198-{number}",
            "body": '{"room_id": "room-007", "text": "…"}',
            "can_replay": number != 1001,
        }

    # --- HTTP ---

    def app(self) -> web.Application:
        app = web.Application()
        app[PAGE] = Page(WEB_ROOT)
        for path in ("/", "/sign-in", "/ops", "/ops/{rest:.+}"):
            app.router.add_get(path, static.show_page)
        app.router.add_get(static.ASSET_PATH, static.show_asset)
        app.router.add_get("/api/v1/ws", self._socket)
        app.router.add_get("/api/v1/{path:.+}", self._get)
        app.router.add_post("/api/v1/{path:.+}", self._post)
        return app

    async def _get(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if path.startswith("ops/actors/"):
            return self._inspected(path.removeprefix("ops/actors"))
        answer = self._answers(path)
        return problem(404, "not_found", "Nothing here.") if answer is None else told(answer)

    def _answers(self, path: str) -> dict[str, Any] | None:
        now = rfc(datetime.now(UTC))
        user = {"id": "u1", "username": "olga", "email": "olga@example.org", "created_at": now}
        group = {
            "fingerprint": "f00d",
            "class": "StreamJobActor",
            "error_type": "ValueError",
            "error": "cannot reshape array of size 4410 into shape (4800)",
            "command": "FrameDecoded",
            "count": 7,
            "first_at": rfc(self.started),
            "last_at": now,
            "last_path": f"{ROOT}/streams/job-70",
        }
        crash = {
            "at": now,
            "path": group["last_path"],
            "command": "FrameDecoded",
            "error": group["error"],
            "request_id": "0198-77",
            "traceback": TRACEBACK,
        }
        act = {
            "act_id": "a1",
            "at": now,
            "actor_id": "u1",
            "actor_name": "olga",
            "via": "http",
            "action": "restart",
            "target": f"{ROOT}/mailer",
            "reason": "hung on the relay",
            "request_id": "0198-1",
        }
        connection = {
            "connection_id": "c1",
            "user": {"id": "u1", "name": "olga"},
            "address": "192.0.2.0/24",
            "opened_at": now,
            "idle_ms": 1200,
            "queue_bytes": 0,
        }
        pages: dict[str, dict[str, Any]] = {
            "me": {**user, "roles": self.roles},
            "instance": {"name": "Veza", "version": "0.4.0", "registration": "open", "limits": {}},
            "rooms": listed([]),
            "me/rooms": listed([]),
            "dms": listed([]),
            "tracks": listed([]),
            "me/listening": listed([]),
            "ops/nodes": listed([{**self.node(), "blocks": self.blocks}]),
            "ops/dead-letters": {**listed(self.letters), "total": len(self.letters)},
            "ops/crashes": {**listed([group]), "total": 7},
            "ops/crashes/f00d": {"group": group, "crashes": [crash]},
            "ops/connections": listed([connection]),
            "audit": listed([act]),
            "ops/traces/t1": self._trace(),
        }
        return pages.get(path)

    def _inspected(self, path: str) -> web.Response:
        if path not in self.rows:
            return problem(404, "not_found", "No such actor.")
        now = datetime.now(UTC)
        row = self.view(path)
        children = [{**self.view(child["path"]), "children": []} for child in self.children(path)]
        recent = [
            {
                "type": ("PostMessage", "JoinRoom", "Tick")[number % 3],
                "at": rfc(now - timedelta(seconds=number)),
                "wait_ms": (number * 7) % 40 / 4,
                "run_ms": (number * 5) % 23 / 3,
            }
            for number in range(50)
        ]
        handlers = []
        if row["current"]:
            stack = ["actors/mailer.py:61 in receiveMsg_SendMail", "asyncio/streams.py:53 in open"]
            running = row["current_ms"]
            handlers = [{"type": row["current"], "running_ms": running, "stack": stack}]
        crashed = {"kind": "crashed", "detail": "ValueError: cannot reshape"}
        exits = [
            {"at": rfc(now - timedelta(minutes=4)), **crashed, "traceback": TRACEBACK},
            {"at": rfc(now), "kind": "stopped", "detail": "by olga", "traceback": ""},
        ]
        return told(
            {
                "actor": {**row, "children": children[:200]},
                "state": {"members": "12", "seq": "4711", "token": "***"},
                "recent": recent,
                "recent_since": rfc(self.started),
                "message_types": [
                    {"type": "PostMessage", "count": 812, "run_ms": 640.0},
                    {"type": "Tick", "count": 90, "run_ms": 9.0},
                ],
                "handlers": handlers,
                "exits": exits if row["restarts"] else [],
                "traces": [],
                "watched_by": [f"{ROOT}/directory"],
            }
        )

    def _trace(self) -> dict[str, Any]:
        """A trace that grows by one message a look, and ends at three."""
        self.traced = min(3, self.traced + 1)
        number = self.traced
        now = rfc(datetime.now(UTC))
        message = {
            "number": number,
            "type": "PostMessage",
            "sender": f"{ROOT}/sessions/0198c2f0-6c3a-7b1e-9d45-3f2a1b0c4d5e",
            "request_id": "0198c2f06c3a7b1e9d453f2a1b0c4d5e",
            "at": now,
            "wait_ms": 0.4,
            "run_ms": 1.2,
            "outcome": "ok",
            "body": "",
        }
        trace = {
            "trace_id": "t1",
            "path": ROOT,
            "started_at": now,
            "ends_at": now,
            "limit": 3,
            "seen": number,
            "kept": number,
            "why_ended": "limit reached" if number == 3 else "",
        }
        return {"trace": trace, "messages": [message]}

    async def _post(self, request: web.Request) -> web.Response:
        path, body = request.match_info["path"], await request.json()
        async with self.heard:
            self.acts.append((path, body))
            self.heard.notify_all()
        if path.endswith("/trace"):
            started = {**self._trace(), "messages": []}
            self.traced = 0
            return told(started, 201)
        if path.endswith("/directory/suspend"):
            return problem(409, "invalid_state", "Nothing could be mended any more.")
        if "dead-letters" in path:
            return told({"count": self._settle(path), "is_audited": True})
        _, _, rest = path.partition("ops/actors")
        target, _, action = rest.rpartition("/")
        note = "It starts again at once."
        return told({"path": target, "action": action, "note": note, "is_audited": True})

    def _settle(self, path: str) -> int:
        parts = path.split("/")
        before = len(self.letters)
        named = int(parts[2]) if parts[2].isdigit() else None
        self.letters = [each for each in self.letters if named not in {each["letter_id"], None}]
        return before - len(self.letters)

    # --- WebSocket ---

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.add(socket)
        await socket.send_str('{"t":"hello","d":{"heartbeat_ms":25000}}')
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._hear(socket, orjson.loads(message.data))
        self.sockets.discard(socket)
        self.watchers.discard(socket)
        return socket

    async def _hear(self, socket: web.WebSocketResponse, frame: dict[str, Any]) -> None:
        if frame["t"] == "auth":
            await socket.send_str('{"t":"ready","d":{"rooms":[]}}')
            return
        await socket.send_str(orjson.dumps({"t": "ack", "id": frame["id"], "d": {}}).decode())
        if frame["t"] == "ops.watch":
            self.watchers.add(socket)
            everything = [self.view(path) for path in self.rows]
            await self._send(full=True, actors=everything, gone=[], to={socket})
        if frame["t"] == "ops.unwatch":
            self.watchers.discard(socket)
        async with self.heard:
            self.said.append(frame)
            self.heard.notify_all()

    async def hang_up(self) -> None:
        """Lose every connection."""
        for socket in tuple(self.sockets):
            await socket.close(code=1012)


def told(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


def listed(data: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": data, "next_cursor": None}


def problem(status: int, code: str, detail: str) -> web.Response:
    return told({"status": status, "code": code, "detail": detail, "request_id": "r-1"}, status)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """A peer with the troubled tree."""
    made = Peer().holds(troubled(), rooms=262)
    async with TestServer(made.app()) as server:
        made.url = str(server.make_url("")).rstrip("/")
        yield made
        await made.hang_up()


@pytest.fixture
async def crowded(peer: Peer) -> Peer:
    """The same peer, with ten thousand actors in sight."""
    return peer.holds(crowd(10_000))
