"""The supervision tree as JSON, a third of the time that models take: thousands of actors, each second.

What is written here is what `ActorView` and `NodeView` declare; a test compares the two.
"""

from collections import deque
from datetime import UTC, datetime
from typing import Any

import orjson

from veza.actors.messages.ops import ActorNode, NodeFigures
from veza.gateway.values import time_text

Json = dict[str, Any]
Rows = dict[str, Json]


def actor_json(node: ActorNode) -> Json:
    """Return the fields of one actor, without its children."""
    return {
        "path": node.path,
        "name": node.name,
        "class": node.class_name,
        "state": node.state,
        "unhealthy": node.unhealthy,
        "mailbox": node.mailbox,
        "mailbox_limit": node.mailbox_limit,
        "mailbox_high_water": node.mailbox_high_water,
        "head_age_ms": node.head_age_ms,
        "messages": node.messages,
        "messages_out": node.messages_out,
        "errors": node.errors,
        "dropped": node.dropped,
        "restarts": node.restarts,
        "busy_ms": node.busy_ms,
        "current": node.current,
        "current_ms": node.current_ms,
        "started_at": unix_text(node.started_at),
        "last_exit": node.last_exit,
        "restart": node.restart,
        # The fields of these three are the wire's names; the encoder writes them as they are.
        "supervision": node.supervision,
        "process": node.process,
        "child_count": node.child_count,
        "below": node.below,
    }


def branch_json(node: ActorNode) -> Json:
    """Return an actor and all that are shown below it. As deep as the tree, which is shallow."""
    return {**actor_json(node), "children": [branch_json(child) for child in node.children]}


def tree_json(node_name: str, root: ActorNode) -> bytes:
    """Write the tree of one node (`TreeView`)."""
    return orjson.dumps({"node": node_name, "root": branch_json(root)})


def flat_rows(root: ActorNode, limit: int) -> Rows:
    """Return actors by path, each with its parent's; past the limit the deepest are left out."""
    rows: Rows = {}
    waiting: deque[tuple[ActorNode, str | None]] = deque([(root, None)])
    while waiting and len(rows) < limit:
        node, parent = waiting.popleft()
        rows[node.path] = {**actor_json(node), "parent": parent}
        waiting.extend((child, node.path) for child in node.children)
    return rows


def figures_json(figures: NodeFigures, connections: int) -> Json:
    """Return a node's figures, without the blocks of its loop."""
    names = (name for name in NodeFigures.__dataclass_fields__ if name != "blocks")
    return {
        **{name: getattr(figures, name) for name in names},
        "started_at": unix_text(figures.started_at),
        "now": unix_text(figures.now),
        "checks": dict(figures.checks),
        "connections": connections,
    }


def unix_text(seconds: float) -> str:
    """Write seconds since 1970 as the wire writes times."""
    return time_text(datetime.fromtimestamp(seconds, UTC))
