"""Silence is measured to the sample, over all channels, whatever the blocks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from veza.codecs.silence import THRESHOLD_DBFS, Silence, SilenceMeter

RATE = 48_000


def measure(samples, sizes=()):
    meter, start = SilenceMeter(RATE), 0
    for size in [*sizes, len(samples)]:
        meter.add(samples[start : start + size])
        start += size
    return meter.finish()


@given(
    st.integers(0, 9_000),
    st.integers(1, 9_000),
    st.integers(0, 9_000),
    st.lists(st.integers(1, 5_000), max_size=9),
)
def test_both_ends_are_measured_to_the_sample(before, sounding, after, sizes):
    samples = np.zeros((before + sounding + after, 2), dtype=np.float32)
    samples[[before, before + sounding - 1], 1] = -0.5
    assert measure(samples, sizes) == Silence(
        leading_seconds=before / RATE, trailing_seconds=after / RATE, all_silent=False
    )


def test_what_stays_under_the_threshold_is_silent():
    tone = np.sin(np.arange(RATE, dtype=np.float32))[:, None]
    under = measure(tone * np.float32(10 ** ((THRESHOLD_DBFS - 0.1) / 20)))
    over = measure(tone * np.float32(10 ** ((THRESHOLD_DBFS + 0.1) / 20)))
    assert under == Silence(leading_seconds=1.0, trailing_seconds=0.0, all_silent=True)
    assert not over.all_silent
