"""How often a client may try: token buckets by policy and client, in a table that cannot grow."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from math import ceil

from veza.actors.messages.common import RefusedError
from veza.actors.rate_limit import Rate, TokenBucket
from veza.actors.shared_rates import JOIN_QUOTA, JOIN_WINDOW_SECONDS, LocalRates, SharedRates

MAX_BUCKETS = 50_000
"""About 10 MB. The client seen longest ago is forgotten first: its bucket is the fullest."""


class By(StrEnum):
    """Whose requests count together."""

    ADDRESS = "address"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePolicy:
    """At most `quota` at once, refilled evenly over `window_seconds`.

    A shared one holds over all nodes together, as long as they reach each other; any other, on each.
    """

    name: str
    quota: int
    window_seconds: int
    by: By = By.ADDRESS
    is_shared: bool = False

    @property
    def per_second(self) -> float:
        """How many tokens come back each second."""
        return self.quota / self.window_seconds

    def rate(self) -> Rate:
        """Return it as a token bucket's."""
        return Rate(per_second=self.per_second, burst=self.quota)

    def header(self) -> str:
        """Return the policy as `RateLimit-Policy` says it (draft-ietf-httpapi-ratelimit-headers)."""
        return f'"{self.name}";q={self.quota};w={self.window_seconds}'


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    """What is left of one policy for one client."""

    policy: RatePolicy
    remaining: int
    wait_seconds: float

    @property
    def is_allowed(self) -> bool:
        """Whether the request that asked may go on."""
        return self.wait_seconds <= 0

    def headers(self) -> dict[str, str]:
        """Return the `RateLimit` headers of the answer."""
        full_again = ceil((self.policy.quota - self.remaining) / self.policy.per_second)
        return {
            "RateLimit-Policy": self.policy.header(),
            "RateLimit": f'"{self.policy.name}";r={self.remaining};t={full_again}',
        }


class PolicyBucket:
    """The bucket of one client under one policy. Time is an argument; it may not run backwards."""

    __slots__ = ("_bucket", "_policy")

    def __init__(self, policy: RatePolicy, now: float) -> None:
        self._policy = policy
        self._bucket = TokenBucket(policy.rate(), now)

    def take(self, now: float) -> RateState:
        """Take one token if there is one; else say how long until there is."""
        wait_seconds = self._bucket.take(now)
        return RateState(
            policy=self._policy, remaining=self._bucket.remaining, wait_seconds=wait_seconds
        )

    def give_back(self) -> None:
        """Return a token that turned out not to count."""
        self._bucket.give_back()


class Rates:
    """The buckets of every policy and client.

    Args:
        max_buckets: how many are remembered.
        quotas: of policies that are set otherwise here, by name.
        shared: where shared policies are counted once more.

    """

    def __init__(
        self,
        max_buckets: int = MAX_BUCKETS,
        quotas: Mapping[str, int] | None = None,
        shared: SharedRates | None = None,
    ) -> None:
        self._quotas = dict(quotas or {})
        self._shared = shared or LocalRates()
        self._buckets: OrderedDict[tuple[str, str], PolicyBucket] = OrderedDict()
        self._max_buckets = max_buckets

    async def spend(self, policy: RatePolicy, client: str, now: float) -> RateState:
        """Take a token of the client's bucket here and, of a shared policy, of the one for all nodes.

        What the headers tell of a shared one is this node's count, which is never below the common one.
        """
        state = self.take(policy, client, now)
        policy = state.policy
        if not (policy.is_shared and state.is_allowed):
            return state
        try:
            await self._shared.spend(f"{policy.name}:{client}", policy.rate())
        except RefusedError as refused:
            wait_seconds = refused.retry_after_seconds or 0.0
            return replace(state, remaining=0, wait_seconds=wait_seconds)
        return state

    def policy(self, declared: RatePolicy) -> RatePolicy:
        """Return a policy as it is set here."""
        quota = self._quotas.get(declared.name)
        return declared if quota is None else replace(declared, quota=quota)

    def take(self, declared: RatePolicy, client: str, now: float) -> RateState:
        """Take a token of the client's bucket on this node."""
        policy = self.policy(declared)
        key = (policy.name, client)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = PolicyBucket(policy, now)
            if len(self._buckets) > self._max_buckets:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket.take(now)

    async def give_back(self, declared: RatePolicy, client: str) -> None:
        """Return a token that turned out not to count."""
        policy = self.policy(declared)
        bucket = self._buckets.get((policy.name, client))
        if bucket is not None:
            bucket.give_back()
        if policy.is_shared:
            await self._shared.give_back(f"{policy.name}:{client}", policy.rate())

    def __len__(self) -> int:
        return len(self._buckets)


