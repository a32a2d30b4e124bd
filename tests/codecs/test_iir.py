"""The recursive filter: the difference equation itself, however the samples are cut."""

import numpy as np
import pytest

from veza.codecs.iir import Filter
from veza.codecs.loudness import k_weighting

SECTIONS = k_weighting(48_000)


def by_definition(samples, sections):
    """The sections' difference equations, a step per sample."""
    result = samples.astype(np.float64).T
    for b0, b1, b2, a1, a2 in sections:
        inputs, result = result, np.zeros_like(result)
        x1 = x2 = y1 = y2 = np.zeros(len(result))
        for n in range(inputs.shape[1]):
            y = b0 * inputs[:, n] + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
            result[:, n] = y
            x1, x2, y1, y2 = inputs[:, n], x1, y, y1
    return result


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(7).standard_normal((5_000, 2)).astype(np.float32) + 0.5


def test_it_is_the_sections_difference_equation(noise):
    assert np.abs(Filter(SECTIONS, 2)(noise) - by_definition(noise, SECTIONS)).max() < 1e-9


@pytest.mark.parametrize("sizes", [(1,), (63, 64, 65), (0, 7, 1_000), (4_096,)])
def test_the_result_does_not_depend_on_the_cuts(noise, sizes):
    cut, start, pieces = Filter(SECTIONS, 2), 0, []
    while start < len(noise):
        for size in sizes:
            pieces.append(cut(noise[start : start + size]))
            start += size

    assert np.abs(np.concatenate(pieces, axis=1) - Filter(SECTIONS, 2)(noise)).max() < 1e-9


def test_ten_minutes_of_a_constant_leaves_nothing_behind():
    """The low cut's poles lie close to 1: rounding must not add up."""
    cut, block = Filter(SECTIONS, 1), np.full((48_000, 1), 0.9, dtype=np.float32)
    for _ in range(600):
        last = cut(block)

    assert np.abs(last).max() < 1e-9
