"""Ranks keep their order under any moves, there is always room, and they stay short."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.codecs.fractional_rank import DIGITS, between, evenly

moves = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), max_size=80)


def is_in_order(ranks):
    return all(one < other for one, other in pairwise(ranks))


@given(moves)
def test_whatever_is_put_in_and_moved_the_order_is_the_lists(steps):
    ranks = []
    for source, target in steps:
        if ranks and source % 3 == 0:
            ranks.pop(source % len(ranks))
        place = target % (len(ranks) + 1)
        before = ranks[place - 1] if place else None
        after = ranks[place] if place < len(ranks) else None
        ranks.insert(place, between(before, after))

        assert is_in_order(ranks)
        assert all(rank and set(rank) <= set(DIGITS) and rank[-1] != "0" for rank in ranks)


def test_a_list_that_is_only_added_to_has_short_ranks():
    rank, longest = None, 0
    for _ in range(20_000):
        rank = between(rank, None)
        longest = max(longest, len(rank))

    assert longest <= 4


def test_the_worst_moves_cost_a_digit_for_several():
    """Always into the same gap: what is halved has six bits a digit."""
    low, high = between(None, None), None
    for _ in range(300):
        high = between(low, high)
    front = between(None, None)
    for _ in range(300):
        front = between(None, front)

    assert len(high) <= 70
    assert len(front) <= 70


def test_random_moves_of_a_long_list_leave_ranks_short():
    dice = random.Random(5)
    ranks = list(evenly(500))
    for _ in range(5_000):
        ranks.pop(dice.randrange(len(ranks)))
        place = dice.randrange(len(ranks) + 1)
        before = ranks[place - 1] if place else None
        ranks.insert(place, between(before, ranks[place] if place < len(ranks) else None))

    assert is_in_order(ranks)
    assert max(map(len, ranks)) <= 12


@pytest.mark.parametrize("count", [0, 1, 2, 61, 62, 5_000, 100_000])
def test_a_whole_list_gets_ranks_of_four_digits_at_most(count):
    ranks = list(evenly(count))

    assert len(ranks) == count
    assert is_in_order(ranks)
    assert all(0 < len(rank) <= 4 for rank in ranks)


@pytest.mark.parametrize(("before", "after"), [("b", "a"), ("a", "a")])
def test_there_is_nothing_between_what_is_not_in_order(before, after):
    with pytest.raises(ValueError, match="in front of"):
        between(before, after)
