"""What a node stands on knows how much there is of it."""

from dataclasses import dataclass

from veza.actors.base import SupervisedActor
from veza.actors.runtime.address import Address
from veza.supervisors.boot import count_actors
from veza.supervisors.child_spec import (
    ChildSpec,
    FamilySpec,
    Intensity,
    Restart,
    Strategy,
    SupervisorSpec,
)
from veza.supervisors.directory import Directory
from veza.supervisors.node import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Greet:
    pass


class Guest(SupervisedActor):
    def __init__(self, *, actor_id: str) -> None:
        super().__init__()
        self.actor_id = actor_id

    def receiveMsg_Greet(self, message: Greet, _sender: Address) -> Greet:
        return message


GUESTS = FamilySpec(
    name="guests", family="guest", actor=Guest, restart=Restart.TEMPORARY, max_children=100
)


async def test_actors_are_counted_without_a_walk_over_them() -> None:
    spec = SupervisorSpec(
        name="root",
        strategy=Strategy.REST_FOR_ONE,
        intensity=Intensity(restarts=1, period_seconds=60),
        children=(ChildSpec(name="directory", actor=Directory), GUESTS),
    )
    node = Node(spec)
    await node.start()
    try:
        for number in range(30):
            assert await node.ask(("guest", str(number)), Greet()) == Greet()
        assert count_actors(node.runtime) == len(list(node.runtime.tree())) == 34
    finally:
        await node.stop(5)
