"""A node that refuses for a moment is asked again; one that refuses for good is believed."""

from time import monotonic

import pytest

from veza.gateway.load.api_client import ApiError
from veza.gateway.load.patience import patiently


class Refuses:
    """Refuses so many times, then answers."""

    def __init__(self, times: int, error: ApiError) -> None:
        self.left = times
        self.error = error
        self.asked = 0

    async def __call__(self) -> str:
        self.asked += 1
        if self.left:
            self.left -= 1
            raise self.error
        return "answer"


@pytest.mark.parametrize("code", ["rate_limited", "overloaded", "connection_lost", "busy"])
async def test_who_is_refused_for_the_moment_asks_again(code: str) -> None:
    asks = Refuses(2, ApiError(code))

    assert await patiently(asks) == "answer"
    assert asks.asked == 3


async def test_the_node_says_how_long_to_leave_it_alone() -> None:
    begun = monotonic()

    assert await patiently(Refuses(1, ApiError("rate_limited", 0.4))) == "answer"
    assert monotonic() - begun >= 0.4


async def test_a_refusal_for_good_is_told_at_once() -> None:
    asks = Refuses(1, ApiError("forbidden"))

    with pytest.raises(ApiError, match="forbidden"):
        await patiently(asks)
    assert asks.asked == 1


async def test_patience_ends() -> None:
    asks = Refuses(1000, ApiError("overloaded"))

    with pytest.raises(ApiError, match="overloaded"):
        await patiently(asks, seconds=0.4)
    assert asks.asked == 3
