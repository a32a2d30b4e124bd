"""A peer that speaks the operators' contract on a real unix socket, and the command line before it."""

import asyncio
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from aiohttp import web

from veza.config.paths import ops_socket
from veza.gateway.cli import main

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 20
AT = "2026-03-01T12:00:00.000Z"
ROOM = "0198c2f0-1111-7000-8000-000000000001"
OTHER_ROOM = "0198c2f0-2222-7000-8000-000000000002"
HIDDEN_ROOM = "0198c2ff-3333-7000-8000-000000000003"


def actor(path: str, *children: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """One actor as the contract's ActorView has it."""
    view = {
        "path": path,
        "name": path.rpartition("/")[2],
        "class": "Supervisor",
        "state": "idle",
        "unhealthy": [],
        "mailbox": 0,
        "mailbox_limit": 1000,
        "mailbox_high_water": 4,
        "head_age_ms": 0,
        "messages": 10,
        "messages_out": 12,
        "errors": 0,
        "dropped": 0,
        "restarts": 0,
        "busy_ms": 5,
        "current": "",
        "current_ms": 0,
        "started_at": AT,
        "last_exit": None,
        "restart": "permanent",
        "supervision": None,
        "process": None,
        "child_count": len(children),
        "children": list(children),
    }
    view |= changes
    view["below"] = {
        "actors": 1 + sum(child["below"]["actors"] for child in children),
        "unhealthy": bool(view["unhealthy"])
        + sum(child["below"]["unhealthy"] for child in children),
        **{
            name: view[name] + sum(child["below"][name] for child in children)
            for name in ("mailbox", "messages", "errors", "restarts")
        },
        "head_age_ms": max(
            [view["head_age_ms"], *(child["below"]["head_age_ms"] for child in children)]
        ),
    }
    return view


def tree() -> dict[str, Any]:
    supervision = {
        "strategy": "one_for_one",
        "restarts_used": 0,
        "restarts_allowed": 10,
        "period_seconds": 30.0,
    }
    process = {"pid": 4242, "cpu_seconds": 12.5, "rss_bytes": 52428800}
    return actor(
        "/veza/root",
        actor(
            "/veza/root/services",
            actor("/veza/root/services/catalogue", **{"class": "CatalogueActor"}, mailbox=7),
            actor("/veza/root/services/rooms", **{"class": "RoomsActor"}, messages=500),
            supervision=supervision,
        ),
        actor(
            "/veza/root/rooms",
            actor(
                f"/veza/root/rooms/{ROOM}",
                **{"class": "RoomActor"},
                unhealthy=["crashed", "restarted"],
                errors=3,
                restarts=2,
                last_exit="crashed: ValueError: boom",
            ),
            actor(f"/veza/root/rooms/{OTHER_ROOM}", **{"class": "RoomActor"}, mailbox=3),
        ),
        actor(
            "/veza/root/pipelines",
            actor("/veza/root/pipelines/p1", **{"class": "EncodingPipelineActor"}, process=process),
        ),
        supervision=supervision,
    )


def node_figures() -> dict[str, Any]:
    return {
        "node_id": "0198c2f0-0000-7000-8000-000000000000",
        "host": "studio",
        "version": "0.1.0",
        "python": "3.11.9",
        "pid": os.getpid(),
        "phase": "ready",
        "started_at": AT,
        "now": AT,
        "actors": 9,
        "messages": 5000,
        "restarts": 2,
        "errors": 3,
        "run_queue": 1,
        "loop_lag_ms": 0.4,
        "loop_lag_max_ms": 12.0,
        "gc_pause_max_ms": 3.2,
        "cpu_seconds": 30.0,
        "rss_bytes": 104857600,
        "open_files": 120,
        "open_files_limit": 65536,
        "dead_letters": 4,
        "crashes": 2,
        "database_connections": 4,
        "database_connections_limit": 16,
        "checks": {"actors": True, "database": True},
        "blocks": [],
        "connections": 17,
    }


def dead_letter(letter_id: int) -> dict[str, Any]:
    return {
        "letter_id": letter_id,
        "at": AT,
        "target": f"/veza/root/rooms/{ROOM}",
        "sender": "/veza/root/directory",
        "type": "PostMessage",
        "reason": "the receiver ended",
        "request_id": "r-1",
        "body": "PostMessage(\x1b]0;owned\x07)",
        "can_replay": True,
    }


def crash_group() -> dict[str, Any]:
    return {
        "fingerprint": "a1b2c3",
        "class": "RoomActor",
        "error_type": "ValueError",
        "error": "boom",
        "command": "PostMessage",
        "count": 2,
        "first_at": AT,
        "last_at": AT,
        "last_path": f"/veza/root/rooms/{ROOM}",
    }


@dataclass
class Peer:
    """What the node would say; `asked` is what it was asked to do."""

    tree: dict[str, Any] = field(default_factory=tree)
    node: dict[str, Any] = field(default_factory=node_figures)
    letters: list[dict[str, Any]] = field(
        default_factory=lambda: [dead_letter(number) for number in range(250, 0, -1)]
    )
    crashes: list[dict[str, Any]] = field(default_factory=lambda: [crash_group()])
    hidden: set[str] = field(default_factory=set)
    is_audited: bool = True
    outdated: int = 701
    bad: list[dict[str, Any]] = field(default_factory=list)
    traced: list[list[dict[str, Any]]] = field(default_factory=list)
    why_ended: str = "limit"
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    looks: int | None = None
    """After so many questions for its figures it is gone; None: it stays."""

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/ops/tree", self._tree),
                web.get("/ops/nodes", self._nodes),
                web.post("/ops/actors/{path:.+}/trace", self._start_trace),
                web.post("/ops/actors/{path:.+}/{action}", self._act),
                web.get("/ops/actors/{path:.+}", self._inspect),
                web.get("/ops/traces/{trace_id}", self._read_trace),
                web.get("/ops/dead-letters", self._letters),
                web.post("/ops/dead-letters/discard", self._settle_all),
                web.post("/ops/dead-letters/{letter_id}/{what}", self._settle),
                web.get("/ops/crashes", self._crashes),
                web.get("/ops/crashes/{fingerprint}", self._crash),
                web.get("/ops/connections", self._connections),
                web.get("/ops/audit", self._audit),
                web.post("/ops/drain", self._drain),
                web.get("/ops/encodings", self._encodings),
                web.post("/ops/encodings", self._reencode),
                web.get("/ops/media/check", self._check_media),
                web.post("/ops/media/gc", self._collect),
            ]
        )
        return app

    def actors(self) -> dict[str, dict[str, Any]]:
        found, left = {}, [self.tree]
        while left:
            view = left.pop()
            found[view["path"]] = view
            left += view["children"]
        return found | {path: actor(path) for path in self.hidden}

    async def _tree(self, request: web.Request) -> web.Response:
        under = request.query.get("under", "")
        root = self.actors()[under] if under else self.tree
        return web.json_response({"node": self.node["host"], "root": root})

    async def _nodes(self, request: web.Request) -> web.Response:
        if self.looks is not None:
            self.looks -= 1
            if self.looks < 0 and request.transport is not None:
                request.transport.abort()
        return web.json_response({"data": [self.node], "next_cursor": None})

    async def _inspect(self, request: web.Request) -> web.Response:
        view = self.actors().get(f"/{request.match_info['path']}")
        if view is None:
            return problem(404, "not_found", "There is no such actor.")
        return web.json_response(
            {
                "actor": view,
                "state": {"room": "Front porch", "token": "[redacted]"},
                "recent": [{"type": "PostMessage", "at": AT, "wait_ms": 0.2, "run_ms": 1.5}],
                "recent_since": AT,
                "message_types": [{"type": "PostMessage", "count": 4, "run_ms": 6.0}],
                "handlers": [{"type": "Slow", "running_ms": 2300, "stack": ["room.py:12 wait"]}],
                "exits": [{"at": AT, "kind": "crashed", "detail": "boom", "traceback": "Trace…"}],
                "traces": [trace_view(f"/{request.match_info['path']}", "limit")],
                "watched_by": ["/veza/root/directory"],
            }
        )

    async def _act(self, request: web.Request) -> web.Response:
        path, action = f"/{request.match_info['path']}", request.match_info["action"]
        if path not in self.actors():
            return problem(404, "not_found", "There is no such actor.")
        if action == "suspend" and self.actors()[path]["class"] == "Supervisor":
            return problem(409, "invalid_state", "A supervisor cannot be suspended.")
        self.asked.append((f"{path} {action}", await request.json()))
        return web.json_response(
            {
                "path": path,
                "action": action,
                "note": "It starts anew.",
                "is_audited": self.is_audited,
            }
        )

    async def _start_trace(self, request: web.Request) -> web.Response:
        path, wanted = f"/{request.match_info['path']}", await request.json()
        if wanted["limit"] > 500:
            field = {"pointer": "/limit", "code": "out_of_range", "detail": "At most 500"}
            return problem(422, "validation_failed", "Some fields are not valid.", errors=[field])
        self.asked.append((f"{path} trace", wanted))
        return web.json_response({"trace": trace_view(path, ""), "messages": []}, status=201)

    async def _read_trace(self, request: web.Request) -> web.Response:
        messages = self.traced.pop(0) if self.traced else []
        after = int(request.query["after"])
        ended = "" if self.traced else self.why_ended
        return web.json_response(
            {
                "trace": trace_view("/veza/root/services/catalogue", ended),
                "messages": [each for each in messages if each["number"] > after],
            }
        )

    async def _letters(self, request: web.Request) -> web.Response:
        start, limit = int(request.query.get("cursor", "0")), int(request.query["limit"])
        end = start + limit
        return web.json_response(
            {
                "data": self.letters[start:end],
                "next_cursor": str(end) if end < len(self.letters) else None,
                "total": 900,
            }
        )

    async def _settle(self, request: web.Request) -> web.Response:
        letter_id, what = request.match_info["letter_id"], request.match_info["what"]
        self.asked.append((f"{letter_id} {what}", await request.json()))
        return web.json_response({"count": 1, "is_audited": self.is_audited})

    async def _settle_all(self, request: web.Request) -> web.Response:
        self.asked.append(("all discard", await request.json()))
        return web.json_response({"count": len(self.letters), "is_audited": self.is_audited})

    async def _crashes(self, _request: web.Request) -> web.Response:
        return web.json_response({"data": self.crashes, "next_cursor": None, "total": 2})

    async def _crash(self, request: web.Request) -> web.Response:
        if request.match_info["fingerprint"] != "a1b2c3":
            return problem(404, "not_found", "There is no such crash.")
        crash = {
            "at": AT,
            "path": f"/veza/root/rooms/{ROOM}",
            "command": "PostMessage",
            "error": "boom",
            "request_id": "r-1",
            "traceback": "Traceback:\n  ValueError: boom\n",
        }
        return web.json_response({"group": crash_group(), "crashes": [crash]})

    async def _encodings(self, _request: web.Request) -> web.Response:
        return web.json_response({"recipe": "here", "published": 9, "outdated": self.outdated})

    async def _reencode(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(("encodings", body))
        parts = {None: (500, "t-500"), "t-500": (200, "t-700"), "t-700": (0, None)}
        queued, last = (1, body["track_id"]) if "track_id" in body else parts[body.get("after")]
        return web.json_response({"queued": queued, "last": last})

    async def _check_media(self, request: web.Request) -> web.Response:
        self.asked.append(("check", dict(request.query)))
        if "after" in request.query:
            return web.json_response({"objects": 0, "size_bytes": 0, "bad": [], "last": None})
        return web.json_response({"objects": 7, "size_bytes": 2048, "bad": self.bad, "last": "t-1"})

    async def _collect(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(("gc", body))
        last = "" if "after" in body else "n-1"
        return web.json_response({"objects": 2, "size_bytes": 1024, "last": last})

    async def _connections(self, _request: web.Request) -> web.Response:
        entry = {
            "connection_id": 1,
            "session": "s-1",
            "user": {"id": "u-1", "name": "ada"},
            "address": "192.0.2.0/24",
            "opened_at": AT,
            "idle_ms": 4200,
            "queue_bytes": 2048,
        }
        nobody = {**entry, "connection_id": 2, "user": None, "session": None}
        return web.json_response({"data": [entry, nobody], "next_cursor": None})

    async def _audit(self, _request: web.Request) -> web.Response:
        act = {
            "act_id": "a-1",
            "at": AT,
            "actor_id": None,
            "actor_name": "root",
            "via": "socket",
            "action": "restart",
            "target": f"/veza/root/rooms/{ROOM}",
            "reason": "it hung",
            "request_id": "",
        }
        return web.json_response({"data": [act], "next_cursor": None})

    async def _drain(self, request: web.Request) -> web.Response:
        self.asked.append(("drain", await request.json()))
        return web.json_response({"phase": "draining", "is_audited": True}, status=202)


def trace_view(path: str, why_ended: str) -> dict[str, Any]:
    return {
        "trace_id": "t-1",
        "path": path,
        "started_at": AT,
        "ends_at": AT,
        "limit": 100,
        "seen": 3,
        "kept": 3,
        "why_ended": why_ended,
    }


def problem(status: int, code: str, detail: str, **more: Any) -> web.Response:
    body = {"title": "No", "status": status, "code": code, "detail": detail, **more}
    return web.json_response(body, status=status, content_type="application/problem+json")


class Served:
    """A peer on the socket of a data folder, on a thread of its own: commands bring their own loop."""

    def __init__(self, data: Path, peer: Peer) -> None:
        self.data = data
        self.peer = peer
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.runner: web.AppRunner | None = None

    def _do(self, work: Any) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(work, self.loop)
        done.result(10)

    def start(self) -> None:
        self._do(self._start())

    async def _start(self) -> None:
        self.runner = web.AppRunner(self.peer.app(), shutdown_timeout=0.1)
        await self.runner.setup()
        await web.UnixSite(self.runner, str(ops_socket(self.data))).start()

    def stop(self) -> None:
        """As a node that ends: the socket is gone, and with it every connection."""
        if self.runner is not None:
            self._do(self.runner.cleanup())
            self.runner = None

    def close(self) -> None:
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A node's data folder; a short path, for sockets."""
    for name in os.environ:
        if name.startswith("VEZA_") and name != "VEZA_PG_BIN":
            monkeypatch.delenv(name)
    with TemporaryDirectory(prefix="veza-cli-") as folder:
        monkeypatch.setenv("VEZA_DATA", folder)
        yield Path(folder)


@pytest.fixture
def served(data: Path) -> Iterator[Served]:
    served = Served(data, Peer())
    served.start()
    yield served
    served.close()


@pytest.fixture
def peer(served: Served) -> Peer:
    return served.peer


@dataclass
class Told:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def veza(capsys: pytest.CaptureFixture[str], data: Path) -> Callable[..., Told]:
    """Run a command as its user types it."""

    def run(*arguments: str) -> Told:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr()
        return Told(ended.value.code or 0, told.out, told.err)

    return run


class Terminal:
    """A command behind a pseudo-terminal, as its user sees it."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.screen, self.tty = pty.openpty()
        self.resize(24, 100)
        self.before = termios.tcgetattr(self.tty)
        self.seen = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "veza.gateway.cli", *arguments, "--data", str(data)],
            stdin=self.tty,
            stdout=self.tty,
            stderr=self.tty,
            env=self.environment(),
            start_new_session=True,
        )

    @staticmethod
    def environment() -> dict[str, str]:
        """This one's, without a size that another terminal may have."""
        kept = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
        }
        return {**kept, "PYTHONPATH": str(ROOT / ".links"), "TERM": "xterm-256color"}

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.tty, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def until(self, text: str) -> str:
        """Read on until the text comes; return all from there back to what was looked for before."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text.encode() not in self.seen:
            ready, _, _ = select.select([self.screen], [], [], deadline - time.monotonic())
            assert ready, f"{text!r} did not come: {self.seen[-2000:]!r}"
            self.seen += os.read(self.screen, 65536)
        found, _, self.seen = self.seen.partition(text.encode())
        return found.decode(errors="replace") + text

    def press(self, key: str) -> None:
        os.write(self.screen, key.encode())

    def ended(self, after: str) -> int:
        """The exit code; what comes before the last words is read, or it could not end."""
        self.until(after)
        return self.process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.screen)
        os.close(self.tty)


@pytest.fixture
def on_terminal(data: Path) -> Iterator[Callable[..., Terminal]]:
    with ExitStack() as stack:

        def run(*arguments: str) -> Terminal:
            terminal = Terminal(data, *arguments)
            stack.callback(terminal.close)
            return terminal

        yield run


@pytest.fixture
def names() -> dict[str, str]:
    return {"room": ROOM, "other": OTHER_ROOM, "hidden": HIDDEN_ROOM}
