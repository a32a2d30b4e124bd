"""A copy plays as long as its source, to the sample, and sounds like it; it says what it is."""

import io

import av
import numpy as np
import pytest

from veza.codecs.copies import CopyFormat, Label, encode_copy
from veza.codecs.source import Fault, Limits, MediaError

LABEL = Label(title='Käse <b>"und"</b> Brot', artist="Ada")


def copied(source: bytes, way: CopyFormat) -> tuple[bytes, list[float | None]]:
    out = io.BytesIO()
    shares = list(encode_copy(io.BytesIO(source), out, way, LABEL, Limits()))
    return out.getvalue(), shares


def played(copy: bytes):
    """What a decoder that reads what it says of its padding gives: samples (n, channels), rate, tags."""
    with av.open(io.BytesIO(copy)) as container:
        (stream,) = container.streams
        blocks = [frame.to_ndarray() for frame in container.decode(stream)]
        planar = stream.codec_context.format.is_planar
        channels = stream.codec_context.channels
        whole = np.concatenate(blocks, axis=1)
        samples = whole.T if planar else whole.reshape(-1, channels)
        tags = {**container.metadata, **stream.metadata}
        return samples, stream.codec_context.sample_rate, {k.lower(): v for k, v in tags.items()}


def chord(seconds: float, rate: int, channels: int):
    time = np.arange(round(seconds * rate)) / rate
    tones = [np.sin(2 * np.pi * hz * time) for hz in (220, 277.2, 1_760)]
    return np.stack([sum(tones) * 0.2] * channels, axis=1).astype(np.float32)


@pytest.mark.parametrize("way", CopyFormat)
@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (48_000, 1), (96_000, 6)])
def test_a_copy_has_the_samples_of_its_source_and_no_other(make_file, way, rate, channels):
    source = chord(3.217, rate, channels)
    copy, shares = copied(make_file("wav24", source, rate), way)

    samples, copy_rate, tags = played(copy)
    assert len(samples) == pytest.approx(len(source) * copy_rate / rate, abs=1)
    assert samples.shape[1] == min(channels, 2)
    assert (tags["title"], tags["artist"]) == (LABEL.title, LABEL.artist)
    assert shares[-1] == pytest.approx(1, abs=1e-4)
    if copy_rate == rate:
        error = samples[:, 0] - source[:, 0]
        assert 10 * np.log10(np.mean(source**2) / np.mean(error**2)) > 25


def test_it_is_written_from_its_start_and_once_more_near_it(make_file):
    """Whoever stores it on the way needs no more than a file that grows."""

    class Growing(io.BytesIO):
        def write(self, data):
            assert self.tell() <= len(self.getbuffer())
            return super().write(data)

    out = Growing()
    source = io.BytesIO(make_file("flac", chord(5, 44_100, 2), 44_100))
    for _share in encode_copy(source, out, CopyFormat.MP3, LABEL, Limits()):
        pass
    assert len(played(out.getvalue())[0]) == 5 * 44_100


@pytest.mark.parametrize("way", CopyFormat)
def test_what_cannot_be_copied_is_the_sources_fault(way):
    with pytest.raises(MediaError) as caught:
        copied(b"no sound at all" * 100, way)
    assert caught.value.fault is Fault.NOT_AUDIO
