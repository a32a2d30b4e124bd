"""The live tree: read once a second while somebody watches, and only what changed is told.

A newcomer gets everything first, as of the revision after which the next changes come; who finds a
revision missing (the hub drops volatile events of slow readers) asks to watch again.
"""

import asyncio
import time
from typing import Final, Protocol

import structlog

from veza.actors.fanout import FanOut, Outbox
from veza.actors.messages.operator import ReadNode, ReadTree, TreeRead
from veza.actors.messages.ops import NodeFigures
from veza.gateway.connections import Connections
from veza.gateway.wire.outgoing import TreeTold
from veza.gateway.wire.tree import Json, Rows, figures_json, flat_rows

TOPIC: Final = "ops.tree"
PERIOD_SECONDS: Final = 1.0
READ_SECONDS: Final = 5.0
CHILDREN: Final = 50
MAX_ROWS: Final = 500
"""If all of them change, two stretches of 2 ms each of the loop, and 300 kB."""
ROW_BYTES: Final = 1_024
"""More than any row takes: the whole must fit into a connection's outbox."""

logger = structlog.get_logger(__name__)


class Operated(Protocol):
    """What the feed needs of the actors."""

    async def operate(self, command: object, timeout_seconds: float) -> object:
        """Do what operators may."""


class TreeFeed:
    """One node's tree, for all who watch it."""

    def __init__(self, actors: Operated, fan_out: FanOut, connections: Connections) -> None:
        self._actors = actors
        self._fan_out = fan_out
        self._connections = connections
        self._max_rows = min(MAX_ROWS, fan_out.limits.outbox_bytes // ROW_BYTES)
        self._newcomers: set[Outbox] = set()
        self._reading: asyncio.Task[None] | None = None
        self._rev = 0
        self._rows: Rows = {}
        self._node: Json = {}
        self._at = 0.0
        self._snapshot: bytes | None = None

    @property
    def is_read(self) -> bool:
        """Whether the tree is being read, which is so while somebody watches."""
        return self._reading is not None and not self._reading.done()

    def watch(self, outbox: Outbox) -> None:
        """Tell this connection everything, then what changes; harmless if it watches already."""
        if self.is_read and self._rows:
            self._greet(outbox)
            return
        self._newcomers.add(outbox)
        if not self.is_read:
            self._rows, self._snapshot = {}, None
            self._reading = asyncio.create_task(self._read_on())
            self._reading.add_done_callback(tell_failure)

    def unwatch(self, outbox: Outbox) -> None:
        """Tell this connection no more; harmless if it does not watch."""
        self._newcomers.discard(outbox)
        self._fan_out.unsubscribe(TOPIC, outbox)

    async def stop(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def _read_on(self) -> None:
        while self._newcomers or self._fan_out.subscribers(TOPIC):
            await self._read()
            await asyncio.sleep(PERIOD_SECONDS)
            self._newcomers = {outbox for outbox in self._newcomers if outbox.is_open}
        self._rows, self._snapshot = {}, None

    async def _read(self) -> None:
        tree, node = await asyncio.gather(
            self._actors.operate(ReadTree(children=CHILDREN), READ_SECONDS),
            self._actors.operate(ReadNode(), READ_SECONDS),
        )
        if not (isinstance(tree, TreeRead) and isinstance(node, NodeFigures)):
            # The next reading may do better; the revision tells who watches that none came.
            logger.info("ops.tree_unread", tree=type(tree).__name__, node=type(node).__name__)
            return
        rows = flat_rows(tree.root, self._max_rows)
        # Others get their turn between making the rows and writing them out.
        await asyncio.sleep(0)
        self._tell(rows, figures_json(node, len(self._connections)))
        newcomers, self._newcomers = self._newcomers, set()
        for outbox in newcomers:
            self._greet(outbox)

    def _tell(self, rows: Rows, node: Json) -> None:
        """Tell those who watch what changed, once for all of them."""
        before, self._rows = self._rows, rows
        self._node, self._at, self._snapshot = node, time.time(), None
        self._rev += 1
        changes = TreeTold(
            is_full=False,
            rev=self._rev,
            at=self._at,
            node=node,
            actors=[row for path, row in rows.items() if before.get(path) != row],
            gone=[path for path in before if path not in rows],
        )
        self._fan_out.publish(TOPIC, changes)

    def _greet(self, outbox: Outbox) -> None:
        # From the start, so that changes which wait for this turn's end do not come behind the whole.
        self._fan_out.unsubscribe(TOPIC, outbox)
        self._fan_out.hold(TOPIC, outbox)
        self._fan_out.subscribe(TOPIC, outbox, after_seq=0, head_seq=0)
        outbox.append(self._whole())

    def _whole(self) -> bytes:
        if self._snapshot is None:
            whole = TreeTold(
                is_full=True,
                rev=self._rev,
                at=self._at,
                node=self._node,
                actors=list(self._rows.values()),
                gone=[],
            )
            self._snapshot = self._fan_out.encode(whole)
        return self._snapshot


def tell_failure(reading: "asyncio.Task[None]") -> None:
    """Log why the tree is read no more; the next who watches begins anew."""
    if not reading.cancelled() and reading.exception() is not None:
        logger.error("ops.tree_failed", exc_info=reading.exception())
