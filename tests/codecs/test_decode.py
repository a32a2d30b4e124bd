"""What opens, what is refused and why; nothing hangs, nothing opens another file."""

import io
import struct
import zipfile
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
from mutagen.apev2 import APEv2

from veza.codecs.decode import open_source
from veza.codecs.source import Fault, Limits, MediaError
from veza.codecs.wav import wav_bytes

RATE = 44_100


def read(data, limits=None):
    source = open_source(io.BytesIO(data), limits or Limits())
    try:
        return np.concatenate(list(source.blocks()))
    finally:
        source.close()


def fault_of(data, limits=None):
    with pytest.raises(MediaError) as refused:
        read(data, limits)
    assert refused.value.detail
    return refused.value.fault


def video_without_sound(container="mp4"):
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        stream = output.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        for _ in range(5):
            output.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        output.mux(stream.encode(None))
    return written.getvalue()


def png():
    context = av.CodecContext.create("png", "w")
    context.width = context.height = 32
    context.pix_fmt = "rgb24"
    context.time_base = Fraction(1)
    return b"".join(
        bytes(p) for p in [*context.encode(av.VideoFrame(32, 32, "rgb24")), *context.encode(None)]
    )


def zipped(data):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("song.wav", data)
    return written.getvalue()


@pytest.mark.parametrize("extension", ["wav", "wav24", "wav32", "wavf", "wavd", "flac", "flac24"])
def test_integer_and_float_samples_come_out_at_their_value(extension, make_file, music):
    written = music(RATE)
    tolerance = 2 / 2**15 if extension in {"wav", "flac"} else 2 / 2**23
    assert read(make_file(extension, written, RATE)) == pytest.approx(written, abs=tolerance)


def test_garbage_floats_are_made_harmless(make_file):
    wild = np.array([[np.nan, 1e30], [np.inf, -np.inf], [0.5, -2.0]], dtype=np.float32)
    assert read(make_file("wavf", wild, RATE)).tolist() == [[0, 4], [4, -4], [0.5, -2]]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", Fault.EMPTY),
        (b"just some words about a song\n" * 300, Fault.NOT_AUDIO),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile:///etc/hostname\n", Fault.NOT_AUDIO),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", Fault.NOT_AUDIO),
        (zipped(b"RIFF" * 1000), Fault.NOT_AUDIO),
        (png(), Fault.NOT_AUDIO),
        (bytes(50_000), Fault.NOT_AUDIO),
        (video_without_sound(), Fault.NO_AUDIO_STREAM),
        (b"fLaC" + bytes(100), Fault.DAMAGED),
        (b"RIFF", Fault.DAMAGED),
    ],
    ids=["empty", "text", "playlist", "concat", "zip", "png", "zeros", "video", "flac", "riff"],
)
def test_what_is_no_sound_is_refused_with_its_reason(data, fault):
    assert fault_of(data) is fault


@pytest.mark.parametrize("seed", range(25))
def test_random_bytes_are_refused(seed):
    random = np.random.default_rng(seed)
    assert fault_of(random.bytes(int(random.integers(1, 200_000)))) in {
        Fault.NOT_AUDIO,
        Fault.DAMAGED,
        Fault.EMPTY,
    }


