"""Sound for the tests, written in every format, and a player that knows nothing of our own code."""

import io

import av
import numpy as np
import pytest
import soundfile
import soxr

from veza.codecs.pipeline import Finished, InitReady, Probed, Progress, SegmentReady, encode
from veza.codecs.synthesis import PIECES, render

# extension: (container, codec, sample format of the encoder, its frame size, bit rate)
LIBAV_FORMATS = {
    "mp3": ("mp3", "libmp3lame", "fltp", 1152, 192_000),
    "m4a": ("ipod", "aac", "fltp", 1024, 192_000),
    "alac": ("ipod", "alac", "s16p", 4096, None),
    "opus": ("ogg", "libopus", "flt", 960, 128_000),
    "wv": ("wv", "wavpack", "s16p", 4096, None),
    "mka": ("matroska", "flac", "s16", 4096, None),
    "aac": ("adts", "aac", "fltp", 1024, 192_000),
}
SNDFILE_FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "wav8": ("WAV", "PCM_U8"),
    "wav24": ("WAV", "PCM_24"),
    "wav32": ("WAV", "PCM_32"),
    "wavf": ("WAV", "FLOAT"),
    "wavd": ("WAV", "DOUBLE"),
    "flac": ("FLAC", "PCM_16"),
    "flac24": ("FLAC", "PCM_24"),
    "ogg": ("OGG", "VORBIS"),
    "aiff": ("AIFF", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
}


def _by_libav(samples, rate, container, codec, sample_format, frame_size, bit_rate, metadata):
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        output.metadata.update(metadata)
        stream = output.add_stream(codec, rate=rate)
        stream.layout = layout
        if bit_rate:
            stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), "fltp", layout)
        frame.sample_rate, frame.pts = rate, 0
        cut = av.AudioResampler(sample_format, layout, rate, frame_size=frame_size)
        for piece in [*cut.resample(frame), *cut.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return written.getvalue()


@pytest.fixture(scope="session")
def make_file():
    """Write samples (n, channels) as a file of the named format; give its bytes."""

    def make(extension, samples, rate, **metadata):
        if extension in LIBAV_FORMATS:
            return _by_libav(samples, rate, *LIBAV_FORMATS[extension], metadata)
        container, subtype = SNDFILE_FORMATS[extension]
        written = io.BytesIO()
        soundfile.write(written, samples, rate, format=container, subtype=subtype)
        return written.getvalue()

    return make


@pytest.fixture(scope="session")
def music():
    """Give that many samples of music, (n, channels), at any rate."""
    piece = render(PIECES[3], seconds=16)[44_100:]

    def cut(length, *, rate=44_100, channels=2):
        sound = piece if rate == 44_100 else soxr.resample(piece, 44_100, rate)
        return np.ascontiguousarray(sound[:length, :channels]) * 0.8

    return cut


class Encoded:
    """The events of one run, sorted."""

    def __init__(self, events):
        self.events = events
        self.probed = next(event for event in events if isinstance(event, Probed))
        self.finished = events[-1]
        assert isinstance(self.finished, Finished)
        self.progress = [event for event in events if isinstance(event, Progress)]
        self.inits = {e.rendition: e.data for e in events if isinstance(e, InitReady)}
        self.segments = {name: [] for name in self.inits}
        for event in events:
            if isinstance(event, SegmentReady):
                self.segments[event.rendition].append(event)

    def joined(self, rendition):
        return b"".join(
            [self.inits[rendition], *(segment.data for segment in self.segments[rendition])]
        )


@pytest.fixture(scope="session")
def encoded():
    """Encode a file's bytes to its end."""

    def run(data, **options):
        options.setdefault("ladder_kbps", (64, 128, 256))
        options.setdefault("segment_seconds", 2)
        return Encoded(list(encode(io.BytesIO(data), **options)))

    return run


@pytest.fixture(scope="session")
def play():
    """Decode an fMP4 stream with bare libav: what lies in the presentation, (n, channels)."""

    def decode(data):
        arrays, start, last = [], None, None
        with av.open(io.BytesIO(data)) as container:
            for frame in container.decode(container.streams.audio[0]):
                assert frame.time_base * frame.sample_rate == 1
                start = frame.pts if start is None else start
                array, channels = frame.to_ndarray(), frame.layout.nb_channels
                arrays.append(array.T if frame.format.is_planar else array.reshape(-1, channels))
                last = frame
        samples = np.concatenate(arrays)
        return samples[-start : len(samples) - last.samples + last.duration]

    return decode


@pytest.fixture(scope="session")
def lag_between():
    """Find the shift in samples at which two signals agree best, looking 3,000 to both sides."""

    def find(reference, other):
        a, b = reference.mean(axis=1), other.mean(axis=1)
        size = 1 << (len(a) + len(b)).bit_length()
        correlation = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)
        around = np.concatenate((correlation[-3_000:], correlation[:3_001]))
        return int(np.argmax(around)) - 3_000

    return find
