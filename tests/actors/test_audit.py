"""The audit service of a real node writes acts down once and reads them back newest first."""

from uuid import uuid4

from veza.actors.messages.audit import ActRecorded, ActsListed, ListActs, RecordAct
from veza.config.ids import uuid7

AUDIT = ("audit", "")


def act(**more):
    return RecordAct(
        **{
            "act_id": uuid7(),
            "actor_id": uuid4(),
            "actor_name": "olga",
            "via": "http",
            "action": "restart",
            "target": "/veza/root/services/jobs",
            "reason": "It hung.",
            "request_id": "request-1",
            **more,
        }
    )


async def listed(world, limit=10, before_id=None):
    reply = await world.node.ask(AUDIT, ListActs(limit=limit, before_id=before_id))
    assert isinstance(reply, ActsListed)
    return reply.acts


async def test_acts_are_written_down_once_and_read_newest_first(world):
    acts = [act(), act(actor_id=None, via="socket"), act(action="stop")]
    for each in (*acts, acts[0]):
        assert await world.node.ask(AUDIT, each) == ActRecorded()

    found = await listed(world)
    assert [each.act_id for each in found] == [each.act_id for each in reversed(acts)]
    assert (found[1].actor_id, found[1].via, found[0].action) == (None, "socket", "stop")
    assert await listed(world, 1, found[0].act_id) == found[1:2]
