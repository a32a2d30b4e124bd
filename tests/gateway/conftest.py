"""A small, honest world behind the gateway: actors in memory that answer every message for real."""

import asyncio
import hashlib
import json
import re
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from jsonschema import Draft7Validator, FormatChecker
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from veza.actors.fanout import FanOut, FanOutLimits, Outbox
from veza.actors.messages import (
    accounts,
    artworks,
    audit,
    downloads,
    encodings,
    jobs,
    listening,
    media_keeping,
    operator,
    ops,
    presence,
    rooms,
    rooms_service,
    sessions,
    social,
    tracks,
    uploads,
)
from veza.actors.messages.common import Key, RefusedError, RejectCode, Rejected
from veza.config.ids import uuid7
from veza.config.settings import Settings
from veza.gateway import asyncapi
from veza.gateway.app import make_app
from veza.gateway.keys import ACCESS_TOKENS, OPENAPI
from veza.gateway.tokens import AccessClaims, SigningKeys
from veza.gateway.wire import encode_frame, shape

PASSWORD = "correct horse"
PERMISSIONS: dict[str, set[str]] = {
    "user": {"rooms:create", "tracks:upload"},
    "ops": {"ops:read", "ops:act", "metrics:read", "audit:read"},
    "admin": {"*:*"},
}
LAST_SEEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class MemoryRoom:
    room: rooms.Room
    members: set[UUID] = field(default_factory=set)
    events: list[rooms.RoomEvent] = field(default_factory=list)


@dataclass
class MemorySession:
    user: accounts.Author
    outbox: Outbox
    ended: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class MemoryNode:
    """What the operator of a node reads: four actors, some figures. Tests change both."""

    def __init__(self) -> None:
        children = [self.actor(f"/veza/root/rooms/{name}", "RoomActor") for name in "ab"]
        rooms = self.actor("/veza/root/rooms", "Supervisor", *children, supervision=SUPERVISION)
        self.root = self.actor("/veza/root", "Supervisor", rooms, supervision=SUPERVISION)
        self.figures = ops.NodeFigures(
            **dict.fromkeys((name for name, kind in ops.NodeFigures.__annotations__.items()), 1)
            | {"node_id": "n-1", "host": "here", "version": "0.1.0", "python": "3.11.0"}
            | {"phase": "ready", "started_at": 1_700_000_000.25, "now": 1_700_000_060.5}
            | {"checks": MappingProxyType({"actors": True}), "gc_pause_max_ms": 12.5}
            | {"bus": None}
            | {"blocks": (ops.LoopBlock(at=1_700_000_001.0, seconds=1.5, at_work="/x", stack="f"),)}
        )

    @staticmethod
    def actor(path: str, class_name: str, *children: ops.ActorNode, **more: Any) -> ops.ActorNode:
        numbers = {"mailbox": len(children), "mailbox_limit": 100, "head_age_ms": 250}
        values = {
            **dict.fromkeys(COUNTS, 7),
            **numbers,
            "path": path,
            "name": path.rpartition("/")[2],
            "class_name": class_name,
            "state": "idle",
            "unhealthy": (ops.Unhealthy.WAITING,) if children else (),
            "current": "",
            "started_at": 1_700_000_000.0,
            "last_exit": None,
            "restart": "permanent",
            "supervision": None,
            "process": ops.ProcessFigures(pid=4, cpu_seconds=0.5, rss_bytes=9),
            "child_count": len(children),
            "below": ops.Rollup(**dict.fromkeys(ops.Rollup.__annotations__, 3)),
            "children": children,
        }
        return ops.ActorNode(**{**values, **more})

    def on_ReadTree(self, command: operator.ReadTree) -> object:
        if command.under not in {"", "/veza/root"}:
            raise RefusedError(RejectCode.NOT_FOUND, "No such actor.")
        return operator.TreeRead(root=self.root)

    def on_ReadNode(self, _: operator.ReadNode) -> object:
        return self.figures

    def on_ReadTotals(self, _: operator.ReadTotals) -> object:
        numbers = dict.fromkeys(ops.ClassTotals.__annotations__, 7)
        return operator.TotalsRead(
            classes=(
                ops.ClassTotals(
                    **numbers
                    | {"class_name": "RoomActor", "alive": 2, "head_age_seconds": 0.25}
                    | {"busy_seconds": 1.5}
                ),
            )
        )


COUNTS = (
    *("mailbox_high_water", "messages", "messages_out", "errors", "dropped", "restarts"),
    *("busy_ms", "current_ms"),
)
SUPERVISION = ops.Supervision(
    strategy="one_for_one", restarts_used=1, restarts_allowed=10, period_seconds=30.0
)


def answer(handler: Callable[..., object], *arguments: Any) -> object:
    """What an actor answers: the handler's reply, or its refusal."""
    try:
        return handler(*arguments)
    except RefusedError as error:
        return Rejected(
            command=type(arguments[-1]).__name__,
            code=error.code,
            detail=error.detail,
            retry_after_seconds=error.retry_after_seconds,
        )


