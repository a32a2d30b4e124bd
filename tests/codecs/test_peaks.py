"""Peaks tell the minimum and maximum of each stretch, whatever blocks they came in."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from veza.codecs.peaks import MAX_BUCKETS, PeakMeter


def measure(samples, sizes):
    meter, start = PeakMeter(44_100), 0
    for size in sizes:
        meter.add(samples[start : start + size])
        start += size
    return meter.finish()


@given(st.integers(1, 400_000), st.lists(st.integers(1, 90_000), max_size=30), st.integers(0, 99))
def test_blocks_of_any_size_give_the_peaks_of_the_whole(length, sizes, seed):
    samples = np.random.default_rng(seed).uniform(-1, 1, (length, 2)).astype(np.float32)
    sizes = [*sizes, length]
    peaks = measure(samples, sizes)
    size = peaks.samples_per_bucket
    pairs = np.frombuffer(peaks.pairs, dtype=np.int8).reshape(-1, 2)
    assert len(pairs) == -(-length // size) <= MAX_BUCKETS
    assert size == 64 or length // (size // 2) >= MAX_BUCKETS
    starts = range(0, length, size)
    low = np.array([samples[s : s + size].min() for s in starts], np.float64)
    high = np.array([samples[s : s + size].max() for s in starts], np.float64)
    assert np.array_equal(pairs[:, 0], np.rint(low * 127))
    assert np.array_equal(pairs[:, 1], np.rint(high * 127))


@given(st.integers(1, 40_000), st.integers(1, 20_000))
def test_coarser_peaks_are_those_of_larger_buckets(length, wanted):
    samples = np.random.default_rng(length).uniform(-1, 1, (length, 1)).astype(np.float32)
    coarse = measure(samples, [length]).at_least(wanted)
    size = coarse.samples_per_bucket
    pairs = np.frombuffer(coarse.pairs, dtype=np.int8).reshape(-1, 2)

    assert size >= wanted
    assert size == 64 or size < 2 * wanted
    starts = range(0, length, size)
    assert pairs[:, 0].tolist() == [np.rint(samples[s : s + size].min() * 127) for s in starts]
    assert pairs[:, 1].tolist() == [np.rint(samples[s : s + size].max() * 127) for s in starts]
    few = coarse.at_most(10)
    assert len(few.pairs) <= 20
    assert np.frombuffer(few.pairs, dtype=np.int8).max() == pairs.max()


def test_the_binary_format_is_a_header_of_24_bytes_and_the_pairs():
    peaks = measure(np.ones((130, 2), dtype=np.float32), [130])
    fields = (2, 1, 44_100, 64, 3, 1)
    head = b"".join(field.to_bytes(4, "little") for field in fields)
    assert peaks.as_dat() == head + b"\x7f" * 6


def test_what_is_over_full_scale_stays_in_eight_bits():
    peaks = measure(np.array([[3.0], [-3.0]], dtype=np.float32), [2])
    assert peaks.as_json()["data"] == [-127, 127]


def test_they_are_written_in_the_audiowaveform_format():
    content = json.loads(json.dumps(measure(np.ones((130, 2), dtype=np.float32), [130]).as_json()))
    assert content == {
        "version": 2,
        "channels": 1,
        "sample_rate": 44_100,
        "samples_per_pixel": 64,
        "bits": 8,
        "length": 3,
        "data": [127, 127] * 3,
    }
