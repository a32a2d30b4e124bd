"""An operator in memory, which does what it is told to four actors, and people with and without roles."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from veza.actors.messages import accounts, operator, ops
from veza.actors.messages.common import RefusedError, RejectCode
from veza.gateway.app import make_ops_app
from veza.gateway.keys import ACCESS_TOKENS
from veza.gateway.tokens import AccessClaims

AT = 1_700_000_000.0


class MemoryOperator:
    """Adds acting, traces, dead letters and crashes to what the world's own operator reads."""

    def __init__(self, node: Any) -> None:
        self.node = node
        self.is_audited = True
        self.traces: dict[str, operator.TraceRead] = {}
        self.letters = [
            ops.DeadLetterSeen(
                letter_id=number,
                at=AT + number,
                target="/veza/root/rooms/a",
                sender="/veza/root/rooms/b",
                message_type="PostMessage",
                reason="gone",
                request_id="request-1",
                body="{}",
                can_replay=number != 3,
            )
            for number in range(1, 6)
        ]
        self.group = ops.CrashGroup(
            fingerprint="0a1b",
            class_name="RoomActor",
            error_type="ValueError",
            error="no",
            command="PostMessage",
            count=2,
            first_at=AT,
            last_at=AT + 1,
            last_path="/veza/root/rooms/a",
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.node, name)

    def actor(self, path: str) -> ops.ActorNode:
        waiting = [self.node.root]
        while waiting:
            found = waiting.pop()
            if found.path == path:
                actor: ops.ActorNode = found
                return actor
            waiting.extend(found.children)
        raise RefusedError(RejectCode.NOT_FOUND, "No such actor.")

    def on_InspectActor(self, command: operator.InspectActor) -> object:
        actor = self.actor(command.path)
        children = tuple(replace(child, children=()) for child in actor.children)
        return operator.ActorInspected(
            actor=replace(actor, children=children),
            state={"members": "3"},
            recent=(ops.HandledMessage(message_type="Ready", at=AT, wait_ms=0.5, run_ms=1.5),),
            recent_since=AT,
            message_types=(ops.MessageTypeCount(message_type="Ready", count=1, run_ms=1.5),),
            handlers=(ops.HandlerAtWork(message_type="Ready", running_ms=5, stack=("a", "b")),),
            exits=(ops.ActorExit(at=AT, kind="crash", detail="no", traceback="Traceback"),),
            traces=tuple(trace.summary for trace in self.traces.values()),
            watched_by=("/veza/root",),
        )

    def on_ActOnActor(self, command: operator.ActOnActor) -> object:
        self.actor(command.path)
        if command.action is operator.ActorAction.SUSPEND:
            raise RefusedError(RejectCode.INVALID_STATE, "It supervises others.")
        return operator.ActedOn(
            path=command.path,
            action=command.action,
            note="It goes on.",
            is_audited=self.is_audited,
        )

    def on_StartTrace(self, command: operator.StartTrace) -> object:
        self.actor(command.path)
        trace_id = f"t{len(self.traces)}"
        summary = ops.TraceSummary(
            trace_id=trace_id,
            path=command.path,
            started_at=AT,
            ends_at=AT + command.seconds,
            limit=command.limit,
            seen=0,
            kept=0,
            why_ended="",
        )
        self.traces[trace_id] = operator.TraceRead(summary=summary, messages=())
        return self.traces[trace_id]

    def on_ReadTrace(self, command: operator.ReadTrace) -> object:
        if command.trace_id not in self.traces:
            raise RefusedError(RejectCode.NOT_FOUND, "No such trace.")
        messages = tuple(
            ops.TracedMessage(
                number=number,
                message_type="Ready",
                sender="",
                request_id="",
                at=AT,
                wait_ms=0.0,
                run_ms=0.25,
                outcome="ok",
                body="",
            )
            for number in range(command.after + 1, 4)
        )
        return replace(self.traces[command.trace_id], messages=messages)

    def on_ListDeadLetters(self, command: operator.ListDeadLetters) -> object:
        before = command.before_id or 1_000
        found = [letter for letter in reversed(self.letters) if letter.letter_id < before]
        page = tuple(found[: command.limit])
        return operator.DeadLettersListed(
            letters=page,
            next_before_id=page[-1].letter_id if len(found) > len(page) else None,
            total=40,
        )

    def on_ReplayDeadLetter(self, command: operator.ReplayDeadLetter) -> object:
        found = [each for each in self.letters if each.letter_id == command.letter_id]
        if not found:
            raise RefusedError(RejectCode.NOT_FOUND, "No such letter.")
        if not found[0].can_replay:
            raise RefusedError(RejectCode.INVALID_STATE, "Its receiver is gone.")
        return operator.DeadLettersSettled(count=1, is_audited=True)

    def on_DiscardDeadLetters(self, command: operator.DiscardDeadLetters) -> object:
        ids = command.letter_ids
        kept = [each for each in self.letters if ids is not None and each.letter_id not in ids]
        count, self.letters = len(self.letters) - len(kept), kept
        return operator.DeadLettersSettled(count=count, is_audited=True)

    def on_ListCrashes(self, _: operator.ListCrashes) -> object:
        return operator.CrashesListed(groups=(self.group,), total=2)

    def on_ReadCrash(self, command: operator.ReadCrash) -> object:
        if command.fingerprint != self.group.fingerprint:
            raise RefusedError(RejectCode.NOT_FOUND, "No such crash.")
        crash = ops.CrashSeen(
            at=AT, path="/a", command="x", error="no", request_id="", traceback="Traceback"
        )
        return operator.CrashRead(group=self.group, crashes=(crash,))

    def on_SendToActor(self, command: operator.SendToActor) -> object:
        self.actor(command.path)
        if command.message_type != "DescribeRoom":
            raise RefusedError(RejectCode.VALIDATION_FAILED, "No such message.")
        is_asked = command.timeout_seconds > 0
        return operator.SentToActor(
            reply_type="RoomDescribed" if is_asked else "",
            reply='{"room": 1}' if is_asked else "",
            is_audited=True,
        )