class MemoryActors:
    """Every family of actors, as plain dictionaries. `faults` replaces the answers of a family."""

    def __init__(self) -> None:
        self.fan_out: FanOut
        self.users: dict[UUID, tuple[accounts.User, str]] = {}
        self.open_sessions: dict[UUID, UUID] = {}
        self.cookies: dict[str, UUID] = {}
        self.refresh_tokens: dict[str, UUID] = {}
        self.session_ends: dict[UUID, datetime] = {}
        self.tickets: dict[str, UUID] = {}
        self.spent: set[str] = set()
        self.banned: dict[UUID, accounts.AccountBan] = {}
        self.owners: dict[UUID, UUID] = {}
        self.rooms: dict[UUID, MemoryRoom] = {}
        self.sessions: dict[str, MemorySession] = {}
        self.chosen: dict[UUID, presence.SetPresence] = {}
        self.tracks: dict[UUID, tracks.Track] = {}
        self.jobs: dict[UUID, tracks.Job] = {}
        self.uploads: dict[UUID, list[bytes]] = {}
        self.free_bytes = 2**40
        self.dropped: list[UUID] = []
        self.media: dict[tuple[UUID, str, str], bytes] = {}
        self.media_reads = 0
        self.follows: set[tuple[UUID, UUID]] = set()
        self.playback_versions: Counter[UUID] = Counter()
        self.version_reads = 0
        self.originals: dict[UUID, Path | str] = {}
        self.copies: set[str] = set()
        self.heard: dict[UUID, list[listening.Heard]] = {}
        self.playlists: dict[UUID, tracks.PlaylistRead] = {}
        self.faults: dict[str, object] = {}
        self.checks = {"database": True}
        self.setup_token = "setup-token"
        self.told: list[tuple[Key, object]] = []
        self.gate: asyncio.Event | None = None
        self.operator: Any = MemoryNode()
        self.operated: list[object] = []
        self.acts: list[audit.RecordedAct] = []

    # --- the port ---

    async def ask(self, key: Key, command: object, timeout_seconds: float = 10.0) -> object:
        await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        if key[0] in self.faults:
            fault = self.faults[key[0]]
            if isinstance(fault, Exception):
                raise fault
            return fault
        return self._answer(key, command)

    def tell(self, key: Key, command: object) -> None:
        self.told.append((key, command))
        self._answer(key, command)

    async def operate(self, command: object, timeout_seconds: float = 10.0) -> object:
        await asyncio.sleep(0)
        self.operated.append(command)
        if "operator" in self.faults:
            return self.faults["operator"]
        return answer(getattr(self.operator, f"on_{type(command).__name__}"), command)

    def health(self) -> Mapping[str, bool]:
        return self.checks

    def _answer(self, key: Key, command: object) -> object:
        return answer(getattr(self, f"on_{type(command).__name__}"), key, command)

    # --- accounts ---

    def add_user(self, name: str, *roles: str) -> accounts.User:
        user = accounts.User(
            id=uuid7(),
            username=name,
            email=f"{name}@example.org",
            roles=frozenset(roles),
            permissions=frozenset().union(*(PERMISSIONS[role] for role in ("user", *roles))),
            created_at=now(),
        )
        self.users[user.id] = (user, PASSWORD)
        return user

    def sign_in(self, user: accounts.User, session_id: UUID | None = None) -> accounts.SignedIn:
        session_id = session_id or uuid7()
        self.open_sessions[session_id] = self.owners[session_id] = user.id
        cookie, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.cookies[cookie] = session_id
        self.refresh_tokens[refresh] = session_id
        return accounts.SignedIn(
            user=user,
            session_id=session_id,
            refresh_token=refresh,
            cookie_token=cookie,
            expires_at=now() + timedelta(days=30),
        )

    def on_RegisterAccount(self, _: Key, command: accounts.RegisterAccount) -> object:
        if any(user.username == command.username for user, _ in self.users.values()):
            raise RefusedError(RejectCode.USERNAME_TAKEN, "That name is taken.")
        user = replace(self.add_user(command.username), email=command.email)
        self.users[user.id] = (user, command.password)
        return self.sign_in(user)

    def on_ClaimSetup(self, _: Key, command: accounts.ClaimSetup) -> object:
        if command.token != self.setup_token:
            raise RefusedError(RejectCode.INVALID_TOKEN, "No such token.")
        return self.sign_in(self.add_user(command.username, "admin"))

    def on_SignIn(self, _: Key, command: accounts.SignIn) -> object:
        for user, password in self.users.values():
            if command.login in {user.username, user.email} and command.proof.password == password:
                return self.sign_in(user)
        raise RefusedError(RejectCode.BAD_CREDENTIALS, "Wrong name or password.")

    def on_RefreshSession(self, _: Key, command: accounts.RefreshSession) -> object:
        session_id = self.refresh_tokens.get(command.refresh_token)
        if session_id is None:
            raise RefusedError(RejectCode.INVALID_TOKEN, "Sign in again.")
        if command.refresh_token in self.spent:
            self.open_sessions.pop(session_id, None)
            return accounts.SessionRevoked(session_id=session_id)
        self.spent.add(command.refresh_token)
        user, _ = self.users[self.open_sessions[session_id]]
        return self.sign_in(user, session_id)

    def on_SignOut(self, _: Key, command: accounts.SignOut) -> object:
        self.open_sessions.pop(command.session_id, None)
        return accounts.SignedOut()

    def on_IdentifyCookie(self, _: Key, command: accounts.IdentifyCookie) -> object:
        return self._identified(self.cookies.get(command.cookie_token))

    def on_IdentifySession(self, _: Key, command: accounts.IdentifySession) -> object:
        return self._identified(command.session_id)

    def _identified(self, session_id: UUID | None) -> object:
        user_id = self.open_sessions.get(session_id) if session_id else None
        if user_id is None or session_id is None:
            raise RefusedError(RejectCode.INVALID_TOKEN, "Signed out.")
        return accounts.Identified(
            user=self.users[user_id][0],
            session_id=session_id,
            expires_at=self.session_ends.get(session_id, now() + timedelta(days=30)),
        )

    def on_FindEndedSessions(self, _: Key, command: accounts.FindEndedSessions) -> object:
        over = (each for each in command.session_ids if each not in self.open_sessions)
        return accounts.EndedSessionsFound(
            ended={each: self.owners.get(each) in self.banned for each in over}, permissions={}
        )

    def on_BanAccount(self, _: Key, command: accounts.BanAccount) -> object:
        if command.user_id not in self.users:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such account.")
        if command.is_rehearsal:
            return accounts.AccountBannable()
        user, _password = self.users[command.user_id]
        ban = self.banned[user.id] = accounts.AccountBan(
            user=accounts.Author(id=user.id, name=user.username),
            until=command.until,
            reason=command.reason,
            by=command.by,
            at=now(),
        )
        for session_id, owner in self.owners.items():
            if owner == user.id:
                self.open_sessions.pop(session_id, None)
        return accounts.AccountBanned(ban=ban)

    def on_UnbanAccount(self, _: Key, command: accounts.UnbanAccount) -> object:
        was_banned = self.banned.pop(command.user_id, None) is not None
        return accounts.AccountUnbanned(was_banned=was_banned)

    def on_ListAccountBans(self, _: Key, command: accounts.ListAccountBans) -> object:
        found = sorted(self.banned.values(), key=lambda each: (each.at, each.user.id), reverse=True)
        before = command.before
        rest = [each for each in found if before is None or (each.at, each.user.id) < before]
        return accounts.AccountBansListed(bans=tuple(rest[: command.limit]))

    def on_IssueTicket(self, _: Key, command: accounts.IssueTicket) -> object:
        token = accounts.TICKET_PREFIX + secrets.token_urlsafe(32)
        self.tickets[token] = command.session_id
        return accounts.TicketIssued(token=token, expires_at=now() + timedelta(seconds=30))

    def on_SpendTicket(self, _: Key, command: accounts.SpendTicket) -> object:
        return self._identified(self.tickets.pop(command.token, None))

    # --- rooms ---

    def on_CreateRoom(self, _: Key, command: rooms_service.CreateRoom) -> object:
        room = rooms.Room(
            id=command.room_id,
            kind=command.settings.kind,
            name=command.settings.name,
            epoch=uuid7(),
            seq=0,
            member_count=0,
            created_at=now(),
        )
        self.rooms[room.id] = MemoryRoom(room)
        self._enter(self.rooms[room.id], command.creator)
        return rooms_service.RoomDescribed(room=self.rooms[room.id].room)

    def on_DescribeRoom(self, _: Key, command: rooms_service.DescribeRoom) -> object:
        return rooms_service.RoomDescribed(room=self._room(command.room_id).room)

    def on_ListRooms(self, _: Key, command: rooms_service.ListRooms) -> object:
        newest = sorted(self.rooms, reverse=True)
        older = [each for each in newest if command.before is None or each < command.before]
        found = tuple(self.rooms[each].room for each in older[: command.limit])
        return rooms_service.RoomsListed(rooms=found)

    def on_ActInRoom(self, key: Key, command: rooms.ActInRoom) -> object:
        room = self._room(UUID(key[1]))
        match command.act:
            case rooms.JoinRoom():
                self._enter(room, command.by)
                return rooms.RoomJoined(room=room.room)
            case rooms.LeaveRoom():
                if command.by.id in room.members:
                    room.members.discard(command.by.id)
                    self.append(room, rooms.EventKind.MEMBER_LEFT, command.by)
                return rooms.RoomLeft(room_id=room.room.id)
            case rooms.PostMessage() as post:
                return self._post(room, command.by, post)
            case _:
                raise RefusedError(RejectCode.UNKNOWN_MESSAGE, "No such message.")

    def _post(
        self, room: MemoryRoom, author: accounts.Author, post: rooms.PostMessage
    ) -> rooms.EventStored:
        if author.id not in room.members:
            raise RefusedError(RejectCode.NOT_A_MEMBER, "Enter the room first.")
        for event in room.events:
            if event.message_id == post.message_id:
                return rooms.EventStored(event=event, is_new=False)
        event = self.append(
            room,
            rooms.EventKind.MESSAGE_POSTED,
            author,
            message_id=post.message_id,
            text=post.text,
            reply_to=post.reply_to,
        )
        return rooms.EventStored(event=event, is_new=True)

    def on_RequireRight(self, key: Key, command: rooms.RequireRight) -> object:
        room = self._room(UUID(key[1]))
        if command.action != "READ" and command.by not in room.members:
            raise RefusedError(RejectCode.NOT_A_MEMBER, "Enter the room first.")
        return rooms.RightGranted(room=room.room, role=None)

    def on_ReadRoom(self, key: Key, command: rooms.ReadRoom) -> object:
        return self.on_ReadEvents(key, command.read)

    def on_ReadEvents(self, _: Key, command: rooms.ReadEvents) -> object:
        events = self._room(command.room_id).events
        if command.after_seq is not None:
            found = [each for each in events if each.seq > command.after_seq][: command.limit]
        else:
            before = command.before_seq
            found = [each for each in events if before is None or each.seq < before]
            found = found[-command.limit :]
        return rooms.EventsRead(events=tuple(found))

    def _room(self, room_id: UUID) -> MemoryRoom:
        if room_id not in self.rooms:
            raise RefusedError(RejectCode.NOT_FOUND, "No such room.")
        return self.rooms[room_id]

    def _enter(self, room: MemoryRoom, member: accounts.Author) -> None:
        if member.id not in room.members:
            room.members.add(member.id)
            self.append(room, rooms.EventKind.MEMBER_JOINED, member)

    def append(
        self, room: MemoryRoom, kind: rooms.EventKind, author: accounts.Author, **more: Any
    ) -> rooms.RoomEvent:
        event = rooms.RoomEvent(
            room_id=room.room.id,
            seq=len(room.events) + 1,
            kind=kind,
            at=now(),
            author=author,
            **more,
        )
        room.events.append(event)
        room.room = replace(room.room, seq=event.seq, member_count=len(room.members))
        self.fan_out.publish(f"room:{room.room.id}", event, seq=event.seq)
        return event

    # --- sessions ---

    def on_OpenSession(self, key: Key, command: sessions.OpenSession) -> object:
        self.sessions[key[1]] = MemorySession(command.user, command.outbox)
        memberships = tuple(
            rooms.Membership(
                room=each.room, role=rooms.Role.MEMBER, read_seq=0, unread=each.room.seq
            )
            for each in self.rooms.values()
            if command.user.id in each.members
        )
        return sessions.SessionOpened(session_id=UUID(key[1]), memberships=memberships)

    def on_CloseSession(self, key: Key, _: sessions.CloseSession) -> None:
        session = self.sessions.pop(key[1], None)
        if session is not None:
            session.ended.set_result(None)

    def end_sessions(self) -> None:
        for session in self.sessions.values():
            session.outbox.disconnect(4000, "the session ended")

    def on_SubscribeRoom(self, key: Key, command: sessions.SubscribeRoom) -> None:
        session = self.sessions[key[1]]
        room = self.rooms.get(command.room_id)
        if room is None:
            self._fail(session, command.frame_id, RejectCode.NOT_FOUND)
            return
        topic = f"room:{command.room_id}"
        self._enter(room, session.user)
        self.fan_out.hold(topic, session.outbox)
        since = command.since
        recovered = since is not None and since.epoch == room.room.epoch
        session.outbox.push(
            sessions.RoomEntered(frame_id=command.frame_id, room=room.room, recovered=recovered)
        )
        if recovered and since is not None:
            for event in room.events[since.seq :]:
                session.outbox.push(event)
        head = room.room.seq
        self.fan_out.subscribe(topic, session.outbox, after_seq=head, head_seq=head)

    def on_UnsubscribeRoom(self, key: Key, command: sessions.UnsubscribeRoom) -> None:
        session = self.sessions[key[1]]
        self.fan_out.unsubscribe(f"room:{command.room_id}", session.outbox)
        session.outbox.push(sessions.RoomExited(frame_id=command.frame_id, room_id=command.room_id))

    def on_DoInRoom(self, key: Key, command: sessions.DoInRoom) -> None:
        session = self.sessions[key[1]]
        act = rooms.ActInRoom(by=session.user, act=command.act)
        reply: object = self._answer(("room", str(command.room_id)), act)
        if isinstance(reply, Rejected):
            self._fail(session, command.frame_id, reply.code)
            return
        assert isinstance(reply, rooms.EventStored)
        done = sessions.ActDone(
            frame_id=command.frame_id, room_id=command.room_id, event=reply.event
        )
        session.outbox.push(done)

    # --- presence ---

    def on_SetPresence(self, key: Key, command: presence.SetPresence) -> None:
        session = self.sessions[key[1]]
        self.chosen[session.user.id] = command
        taken = presence.PresenceTaken(frame_id=command.frame_id, status=command.status)
        session.outbox.push(taken)

    def on_CountOnline(self, _: Key, _command: presence.CountOnline) -> object:
        users = len({each.user.id for each in self.sessions.values()})
        return presence.OnlineCounted(users=users, devices=len(self.sessions), rooms=3)

    def on_ReadRoomPresence(self, _: Key, command: presence.ReadRoomPresence) -> object:
        members = self._room(command.room_id).members
        if command.viewer not in members:
            raise RefusedError(RejectCode.NOT_A_MEMBER, "Enter the room first.")
        people = tuple(self._seen(each) for each in members if each in self.chosen)
        return presence.PresenceTold(
            room_id=command.room_id, online=len(people), is_full=True, people=people
        )

    def on_ReadUserPresence(self, _: Key, command: presence.ReadUserPresence) -> object:
        pair = {command.viewer, command.user_id}
        if not any(pair <= room.members for room in self.rooms.values()):
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such user in your rooms.")
        return presence.UserPresenceRead(seen=self._seen(command.user_id))

    def _seen(self, user_id: UUID) -> presence.Seen:
        said = self.chosen.get(user_id)
        if said is None:
            offline = presence.Status.OFFLINE
            return presence.Seen(user_id=user_id, status=offline, last_seen_at=LAST_SEEN)
        return presence.Seen(user_id=user_id, status=said.status, activity=said.activity)

    def on_SetTyping(self, key: Key, command: sessions.SetTyping) -> None:
        self._done(key, command)

    def on_MarkReceipt(self, key: Key, command: sessions.MarkReceipt) -> None:
        self._done(key, command)

    def _done(self, key: Key, command: sessions.SetTyping | sessions.MarkReceipt) -> None:
        done = sessions.ActDone(frame_id=command.frame_id, room_id=command.room_id, event=None)
        self.sessions[key[1]].outbox.push(done)

    def on_RequestHistory(self, key: Key, command: sessions.RequestHistory) -> None:
        session = self.sessions[key[1]]
        read = rooms.ReadEvents(
            room_id=command.room_id, before_seq=command.before_seq, limit=command.limit
        )
        reply = self._answer(("room_log", ""), read)
        if isinstance(reply, Rejected):
            self._fail(session, command.frame_id, reply.code)
            return
        assert isinstance(reply, rooms.EventsRead)
        session.outbox.push(
            sessions.HistoryRead(frame_id=command.frame_id, room_id=command.room_id, history=reply)
        )

    def _fail(self, session: MemorySession, frame_id: str | None, code: RejectCode) -> None:
        session.outbox.push(
            sessions.CommandFailed(frame_id=frame_id, code=code, detail=f"It is {code}.")
        )

    # --- tracks ---

    def add_track(self, owner: accounts.User, **more: Any) -> tracks.Track:
        values: dict[str, Any] = {
            "id": uuid7(),
            "owner": accounts.Author(id=owner.id, name=owner.username),
            "title": "Nocturne",
            "artist": "",
            "album": "",
            "track_number": None,
            "genre": "",
            "artwork_tag": None,
            "state": tracks.TrackState.PUBLISHED,
            "duration_ms": 61_000,
            "has_waveform": True,
            "analysis": None,
            "visibility": tracks.Visibility.PUBLIC,
            "downloads": tracks.Downloads.NOBODY,
            "release_at": None,
            "version": 0,
            "plays": 0,
            "likes": 0,
            "reposts": 0,
            "comments": 0,
            "error": None,
            "created_at": now(),
        }
        track = tracks.Track(**{**values, **more})
        self.tracks[track.id] = track
        return track

    def add_job(self, track: tracks.Track, state: tracks.JobState) -> tracks.Job:
        job = tracks.Job(
            id=uuid7(),
            type=tracks.JobType.TRANSCODE,
            state=state,
            progress=0.25,
            error=None,
            track_id=track.id,
            attachment_id=None,
            sounds_like=None,
            owner_id=track.owner.id,
            created_at=now(),
            updated_at=now(),
        )
        self.jobs[job.id] = job
        return job

    def on_WriteChunk(self, _: Key, command: tracks.WriteChunk) -> object:
        chunks = self.uploads.setdefault(command.upload_id, [])
        assert command.offset == sum(map(len, chunks))
        chunks.append(command.data)
        return tracks.ChunkWritten(size_bytes=command.offset + len(command.data))

    def on_DropUpload(self, _: Key, command: tracks.DropUpload) -> None:
        self.uploads.pop(command.upload_id, None)
        self.dropped.append(command.upload_id)

    def on_RequireSpace(self, _: Key, command: uploads.RequireSpace) -> object:
        if command.size_bytes > self.free_bytes:
            raise RefusedError(RejectCode.QUOTA_EXCEEDED, "No room left.")
        return uploads.SpaceGranted()

    def on_PublishUpload(self, _: Key, command: tracks.PublishUpload) -> object:
        user, _password = self.users[command.owner.id]
        track = self.add_track(
            user,
            id=command.track_id,
            title=command.title,
            state=tracks.TrackState.PROCESSING,
            duration_ms=None,
            has_waveform=False,
        )
        job = self.add_job(track, tracks.JobState.QUEUED)
        return tracks.TrackAccepted(track=track, job=job, duplicate_of=None)

    def on_DescribeTrack(self, _: Key, command: tracks.DescribeTrack) -> object:
        track = self._track(command.track_id)
        if track.owner.id != command.viewer_id and not self._is_audible(track, command.viewer_id):
            raise RefusedError(RejectCode.NOT_FOUND, "No such track.")
        return tracks.TrackDescribed(track=track)

    def _is_audible(self, track: tracks.Track, viewer_id: UUID | None) -> bool:
        shown = {tracks.TrackState.PLAYABLE, tracks.TrackState.PUBLISHED}
        is_followed = (viewer_id, track.owner.id) in self.follows
        return (
            track.state in shown
            and (track.release_at is None or track.release_at <= now())
            and track.visibility is not tracks.Visibility.PRIVATE
            and (track.visibility is not tracks.Visibility.FOLLOWERS or is_followed)
        )

    def on_ChangeTrack(self, _: Key, command: tracks.ChangeTrack) -> object:
        track = self._owned_track(command.track_id, command.owner_id)
        if command.if_version not in {None, track.version}:
            raise RefusedError(RejectCode.VERSION_CONFLICT, "Changed meanwhile.")
        given = {
            name: value
            for name in command.edit.__slots__
            if name != "clears" and (value := getattr(command.edit, name)) is not None
        }
        given |= dict.fromkeys(command.edit.clears)
        changed = replace(track, version=track.version + 1, **given)
        self.tracks[track.id] = changed
        if changed.visibility in {tracks.Visibility.FOLLOWERS, tracks.Visibility.PRIVATE}:
            self.playback_versions[track.id] += 1
        return tracks.TrackDescribed(track=changed)

    def on_ReadArtwork(self, _: Key, command: artworks.ReadArtwork) -> object:
        track = self._track(command.track_id)
        if track.artwork_tag is None:
            raise RefusedError(RejectCode.NOT_FOUND, "None.")
        return artworks.ArtworkRead(data=b"picture", tag=track.artwork_tag)

    def on_ChooseArtwork(self, _: Key, command: artworks.ChooseArtwork) -> object:
        track = self._owned_track(command.track_id, command.owner_id)
        self.tracks[track.id] = replace(track, artwork_tag="0123456789abcdef")
        return artworks.ArtworkAccepted(job=self.add_job(track, tracks.JobState.QUEUED))

    def on_RemoveArtwork(self, _: Key, command: artworks.RemoveArtwork) -> object:
        track = self._owned_track(command.track_id, command.owner_id)
        self.tracks[track.id] = replace(track, artwork_tag=None)
        return artworks.ArtworkRemoved()

    def _takeable_track(self, track_id: UUID, viewer_id: UUID | None) -> tracks.Track:
        track = self._track(track_id)
        is_follower = (viewer_id, track.owner.id) in self.follows
        if viewer_id != track.owner.id and (
            track.downloads is tracks.Downloads.NOBODY
            or (track.downloads is tracks.Downloads.FOLLOWERS and not is_follower)
        ):
            raise RefusedError(RejectCode.FORBIDDEN, "Kept.")
        return track

    def on_OpenDownload(self, _: Key, command: downloads.OpenDownload) -> object:
        track = self._takeable_track(command.track_id, command.viewer_id)
        if command.format not in {downloads.ORIGINAL, *self.copies}:
            raise RefusedError(RejectCode.NOT_READY, "Nobody has asked for it.")
        return downloads.DownloadOpened(
            place=self.originals[track.id],
            key=f"sources/{track.id}",
            size_bytes=102_400,
            filename="song.flac",
            title=track.title,
            artist=track.artist,
        )

    def on_ListDownloads(self, _: Key, command: downloads.ListDownloads) -> object:
        self._takeable_track(command.track_id, command.viewer_id)
        formats = (downloads.ORIGINAL, *downloads.CopyFormat)
        return downloads.DownloadsListed(downloads=tuple(map(self._download, formats)))

    def on_RequestCopy(self, _: Key, command: downloads.RequestCopy) -> object:
        self._takeable_track(command.track_id, command.by)
        self.copies.add(command.format)
        return downloads.CopyRequested(download=self._download(command.format))

    def _download(self, kind: str) -> downloads.Download:
        is_ready = kind in {downloads.ORIGINAL, *self.copies}
        return downloads.Download(
            format=kind,
            state=downloads.DownloadState.READY if is_ready else downloads.DownloadState.NONE,
            size_bytes=102_400 if is_ready else None,
        )

    def on_EndPlayback(self, _: Key, command: tracks.EndPlayback) -> object:
        self._owned_track(command.track_id, command.owner_id)
        self.playback_versions[command.track_id] += 1
        return self.on_ReadPlaybackVersion(_, command)

    def on_ReadPlaybackVersion(
        self, _: Key, command: tracks.ReadPlaybackVersion | tracks.EndPlayback
    ) -> object:
        self.version_reads += 1
        return tracks.PlaybackVersionRead(version=self.playback_versions[command.track_id])

    def _owned_track(self, track_id: UUID, owner_id: UUID) -> tracks.Track:
        track = self._track(track_id)
        if track.owner.id != owner_id:
            is_told = self._is_audible(track, owner_id)
            code = RejectCode.FORBIDDEN if is_told else RejectCode.NOT_FOUND
            raise RefusedError(code, "Somebody else's.")
        return track

    def on_SetFollowing(self, _: Key, command: social.SetFollowing) -> object:
        if command.followed_id not in self.users:
            raise RefusedError(RejectCode.NOT_FOUND, "Nobody.")
        if command.followed_id == command.follower_id:
            raise RefusedError(RejectCode.INVALID_STATE, "Oneself.")
        pair = (command.follower_id, command.followed_id)
        (self.follows.add if command.is_following else self.follows.discard)(pair)
        return self._following(command.followed_id, command.follower_id)

    def on_ReadFollowing(self, _: Key, command: social.ReadFollowing) -> object:
        return self._following(command.user_id, command.viewer_id)

    def _following(self, user_id: UUID, viewer_id: UUID) -> object:
        followers = [one for one, followed in self.follows if followed == user_id]
        following = social.Following(followers=len(followers), is_following=viewer_id in followers)
        return social.FollowingRead(following=following)

    def on_ListFollowed(self, _: Key, command: social.ListFollowed) -> object:
        ids = sorted(
            followed
            for one, followed in self.follows
            if one == command.follower_id and (not command.after or followed > command.after)
        )
        people = [accounts.Author(id=each, name=self.users[each][0].username) for each in ids]
        return social.FollowedListed(people=tuple(people[: command.limit]))

    def on_ListTracks(self, _: Key, command: tracks.ListTracks) -> object:
        found = [
            track
            for track in sorted(self.tracks.values(), key=lambda each: each.id, reverse=True)
            if (command.before is None or track.id < command.before)
            and (self._is_audible(track, command.viewer_id) or track.owner.id == command.viewer_id)
        ]
        return tracks.TracksListed(tracks=tuple(found[: command.limit]))

    def on_ReadWaveform(self, _: Key, command: tracks.ReadWaveform) -> object:
        if not self._track(command.track_id).has_waveform:
            raise RefusedError(RejectCode.NOT_READY, "Not measured yet.")
        return tracks.WaveformRead(buckets=((-128, 127), (0, 5)))

    def on_ReadAudiowaveform(self, _: Key, command: tracks.ReadAudiowaveform) -> object:
        if not self._track(command.track_id).has_waveform:
            raise RefusedError(RejectCode.NOT_READY, "Not measured yet.")
        if command.format is tracks.WaveformFormat.BINARY:
            return tracks.AudiowaveformRead(data=b"dat %d" % command.samples_per_pixel)
        told = {
            "version": 2,
            "channels": 1,
            "sample_rate": 44_100,
            "samples_per_pixel": command.samples_per_pixel,
            "bits": 8,
            "length": 1,
            "data": [-3, 3],
        }
        return tracks.AudiowaveformRead(data=orjson.dumps(told))

    def on_ReportListening(self, _: Key, command: listening.ReportListening) -> object:
        known = self.heard.setdefault(command.heard.play_id, [])
        if any(each.listener != command.heard.listener for each in known):
            raise RefusedError(RejectCode.ALREADY_EXISTS, "Another listening's.")
        known.append(command.heard)
        return listening.ListeningReported(is_play=command.heard.heard_ms >= 30_000)

    def on_ListUnfinished(self, _: Key, command: listening.ListUnfinished) -> object:
        found = [
            listening.Unfinished(
                track=self._track(reports[-1].track_id),
                position_ms=reports[-1].position_ms,
                at=now(),
            )
            for reports in self.heard.values()
            if reports[-1].user_id == command.user_id
        ]
        return listening.UnfinishedListed(unfinished=tuple(found))

    def on_ReadTrackFigures(self, _: Key, command: listening.ReadTrackFigures) -> object:
        day = listening.TrackDay(day=now().date(), plays=1, listeners=command.days, heard_ms=9)
        return listening.TrackFiguresRead(days=(day,), stops=(0,) * 100)

    def on_ReadMaster(self, _: Key, command: tracks.ReadMaster) -> object:
        text = f"#EXTM3U\nlow/index.m3u8?{command.query}\n"
        if command.is_lossless:
            text += f"flac/index.m3u8?{command.query}\n"
        return replace(self._playlist(command.track_id), text=text)

    def on_ReadManifest(self, _: Key, command: tracks.ReadManifest) -> object:
        text = f"<MPD>{command.query}</MPD>"
        return tracks.PlaylistRead(text=text, is_complete=True)

    def on_ReadPlaylist(self, _: Key, command: tracks.ReadPlaylist) -> object:
        if command.rendition != "low":
            raise RefusedError(RejectCode.NOT_FOUND, "No such rendition.")
        playlist = self._playlist(command.track_id)
        return replace(playlist, text=f"{playlist.text}0.m4s?{command.query}\n")

    def on_ReadMedia(self, _: Key, command: tracks.ReadMedia) -> object:
        self.media_reads += 1
        data = self.media.get((command.track_id, command.rendition, command.name))
        if data is None:
            raise RefusedError(RejectCode.NOT_FOUND, "No such segment.")
        return tracks.MediaRead(data=data, etag=hashlib.sha256(data).hexdigest())

    def _playlist(self, track_id: UUID) -> tracks.PlaylistRead:
        empty = tracks.PlaylistRead(text="#EXTM3U\n", is_complete=True)
        return self.playlists.get(track_id, empty)

    def _track(self, track_id: UUID) -> tracks.Track:
        if track_id not in self.tracks:
            raise RefusedError(RejectCode.NOT_FOUND, "No such track.")
        return self.tracks[track_id]

    # --- jobs ---

    def on_DescribeJob(self, _: Key, command: tracks.DescribeJob) -> object:
        return tracks.JobDescribed(job=self._job(command.job_id, command.viewer_id))

    def on_DescribeTrackJob(self, _: Key, command: tracks.DescribeTrackJob) -> object:
        for job in self.jobs.values():
            if job.track_id == command.track_id:
                return tracks.JobDescribed(job=self._job(job.id, command.viewer_id))
        raise RefusedError(RejectCode.NOT_FOUND, "No such job.")

    def on_CancelJob(self, _: Key, command: tracks.CancelJob) -> object:
        return self._move(command.job_id, command.viewer_id, tracks.JobState.CANCELLED)

    def on_RetryJob(self, _: Key, command: tracks.RetryJob) -> object:
        job = self._job(command.job_id, command.viewer_id)
        if job.state is not tracks.JobState.CANCELLED:
            raise RefusedError(RejectCode.INVALID_STATE, "It has not failed.")
        return self._move(command.job_id, command.viewer_id, tracks.JobState.QUEUED)

    def on_ListJobs(self, _: Key, command: jobs.ListJobs) -> object:
        found = [
            job
            for job in sorted(self.jobs.values(), key=lambda each: each.id, reverse=True)
            if command.state in {None, job.state}
            and (command.before is None or job.id < command.before)
        ]
        return jobs.JobsListed(jobs=tuple(self._queued(job) for job in found[: command.limit]))

    def on_ReadEncodings(self, _: Key, _command: encodings.ReadEncodings) -> object:
        return encodings.EncodingsRead(
            recipe="here", published=len(self.tracks), outdated=len(self.tracks)
        )

    def on_ReencodeTracks(self, _: Key, command: encodings.ReencodeTracks) -> object:
        self.operated.append(command)
        wanted = {command.track_id} if command.which is encodings.Which.ONE else set(self.tracks)
        found = sorted(
            x for x in wanted & set(self.tracks) if not command.after or x > command.after
        )
        return encodings.ReencodingsQueued(queued=len(found), last=found[-1] if found else None)

    def on_CheckMedia(self, _: Key, command: media_keeping.CheckMedia) -> object:
        self.operated.append(command)
        bad = media_keeping.BadObject(key="media/x/0.mp4", fate=media_keeping.Fate.MISSING)
        last = None if command.after else uuid7()
        return media_keeping.MediaChecked(objects=3, size_bytes=9, bad=(bad,), last=last)

    def on_CollectGarbage(self, _: Key, command: media_keeping.CollectGarbage) -> object:
        self.operated.append(command)
        last = "" if command.after else "x"
        return media_keeping.GarbageCollected(objects=2, size_bytes=7, last=last)

    def _queued(self, job: tracks.Job) -> jobs.QueuedJob:
        track = self.tracks[job.track_id]
        return jobs.QueuedJob(
            job=job,
            owner=track.owner,
            title=track.title,
            priority=0,
            attempts=1,
            max_attempts=5,
            run_at=now(),
            leased_by=uuid7(),
            lease_until=now(),
            is_cancel_requested=False,
        )

    def _move(self, job_id: UUID, viewer_id: UUID, state: tracks.JobState) -> object:
        job = self.jobs[job_id] = replace(self._job(job_id, viewer_id), state=state)
        return tracks.JobDescribed(job=job)

    def _job(self, job_id: UUID, viewer_id: UUID) -> tracks.Job:
        job = self.jobs.get(job_id)
        if job is None or job.owner_id != viewer_id:
            raise RefusedError(RejectCode.NOT_FOUND, "No such job.")
        return job

    # --- the audit log ---

    def on_RecordAct(self, _: Key, command: audit.RecordAct) -> object:
        names = (field.name for field in fields(command))
        act = {name: getattr(command, name) for name in names}
        self.acts.append(audit.RecordedAct(at=now(), **act))
        return audit.ActRecorded()

    def on_ListActs(self, _: Key, command: audit.ListActs) -> object:
        found = [
            act
            for act in reversed(self.acts)
            if command.before_id is None or act.act_id < command.before_id
        ]
        return audit.ActsListed(acts=tuple(found[: command.limit]))


