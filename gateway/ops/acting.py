"""Who acts, how often they may, and how what they ask for reaches the operator of the node."""

import asyncio
import os
import pwd
import socket
import struct
import time
from typing import Final, TypeVar

from aiohttp import web

from veza.actors.messages.operator import Operator
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.keys import ACTORS, ASK_SECONDS, IDENTITY, RATE_STATE, RATES
from veza.gateway.rates import OPS_ACTS

_UCRED: Final = struct.Struct("3i")
"""Process, user and group of the peer (unix(7))."""

Reply = TypeVar("Reply")


async def operate(
    request: web.Request,
    command: object,
    expected: type[Reply],
    timeout_seconds: float = ASK_SECONDS,
) -> Reply:
    """Return what the operator of the node answers, or raise the problem that it is."""
    return expect(await request.app[ACTORS].operate(command, timeout_seconds), expected)


async def acting(request: web.Request) -> Operator:
    """Return who is about to do something, unless that is more than they may in a minute."""
    by = await operator_of(request)
    if by.user_id:
        state = request.app[RATES].take(OPS_ACTS, by.user_id, time.monotonic())
        request[RATE_STATE] = state
        if not state.is_allowed:
            raise ProblemError(ProblemCode.RATE_LIMITED, retry_after_seconds=state.wait_seconds)
    return by


async def operator_of(request: web.Request) -> Operator:
    """Return the account that signed in, or the user of this machine at the other end of the socket."""
    who = request.get(IDENTITY)
    if who is not None:
        return Operator(name=who.user.username, user_id=str(who.user.id), via="http")
    # The names of users may come from the network (nsswitch.conf).
    name = await asyncio.to_thread(user_name, peer_uid(request))
    return Operator(name=name, user_id="", via="socket")


def peer_uid(request: web.Request) -> int:
    """Return whose process holds the other end of the unix socket."""
    connection = request.get_extra_info("socket")
    if connection is None or connection.family != socket.AF_UNIX:
        raise RuntimeError("nobody signed in, and this is no unix socket")
    if not hasattr(socket, "SO_PEERCRED"):
        # Other systems than Linux: the file is open to its owner alone.
        return os.geteuid()
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _pid, uid, _gid = _UCRED.unpack(raw)
    return int(uid)


def user_name(uid: int) -> str:
    """Return the name of a user of this machine; the number says it if there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
