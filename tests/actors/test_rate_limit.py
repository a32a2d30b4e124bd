"""A bucket gives its burst at once and its rate in the long run, and the table stays small."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.rate_limit import PRUNE_AT, Rate, RateLimiter


def allowed(limiter: RateLimiter[str], key: str, now: float) -> bool:
    try:
        limiter.spend(key, now)
    except RefusedError:
        return False
    return True


def test_a_burst_is_allowed_and_the_next_is_refused_with_the_time_to_wait() -> None:
    limiter: RateLimiter[str] = RateLimiter(Rate(per_second=2, burst=3))
    assert [allowed(limiter, "a", 0) for _ in range(3)] == [True] * 3

    with pytest.raises(RefusedError) as refused:
        limiter.spend("a", 0)

    assert refused.value.code is RejectCode.RATE_LIMITED
    assert refused.value.retry_after_seconds == pytest.approx(0.5)
    assert allowed(limiter, "a", 0.5)


def test_keys_do_not_share_a_bucket() -> None:
    limiter: RateLimiter[str] = RateLimiter(Rate(per_second=1, burst=1))

    assert allowed(limiter, "a", 0)
    assert allowed(limiter, "b", 0)
    assert not allowed(limiter, "a", 0)


def test_who_was_quiet_for_long_is_forgotten() -> None:
    limiter: RateLimiter[str] = RateLimiter(Rate(per_second=1, burst=1))
    for number in range(PRUNE_AT):
        limiter.spend(str(number), 0)

    limiter.spend("later", 100)

    assert len(limiter._buckets) == 1


@given(st.lists(st.floats(min_value=0, max_value=0.3), max_size=200))
def test_never_more_than_burst_and_rate_allow(pauses: list[float]) -> None:
    limiter: RateLimiter[str] = RateLimiter(Rate(per_second=3, burst=5))
    now = 0.0
    spent = 0
    for pause in pauses:
        now += pause
        spent += allowed(limiter, "a", now)

    assert spent <= 5 + 3 * now + 1e-6
