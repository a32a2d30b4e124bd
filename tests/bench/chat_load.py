"""What is done to a server, and the figures that come of it."""

import asyncio
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from chat_line import said
from chat_people import Node, Place, Seat, fill, leave, until

Figures = dict[str, float]
WINDOW = 16
"""Messages each sender of a saturated run has under way."""


class Meter:
    """CPU of the server over a stretch of time."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.cpu = self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        cpu, began = self.place.server.cpu_seconds(), time.perf_counter()
        yield
        self.cpu = self.place.server.cpu_seconds() - cpu
        self.seconds = time.perf_counter() - began


def percentile(values: list[int], share: float) -> float:
    """In milliseconds, of microseconds."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1000, 2)


def waits(seats: list[Seat]) -> list[int]:
    return [wait for seat in seats for wait in seat.waits_us or ()]


async def fan_out(place: Place, seconds: float) -> Figures:
    """Ten rooms of fifty; two of each send as fast as they get back what they sent."""
    rooms = await place.rooms(10)
    seats = await fill(place, rooms, 50)
    senders = [seat for seat in seats if seat.number % 50 in {0, 1}]
    witnesses = [seat for seat in seats if seat.number % 50 == 25]
    counting = [seat for seat in seats if seat not in senders and seat not in witnesses]
    sent = dict.fromkeys(rooms, 0)
    is_over = False

    def again(seat: Seat) -> None:
        if not is_over:
            sent[seat.room] += 1
            seat.say()

    for seat in senders:
        seat.on_own = lambda _sent_us, seat=seat: again(seat)  # type: ignore[misc]
        for _ in range(WINDOW):
            again(seat)
    await asyncio.sleep(0.5)
    for seat in counting:
        seat.line.count()
    for seat in witnesses:
        seat.waits_us = []
    meter = Meter(place)
    with meter.running():
        await asyncio.sleep(seconds)
        delivered = sum(seat.line.counted for seat in counting) * 50 / 47
    is_over = True
    figures = {
        "delivered_per_second": round(delivered / meter.seconds),
        "messages_per_second": round(delivered / 50 / meter.seconds),
        "cpu_us_each": round(meter.cpu / delivered * 1e6, 2),
        "cpu_share": round(meter.cpu / meter.seconds, 2),
        "p50_ms": percentile(waits(witnesses), 0.5),
        "p99_ms": percentile(waits(witnesses), 0.99),
    }
    check(senders + witnesses)
    await leave(seats)
    return figures


def check(seats: list[Seat]) -> None:
    """Whoever looked at each message saw them in order and without a hole."""
    assert not any(seat.holes for seat in seats), "messages are missing or out of order"


async def fixed_rate(place: Place, seconds: float, per_second: int = 200) -> Figures:
    """One room of fifty, two hundred messages a second by the clock."""
    seats = await fill(place, await place.rooms(1), 50)
    witnesses = seats[20:30]
    counting = [seat for seat in seats if seat not in witnesses]
    for seat in counting:
        seat.line.count()
    for seat in witnesses:
        seat.waits_us = []
    meter = Meter(place)
    with meter.running():
        sent = await by_the_clock(seats[:10], seconds, per_second)
    await asyncio.sleep(0.2)
    delivered = sum(seat.line.counted for seat in counting) + len(waits(witnesses))
    figures = {
        "messages_per_second": round(sent / meter.seconds),
        "lost": sent * len(seats) - delivered,
        "cpu_us_each": round(meter.cpu / delivered * 1e6, 2),
        "p50_ms": percentile(waits(witnesses), 0.5),
        "p99_ms": percentile(waits(witnesses), 0.99),
    }
    await leave(seats)
    return figures


async def by_the_clock(
    senders: list[Seat], seconds: float, per_second: float, chars: int = 128
) -> int:
    """Send at fixed times, whatever the server does; return how many."""
    began, total = time.perf_counter(), int(seconds * per_second)
    for number in range(total):
        delay = began + number / per_second - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        senders[number % len(senders)].say(chars=chars)
    return total


