"""What each measurement of a track costs: CPU seconds for a minute of sound, in the encoder's pass."""

import time
from collections.abc import Callable

import numpy as np

from veza.codecs.analysis import AnalysisMeter
from veza.codecs.fingerprint import FingerprintMeter
from veza.codecs.loudness import LoudnessMeter
from veza.codecs.music import MusicMeter
from veza.codecs.peaks import PeakMeter
from veza.codecs.source import Samples

CHUNK_SECONDS = 6


def compare(samples: Samples, rate_hz: int, say: Callable[[str], None]) -> None:
    """Measure samples (n, channels) with each meter in turn, in the pieces that the pipeline gives them."""
    channels = samples.shape[1]
    minutes = len(samples) / rate_hz / 60
    meters = {
        "waveform": PeakMeter(rate_hz),
        "loudness": LoudnessMeter(rate_hz, [1.0] * channels),
        "tempo and key": MusicMeter(rate_hz),
        "all analysis": AnalysisMeter(rate_hz, channels),
        "fingerprint": FingerprintMeter(rate_hz),
    }
    pieces = np.array_split(samples, max(1, round(minutes * 60 / CHUNK_SECONDS)))
    for name, meter in meters.items():
        started = time.process_time()
        for piece in pieces:
            meter.add(piece)
        meter.finish()
        say(f"{name:18} {(time.process_time() - started) / minutes * 1000:7.0f} ms CPU/min")
