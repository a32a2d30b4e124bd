"""Sessions that another node ended lose their connections here too, at the next look."""

import pytest

from veza.actors.messages import accounts
from veza.actors.messages.common import TimedOut
from veza.gateway.connections import Connections
from veza.gateway.errors import CloseCode
from veza.gateway.keys import ACTORS, CONNECTIONS
from veza.gateway.lookout import look


class Seen:
    """A connection as the registry knows it."""

    def __init__(self, user_id, session_id):
        self.number, self.user, self.lease = 0, None, None
        self.user_id, self.session_id = user_id, session_id
        self.opened_at = self.heard_at = 0.0
        self.closed = None

    def close(self, code, _reason):
        self.closed = code


async def seen(app, signed_in):
    peer = Seen(signed_in.user.id, signed_in.session_id)
    app[CONNECTIONS].add(peer)
    assert await app[CONNECTIONS].admit(peer, peer.user_id)
    return peer


@pytest.fixture
def app(actors):
    return {ACTORS: actors, CONNECTIONS: Connections(per_user=5, heartbeat_seconds=25)}


async def test_connections_of_sessions_that_are_over_are_closed_and_others_stay(
    app, actors, ada, bob
):
    eve = actors.sign_in(actors.add_user("eve"))
    peers = [await seen(app, each) for each in (ada, bob, eve)]
    actors.open_sessions.pop(bob.session_id)
    boss = accounts.Author(id=ada.user.id, name="ada")
    actors.on_BanAccount(
        ("accounts", ""),
        accounts.BanAccount(
            user_id=eve.user.id, until=None, reason="spam", by=boss, request_id="request"
        ),
    )

    await look(app)

    assert [peer.closed for peer in peers] == [None, CloseCode.SIGNED_OUT, CloseCode.BANNED]


async def test_without_an_answer_nobody_is_closed(app, actors, ada):
    peer = await seen(app, ada)
    actors.open_sessions.clear()
    actors.faults["accounts"] = TimedOut(command="FindEndedSessions")

    await look(app)

    assert peer.closed is None
