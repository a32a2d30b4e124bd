"""Measure a whole node from outside: start, first playable segment, encoding, durable messages.

Starts `veza serve` on an empty data folder, on loopback; every figure is what a client sees. Run it
as `scripts/bench node`.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from uuid import uuid4

import aiohttp

from veza.codecs.synthesis import PIECES, render
from veza.codecs.wav import wav_bytes

RATE_HZ = 44_100
READY = "Veza is ready"
FRAME_PAUSE_SECONDS = 0.055
"""A connection may send 20 frames a second in the long run."""


class Server:
    """One node as a process of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data

    async def __aenter__(self) -> Self:
        started = time.perf_counter()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "veza.gateway.cli", "serve", "--port", "0", "--data", str(self.data)),
            env=os.environ
            | {"VEZA_BCRYPT_COST": "4"}
            | {"VEZA_MESSAGE_RATE_PER_10S": "1000000", "VEZA_MESSAGE_BURST": "1000000"}
            | {"VEZA_ROOMS_PER_HOUR": "100000"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.decode().startswith(READY):
                self.address = line.decode().split()[-1]
                break
        self.start_seconds = time.perf_counter() - started
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        await self.process.wait()

    def cpu_seconds(self) -> float:
        """User and system time of the node itself."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def song(seconds: float) -> bytes:
    """A WAV file of the built-in pieces, one after the other."""
    import numpy as np

    parts = [render(piece, sample_rate_hz=RATE_HZ) for piece in PIECES]
    samples = np.concatenate(parts * (1 + int(seconds // 150)))[: int(seconds * RATE_HZ)]
    return wav_bytes(samples, sample_rate_hz=RATE_HZ)


async def sign_up(session: aiohttp.ClientSession, name: str) -> dict[str, str]:
    body = {"username": name, "email": f"{name}@example.org", "password": "correct horse battery"}
    async with session.post("/api/v1/auth/register", json=body) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


async def measure_track(server: Server, seconds: float) -> dict[str, float]:
    """Upload a track, fetch its first segment as soon as there is one, wait for its end."""
    data = await asyncio.to_thread(song, seconds)
    async with aiohttp.ClientSession(server.address) as session:
        who = await sign_up(session, "maker")
        form = aiohttp.FormData()
        form.add_field("title", "Bench")
        form.add_field("file", data, filename="bench.wav", content_type="audio/wav")
        async with session.post("/api/v1/tracks", data=form, headers=who) as answer:
            track = (await answer.json())["track"]["id"]
        uploaded = time.perf_counter()
        first = await first_segment(session, track, who)
        playable = time.perf_counter() - uploaded
        while True:
            async with session.get(f"/api/v1/tracks/{track}", headers=who) as answer:
                if (await answer.json())["state"] == "published":
                    break
            await asyncio.sleep(0.05)
        wall = time.perf_counter() - uploaded
    return {
        "track_seconds": seconds,
        "first_playable_segment_seconds": round(playable, 3),
        "first_segment_bytes": first,
        "published_after_seconds": round(wall, 2),
        "times_real_time": round(seconds / wall, 1),
    }


async def first_segment(session: aiohttp.ClientSession, track: str, who: dict[str, str]) -> int:
    while True:
        async with session.get(f"/api/v1/tracks/{track}/playback", headers=who) as answer:
            if answer.status == 200:
                master = (await answer.json())["hls_url"]
                break
        await asyncio.sleep(0.02)
    async with session.get(master) as answer:
        media = next(line for line in (await answer.text()).splitlines() if "m3u8" in line)
    base = master.rsplit("/", 1)[0]
    async with session.get(f"{base}/{media}") as answer:
        lines = (await answer.text()).splitlines()
    segment = next(line for line in lines if ".m4s" in line)
    async with session.get(f"{base}/{media.rsplit('/', 1)[0]}/{segment}") as answer:
        return len(await answer.read())


async def segments(server: Server, ladder_kbps: Sequence[int]) -> list[str]:
    """Publish a short track; return a signed path to a segment of each rung."""
    async with aiohttp.ClientSession(server.address) as session:
        who = await sign_up(session, "publisher")
        form = aiohttp.FormData()
        form.add_field("title", "Bench")
        form.add_field("file", await asyncio.to_thread(song, 13.0), filename="bench.wav")
        async with session.post("/api/v1/tracks", data=form, headers=who) as answer:
            track = (await answer.json())["track"]["id"]
        state = ""
        while state != "published":
            await asyncio.sleep(0.05)
            async with session.get(f"/api/v1/tracks/{track}", headers=who) as answer:
                state = (await answer.json())["state"]
        async with session.get(f"/api/v1/tracks/{track}/playback") as answer:
            base, _, query = (await answer.json())["hls_url"].partition("master.m3u8")
        return [f"{base}aac-{kbps}/0.m4s{query}" for kbps in ladder_kbps]


async def measure_messages(server: Server, clients: int, seconds: float) -> dict[str, float]:
    """Send messages over WebSocket, each client one at a time: every ack follows a commit."""
    async with aiohttp.ClientSession(server.address) as session:
        who = [await sign_up(session, f"talker{number}") for number in range(clients)]
        rooms = []
        for number in range(max(1, clients // 4)):
            body = {"name": f"Room {number}", "kind": "public"}
            async with session.post("/api/v1/rooms", json=body, headers=who[0]) as answer:
                rooms.append((await answer.json())["id"])
        deadline = time.perf_counter() + seconds
        before = server.cpu_seconds()
        talkers = (
            talk(session, headers, rooms[number % len(rooms)], deadline)
            for number, headers in enumerate(who)
        )
        waits = sorted(wait for each in await asyncio.gather(*talkers) for wait in each)
        cpu = server.cpu_seconds() - before
    return {
        "clients": clients,
        "acknowledged_per_second": round(len(waits) / seconds),
        "ack_p50_ms": round(waits[len(waits) // 2] * 1000, 2),
        "ack_p99_ms": round(waits[len(waits) * 99 // 100] * 1000, 2),
        "node_cpu_us_per_message": round(cpu / len(waits) * 1e6),
    }


async def talk(
    session: aiohttp.ClientSession, who: dict[str, str], room: str, deadline: float
) -> list[float]:
    waits = []
    async with session.ws_connect("/api/v1/ws?v=1") as ws:
        await ws.receive_json()
        token = who["Authorization"].removeprefix("Bearer ")
        await ws.send_json({"t": "auth", "id": "auth", "d": {"token": token}})
        await until(ws, "auth")
        await ws.send_json({"t": "room.join", "id": "join", "d": {"room": room}})
        await until(ws, "join")
        await asyncio.sleep(FRAME_PAUSE_SECONDS * random.random())
        while time.perf_counter() < deadline:
            message = {"room": room, "message_id": str(uuid4()), "text": "x" * 100}
            started = time.perf_counter()
            await ws.send_json({"t": "message.send", "id": str(len(waits)), "d": message})
            await until(ws, str(len(waits)))
            waits.append(time.perf_counter() - started)
            await asyncio.sleep(max(0.0, FRAME_PAUSE_SECONDS - waits[-1]))
    return waits


async def until(ws: aiohttp.ClientWebSocketResponse, frame_id: str) -> None:
    """Read until the answer to one frame."""
    while True:
        frame = await ws.receive_json()
        if frame.get("id") == frame_id:
            assert frame["t"] in {"ack", "ready"}, frame
            return


async def measure(track_seconds: float, clients: int, message_seconds: float) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        async with Server(data) as server:
            cold = server.start_seconds
        async with Server(data) as server:
            warm = server.start_seconds
            track = await measure_track(server, track_seconds)
            messages = await measure_messages(server, clients, message_seconds)
        return {
            "cold_start_seconds": round(cold, 2),
            "warm_start_seconds": round(warm, 2),
            "track": track,
            "messages": messages,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--track-seconds", type=float, default=210.0)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--message-seconds", type=float, default=5.0)
    given = parser.parse_args()
    figures = asyncio.run(measure(given.track_seconds, given.clients, given.message_seconds))
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
