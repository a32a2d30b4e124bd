"""The service behind the door: who holds a session or a cookie, and which rooms wait for them.

After a restart everybody asks these questions at once. What waits is answered together, with one
statement for all of it: a client costs the database a few rows, not three round trips.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final

from veza.actors.accounts import banned_refused, digest, identified
from veza.actors.database import DatabaseActor
from veza.actors.messages.accounts import (
    Identified,
    IdentifyCookie,
    IdentifyKey,
    IdentifySession,
)
from veza.actors.messages.common import RefusedError, RejectCode, Rejected
from veza.actors.messages.rooms_service import ListMemberships, MembershipsListed
from veza.actors.runtime.address import Address
from veza.persistence import accounts, api_keys, bans, memberships, rooms
from veza.persistence.pool import Connection
from veza.persistence.rows import KeyHolder

MEMBERSHIPS_TOLD: Final = 500
"""The newest: with the longest names 370 KB, which an outbox takes at once."""

Question = tuple[object, Address]


class ArrivalsActor(DatabaseActor):
    """Says who comes in and where they belong. One batch is under way at a time; the rest gathers.

    A batch is short, so that the loop is never held for long by the rows of many members.
    """

    batch_limit: ClassVar[int] = 32
    mailbox_limit: ClassVar[int] = 20_000

    async def receive_batch(self, batch: Sequence[Question]) -> None:
        async with self.connection() as conn:
            await self._identify(conn, batch)
            await self._list(conn, batch)

    async def _identify(self, conn: Connection, batch: Sequence[Question]) -> None:
        sessions = [q.session_id for q, _sender in batch if isinstance(q, IdentifySession)]
        cookies = [digest(q.cookie_token) for q, _sender in batch if isinstance(q, IdentifyCookie)]
        of_session = await accounts.find_sessions(conn, sessions) if sessions else {}
        of_cookie = await accounts.find_cookies(conn, cookies) if cookies else {}
        keys = [digest(q.key_token) for q, _sender in batch if isinstance(q, IdentifyKey)]
        of_key = await api_keys.find_keys(conn, keys) if keys else {}
        for question, sender in batch:
            match question:
                case IdentifySession(session_id=session_id):
                    holder = of_session.get(session_id)
                case IdentifyCookie(cookie_token=token):
                    holder = of_cookie.get(digest(token))
                case IdentifyKey(key_token=token):
                    self.send(sender, _acting(of_key.get(digest(token))))
                    continue
                case _:
                    continue
            reply = await _refusal(conn, question) if holder is None else identified(holder)
            self.send(sender, reply)

    async def _list(self, conn: Connection, batch: Sequence[Question]) -> None:
        asked = [(q.user_id, sender) for q, sender in batch if isinstance(q, ListMemberships)]
        if not asked:
            return
        users = list({user_id for user_id, _sender in asked})
        found = await rooms.memberships_of(conn, users, limit=MEMBERSHIPS_TOLD)
        blocked = await memberships.blocked_by(conn, users)
        for user_id, sender in asked:
            listed = MembershipsListed(memberships=found[user_id], blocked=blocked[user_id])
            self.send(sender, listed)


def _acting(holder: KeyHolder | None) -> Identified | Rejected:
    """Say who a program acts for."""
    if holder is None:
        code, detail = RejectCode.INVALID_TOKEN, "This key is not good, or not any more."
        return Rejected(command=IdentifyKey.__name__, code=code, detail=detail)
    return Identified(
        user=holder.user,
        session_id=holder.key_id,
        expires_at=holder.expires_at or datetime.max.replace(tzinfo=UTC),
        scopes=holder.scopes,
    )


async def _refusal(
    conn: Connection, question: IdentifySession | IdentifyCookie
) -> Identified | Rejected:
    """Say why nobody is let in: a ban, or a session that is not open."""
    try:
        with banned_refused():
            if isinstance(question, IdentifySession):
                await bans.explain_session(conn, session_id=question.session_id)
            else:
                await bans.explain_session(conn, cookie_hash=digest(question.cookie_token))
        return identified(None)
    except RefusedError as refused:
        return Rejected(command=type(question).__name__, code=refused.code, detail=refused.detail)