# --- what its frames are held against ---


def closed(schema: Any) -> Any:
    """The same schema, refusing every field that it does not name."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {name: closed(each) for name, each in schema.items()}
    if isinstance(inside.get("properties"), dict):
        inside.setdefault("additionalProperties", False)
    return inside


class Catalogue:
    """The frames of the server as the AsyncAPI document declares them, and not a field more."""

    def __init__(self) -> None:
        components = closed(json.loads(asyncapi.document("http://localhost", "0"))["components"])
        self.validators: dict[str, list[Draft7Validator]] = {}
        for name, message in components["messages"].items():
            if name.startswith("fromServer."):
                schema = {**message["payload"], "components": components}
                validator = Draft7Validator(schema, format_checker=FormatChecker())
                self.validators.setdefault(message["name"], []).append(validator)

    def check(self, frame: dict[str, Any]) -> None:
        declared = self.validators.get(frame["t"], [])
        assert any(each.is_valid(frame) for each in declared), [
            (list(error.absolute_path), error.message)
            for each in declared
            for error in each.iter_errors(frame)
        ] or f"no frame of the server is called {frame['t']}"

    def encode(self, event: object) -> bytes:
        """What `encode_frame` makes, once it is as declared."""
        frame = encode_frame(event)
        self.check(self.decode(frame))
        return frame

    def decode(self, frame: bytes) -> Any:
        """What is in a finished frame, behind its header (RFC 6455, section 5.2)."""
        return json.loads(frame[{126: 4, 127: 10}.get(frame[1], 2) :])


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue()


# --- the gateway over it ---


@dataclass
class Answered:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: Any
    raw: bytes


class Api:
    """A client that holds every answer against the published document."""

    def __init__(self, client: TestClient[Any, Any], document: dict[str, Any]) -> None:
        self.client = client
        self._document = document

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        who: accounts.SignedIn | None = None,
        status: int | None = 200,
        **options: Any,
    ) -> Answered:
        headers = dict(options.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer {issue(self.client, who)}"
        response = await self.client.request(method, path, headers=headers, **options)
        answered = await self._read(response)
        if status is not None:
            assert answered.status == status, answered.raw
        if path.startswith("/api/v1") and method != "HEAD":
            self.check(method, path.partition("?")[0], answered)
        return answered

    async def _read(self, response: ClientResponse) -> Answered:
        raw = await response.read()
        is_json = "json" in response.content_type
        return Answered(
            status=response.status,
            headers=response.headers,
            body=json.loads(raw) if is_json and raw else None,
            raw=raw,
        )

    def check(self, method: str, path: str, answered: Answered) -> None:
        """Hold an answer against what the document says of its operation."""
        operation = self._operation(method, path)
        if answered.status >= 400:
            assert answered.headers["Content-Type"].startswith("application/problem+json")
            self._validate(answered.body, {"$ref": "#/components/schemas/Problem"})
        elif operation is not None:
            declared = operation["responses"][str(answered.status)]
            for content in declared.get("content", {}).values():
                if "schema" in content:
                    self._validate(answered.body, content["schema"])

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for template, methods in self._document["paths"].items():
            # Paths of actors keep their slashes.
            pattern = template.replace("/actors/{path}", "/actors/.+")
            pattern = re.sub(r"\{\w+\}", "[^/]+", pattern)
            if re.fullmatch(pattern, path) and method.lower() in methods:
                found: dict[str, Any] = methods[method.lower()]
                return found
        return None

    def _validate(self, body: Any, schema: dict[str, Any]) -> None:
        whole = {**schema, "components": self._document["components"]}
        OAS31Validator(whole, format_checker=oas31_format_checker).validate(body)


def issue(client: TestClient[Any, Any], who: accounts.SignedIn) -> str:
    claims = AccessClaims(user_id=who.user.id, session_id=who.session_id)
    return client.server.app[ACCESS_TOKENS].issue(claims, time.time())


@pytest.fixture
def actors() -> MemoryActors:
    return MemoryActors()


@pytest.fixture
def web_root(tmp_path: Path) -> Path:
    root = tmp_path / "web"
    (root / "app").mkdir(parents=True)
    (root / "index.html").write_text('<script src="/w/@@/app/main.js"></script>')
    (root / "app/main.js").write_text("export const greeting = 'hello';\n" * 20)
    (root / "app/notes.toml").write_text("not for browsers")
    return root


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", ws_heartbeat_ms=1000, rooms_per_hour=1000)


MakeApi = Callable[..., Awaitable[Api]]


@pytest.fixture
async def make_api(
    aiohttp_client: Any,
    actors: MemoryActors,
    web_root: Path,
    settings: Settings,
    catalogue: Catalogue,
) -> MakeApi:
    """Return what starts a gateway with some settings changed; it makes no frame but declared ones."""

    async def start(**changes: Any) -> Api:
        loop = asyncio.get_running_loop()
        changed = Settings(**{**settings.model_dump(exclude_unset=True), **changes})
        limits = FanOutLimits(outbox_bytes=changed.ws_outbox_bytes)
        actors.fan_out = FanOut(catalogue.encode, loop.call_soon, limits, shape)
        app = make_app(changed, actors, actors.fan_out, SigningKeys.random(), web_root=web_root)
        return Api(await aiohttp_client(app), json.loads(app[OPENAPI]))

    return start


@pytest.fixture
async def api(make_api: MakeApi) -> Api:
    return await make_api()


@pytest.fixture
def ada(actors: MemoryActors) -> accounts.SignedIn:
    return actors.sign_in(actors.add_user("ada"))


@pytest.fixture
def bob(actors: MemoryActors) -> accounts.SignedIn:
    return actors.sign_in(actors.add_user("bob"))
