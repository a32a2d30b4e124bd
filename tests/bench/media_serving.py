"""What serving a segment costs: from the node's memory with its signature check, bare aiohttp, nginx.

Three servers on loopback with the same bytes, asked in turns over one connection each; CPU is that of
the server's process. nginx (one worker, `sendfile`) takes part where it is installed.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

BARE = """
import sys
from pathlib import Path
import uvloop
from aiohttp import web
body = Path(sys.argv[2]).read_bytes()
async def serve(request):
    return web.Response(body=body, content_type="audio/mp4")
uvloop.install()
app = web.Application()
app.router.add_get("/{name}", serve)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""
NGINX = """
daemon off; master_process off; pid {place}/nginx.pid; error_log /dev/null crit;
events {{}}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
    client_body_temp_path {place}/a; proxy_temp_path {place}/b; fastcgi_temp_path {place}/c;
    uwsgi_temp_path {place}/d; scgi_temp_path {place}/e;
    server {{ listen 127.0.0.1:{port}; root {place}; }}
}}
"""
ROUNDS, REQUESTS, WARM_UP = 10, 1_500, 200
TICKS = os.sysconf("SC_CLK_TCK")
READY_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Served:
    """One server that has the segment, and what its rounds took."""

    name: str
    pid: int
    port: int
    target: str
    cpu_us: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Player:
    """A client that does as little as it can, so that the server is what takes the time."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.socket = socket.create_connection(("127.0.0.1", served.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = f"GET {served.target} HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n".encode()
        self.buffer = memoryview(bytearray(1024 * 1024))

    def fetch(self) -> bytes:
        """Return the body of one answer."""
        self.socket.sendall(self.request)
        got, whole = 0, len(self.buffer)
        head = b""
        while got < whole:
            received = self.socket.recv_into(self.buffer[got:])
            if not received:
                raise ConnectionError("the server hung up")
            got += received
            if not head:
                head, found, _ = bytes(self.buffer[: min(got, 8192)]).partition(b"\r\n\r\n")
                if not found:
                    head = b""
                    continue
                assert head.split()[1] == b"200", head
                size = int(head.lower().split(b"content-length: ")[1].split()[0])
                whole = len(head) + 4 + size
        return bytes(self.buffer[len(head) + 4 : whole])

    def round(self) -> None:
        """Fetch many times; note what each took."""
        cpu, started = cpu_seconds(self.served.pid), time.perf_counter()
        for _ in range(REQUESTS):
            self.fetch()
        self.served.rates.append(REQUESTS / (time.perf_counter() - started))
        self.served.cpu_us.append((cpu_seconds(self.served.pid) - cpu) / REQUESTS * 1e6)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def process(command: list[str], port: int) -> Iterator[int]:
    """Run a server until it is no longer wanted; lend its process id once it listens."""
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        yield running.pid
    finally:
        running.terminate()
        running.wait()


@contextmanager
def bare_aiohttp(file: Path) -> Iterator[Served]:
    port = free_port()
    with process([sys.executable, "-c", BARE, str(port), str(file)], port) as pid:
        yield Served(name="bare aiohttp", pid=pid, port=port, target="/segment")


@contextmanager
def nginx(file: Path) -> Iterator[Served]:
    port, place = free_port(), file.parent
    (place / "nginx.conf").write_text(NGINX.format(place=place, port=port))
    command = [str(shutil.which("nginx")), "-c", str(place / "nginx.conf"), "-p", str(place)]
    with process(command, port) as pid:
        yield Served(name="nginx", pid=pid, port=port, target=f"/{file.name}")


def compare(address: str, pid: int, target: str, place: Path, say: Callable[[str], None]) -> None:
    """Fetch a segment of a running node, then measure it and the others with the same bytes."""
    port = urlsplit(address).port
    assert port is not None
    node = Served(name="veza", pid=pid, port=port, target=target)
    body = Player(node).fetch()
    file = place / "segment.m4s"
    file.write_bytes(body)
    with ExitStack() as stack:
        all_served = [node, stack.enter_context(bare_aiohttp(file))]
        if shutil.which("nginx"):
            all_served.append(stack.enter_context(nginx(file)))
        players = [Player(served) for served in all_served]
        for player in players:
            for _ in range(WARM_UP):
                assert player.fetch() == body
        for _ in range(ROUNDS):
            for player in players:
                player.round()
    for served in all_served:
        say(
            f"{len(body) / 1000:5.0f} kB  {served.name:14} {statistics.median(served.cpu_us):6.0f} us"
            f" {statistics.median(served.rates):8.0f}/s"
        )
