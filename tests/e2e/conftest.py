"""A real node in a process of its own, and people who reach it over the network only."""

import asyncio
import fcntl
import io
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self

import aiohttp
import av
import m3u8
import numpy as np
import orjson
import pytest
import soundfile
from aiohttp import WSMsgType

from veza.codecs.synthesis import PIECES, render

ROOT = Path(__file__).parents[2]
NODE = (sys.executable, "-m", "veza.gateway.cli")
LAST_LINE = "Data:"
PASSWORD = "correct horse battery"
STOP_SECONDS = 30
ANSWER_SECONDS = 30
DEMO_SECONDS = 120
ENDS = {"published", "failed", "cancelled"}
RATE_HZ = 44_100
WORKER = b"veza.actors.encoding.worker"
numbers = count(1)


def environment(**changes: str) -> dict[str, str]:
    """What a node of a bare checkout needs; no setting of whoever runs the tests reaches it."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("VEZA_") or name == "VEZA_PG_BIN"
    }
    return {
        **inherited,
        "PYTHONPATH": str(ROOT / ".links"),
        "VEZA_BCRYPT_COST": "4",
        "VEZA_MESSAGE_RATE_PER_10S": "5000",
        "VEZA_MESSAGE_BURST": "1000",
        "VEZA_ACT_RATE_PER_10S": "5000",
        "VEZA_ACT_BURST": "1000",
        "VEZA_REACTIONS_PER_MIN": "1000",
        "VEZA_ROOMS_PER_HOUR": "1000",
        "VEZA_SIGN_INS_PER_MIN": "10000",
        **changes,
    }


class Processes:
    """Processes by handles that stay theirs when a number is used again."""

    def __init__(self, pids: list[int]) -> None:
        self._handles: dict[int, int] = {}
        for pid in pids:
            with suppress(ProcessLookupError):  # ended meanwhile, as PostgreSQL's helpers do
                self._handles[pid] = os.pidfd_open(pid)

    def left_after(self, seconds: float) -> list[int]:
        """Those that still run once all had this long to end."""
        left = []
        for pid, handle in self._handles.items():
            ended, _, _ = select.select([handle], [], [], seconds)
            if not ended:
                left.append(pid)
            os.close(handle)
        return left


def children(pid: int) -> list[int]:
    """The processes started by one, and those started by them."""
    found = []
    with suppress(OSError):  # it ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *children(child)]
    return found


def command_of(pid: int) -> bytes:
    """What a process was started as; nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Node:
    """One `veza serve`, started and ended as its user does."""

    def __init__(self, data: Path, *options: str, **env: str) -> None:
        self.data = data
        self.options = options
        self.env = environment(**env)
        self.errors = data / "stderr.log"
        self.process: subprocess.Popen[str] | None = None
        self.lines: list[str] = []

    def start(self, port: int = 0) -> Self:
        command = [*NODE, "serve", "--port", str(port), "--data", str(self.data), *self.options]
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                command, env=self.env, stdout=subprocess.PIPE, stderr=errors, text=True, cwd="/"
            )
        self.lines = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith(LAST_LINE):
                return self
        raise AssertionError(f"the node did not start: {self.lines}\n{self.errors.read_text()}")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def url(self) -> str:
        return self.told("Veza is ready")

    def told(self, name: str) -> str:
        """What the node said first behind a name when it started."""
        line = next(line for line in self.lines if name in line)
        return line.partition(name)[2].lstrip(": ").split("   ")[0].strip()

    def workers(self) -> list[int]:
        """The encoders that run now."""
        return [pid for pid in children(self.pid) if WORKER in command_of(pid)]

    def workers_left_after(self, seconds: float) -> list[int]:
        """The encoders of now that still run when all had this long to end."""
        return Processes(self.workers()).left_after(seconds)

    def stop(self) -> None:
        """SIGTERM: it ends well, nothing it started is left, and it met no bug of its own."""
        started = Processes(children(self.pid))
        self.signal(signal.SIGTERM)
        assert self.wait() == 0, self.errors.read_text()[-4000:]
        assert started.left_after(0) == []
        assert self.complaints() == []

    def complaints(self) -> list[str]:
        """What it logged as an error, or printed past its log."""
        # A line ends with a line feed only: paths in it may have signs that Python takes for more.
        lines = self.errors.read_text().removesuffix("\n").split("\n")
        return [line for line in lines if line and '"level":"info"' not in line]

    def kill(self) -> None:
        """SIGKILL: what it started ends by itself, PostgreSQL after it wrote everything."""
        started = Processes(children(self.pid))
        self.signal(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL
        assert started.left_after(STOP_SECONDS) == []

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        assert self.process is not None
        code = self.process.wait(STOP_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def end(self) -> None:
        """Leave nothing behind after a test that failed half-way."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.wait()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `veza` command, on this node's data."""
        command = [*NODE, *arguments, "--data", str(self.data)]
        return subprocess.run(
            command, env=self.env, capture_output=True, text=True, cwd="/", timeout=60, check=False
        )


@pytest.fixture(scope="session")
def new_node() -> Iterator[Callable[..., Node]]:
    """Make nodes with data of their own; each is ended with the session at the latest."""
    with ExitStack() as stack:

        def make(*options: str, **env: str) -> Node:
            # Short, for sockets, and open for the account that root lends PostgreSQL.
            folder = tempfile.TemporaryDirectory(prefix="veza-e2e-")
            data = Path(stack.enter_context(folder))
            data.chmod(0o711)
            node = Node(data, *options, **env)
            stack.callback(node.end)
            return node

        yield make


@pytest.fixture(scope="session")
def server(new_node: Callable[..., Node]) -> Iterator[Node]:
    """The node that a test process's tests share; ends well when they are through."""
    node = new_node().start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def demo_data(new_node: Callable[..., Node], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a first start with `--demo` leaves, all tracks published: made by one test process for all."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    made = shared / "demo"
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            node = new_node("--demo").start()
            wait_for_tracks(node)
            node.stop()
            copy(node.data, shared / "demo.new")
            (shared / "demo.new").rename(made)
    return made


def wait_for_tracks(node: Node) -> None:
    """Wait until every track of the demo is published."""
    deadline = time.monotonic() + DEMO_SECONDS
    while True:
        with urllib.request.urlopen(f"{node.url}/api/v1/tracks", timeout=ANSWER_SECONDS) as answer:
            states = [track["state"] for track in orjson.loads(answer.read())["data"]]
        if states == ["published"] * len(PIECES):
            return
        assert time.monotonic() < deadline, states
        time.sleep(0.1)


def copy(data: Path, to: Path) -> None:
    """Copy a node's data, whoever owns it."""
    subprocess.run(["cp", "-a", f"{data}/.", str(to)], check=True)


@pytest.fixture(scope="session")
def new_demo(new_node: Callable[..., Node], demo_data: Path) -> Callable[[], Node]:
    """Make nodes with the demo's people, tracks and rooms, each with a copy of its own."""

    def make() -> Node:
        node = new_node("--demo")
        copy(demo_data, node.data)
        return node

    return make


@pytest.fixture(scope="session")
def demo(new_demo: Callable[[], Node]) -> Iterator[Node]:
    """One of them, shared as `server` is."""
    node = new_demo().start()
    yield node
    node.stop()


class Wire:
    """A WebSocket connection: everything that came, in order."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.frame_ids = count(1)
        self._reading = asyncio.Lock()

    async def send(self, kind: str, frame_id: str | None = None, **d: Any) -> str:
        frame_id = frame_id or str(next(self.frame_ids))
        await self.socket.send_str(orjson.dumps({"t": kind, "id": frame_id, "d": d}).decode())
        return frame_id

    async def ask(self, kind: str, **d: Any) -> dict[str, Any]:
        """Send a command and return the one frame that answers it."""
        return await self.answer(await self.send(kind, **d))

    async def answer(self, frame_id: str) -> dict[str, Any]:
        return await self.find(lambda frame: frame.get("id") == frame_id)

    async def find(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first frame of this kind, among those that came or the next ones."""
        seen = 0
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                for frame in self.frames[seen:]:
                    if is_it(frame):
                        return frame
                seen = len(self.frames)
                async with self._reading:
                    if len(self.frames) == seen:  # else somebody else who waits has read on
                        await self._receive()

    async def _receive(self) -> None:
        message = await self.socket.receive()
        if message.type is not WSMsgType.TEXT:
            raise ConnectionResetError(f"closed with {self.socket.close_code}")
        self.frames += [orjson.loads(line) for line in message.data.split("\n")]

    async def closed(self) -> int:
        """Read on to the close; return its code."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while not self.socket.closed:
                message = await self.socket.receive()
                if message.type is WSMsgType.TEXT:
                    self.frames.append(orjson.loads(message.data))
        assert self.socket.close_code is not None
        return self.socket.close_code

    def events(self, kind: str, room: str) -> list[dict[str, Any]]:
        return [f for f in self.frames if f["t"] == kind and f.get("room") == room]


@dataclass(frozen=True)
class Rendition:
    """One quality of a track: its playlist and the files it names, the init segment first."""

    playlist: m3u8.M3U8
    addresses: list[str]
    files: list[bytes]


@dataclass(frozen=True)
class Stream:
    """A track as a player gets it."""

    playback: dict[str, Any]
    master_url: str
    master: m3u8.M3U8
    renditions: dict[str, Rendition]

    @property
    def files(self) -> dict[str, list[bytes]]:
        return {name: rendition.files for name, rendition in self.renditions.items()}


class Person:
    """Somebody with an account, at one client."""

    def __init__(self, session: aiohttp.ClientSession, url: str, name: str) -> None:
        self.session = session
        self.url = url
        self.name = name
        self.id = ""
        self.token = ""

    async def register(self) -> Self:
        account = {"username": self.name, "email": f"{self.name}@example.org"}
        await self.enter("/auth/register", {**account, "password": PASSWORD})
        return self

    async def sign_in(self, password: str = PASSWORD) -> Self:
        await self.enter("/auth/login", {"login": self.name, "password": password})
        return self

    async def enter(self, path: str, body: dict[str, Any]) -> None:
        answer = await self.post(path, body)
        self.id, self.token = answer["user"]["id"], answer["access_token"]

    def request(self, method: str, path: str, **options: Any) -> Any:
        """One request, bare; the address may be relative to the API or to the server."""
        headers = {**options.pop("headers", {})}
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        root = self.url if path.startswith("/api/") else f"{self.url}/api/v1"
        return self.session.request(method, root + path, headers=headers, **options)

    async def get(self, path: str) -> Any:
        async with self.request("GET", path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: object = None) -> Any:
        async with self.request("POST", path, json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def upload(self, data: bytes, filename: str, title: str = "A track") -> dict[str, Any]:
        """Upload a file; return its track and job as accepted."""
        form = aiohttp.FormData()
        form.add_field("title", title)
        form.add_field("file", io.BytesIO(data), filename=filename)
        async with self.request("POST", "/tracks", data=form) as answer:
            assert answer.status == 202, await answer.text()
            accepted: dict[str, Any] = await answer.json()
            return accepted

    async def ended(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job at its end, told by the connection that waits for it."""
        wire = await self.connect()
        now: dict[str, Any] = await self.get(f"/jobs/{job['id']}")
        if now["state"] not in ENDS:
            told = await wire.find(
                lambda f: f["t"] == "job.done" and f["d"]["job"]["id"] == job["id"]
            )
            now = told["d"]["job"]
        await wire.socket.close()
        return now

    async def publish(self, data: bytes, filename: str, title: str = "A track") -> str:
        """Upload a file and wait until it is a published track; return the track's id."""
        accepted = await self.upload(data, filename, title)
        job = await self.ended(accepted["job"])
        assert job["state"] == "published", job
        return str(accepted["track"]["id"])

    async def stream(self, track_id: str) -> "Stream":
        """Everything that a player fetches of a track: playlists, then what they name."""
        playback = await self.get(f"/tracks/{track_id}/playback")
        master_url = f"{self.url}{playback['lossless_url']}"
        master = m3u8.loads(await self.text(master_url), uri=master_url)
        renditions = {}
        for variant in master.playlists:
            url = variant.absolute_uri
            playlist = m3u8.loads(await self.text(url), uri=url)
            addresses = [playlist.segment_map[0].absolute_uri]
            addresses += [segment.absolute_uri for segment in playlist.segments]
            files = [await self.bytes(address) for address in addresses]
            renditions[url.split("/")[-2]] = Rendition(playlist, addresses, files)
        return Stream(playback, master_url, master, renditions)

    async def text(self, url: str) -> str:
        return (await self.bytes(url)).decode()

    async def bytes(self, url: str) -> bytes:
        """What an address holds, asked for as a player does: by its signature alone."""
        async with self.session.get(url) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()

    async def room(self, name: str = "Kitchen") -> str:
        room = await self.post("/rooms", {"name": name})
        return str(room["id"])

    async def connect(self) -> Wire:
        """A WebSocket that is signed in."""
        wire = await self.open()
        ready = await wire.ask("auth", token=self.token)
        assert ready["t"] == "ready", ready
        return wire

    async def open(self) -> Wire:
        """A WebSocket that has not said a word yet."""
        address = f"{self.url.replace('http', 'ws', 1)}/api/v1/ws?v=1"
        return Wire(await self.session.ws_connect(address, heartbeat=None, max_msg_size=0))


@pytest.fixture
async def person() -> AsyncIterator[Callable[..., Person]]:
    """Make people at clients; their connections end with the test."""
    async with AsyncExitStack() as stack:

        async def make(node: Node, name: str = "", *, url: str = "") -> Person:
            timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
            # No cookies: an API client says who it is in every request.
            session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
            await stack.enter_async_context(session)
            return Person(session, url or node.url, name or f"person-{next(numbers)}")

        yield make


@pytest.fixture
async def ada(server: Node, person: Callable[..., Any]) -> Person:
    made: Person = await person(server)
    return await made.register()


@pytest.fixture
async def bob(server: Node, person: Callable[..., Any]) -> Person:
    made: Person = await person(server)
    return await made.register()


@pytest.fixture(scope="session")
def staffed(new_node: Callable[..., Node]) -> Iterator[Node]:
    """A node with an administrator, who may be as quick as a test is; shared as `server` is."""
    node = new_node(VEZA_MESSAGE_BURST="1000", VEZA_MESSAGE_RATE_PER_10S="1000").start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def setup_token(staffed: Node) -> str:
    return staffed.told("First admin").partition("#")[2]


@pytest.fixture
async def boss(staffed: Node, setup_token: str, person: Callable[..., Any]) -> Person:
    """The administrator of that node, made by the first who asks."""
    made: Person = await person(staffed, "boss")
    account = {"username": "boss", "email": "boss@example.org", "password": PASSWORD}
    async with made.request("POST", "/setup", json={**account, "token": setup_token}) as answer:
        assert answer.status in {201, 401}, await answer.text()
    return await made.sign_in()


@pytest.fixture
def newcomer(staffed: Node, person: Callable[..., Any]) -> Callable[[], Awaitable[Person]]:
    """Make people with an account on that node."""

    async def make() -> Person:
        made: Person = await person(staffed)
        return await made.register()

    return make


def by_libsndfile(samples: np.ndarray, container: str, subtype: str) -> bytes:
    written = io.BytesIO()
    soundfile.write(written, samples, RATE_HZ, format=container, subtype=subtype)
    return written.getvalue()


def by_libav(samples: np.ndarray, container: str, codec: str, frame_samples: int) -> bytes:
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        stream = output.add_stream(codec, rate=RATE_HZ)
        stream.layout, stream.bit_rate = "stereo", 192_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), "fltp", "stereo")
        frame.sample_rate, frame.pts = RATE_HZ, 0
        cut = av.AudioResampler("fltp", "stereo", RATE_HZ, frame_size=frame_samples)
        for piece in [*cut.resample(frame), *cut.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return written.getvalue()


KINDS = {
    "wav": lambda samples: by_libsndfile(samples, "WAV", "PCM_16"),
    "flac": lambda samples: by_libsndfile(samples, "FLAC", "PCM_16"),
    "ogg": lambda samples: by_libsndfile(samples, "OGG", "VORBIS"),
    "mp3": lambda samples: by_libav(samples, "mp3", "libmp3lame", 1152),
    "m4a": lambda samples: by_libav(samples, "ipod", "aac", 1024),
}


@pytest.fixture(scope="session")
def music() -> Callable[[int], np.ndarray]:
    """Give that many samples of synthesised music in stereo at 44.1 kHz, repeated if need be."""
    piece = render(PIECES[3], seconds=20)

    def cut(length: int) -> np.ndarray:
        return np.tile(piece, (length // len(piece) + 1, 1))[:length]

    return cut


@pytest.fixture(scope="session")
def sound_file(music: Callable[[int], np.ndarray]) -> Callable[[str, int], bytes]:
    """Write that many samples of music as a file of a kind."""
    return lambda kind, length: KINDS[kind](music(length))