@pytest.mark.parametrize("extension", ["flac", "alac", "wv", "aiff"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
def test_a_counted_lossless_file_that_was_cut_is_refused(extension, share, make_file, music):
    data = make_file(extension, music(3 * RATE), RATE)
    cut = data[: int(len(data) * share)]
    assert fault_of(cut) in {Fault.TRUNCATED, Fault.DAMAGED, Fault.EMPTY}


@pytest.mark.parametrize("extension", ["mp3", "m4a"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_counted_lossy_file_that_was_cut_is_refused(extension, share, make_file, music):
    data = make_file(extension, music(5 * RATE), RATE)
    assert fault_of(data[: int(len(data) * share)]) in {Fault.TRUNCATED, Fault.DAMAGED}


@pytest.mark.parametrize("extension", ["wav", "caf", "ogg", "opus", "aac", "mka"])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.8])
def test_a_stream_without_a_count_ends_where_it_was_cut_or_is_refused(
    extension, share, make_file, music
):
    rate = 48_000
    data = make_file(extension, music(3 * rate, rate=rate), rate)
    try:
        heard = read(data[: int(len(data) * share)])
    except MediaError:
        return
    assert 0 < len(heard) <= 3 * rate * share + 4 * 1024 * 9


def ape_tag():
    written = io.BytesIO()
    tag = APEv2()
    tag["Title"] = "Behind the music"
    tag.save(written)
    return written.getvalue()


@pytest.mark.parametrize(
    "tail", [b"TAG" + bytes(125), ape_tag(), b"\xff" * 999], ids=["id3v1", "ape", "ff"]
)
def test_an_mp3_with_tags_or_garbage_behind_it_keeps_its_length(tail, make_file, music):
    data = make_file("mp3", music(3 * RATE), RATE)
    assert len(read(data + tail)) == 3 * RATE


def test_an_mp3_cut_out_of_a_stream_is_fine(make_file, music):
    data = make_file("mp3", music(3 * RATE), RATE)
    middle = data[len(data) // 3 : -len(data) // 3]
    assert len(read(middle)) == pytest.approx(RATE, rel=0.15)


@pytest.mark.parametrize("claimed", [0, 100, 0xFFFFFFFF, 0x7FFFFFFF, 10_000_000])
def test_a_wav_header_that_lies_about_its_size_plays_what_is_there(claimed, music):
    data = bytearray(wav_bytes(music(RATE), sample_rate_hz=RATE))
    struct.pack_into("<I", data, 40, claimed)
    heard = read(bytes(data))
    assert len(heard) == (25 if claimed == 100 else RATE)


@pytest.mark.parametrize("extension", ["flac", "wv", "mka"])
def test_one_flipped_byte_in_a_lossless_file_is_damage(extension, make_file, music):
    data = bytearray(make_file(extension, music(3 * RATE), RATE))
    data[len(data) // 2] ^= 0x55
    assert fault_of(bytes(data)) is Fault.DAMAGED


def test_one_bad_spot_in_an_mp3_is_forgiven_and_a_ruin_is_not(make_file, music):
    data = bytearray(make_file("mp3", music(8 * RATE), RATE))
    spot = len(data) // 2
    data[spot : spot + 200] = bytes(200)
    assert len(read(bytes(data))) == pytest.approx(8 * RATE, abs=3 * 1152)
    for start in range(5_000, len(data), 2_000):
        data[start : start + 1_000] = b"\x00" * len(data[start : start + 1_000])
    assert fault_of(bytes(data)) in {Fault.DAMAGED, Fault.TRUNCATED, Fault.UNSUPPORTED}


def test_limits_on_channels_rate_and_length_hold(make_file, music):
    many = np.zeros((1000, 9), dtype=np.float32)
    assert fault_of(make_file("wav", many, RATE)) is Fault.UNSUPPORTED
    slow = wav_bytes(music(1000), sample_rate_hz=100)
    assert fault_of(slow) is Fault.UNSUPPORTED
    fast = wav_bytes(music(1000), sample_rate_hz=1_000_000)
    assert fault_of(fast) is Fault.UNSUPPORTED
    for extension in ("flac", "ogg"):
        long = make_file(extension, music(3 * RATE), RATE)
        assert fault_of(long, Limits(max_duration_seconds=2)) is Fault.TOO_LONG


def test_a_header_that_claims_days_is_too_long_at_once(make_file, music):
    data = bytearray(make_file("flac", music(RATE), RATE))
    data[21:26] = bytes([data[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])  # 36 bits of total samples
    assert fault_of(bytes(data)) is Fault.TOO_LONG


def test_a_file_that_libav_does_not_know_is_read_by_libsndfile(music):
    written = io.BytesIO()
    soundfile.write(written, music(RATE), RATE, format="PVF", subtype="PCM_16")
    source = open_source(io.BytesIO(written.getvalue()), Limits())
    assert source.info.container == "pvf"
    assert sum(len(block) for block in source.blocks()) == RATE
    source.close()


def test_the_itunes_length_is_kept(make_file, music):
    # An MP4 of AAC without an edit list, as iTunes wrote them: the text tells delay and length.
    length = 3 * RATE + 77
    comment = f" 00000000 00000400 000001FF {length:016X}" + " 00000000" * 8
    data = make_file("mka", music(length), RATE, iTunSMPB=comment)
    assert len(read(data)) == length


def test_files_with_wrong_bytes_never_hang_and_fail_in_no_other_way(make_file, music):
    random = np.random.default_rng(5)
    for extension in ("mp3", "m4a", "flac", "ogg", "opus", "wav", "mka", "wv", "caf", "aac"):
        rate = 48_000
        whole = make_file(extension, music(rate, rate=rate), rate)
        for _ in range(12):
            data = bytearray(whole)
            for place in random.integers(0, len(data), 20):
                data[place] = random.integers(0, 256)
            with suppress(MediaError):
                read(bytes(data))