@pytest.fixture
def staff(actors: Any) -> MemoryOperator:
    """The operator of the node, in full."""
    actors.operator = MemoryOperator(actors.operator)
    found: MemoryOperator = actors.operator
    return found


@pytest.fixture
def olga(actors: Any) -> accounts.SignedIn:
    signed_in: accounts.SignedIn = actors.sign_in(actors.add_user("olga", "ops"))
    return signed_in


@pytest.fixture
def root(actors: Any) -> accounts.SignedIn:
    signed_in: accounts.SignedIn = actors.sign_in(actors.add_user("root", "admin"))
    return signed_in


Ask = Callable[..., Any]


@pytest.fixture
async def socket_api(api: Any, staff: Any, tmp_path: Path) -> AsyncIterator[Ask]:
    """Asks over the unix socket of the same gateway."""
    runner = web.AppRunner(make_ops_app(api.client.server.app), access_log=None)
    await runner.setup()
    path = str(tmp_path / "ops.sock")
    await web.UnixSite(runner, path).start()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session:

        async def ask(method: str, address: str, status: int = 200, **more: Any) -> Any:
            async with session.request(method, f"http://node{address}", **more) as answer:
                body = await answer.json(content_type=None)
                assert answer.status == status, body
                return body

        yield ask
    await runner.cleanup()


@pytest.fixture
def connect(api: Any) -> Ask:
    """Opens a WebSocket, signed in as somebody or not."""

    async def opened(who: accounts.SignedIn | None = None) -> Any:
        socket = await api.client.ws_connect("/api/v1/ws?v=1")
        assert (await socket.receive_json())["t"] == "hello"
        if who is not None:
            claims = AccessClaims(user_id=who.user.id, session_id=who.session_id)
            token = api.client.server.app[ACCESS_TOKENS].issue(claims, time.time())
            await socket.send_json({"t": "auth", "id": "auth", "d": {"token": token}})
            assert (await socket.receive_json())["t"] == "ready"
        return socket

    return opened