async def sends(place: Place, seconds: float, *, rooms: int, per_room: int) -> Figures:
    """Forty senders, one message under way each; the next follows the answer, which follows the commit."""
    seats = await fill(place, await place.rooms(rooms), per_room)
    senders = seats if rooms == 1 else [seat for seat in seats if seat.number % per_room < 2]
    acks: list[int] = []
    failures: list[object] = []
    began: dict[int, int] = {}
    is_over = False

    def send(seat: Seat) -> None:
        began[seat.number] = time.perf_counter_ns()
        seat.say(frame_id="m")

    def answered(seat: Seat, kind: str, frame: object) -> None:
        acks.append((time.perf_counter_ns() - began[seat.number]) // 1000)
        if kind != "ack":
            failures.append(frame)
        if not is_over:
            send(seat)

    for seat in seats:
        seat.on_answer = lambda kind, frame, seat=seat: answered(seat, kind, frame)  # type: ignore[misc]
        if seat not in senders:
            seat.line.count()
    for seat in senders:
        send(seat)
    await asyncio.sleep(0.5)
    acks.clear()
    meter = Meter(place)
    with meter.running():
        await asyncio.sleep(seconds)
        count = len(acks)
    is_over = True
    assert not failures, failures[0]
    figures = {
        "acked_per_second": round(count / meter.seconds),
        "ack_p50_ms": percentile(acks, 0.5),
        "ack_p99_ms": percentile(acks, 0.99),
        "cpu_us_each": round(meter.cpu / count * 1e6, 1),
        "cpu_share": round(meter.cpu / meter.seconds, 2),
    }
    check(senders)
    await leave(seats)
    return figures


async def idle(place: Place, count: int) -> Figures:
    """Connections that are in a room and do nothing; how fast they come, what they hold."""
    rooms = await place.rooms(50)
    warm_up = await fill(place, rooms, 2)
    before = place.server.resident_bytes()
    meter = Meter(place)
    with meter.running():
        seats = await fill(place, rooms, count // len(rooms))
    await asyncio.sleep(1.0)
    grown = place.server.resident_bytes() - before
    figures = {
        "connections": float(len(seats)),
        "kb_each": round(grown / len(seats) / 1024, 1),
        "connects_per_second": round(len(seats) / meter.seconds),
        "connect_cpu_us": round(meter.cpu / len(seats) * 1e6),
    }
    await leave(seats + warm_up)
    return figures


async def storm(place: Place, count: int) -> Figures:
    """Everybody but one room drops and comes back at once; that room goes on at 100 messages a second."""
    rooms = await place.rooms(11)
    bystanders = await fill(place, rooms[:1], 10)
    crowd = await fill(place, rooms[1:], count // 10)
    for seat in bystanders:
        seat.waits_us = []
    await by_the_clock(bystanders, 1.5, 100)
    await asyncio.sleep(0.1)
    before = percentile(waits(bystanders), 0.99)
    for seat in bystanders:
        seat.waits_us = []
    sending = asyncio.create_task(by_the_clock(bystanders, 1.5, 100))
    await asyncio.sleep(0.1)
    returned = [Seat(seat.room, seat.number, seat.person) for seat in crowd]
    for old, new in zip(crowd, returned, strict=True):
        new.position = old.position
        old.line.transport.abort()
    meter = Meter(place)
    began = time.perf_counter()
    with meter.running():
        refused = sum(await asyncio.gather(*(come_back(place, seat) for seat in returned)))
    took = sorted(int((seat.entered.result() - began) * 1e6) for seat in returned)
    await sending
    await asyncio.sleep(0.2)
    assert all(seat.recovered for seat in returned), "somebody has to reload"
    figures = {
        "all_back_seconds": round(took[-1] / 1e6, 2),
        "back_p50_ms": percentile(took, 0.5),
        "cpu_us_each": round(meter.cpu / count * 1e6),
        "turned_away": float(refused),
        "bystander_p99_ms_before": before,
        "bystander_p99_ms_during": percentile(waits(bystanders), 0.99),
    }
    await leave(returned + bystanders)
    return figures


async def come_back(place: Place, seat: Seat) -> int:
    """Try until one is in; return how often one was turned away."""
    refused = 0
    while True:
        try:
            await place.enter(seat)
        except OSError:
            refused += 1
            seat.entered = asyncio.get_running_loop().create_future()
            await asyncio.sleep(0.1)
        else:
            return refused


async def slow_reader(place: Node) -> Figures:
    """A thousand messages of 3,900 characters a second for ten, of whom one stops reading."""
    (room,) = await place.rooms(1)
    seats = await fill(place, [room], 9)
    stuck = await asyncio.to_thread(stop_reading, place, room)
    for seat in seats[1:]:
        seat.waits_us = []
    before = place.server.resident_bytes()
    began = time.perf_counter()
    sending = asyncio.create_task(by_the_clock(seats[:1], 6.0, 1000, 3900))
    peak, closed_after = before, None
    while not sending.done():
        await asyncio.sleep(0.02)
        peak = max(peak, place.server.resident_bytes())
        if closed_after is None and is_gone(stuck):
            closed_after = time.perf_counter() - began
    stuck.close()
    await until(lambda: seats[0].seq == seats[1].seq, 5.0)
    figures = {
        "closed_after_seconds": round(closed_after or float("inf"), 2),
        "peak_mb_more": round((peak - before) / 1e6, 1),
        "others_p99_ms": percentile(waits(seats), 0.99),
    }
    check(seats)
    await leave(seats)
    return figures


def stop_reading(place: Node, room: str) -> socket.socket:
    """Join a room on a plain socket, and never read again."""
    address = urlsplit(place.server.address)
    line = socket.create_connection(("127.0.0.1", address.port or 80))
    line.sendall(
        b"GET /api/v1/ws?v=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    line.sendall(said("auth", {"token": place.tokens[-1]}, "auth"))
    line.sendall(said("room.join", {"room": room}, "join"))
    seen = b""
    while b'"join"' not in seen:
        seen += line.recv(65536)
    return line


def is_gone(line: socket.socket) -> bool:
    """Whether the other side has closed, without reading a byte."""
    poll = select.poll()
    poll.register(line, select.POLLRDHUP)
    return any(
        event & (select.POLLHUP | select.POLLERR | select.POLLRDHUP) for _fd, event in poll.poll(0)
    )
