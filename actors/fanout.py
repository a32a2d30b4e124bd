"""The node's fan-out hub: an event is encoded once, and each connection gets one write per loop turn.

Rooms decide whether and in which order an event is told; the hub owns the bytes. A topic's frames of
one loop turn are joined once, so members with the same backlog share one bytes object. Every queue is
bounded: a connection that reads too slowly loses volatile events first and is then closed with 4002;
it resumes from the room log and misses nothing.

Plain objects, not actors: this is the data plane (docs/adr/0004-fan-out.md). All calls come from the
node's event loop.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

SLOW_CONSUMER: Final = 4002
STUCK_SECONDS: Final = 2.0
"""A socket that takes nothing for so long, with bytes waiting, is not read any more."""


class Transport(Protocol):
    """What the hub needs of a socket; the gateway has it."""

    def write(self, data: bytes) -> None:
        """Queue bytes for the socket; never waits."""

    def buffered_bytes(self) -> int:
        """How many bytes the socket has not taken yet."""

    def close(self, code: int, reason: str) -> None:
        """Close the connection; later writes are ignored."""


class Elsewhere(Protocol):
    """The other nodes. None of this waits, or fails."""

    def tell(self, name: str, event: object, after_seq: int) -> None:
        """Tell volatile news to those who subscribe to a topic there, past an event if it is a room's."""

    def attend(self, name: str) -> None:
        """Hear the news of a topic: somebody holds it now."""

    def disregard(self, name: str) -> None:
        """Hear them no more: nobody holds it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOutLimits:
    """Bounds of one connection and one topic.

    `volatile_bytes`: past this backlog volatile events are dropped. `outbox_bytes`: past this one the
    connection is closed. `replay_events`, `replay_bytes`: how many events a topic keeps for late
    subscribers, and how much they may weigh; never more than half an outbox takes at once.
    """

    volatile_bytes: int = 64 * 1024
    outbox_bytes: int = 1024 * 1024
    replay_events: int = 512
    replay_bytes: int = 256 * 1024


@dataclass(slots=True)
class FanOutCounters:
    """Totals since the node started."""

    published: int = 0
    delivered: int = 0
    dropped_volatile: int = 0
    slow_consumers: int = 0


def joined(frames: Sequence[bytes], _form: int) -> bytes:
    """Put frames one after the other: the form of a connection that agreed to nothing else."""
    return frames[0] if len(frames) == 1 else b"".join(frames)


class Outbox:
    """One connection's bounded queue of frames.

    `form` is how it wants them, a number that only the hub's `shape` understands; 0 is as they are.
    """

    __slots__ = (
        "_hub",
        "_taken_at",
        "_taken_bytes",
        "backlog",
        "chunks",
        "form",
        "is_open",
        "owner",
        "topics",
        "transport",
        "written_bytes",
    )

    def __init__(self, hub: "FanOut", transport: Transport, form: int) -> None:
        self._hub = hub
        self.owner: UUID | None = None
        self.transport = transport
        self.form = form
        self.written_bytes = 0
        self._taken_bytes = 0
        self._taken_at = 0.0
        self.chunks: list[bytes] = []
        self.backlog = 0
        self.topics: set[_Topic] = set()
        self.is_open = True

    def push(self, event: object) -> None:
        """Queue an event for this connection alone."""
        frame = self._hub.encode(event)
        self.append(self._hub.shape((frame,), self.form) if self.form else frame)

    def append(self, chunk: bytes) -> None:
        """Queue encoded frames; closes the connection if its backlog grows past the limit."""
        if not self.is_open:
            return
        if not self.chunks:
            self._hub.mark(self)
        self.chunks.append(chunk)
        self.backlog += len(chunk)
        if self.backlog + self.transport.buffered_bytes() > self._hub.limits.outbox_bytes:
            self.fall_behind()

    def waiting_bytes(self) -> int:
        """Bytes queued here and in the socket's own buffer."""
        return self.backlog + self.transport.buffered_bytes()

    def cut_off_if_stuck(self, now: float) -> None:
        """Close a connection that takes nothing any more; to be asked several times a second.

        Its backlog may stay small for ever in a quiet room: this bounds its time, not its bytes.
        """
        waiting = self.transport.buffered_bytes()
        taken = self.written_bytes - waiting
        if not waiting or taken != self._taken_bytes:
            self._taken_bytes, self._taken_at = taken, now
        elif self.is_open and now - self._taken_at >= STUCK_SECONDS:
            self.fall_behind()

    def fall_behind(self) -> None:
        """Close as a slow consumer; the client comes back and resumes."""
        self._hub.counters.slow_consumers += 1
        self.disconnect(SLOW_CONSUMER, "slow consumer")

    def disconnect(self, code: int, reason: str) -> None:
        """Close the connection itself; the code tells the client what to do next."""
        self.close()
        self.transport.close(code, reason)

    def close(self) -> None:
        """Leave every topic and forget what waits."""
        self.is_open = False
        for topic in self.topics:
            self._hub.discard(topic, self)
        self.topics.clear()
        self.chunks.clear()
        self.backlog = 0


