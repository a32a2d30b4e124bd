"""Operators see every actor, near and far, and act on it; each act is written down first."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from structlog.contextvars import bound_contextvars

from veza.actors.base import ServiceActor, SupervisedActor
from veza.actors.messages.audit import ActRecorded, RecordAct
from veza.actors.messages.common import Busy, Gone, RejectCode, Rejected
from veza.actors.messages.operator import (
    ActedOn,
    ActOnActor,
    ActorAction,
    ActorInspected,
    CrashesListed,
    CrashRead,
    DeadLettersListed,
    DeadLettersSettled,
    DiscardDeadLetters,
    InspectActor,
    ListCrashes,
    ListDeadLetters,
    Operator,
    ReadCrash,
    ReadNode,
    ReadTotals,
    ReadTrace,
    ReadTree,
    ReplayDeadLetter,
    SendToActor,
    SentToActor,
    StartTrace,
    TotalsRead,
    TraceRead,
    TreeRead,
)
from veza.actors.messages.ops import ActorNode, NodeFigures, Unhealthy
from veza.actors.messages.rooms import TypingChanged
from veza.actors.runtime.address import Address
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
from veza.supervisors.survey import Survey

ADA = Operator(name="ada", user_id="01900000-0000-7000-8000-000000000001", via="http")
CLERK = "/veza/root/desk/clerk"
DESKS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    token: str = "s3cret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Linger:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    text: str


class Clerk(SupervisedActor):
    mailbox_limit: ClassVar[int] = 8

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def inspect(self) -> dict[str, object]:
        return {"count": self.count, "api_token": "s3cret"}

    def process_id(self) -> int | None:
        return os.getpid()

    def receiveMsg_Count(self, _message: Count, _sender: Address) -> int:
        self.count += 1
        return self.count

    def receiveMsg_Fail(self, _message: Fail, _sender: Address) -> None:
        raise LookupError("as asked")

    def receiveMsg_TypingChanged(self, message: TypingChanged, _sender: Address) -> str:
        return message.user.name


class Waiter(ServiceActor):
    def __init__(self, *, released: asyncio.Event) -> None:
        super().__init__()
        self.released = released

    async def receiveMsg_Linger(self, _message: Linger, _sender: Address) -> str:
        await self.released.wait()
        return "done"


class Visitor(SupervisedActor):
    def __init__(self, *, actor_id: str) -> None:
        super().__init__()
        self.actor_id = actor_id

    def receiveMsg_Count(self, _message: Count, _sender: Address) -> str:
        return self.actor_id

    def receiveMsg_Fail(self, _message: Fail, _sender: Address) -> None:
        raise LookupError("as asked")


class Auditor(ServiceActor):
    def __init__(self, *, acts: list[RecordAct]) -> None:
        super().__init__()
        self.acts = acts

    async def receiveMsg_RecordAct(self, act: RecordAct, _sender: Address) -> ActRecorded:
        self.acts.append(act)
        return ActRecorded()


class Served:
    """A small node, and how an operator talks to it."""

    def __init__(self) -> None:
        self.acts: list[RecordAct] = []
        self.released = asyncio.Event()
        desk = SupervisorSpec(
            name="desk",
            strategy=Strategy.REST_FOR_ONE,
            intensity=Intensity(restarts=5, period_seconds=60),
            children=(
                ChildSpec(name="clerk", actor=Clerk, key=("clerk", "")),
                ChildSpec(name="once", actor=Clerk, restart=Restart.TEMPORARY),
                ChildSpec(name="waiter", actor=Waiter, kwargs={"released": self.released}),
            ),
        )
        audit = ChildSpec(
            name="audit", actor=Auditor, kwargs={"acts": self.acts}, key=("audit", "")
        )
        visitors = FamilySpec(
            name="visitors",
            family="visitor",
            actor=Visitor,
            restart=Restart.TRANSIENT,
            max_children=100_000,
        )
        guests = FamilySpec(
            name="guests",
            family="guest",
            actor=Visitor,
            restart=Restart.TEMPORARY,
            max_children=100,
            starts_with=frozenset({Count}),
        )
        directory = ChildSpec(name="directory", actor=Directory)
        self.node = Node(
            SupervisorSpec(
                name="root",
                strategy=Strategy.REST_FOR_ONE,
                intensity=Intensity(restarts=5, period_seconds=60),
                children=(directory, audit, desk, visitors, guests),
            )
        )

    async def do(self, path: str, action: ActorAction) -> Any:
        command = ActOnActor(path=path, action=action, by=ADA, reason="a test")
        return await self.node.operate(command)

    async def tree(self, under: str = "", children: int = 200) -> ActorNode:
        read = await self.node.operate(ReadTree(under=under, children=children))
        assert isinstance(read, TreeRead)
        return read.root

    async def find(self, path: str) -> ActorNode:
        return await self.tree(path)

    async def inspect(self, path: str) -> ActorInspected:
        found = await self.node.operate(InspectActor(path=path))
        assert isinstance(found, ActorInspected)
        return found

    async def count(self) -> object:
        return await self.node.ask(("clerk", ""), Count())

    async def dead_letters(self) -> DeadLettersListed:
        listed = await self.node.operate(ListDeadLetters(limit=50))
        assert isinstance(listed, DeadLettersListed)
        return listed


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    served = Served()
    await served.node.start()
    yield served
    served.released.set()
    await served.node.stop(5)


# --- look ---


async def test_the_tree_shows_who_should_be_there_and_who_is(served: Served) -> None:
    await served.do("/veza/root/desk/once", ActorAction.KILL)
    root = await served.tree()

    assert [child.name for child in root.children] == [
        "directory",
        "audit",
        "desk",
        "visitors",
        "guests",
    ]
    desk = root.children[2]
    assert [(c.name, c.state, c.restart) for c in desk.children] == [
        ("clerk", "idle", "permanent"),
        ("once", "ended", "temporary"),
        ("waiter", "idle", "permanent"),
    ]
    assert desk.supervision is not None
    assert (desk.supervision.strategy, desk.supervision.restarts_allowed) == ("rest_for_one", 5)


async def test_a_big_family_shows_the_worst_and_counts_all(served: Served) -> None:
    for number in range(DESKS):
        await served.node.ask(("visitor", str(number)), Count())
    await served.node.ask(("visitor", "17"), Fail())
    await served.node.ask(("visitor", "17"), Count())
    for _ in range(5):
        await served.node.ask(("visitor", "4"), Count())

    family = await served.tree("/veza/root/visitors", children=3)

    assert family.child_count == DESKS
    assert family.below.actors == DESKS + 1
    assert family.below.restarts == 1
    assert family.below.unhealthy == 1
    assert [child.name for child in family.children[:2]] == ["17", "4"]
    assert len(family.children) == 3
    assert family.children[0].unhealthy == (Unhealthy.RESTARTED,)


async def test_idle_members_of_a_family_are_counted_and_not_looked_at_closely(
    served: Served,
) -> None:
    for number in range(DESKS):
        await served.node.ask(("visitor", str(number)), Count())
    await served.node.ask(("visitor", "17"), Fail())
    await served.node.ask(("visitor", "17"), Count())
    family = next(cell for cell in served.node.runtime.tree() if cell.label == "visitors")

    survey = Survey(family, 3)
    read = await survey.read()

    assert {cell.label for cell in survey.sums} == {"visitors", "17"}
    assert (read.below.actors, read.below.restarts, read.below.errors) == (DESKS + 1, 1, 1)


async def test_who_should_be_there_and_is_not_is_counted_as_unhealthy(served: Served) -> None:
    cell = next(cell for cell in served.node.runtime.tree() if cell.path == CLERK)
    desk = cell.parent
    assert desk is not None
    await served.do("/veza/root/desk/once", ActorAction.KILL)
    await served.tree()
    served.node.runtime.kill(cell)  # its supervisor has not heard of it yet

    read = await Survey(desk, 10).read()

    assert [(each.name, each.unhealthy) for each in read.children] == [
        ("clerk", (Unhealthy.DOWN,)),
        ("once", ()),
        ("waiter", ()),
    ]
    assert Unhealthy.WAITING not in read.unhealthy
    assert read.below.unhealthy == 1


@pytest.mark.parametrize("are_suspended", [False, True])
async def test_looks_at_very_many_actors_never_hold_up_the_loop(
    served: Served, *, are_suspended: bool
) -> None:
    await asyncio.gather(
        *(served.node.ask(("visitor", str(n)), Count(), 60) for n in range(20_000))
    )
    if are_suspended:
        for cell in served.node.runtime.tree():
            if cell.behaviour.name == "Visitor":
                served.node.runtime.suspend(cell)
    served.node.garbage.start(asyncio.get_running_loop())
    pauses: list[float] = []

    async def measure() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            pauses.append(time.thread_time() - before)

    measuring = asyncio.create_task(measure())
    # As many looks at once as would hold it up together if they did not take turns.
    looks = [served.tree("/veza/root/visitors", children=50) for _ in range(4)]
    family, *_ = await asyncio.gather(*looks)
    measuring.cancel()
    served.node.garbage.stop()

    assert family.below.actors == 20_001
    assert family.below.unhealthy == (20_000 if are_suspended else 0)
    assert len(family.children) == 50
    assert max(pauses) < 0.02  # of CPU time: others may use this machine


async def test_an_actor_tells_its_state_its_messages_and_its_process(served: Served) -> None:
    for _ in range(3):
        await served.count()
    seen = await served.inspect(CLERK)

    assert seen.state == {"count": "3", "api_token": "(masked)"}
    assert [message.message_type for message in seen.recent[:3]] == ["Count"] * 3
    assert all(message.run_ms >= 0 and message.wait_ms >= 0 for message in seen.recent)
    assert {each.message_type: each.count for each in seen.message_types}["Count"] == 3
    assert seen.actor.process is not None
    assert seen.actor.process.pid == os.getpid()
    assert seen.actor.process.rss_bytes > 0


async def test_a_handler_that_waits_shows_where(served: Served) -> None:
    waiting = asyncio.ensure_future(
        served.node.operate(
            SendToActor(
                path="/veza/root/desk/waiter",
                message_type="Linger",
                fields={},
                timeout_seconds=1,
                by=ADA,
                reason="",
            )
        )
    )
    assert isinstance(await waiting, Rejected)  # no message of the project's: nothing was sent
    cell = served.node.runtime
    waiter = next(each for each in cell.tree() if each.path.endswith("/waiter"))
    asked = asyncio.ensure_future(cell.request(waiter, Linger(), 5))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    (handler,) = (await served.inspect("/veza/root/desk/waiter")).handlers
    assert handler.message_type == "Linger"
    assert any("receiveMsg_Linger" in line for line in handler.stack)
    assert any("wait" in line for line in handler.stack[1:])
    served.released.set()
    assert await asked == "done"


async def test_a_restart_is_in_the_history_with_its_traceback(served: Served) -> None:
    await served.node.ask(("clerk", ""), Fail())
    await served.count()
    seen = await served.inspect(CLERK)

    assert seen.actor.restarts == 1
    assert Unhealthy.RESTARTED in seen.actor.unhealthy
    assert seen.exits[0].kind == "crashed"
    assert "LookupError: as asked" in seen.exits[0].traceback


@pytest.mark.parametrize("path", ["", "/", "nobody", "/veza/nobody", f"{CLERK}/below", "/root"])
async def test_a_path_of_nobody_is_not_found(served: Served, path: str) -> None:
    reply = await served.node.operate(InspectActor(path=path))

    assert isinstance(reply, Rejected)
    assert reply.code is RejectCode.NOT_FOUND


async def test_the_node_tells_its_figures(served: Served) -> None:
    await served.count()
    figures = await served.node.operate(ReadNode())

    assert isinstance(figures, NodeFigures)
    assert (figures.phase, figures.pid) == ("ready", os.getpid())
    assert figures.actors == len(list(served.node.runtime.tree()))
    assert figures.messages > 0
    assert figures.rss_bytes > 0
    assert all(figures.checks.values())


async def test_totals_of_a_class_never_go_down(served: Served) -> None:
    async def visitors() -> tuple[int, int]:
        read = await served.node.operate(ReadTotals())
        assert isinstance(read, TotalsRead)
        return next((t.alive, t.messages) for t in read.classes if t.class_name == "Visitor")

    for number in range(3):
        await served.node.ask(("visitor", str(number)), Count())
    assert await visitors() == (3, 3)

    await served.do("/veza/root/visitors/1", ActorAction.STOP)
    while (await visitors())[0] != 2:
        await asyncio.sleep(0)
    assert (await visitors())[1] >= 3


# --- act ---


async def test_an_act_is_written_down_with_who_and_why(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        done = await served.do(CLERK, ActorAction.RESTART)

    assert isinstance(done, ActedOn)
    assert done.is_audited
    (act,) = served.acts
    assert (act.actor_name, act.action, act.target, act.reason) == (
        "ada",
        "actor.restart",
        CLERK,
        "a test",
    )
    assert any("actor.restart" in record.getMessage() for record in caplog.records)


async def test_without_the_audit_log_an_act_is_done_and_says_so(served: Served) -> None:
    await served.do("/veza/root/audit", ActorAction.SUSPEND)
    done = await served.do(CLERK, ActorAction.RESTART)

    assert isinstance(done, ActedOn)
    assert not done.is_audited
    assert (await served.find(CLERK)).restarts == 1


async def test_a_restarted_actor_keeps_its_address_and_forgets_its_state(served: Served) -> None:
    await served.count()
    await served.do(CLERK, ActorAction.RESTART)

    assert await served.count() == 1
    assert (await served.find(CLERK)).restarts == 1


async def test_a_suspended_actor_lets_messages_wait_and_then_takes_them_in_order(
    served: Served,
) -> None:
    await served.do(CLERK, ActorAction.SUSPEND)
    asked = [asyncio.ensure_future(served.count()) for _ in range(8)]
    await asyncio.sleep(0)
    seen = await served.find(CLERK)
    assert (seen.state, Unhealthy.SUSPENDED in seen.unhealthy) == ("suspended", True)
    assert isinstance(await served.count(), Busy)

    await served.do(CLERK, ActorAction.RESUME)

    assert await asyncio.gather(*asked) == list(range(1, 9))
    assert (await served.find(CLERK)).state == "idle"


async def test_a_stopped_permanent_actor_comes_back(served: Served) -> None:
    await served.count()
    done = await served.do(CLERK, ActorAction.STOP)

    assert "starts it again" in done.note
    while await served.count() != 1:
        await asyncio.sleep(0)


async def test_a_drained_family_ends_its_actors_and_takes_no_new_ones_until_it_is_resumed(
    served: Served,
) -> None:
    family = "/veza/root/visitors"
    for number in range(3):
        await served.node.ask(("visitor", str(number)), Count())
    await served.do(family, ActorAction.DRAIN)

    while (await served.find(family)).child_count:
        await asyncio.sleep(0)
    assert (await served.find(family)).state == "draining"
    assert isinstance(await served.node.ask(("visitor", "9"), Count()), Gone)

    await served.do(family, ActorAction.RESUME)
    assert await served.node.ask(("visitor", "9"), Count()) == "9"


async def test_draining_the_root_asks_the_node_to_drain(served: Served) -> None:
    assert not served.node.drain_wanted.is_set()
    await served.do("/veza/root", ActorAction.DRAIN)
    assert served.node.drain_wanted.is_set()


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/veza/root", ActorAction.SUSPEND),
        ("/veza/root/directory", ActorAction.SUSPEND),
        ("/veza/root/visitors", ActorAction.SUSPEND),
        ("/veza/root", ActorAction.STOP),
        ("/veza/root", ActorAction.KILL),
        ("/veza/root", ActorAction.RESTART),
        *(("/veza", action) for action in ActorAction),
        *(("/veza/operator", action) for action in ActorAction),
        (CLERK, ActorAction.RESUME),
    ],
)
async def test_what_would_only_do_harm_is_refused(
    served: Served, path: str, action: ActorAction
) -> None:
    reply = await served.do(path, action)

    assert isinstance(reply, Rejected)
    assert reply.code is RejectCode.INVALID_STATE
    assert await served.count() == 1


@pytest.mark.parametrize("name", ["directory", "desk", "visitors", "audit"])
async def test_whoever_is_restarted_the_node_serves_again(served: Served, name: str) -> None:
    assert await served.node.ask(("visitor", "9"), Count()) == "9"
    done = await served.do(f"/veza/root/{name}", ActorAction.RESTART)
    assert isinstance(done, ActedOn)

    async with asyncio.timeout(30):
        while await served.node.ask(("visitor", "9"), Count()) != "9":
            await asyncio.sleep(0)
        while not isinstance(await served.count(), int):
            await asyncio.sleep(0)


async def test_a_restart_that_takes_others_along_names_them(served: Served) -> None:
    done = await served.do("/veza/root/directory", ActorAction.RESTART)

    assert "starts it again, and with it audit, desk, visitors, guests." in done.note


async def test_what_would_use_up_a_supervisor_s_last_restart_is_refused(served: Served) -> None:
    for _ in range(5):
        assert isinstance(await served.do(CLERK, ActorAction.KILL), ActedOn)
        while not isinstance(await served.count(), int):
            await asyncio.sleep(0)

    for action in (ActorAction.KILL, ActorAction.STOP, ActorAction.DRAIN):
        refused = await served.do(CLERK, action)
        assert isinstance(refused, Rejected)
        assert "used up its restarts" in refused.detail
    assert isinstance(await served.do(CLERK, ActorAction.RESTART), ActedOn)


async def test_who_is_stopped_while_suspended_does_not_end_behind_what_waits(
    served: Served,
) -> None:
    await served.do(CLERK, ActorAction.SUSPEND)
    waiting = asyncio.ensure_future(served.count())
    await asyncio.sleep(0)
    done = await served.do(CLERK, ActorAction.STOP)

    assert done.note.startswith("Ends at once, and what waited is lost.")
    assert isinstance(await waiting, Gone)


@pytest.mark.parametrize(
    ("path", "action", "told"),
    [
        ("/veza/root/desk/once", ActorAction.KILL, "Nobody starts it again."),
        ("/veza/root/visitors/9", ActorAction.KILL, "Its supervisor starts it again."),
        ("/veza/root/visitors/9", ActorAction.STOP, "It is started again when it is needed."),
        ("/veza/root/guests/9", ActorAction.STOP, "Nobody starts it again."),
    ],
)
async def test_an_act_says_what_becomes_of_the_actor(
    served: Served, path: str, action: ActorAction, told: str
) -> None:
    await served.node.ask(("visitor", "9"), Count())
    await served.node.ask(("guest", "9"), Count())

    assert told in (await served.do(path, action)).note


async def test_an_operator_is_heard_while_the_directory_is_lost(served: Served) -> None:
    await served.do("/veza/root/directory", ActorAction.KILL)

    while (await served.tree()).children[0].state != "idle":
        await asyncio.sleep(0)
    while await served.count() != 1:
        await asyncio.sleep(0)


# --- traces ---


async def trace(served: Served, **changed: Any) -> Any:
    given: dict[str, Any] = {
        "path": CLERK,
        "limit": 3,
        "seconds": 30.0,
        "message_type": "",
        "with_bodies": True,
        "by": ADA,
        "reason": "a test",
    }
    return await served.node.operate(StartTrace(**given | changed))


async def test_a_trace_keeps_so_many_messages_and_ends_by_itself(served: Served) -> None:
    started = await trace(served)
    assert isinstance(started, TraceRead)
    for _ in range(5):
        await served.count()
    read = await served.node.operate(ReadTrace(trace_id=started.summary.trace_id, after=1))

    assert isinstance(read, TraceRead)
    assert read.summary.why_ended == "limit"
    assert [(m.number, m.message_type, m.outcome) for m in read.messages] == [
        (2, "Count", "ok"),
        (3, "Count", "ok"),
    ]
    assert "s3cret" not in read.messages[0].body
    assert served.acts[0].action == "actor.trace.bodies"


async def test_what_is_sent_by_hand_carries_the_operator_s_request_id(served: Served) -> None:
    traced = await trace(served)
    with bound_contextvars(request_id="r-1"):
        await served.node.operate(sent_by_hand())
    read = await served.node.operate(ReadTrace(trace_id=traced.summary.trace_id))

    assert [(m.message_type, m.request_id) for m in read.messages] == [("TypingChanged", "r-1")]
    assert served.acts[-1].request_id == "r-1"


@pytest.mark.parametrize("changed", [{"limit": 0}, {"limit": 501}, {"seconds": 61}, {"seconds": 0}])
async def test_a_trace_beyond_its_bounds_is_refused(
    served: Served, changed: dict[str, float]
) -> None:
    reply = await trace(served, **changed)

    assert isinstance(reply, Rejected)
    assert reply.code is RejectCode.VALIDATION_FAILED


# --- what failed ---


async def test_a_dead_letter_can_be_sent_again(served: Served) -> None:
    served.node.tell(("clerk", ""), Unknown(text="a private word"))
    while not (listed := await served.dead_letters()).letters:
        await asyncio.sleep(0)
    (letter,) = listed.letters
    assert (letter.target, letter.message_type, letter.can_replay) == (CLERK, "Unknown", True)
    assert "private" not in letter.body

    settled = await served.node.operate(
        ReplayDeadLetter(letter_id=letter.letter_id, by=ADA, reason="a test")
    )

    assert settled == DeadLettersSettled(count=1, is_audited=True)
    while (after := await served.dead_letters()).letters[0].letter_id == letter.letter_id:
        await asyncio.sleep(0)
    assert [each.letter_id for each in after.letters] > [letter.letter_id]
    assert after.total == 2


async def test_dead_letters_can_be_discarded(served: Served) -> None:
    for word in ("one", "two", "three"):
        served.node.tell(("clerk", ""), Unknown(text=word))
    while len((listed := await served.dead_letters()).letters) < 3:
        await asyncio.sleep(0)
    newest = listed.letters[0].letter_id

    one = await served.node.operate(
        DiscardDeadLetters(letter_ids=(newest,), by=ADA, reason="a test")
    )
    again = await served.node.operate(
        DiscardDeadLetters(letter_ids=(newest,), by=ADA, reason="a test")
    )
    rest = await served.node.operate(DiscardDeadLetters(letter_ids=None, by=ADA, reason="a test"))

    assert one == DeadLettersSettled(count=1, is_audited=True)
    assert isinstance(again, Rejected)
    assert rest == DeadLettersSettled(count=2, is_audited=True)
    assert (await served.dead_letters()).letters == ()


async def test_crashes_of_one_cause_are_one_group(served: Served) -> None:
    for number in range(3):
        await served.node.ask(("visitor", str(number)), Fail())
    await served.node.ask(("clerk", ""), Fail())
    listed = await served.node.operate(ListCrashes())
    assert isinstance(listed, CrashesListed)
    assert {(g.class_name, g.count) for g in listed.groups} == {("Visitor", 3), ("Clerk", 1)}

    group = next(g for g in listed.groups if g.class_name == "Visitor")
    read = await served.node.operate(ReadCrash(fingerprint=group.fingerprint))

    assert isinstance(read, CrashRead)
    assert (group.error_type, group.command) == ("LookupError", "Fail")
    assert [crash.path.rsplit("/", 1)[-1] for crash in read.crashes] == ["2", "1", "0"]
    assert "as asked" in read.crashes[0].traceback


# --- by hand ---


def sent_by_hand(path: str = CLERK, timeout_seconds: float = 5) -> SendToActor:
    return SendToActor(
        path=path,
        message_type="TypingChanged",
        fields={
            "room_id": "01900000-0000-7000-8000-000000000002",
            "user": {"id": "01900000-0000-7000-8000-000000000001", "name": "ada"},
            "is_typing": True,
        },
        timeout_seconds=timeout_seconds,
        by=ADA,
        reason="a test",
    )


async def test_what_is_sent_by_hand_to_who_ended_meanwhile_is_refused(served: Served) -> None:
    once = "/veza/root/desk/once"
    cell = next(cell for cell in served.node.runtime.tree() if cell.path == once)
    sending = asyncio.ensure_future(served.node.operate(sent_by_hand(once, 0)))
    while not served.acts:
        await asyncio.sleep(0)
    served.node.runtime.kill(cell)

    assert (await sending).code is RejectCode.NOT_FOUND
    assert not (await served.dead_letters()).letters


async def test_a_message_can_be_sent_by_hand_and_its_reply_read(served: Served) -> None:
    reply = await served.node.operate(sent_by_hand())

    assert reply == SentToActor(reply_type="str", reply='"ada"', is_audited=True)
    assert served.acts[0].action == "actor.send.TypingChanged"
