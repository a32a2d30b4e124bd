"""`veza serve --workers 2`: two nodes on one port, data folder and Redis, that come and go together."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

RESTART_SECONDS = 30


class Workers:
    """The workers of a node, as the machine and an operator see them."""

    def __init__(self, node: Any) -> None:
        self.node = node

    def pid(self, number: int) -> int | None:
        for process in psutil.Process(self.node.pid).children():
            with suppress(psutil.Error):
                if process.cmdline()[-2:] == ["veza.gateway.worker", str(number)]:
                    return process.pid
        return None

    def connections(self, number: int) -> int | None:
        """How many a worker has; None if it does not answer."""
        shown = self.node.run("connections", "--json", "--worker", str(number))
        return len(json.loads(shown.stdout)) if shown.returncode == 0 else None

    def after(self, number: int, before: int) -> int | None:
        """The process that comes after another one; None if all is over."""
        deadline = time.monotonic() + RESTART_SECONDS
        while self.node.process.poll() is None:
            if (pid := self.pid(number)) not in {None, before}:
                return pid
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return None


@pytest.fixture
def pair(new_node: Callable[..., Any], redis: Any) -> Any:
    return new_node("--workers", "2", VEZA_REDIS_URL=redis.url)


async def test_people_on_both_workers_are_in_one_room(pair, person) -> None:
    node = pair.start()
    workers = Workers(node)
    ada = await (await person(node)).register()
    room = await ada.room()
    readers = []
    # The kernel chooses a worker for each connection: in twelve, both are met but once in 2,000 runs.
    while len(readers) < 12 or 0 in {workers.connections(1), workers.connections(2)}:
        someone = await (await person(node)).register()
        wire = await someone.connect()
        assert (await wire.ask("room.join", room=room))["t"] == "ack"
        readers.append(wire)
        assert len(readers) < 40

    sent = [
        wire.ask("message.send", room=room, message_id=str(uuid4()), text="salut")
        for wire in readers
    ]
    acked = [each["d"]["seq"] for each in await asyncio.gather(*sent)]
    last = max(acked)
    for wire in readers:
        await wire.find(lambda frame: frame.get("seq") == last and frame.get("room") == room)

    for wire in readers:
        seqs = [frame["seq"] for frame in wire.events("message.posted", room)]
        assert seqs[-len(acked) :] == sorted(acked)
    assert (await readers[0].ask("typing.start", room=room))["t"] == "ack"
    for wire in readers:
        await wire.find(lambda frame: frame["t"] == "typing" and frame["room"] == room)
    node.stop()


async def test_a_worker_that_dies_is_started_again_and_the_other_serves_on(pair, person) -> None:
    node = pair.start()
    workers = Workers(node)
    first, second = workers.pid(1), workers.pid(2)
    ada = await (await person(node)).register()

    os.kill(first, signal.SIGKILL)
    again = workers.after(1, first)

    assert again is not None
    assert workers.pid(2) == second
    assert (await ada.get("/me"))["id"] == ada.id
    deadline = time.monotonic() + RESTART_SECONDS
    while workers.connections(1) is None:
        assert time.monotonic() < deadline
    node.signal(signal.SIGTERM)
    assert node.wait() == 0
    assert ["worker.ended" in line for line in node.complaints()] == [True]


async def test_an_account_has_as_many_connections_as_it_may_on_all_workers_together(
    new_node, redis, person
) -> None:
    node = new_node(
        "--workers", "2", VEZA_REDIS_URL=redis.url, VEZA_CONNECTIONS_PER_USER="6"
    ).start()
    workers = Workers(node)
    bob = await (await person(node)).register()

    answers = []
    for _ in range(14):
        wire = await bob.open()
        answers.append((wire, (await wire.ask("auth", token=bob.token))["t"]))

    assert [each for _wire, each in answers] == ["ready"] * 6 + ["error"] * 8
    assert {await wire.closed() for wire, each in answers if each == "error"} == {4504}
    os.kill(workers.pid(1), signal.SIGKILL)
    # Its connections are gone, and count no more after a while; the other's go on counting.
    deadline = time.monotonic() + RESTART_SECONDS
    while True:
        wire = await bob.open()
        if (await wire.ask("auth", token=bob.token))["t"] == "ready":
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    node.kill()


def test_workers_end_with_the_process_that_started_them(pair) -> None:
    node = pair.start()

    node.kill()


def test_workers_that_only_die_are_given_up(pair) -> None:
    node = pair.start()
    workers = Workers(node)
    pid, killed = workers.pid(1), 0
    while pid is not None:
        os.kill(pid, signal.SIGKILL)
        killed += 1
        pid = workers.after(1, pid)

    assert killed == 6
    assert node.wait() == 1


def test_several_workers_need_a_redis(new_node, tmp_path: Path) -> None:
    node = new_node()
    shown = node.run("serve", "--workers", "2", "--port", "0")

    assert shown.returncode == 1
    assert "set VEZA_REDIS_URL" in shown.stderr


async def test_a_limit_of_an_account_and_a_ban_hold_on_both_workers(
    new_node, redis, person
) -> None:
    node = new_node(
        "--workers",
        "2",
        VEZA_REDIS_URL=redis.url,
        VEZA_WS_HEARTBEAT_MS="5000",  # clients that wait for others answer no pings
        VEZA_CONNECTIONS_PER_USER="100",
    ).start()
    workers = Workers(node)
    boss = await person(node, "boss")
    account = {"username": "boss", "email": "boss@example.org", "password": "correct horse battery"}
    token = node.told("First admin").partition("#")[2]
    await boss.enter("/setup", {**account, "token": token})
    bob = await (await person(node)).register()
    wires = []
    while len(wires) < 12 or 0 in {workers.connections(1), workers.connections(2)}:
        wires.append(await bob.connect())
        assert len(wires) < 40

    statuses = []
    for _ in range(14):
        # A connection each, so that the kernel chooses anew.
        again = await person(node)
        again.token = bob.token
        about = {"user_id": str(uuid4()), "reason": "spam"}
        async with again.request("POST", "/reports", json=about) as answer:
            statuses.append(answer.status)
    async with boss.request("PUT", f"/users/{bob.id}/ban", json={"reason": "spam"}) as answer:
        assert answer.status == 200
    closed = await asyncio.gather(*(wire.closed() for wire in wires))

    assert statuses == [404] * 10 + [429] * 4
    assert closed == [4503] * len(wires)
    node.stop()
