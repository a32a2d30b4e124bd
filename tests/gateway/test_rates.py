"""A bucket lets a burst through, then its rate; the table of buckets never outgrows its bound."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.actors.shared_rates import LocalRates
from veza.gateway.rates import PolicyBucket, RatePolicy, Rates, client_of

POLICY = RatePolicy(name="test", quota=10, window_seconds=5)


def test_a_burst_passes_then_one_every_interval() -> None:
    bucket = PolicyBucket(POLICY, 0.0)

    burst = [bucket.take(0.0).is_allowed for _ in range(11)]
    refused = bucket.take(0.0)

    assert burst == [True] * 10 + [False]
    assert refused.wait_seconds == 0.5
    assert bucket.take(0.5).is_allowed
    assert not bucket.take(0.5).is_allowed


@given(st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=80))
def test_no_timing_gets_more_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    bucket, now, allowed = PolicyBucket(POLICY, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        allowed += bucket.take(now).is_allowed

    assert allowed <= POLICY.quota + now * POLICY.per_second + 1e-6


@given(st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=40))
def test_after_the_wait_that_was_told_there_is_a_token(pauses: list[float]) -> None:
    bucket, now = PolicyBucket(POLICY, 0.0), 0.0
    for pause in pauses:
        now += pause
        state = bucket.take(now)
        while not state.is_allowed:
            now += state.wait_seconds + 1e-9
            state = bucket.take(now)


@pytest.mark.parametrize("is_shared", [False, True])
async def test_a_token_given_back_does_not_count(is_shared: bool) -> None:
    common = LocalRates()
    here, there = Rates(shared=common), Rates(shared=common)
    policy = replace(POLICY, is_shared=is_shared)
    for _ in range(50):
        for rates in (here, there):
            assert (await rates.spend(policy, "ada", 0.0)).is_allowed
            await rates.give_back(policy, "ada")

    assert (await here.spend(policy, "ada", 0.0)).remaining == 9


def test_the_table_forgets_the_client_seen_longest_ago() -> None:
    rates = Rates(max_buckets=2)
    for _ in range(10):
        rates.take(POLICY, "busy", 0.0)
    rates.take(POLICY, "other", 0.0)
    rates.take(POLICY, "busy", 0.0)
    rates.take(POLICY, "third", 0.0)

    assert len(rates) == 2
    assert not rates.take(POLICY, "busy", 0.0).is_allowed


def test_the_headers_tell_policy_rest_and_when_it_is_full_again() -> None:
    state = PolicyBucket(POLICY, 0.0).take(0.0)

    assert state.headers() == {
        "RateLimit-Policy": '"test";q=10;w=5',
        "RateLimit": '"test";r=9;t=1',
    }


@pytest.mark.parametrize(
    ("one", "other", "is_one_client"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        (None, "192.0.2.2", False),
    ],
)
def test_whoever_has_many_ipv6_addresses_is_one_client(
    one: str | None, other: str, is_one_client: bool
) -> None:
    assert (client_of(one) == client_of(other)) is is_one_client


async def test_a_shared_policy_holds_over_nodes_and_another_on_each() -> None:
    common = LocalRates()
    nodes = [Rates(shared=common), Rates(shared=common)]
    shared = replace(POLICY, name="shared", is_shared=True)

    async def allowed(policy: RatePolicy) -> int:
        states = [await node.spend(policy, "ada", 0.0) for _ in range(10) for node in nodes]
        return sum(state.is_allowed for state in states)

    assert await allowed(shared) == POLICY.quota
    assert await allowed(POLICY) == 2 * POLICY.quota
    refused = await nodes[0].spend(shared, "ada", 0.0)
    assert refused.wait_seconds > 0
    assert (await nodes[0].spend(shared, "bob", 0.0)).is_allowed


async def test_a_quota_that_is_set_here_is_held_and_told() -> None:
    rates = Rates(quotas={POLICY.name: 1})

    state = await rates.spend(POLICY, "ada", 0.0)

    assert state.headers()["RateLimit-Policy"] == '"test";q=1;w=5'
    assert not (await rates.spend(POLICY, "ada", 0.0)).is_allowed
