"""The gateway's port to the actors, and the keys under which one application keeps its parts."""

from collections.abc import Mapping
from typing import Protocol

from aiohttp import web

from veza.actors.fanout import FanOut
from veza.actors.messages.accounts import Identified
from veza.actors.messages.common import Key
from veza.config.settings import Settings
from veza.gateway.connections import Connections
from veza.gateway.hot import HotSegments
from veza.gateway.metrics import ActorCollector, Metrics
from veza.gateway.ops.feed import TreeFeed
from veza.gateway.page import Page
from veza.gateway.playback import PlaybackVersions
from veza.gateway.rates import Rates, RateState
from veza.gateway.segments import SegmentCache
from veza.gateway.tokens import AccessTokens, Cursors, Listeners, PlaybackUrls

ASK_SECONDS = 10.0


class Actors(Protocol):
    """How the gateway reaches actors: by family and id, never by address."""

    async def ask(self, key: Key, command: object, timeout_seconds: float = ASK_SECONDS) -> object:
        """Return the reply, or `Rejected`, `Crashed`, `Busy`, `TimedOut` or `Gone`."""

    def tell(self, key: Key, command: object) -> None:
        """Send a command that has no reply."""

    async def operate(self, command: object, timeout_seconds: float = ASK_SECONDS) -> object:
        """Do what operators may (`veza.actors.messages.operator`); replies are those of `ask`."""

    def health(self) -> Mapping[str, bool]:
        """Return what must hold before this node can serve, by name."""


SETTINGS = web.AppKey("SETTINGS", Settings)
ACTORS = web.AppKey("ACTORS", Actors)
FAN_OUT = web.AppKey("FAN_OUT", FanOut)
ACCESS_TOKENS = web.AppKey("ACCESS_TOKENS", AccessTokens)
PLAYBACK_URLS = web.AppKey("PLAYBACK_URLS", PlaybackUrls)
CURSORS = web.AppKey("CURSORS", Cursors)
LISTENERS = web.AppKey("LISTENERS", Listeners)
RATES = web.AppKey("RATES", Rates)
PLAYBACK_VERSIONS = web.AppKey("PLAYBACK_VERSIONS", PlaybackVersions)
SEGMENTS = web.AppKey("SEGMENTS", SegmentCache)
HOT = web.AppKey("HOT", HotSegments)
CONNECTIONS = web.AppKey("CONNECTIONS", Connections)
ACTOR_FIGURES = web.AppKey("ACTOR_FIGURES", ActorCollector)
TREE_FEED = web.AppKey("TREE_FEED", TreeFeed)
METRICS = web.AppKey("METRICS", Metrics)
PAGE = web.AppKey("PAGE", Page)
OPENAPI = web.AppKey("OPENAPI", bytes)
ASYNCAPI = web.AppKey("ASYNCAPI", bytes)

REQUEST_ID = web.RequestKey("REQUEST_ID", str)
IDENTITY = web.RequestKey("IDENTITY", Identified)
RATE_STATE = web.RequestKey("RATE_STATE", RateState)