def client_of(address: str | None) -> str:
    """Return whose bucket an address draws from: of IPv6 the /64, which is what one customer has."""
    if address is None:
        return "unknown"
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped or IPv6Address(int(ip) >> 64 << 64))
    return address


SIGN_UP_AND_IN = RatePolicy(name="auth", quota=120, window_seconds=60, is_shared=True)
"""For every request that may cost a password hash; many people may share an address."""

WRONG_PASSWORDS = RatePolicy(name="wrong-passwords", quota=10, window_seconds=60, is_shared=True)
"""By address and login: only attempts that fail count; the others are given back."""

FRAME_WINDOW_SECONDS = 5
"""By connection: `ws_frames_per_5s` at once, refilled over this time."""

ADDRESS_FACTOR = 10
"""All connections of an address together may say so much more than one."""

TICKETS = RatePolicy(name="tickets", quota=60, window_seconds=60, by=By.ACCOUNT, is_shared=True)
"""A client needs one for each connection that it opens."""

SEARCHES = RatePolicy(name="search", quota=60, window_seconds=60, by=By.ACCOUNT, is_shared=True)
"""In one room or in all."""

CONVERSATIONS = RatePolicy(
    name="conversations", quota=20, window_seconds=300, by=By.ACCOUNT, is_shared=True
)
"""Who opens more of them writes to people who did not ask."""

JOINS = RatePolicy(
    name="joins",
    quota=JOIN_QUOTA,
    window_seconds=JOIN_WINDOW_SECONDS,
    by=By.ACCOUNT,
    is_shared=True,
)
"""Of oneself. Rooms count those over a WebSocket, of who was no member: by the same bucket."""

ROOMS_MADE = RatePolicy(name="rooms", quota=5, window_seconds=3600, by=By.ACCOUNT, is_shared=True)
"""`rooms_per_hour` is its quota."""

INVITES_MADE = RatePolicy(
    name="invites", quota=10, window_seconds=60, by=By.ACCOUNT, is_shared=True
)

TRACKS = RatePolicy(name="tracks", quota=10, window_seconds=600, by=By.ACCOUNT, is_shared=True)

PLAYS = RatePolicy(name="plays", quota=300, window_seconds=60)
"""A player reports four times a minute; many people may share an address."""

UPLOAD_PARTS = RatePolicy(name="upload-parts", quota=600, window_seconds=60, by=By.ACCOUNT)
"""Requests that bring bytes of uploads; to begin one counts as a track."""

ATTACHMENTS = RatePolicy(name="attachments", quota=60, window_seconds=60, is_shared=True)
"""Six messages a minute with all the files they may have."""

REPORTS_FILED = RatePolicy(
    name="reports", quota=10, window_seconds=3600, by=By.ACCOUNT, is_shared=True
)

OPS_ACTS = RatePolicy(name="ops", quota=60, window_seconds=60, by=By.ACCOUNT)
"""For everything operators do to actors over HTTP; of the node alone, so that nothing else need work."""

FINDS = RatePolicy(name="find", quota=120, window_seconds=60, is_shared=True)
"""What may cost the database tens of milliseconds; typing asks for suggestions letter by letter."""

MARKS_SET = RatePolicy(name="marks", quota=120, window_seconds=60, by=By.ACCOUNT, is_shared=True)
"""Likes and reposts, set or taken back."""

PLAYLISTS_MADE = RatePolicy(
    name="playlists", quota=30, window_seconds=600, by=By.ACCOUNT, is_shared=True
)
"""Made, copied or imported."""

COMMENTS_POSTED = RatePolicy(
    name="comments", quota=20, window_seconds=60, by=By.ACCOUNT, is_shared=True
)

POLICIES = (
    SIGN_UP_AND_IN,
    WRONG_PASSWORDS,
    FINDS,
    MARKS_SET,
    COMMENTS_POSTED,
    PLAYLISTS_MADE,
    TICKETS,
    SEARCHES,
    CONVERSATIONS,
    JOINS,
    ROOMS_MADE,
    INVITES_MADE,
    TRACKS,
    PLAYS,
    UPLOAD_PARTS,
    ATTACHMENTS,
    REPORTS_FILED,
    OPS_ACTS,
)
"""Every policy of requests, as `docs/protocol.md` lists them."""