@dataclass(slots=True, eq=False)
class _Topic:
    name: str
    told_seq: int = 0
    holders: set[Outbox] = field(default_factory=set)
    outboxes: set[Outbox] = field(default_factory=set)
    replay: deque[tuple[int, bytes]] = field(default_factory=deque)
    replay_bytes: int = 0
    durable: list[bytes] = field(default_factory=list)
    everything: list[bytes] = field(default_factory=list)


class FanOut:
    """Topics, who subscribes to them, and what waits to be written.

    Args:
        encode: turns an event into one finished WebSocket frame; called once per event.
        call_soon: schedules the one flush of a loop turn.
        limits: the bounds.
        shape: brings frames into the form of a connection; called once a topic, turn and form.

    """

    def __init__(
        self,
        encode: Callable[[object], bytes],
        call_soon: Callable[[Callable[[], None]], object],
        limits: FanOutLimits,
        shape: Callable[[Sequence[bytes], int], bytes] = joined,
    ) -> None:
        self.encode = encode
        self.shape = shape
        self.limits = limits
        self._replay_bytes = min(limits.replay_bytes, limits.outbox_bytes // 2)
        self.counters = FanOutCounters()
        self._elsewhere: Elsewhere | None = None
        self._call_soon = call_soon
        self._topics: dict[str, _Topic] = {}
        self._dirty_topics: set[_Topic] = set()
        self._dirty_outboxes: list[Outbox] = []
        self._is_flush_due = False

    def open(self, transport: Transport, form: int = 0) -> Outbox:
        """Make the outbox of a new connection."""
        return Outbox(self, transport, form)

    def publish(self, name: str, event: object, *, seq: int | None = None) -> None:
        """Tell an event to a topic's subscribers; without a `seq` it is volatile and may be dropped."""
        topic = self._topics.get(name)
        if topic is None:
            return
        frame = self.encode(event)
        self.counters.published += 1
        topic.everything.append(frame)
        if seq is not None:
            topic.told_seq = seq
            topic.durable.append(frame)
            self._keep(topic, seq, frame)
        self._dirty_topics.add(topic)
        self._schedule()

    def publish_everywhere(self, name: str, event: object, *, after_seq: int = 0) -> None:
        """Tell volatile news to subscribers here, and on other nodes past the event `after_seq`."""
        self.publish(name, event)
        self.publish_elsewhere(name, event, after_seq=after_seq)

    def publish_elsewhere(self, name: str, event: object, *, after_seq: int = 0) -> None:
        """Tell volatile news to those on other nodes alone."""
        if self._elsewhere is not None:
            self._elsewhere.tell(name, event, after_seq)

    def connect(self, elsewhere: Elsewhere | None) -> None:
        """Know the other nodes from now on, or none."""
        for name in self._topics:
            if self._elsewhere is not None:
                self._elsewhere.disregard(name)
            if elsewhere is not None:
                elsewhere.attend(name)
        self._elsewhere = elsewhere

    def _keep(self, topic: _Topic, seq: int, frame: bytes) -> None:
        """Keep a frame for late subscribers; the oldest go when there are too many or too heavy."""
        topic.replay.append((seq, frame))
        topic.replay_bytes += len(frame)
        while (
            len(topic.replay) > self.limits.replay_events or topic.replay_bytes > self._replay_bytes
        ):
            topic.replay_bytes -= len(topic.replay.popleft()[1])

    def hold(self, name: str, outbox: Outbox) -> None:
        """Keep the topic's events from now on, for a connection that is about to subscribe."""
        if outbox.is_open:
            topic = self._topics.get(name)
            if topic is None:
                topic = self._topics[name] = _Topic(name)
                if self._elsewhere is not None:
                    self._elsewhere.attend(name)
            topic.holders.add(outbox)
            outbox.topics.add(topic)

    def subscribe(
        self,
        name: str,
        outbox: Outbox,
        *,
        after_seq: int,
        head_seq: int,
        greeting: object | None = None,
    ) -> bool:
        """Deliver a held topic from the event after `after_seq` on, without a gap or a repetition.

        `head_seq` is the newest event at some time after `hold`; `greeting` goes to this connection
        before the first event. Returns False, and delivers nothing, if the topic does not keep all
        events between: the caller reads them from the log and asks again.
        """
        topic = self._topics.get(name)
        if topic is None or outbox not in topic.holders:
            return not outbox.is_open
        newest = max(head_seq, topic.replay[-1][0] if topic.replay else 0)
        missed = [frame for seq, frame in topic.replay if seq > after_seq]
        if newest - after_seq > len(missed):
            return False
        self._spread(topic)
        if greeting is not None:
            outbox.push(greeting)
        if missed:
            outbox.append(self.shape(missed, outbox.form))
        if outbox.is_open:
            topic.outboxes.add(outbox)
            topic.told_seq = max(topic.told_seq, newest)
        return True

    def unsubscribe(self, name: str, outbox: Outbox) -> None:
        """Deliver no more of the topic to this connection; harmless if it did not subscribe."""
        topic = self._topics.get(name)
        if topic is not None and topic in outbox.topics:
            outbox.topics.discard(topic)
            self.discard(topic, outbox)

    def hand_out(self, name: str) -> int:
        """Give subscribers now what waits for the end of this turn; return the event they have come to."""
        topic = self._topics[name]
        self._spread(topic)
        return topic.told_seq

    def expel(self, name: str, owner: UUID) -> None:
        """Deliver no more of the topic to anybody of one owner; what was told until now still is."""
        topic = self._topics.get(name)
        if topic is None:
            return
        gone = [outbox for outbox in topic.holders if outbox.owner == owner]
        if gone:
            self._spread(topic)
        for outbox in gone:
            self.unsubscribe(name, outbox)

    def is_held(self, name: str, outbox: Outbox) -> bool:
        """Tell whether the topic's events are kept for this connection, or delivered to it."""
        topic = self._topics.get(name)
        return topic is not None and outbox in topic.holders

    def is_subscribed(self, name: str, outbox: Outbox) -> bool:
        """Tell whether the topic's events are delivered to this connection."""
        topic = self._topics.get(name)
        return topic is not None and outbox in topic.outboxes

    def subscribers(self, name: str) -> int:
        """How many connections of this node receive the topic."""
        topic = self._topics.get(name)
        return len(topic.outboxes) if topic else 0

    def newest_seq(self, name: str) -> int:
        """Return the newest event published to a topic that somebody holds; 0 if there was none."""
        topic = self._topics.get(name)
        return 0 if topic is None else topic.told_seq

    def told_seq(self, name: str) -> int | None:
        """Return the event that the topic's subscribers have come to; None if there are none."""
        topic = self._topics.get(name)
        return topic.told_seq if topic and topic.outboxes else None

    def mark(self, outbox: Outbox) -> None:
        """Remember that an outbox has something to write this turn."""
        self._dirty_outboxes.append(outbox)
        if not self._is_flush_due:
            self._schedule()

    def discard(self, topic: _Topic, outbox: Outbox) -> None:
        """Take an outbox out of a topic; the last one takes the topic's memory along."""
        topic.outboxes.discard(outbox)
        topic.holders.discard(outbox)
        if not topic.holders:
            if self._topics.pop(topic.name, None) and self._elsewhere is not None:
                self._elsewhere.disregard(topic.name)
            self._dirty_topics.discard(topic)

    def flush(self) -> None:
        """Write everything that waits: at most one write per connection."""
        self._is_flush_due = False
        for topic in tuple(self._dirty_topics):
            self._spread(topic)
        outboxes, self._dirty_outboxes = self._dirty_outboxes, []
        for outbox in outboxes:
            chunks = outbox.chunks
            if chunks:
                data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                chunks.clear()
                outbox.backlog = 0
                outbox.written_bytes += len(data)
                outbox.transport.write(data)

    def _spread(self, topic: _Topic) -> None:
        """Append a turn's frames to each subscriber's outbox: one object for all of the same form."""
        self._dirty_topics.discard(topic)
        if not topic.everything:
            return
        frames, durable = topic.everything, topic.durable
        topic.everything, topic.durable = [], []
        volatile = len(frames) - len(durable)
        self.counters.delivered += len(frames) * len(topic.outboxes)
        shapes: dict[int, bytes] = {}
        for outbox in tuple(topic.outboxes):
            if volatile and outbox.waiting_bytes() > self.limits.volatile_bytes:
                self.counters.dropped_volatile += volatile
                self.counters.delivered -= volatile
                if durable:
                    outbox.append(self.shape(durable, outbox.form))
                continue
            chunk = shapes.get(outbox.form)
            if chunk is None:
                chunk = shapes[outbox.form] = self.shape(frames, outbox.form)
            outbox.append(chunk)

    def _schedule(self) -> None:
        if not self._is_flush_due:
            self._is_flush_due = True
            self._call_soon(self.flush)
