import pytest

from veza.actors.base import ServiceActor, SupervisedActor


def test_a_state_machine_may_not_have_async_handlers():
    with pytest.raises(TypeError, match="must not be `async`"):

        class Waiting(SupervisedActor):
            async def receiveMsg_Order(self, message, sender):
                pass


@pytest.mark.parametrize("name", ["on_stop", "receiveMsg_ActorExitRequest"])
def test_no_actor_waits_while_it_ends(name):
    async def wait(self, *_):
        pass

    with pytest.raises(TypeError, match=name):
        type("Lingering", (ServiceActor,), {name: wait})


def test_a_service_may_have_both_kinds_of_handlers():
    class Mixed(ServiceActor):
        async def receiveMsg_Slow(self, message, sender):
            pass

        def receiveMsg_Quick(self, message, sender):
            pass

    assert Mixed.may_wait


async def test_inspect_shows_nothing_unless_declared():
    from veza.actors.runtime import AsyncioSystemBase

    base = AsyncioSystemBase()
    cell = base.spawn(SupervisedActor)
    assert cell.instance.inspect() == {}
    assert cell.instance.runtime is base
    assert cell.instance.myAddress is cell
    assert await base.shutdown_async(1) == []
