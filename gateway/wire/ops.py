"""What ops staff see over HTTP: the supervision tree."""

from typing import Annotated, Self

from pydantic import Field

from veza.actors.messages.ops import ActorNode
from veza.gateway.values import View


class ActorView(View):
    """One actor and those it supervises."""

    path: str
    name: str
    class_name: Annotated[str, Field(serialization_alias="class")]
    state: str
    mailbox: int
    mailbox_limit: int
    head_age_ms: int
    messages: int
    errors: int
    restarts: int
    last_exit: str | None
    children: "list[ActorView]"


class TreeView(View):
    node: str
    root: ActorView

    @classmethod
    def at(cls, node: str, root: ActorNode) -> Self:
        """Show the tree of one node."""
        return cls(node=node, root=ActorView.of(root))
