"""The boxes byte by byte, and back through the reader; other people's parsers agree."""

import io
import struct
from contextlib import suppress

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.codecs.fmp4 import AacTrack, init_segment, media_segment
from veza.codecs.fmp4_reader import (
    MalformedError,
    boxes,
    read_init_segment,
    read_media_segment,
    tree,
)

STEREO_44100 = bytes.fromhex("121056e500")  # AAC-LC, 44.1 kHz, two channels, no SBR
TRACK = AacTrack(
    sample_rate_hz=44_100,
    channels=2,
    bit_rate_bps=128_000,
    audio_specific_config=STEREO_44100,
    priming_samples=1024,
)
PACKETS = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=30)


def test_a_media_segment_byte_by_byte():
    segment = media_segment(
        [b"\xaa\xbb", b"\xcc"], sequence_number=3, base_decode_time=2**33, last_duration_samples=5
    )
    assert segment == bytes.fromhex(
        "0000001c 73747970 636d6673 00000000 636d6673 636d6666 69736f36"  # styp cmfs
        "00000084 6d6f6f66"  # moof
        "00000010 6d666864 00000000 00000003"  # mfhd, sequence 3
        "0000006c 74726166"  # traf
        "00000010 74666864 00020000 00000001"  # tfhd, base is moof, track 1
        "00000014 74666474 01000000 00000002 00000000"  # tfdt version 1, 64 bits
        "00000024 7472756e 00000301 00000002 0000008c"  # trun, 2 samples, data at 0x8c
        "00000400 00000002 00000005 00000001"  # 1024 samples in 2 bytes, 5 samples in 1
        "0000001c 73626770 00000000 726f6c6c 00000001 00000002 00000001"  # sbgp roll, both
        "0000000b 6d646174 aabbcc"  # mdat
    )


def test_the_edit_list_starts_playback_behind_the_priming():
    assert tree(init_segment(TRACK))[b"elst"] == bytes.fromhex(
        "00000000 00000001 00000000 00000400 00010000"
    )


def test_the_decoder_configuration_is_the_encoders():
    init = init_segment(TRACK)
    # ES descriptor, decoder config (AAC, audio stream, bit rates), specific info, SL config.
    esds = "00000000 03 1c 0000 00 04 14 40 15 000000 0001f400 0001f400 05 05 121056e500 06 01 02"
    assert bytes.fromhex(esds) in init


def test_roll_recovery_of_one_packet_is_stated():
    assert tree(init_segment(TRACK))[b"sgpd"] == bytes.fromhex(
        "01000000 726f6c6c 00000002 00000001 ffff"
    )


def test_libav_reads_the_init_segment_as_it_was_meant():
    with av.open(io.BytesIO(init_segment(TRACK))) as container:
        (stream,) = container.streams
        context = stream.codec_context
        assert (context.name, context.sample_rate, context.channels) == ("aac", 44_100, 2)
        assert context.extradata == STEREO_44100


@given(
    rate=st.sampled_from([8_000, 22_050, 44_100, 48_000]),
    channels=st.integers(1, 2),
    config=st.binary(min_size=2, max_size=40),
    priming=st.integers(0, 4096),
)
def test_an_init_segment_reads_back(rate, channels, config, priming):
    track = AacTrack(
        sample_rate_hz=rate,
        channels=channels,
        bit_rate_bps=64_000,
        audio_specific_config=config,
        priming_samples=priming,
    )
    read = read_init_segment(init_segment(track))
    assert (read.sample_rate_hz, read.channels) == (rate, channels)
    assert (read.audio_specific_config, read.priming_samples) == (config, priming)


@given(
    packets=PACKETS,
    sequence=st.integers(1, 2**32 - 1),
    base=st.integers(0, 2**64 - 1),
    last=st.none() | st.integers(1, 1024),
)
def test_a_media_segment_reads_back(packets, sequence, base, last):
    segment = media_segment(
        packets, sequence_number=sequence, base_decode_time=base, last_duration_samples=last
    )
    read = read_media_segment(segment)
    assert list(read.packets) == packets
    assert (read.sequence_number, read.base_decode_time) == (sequence, base)
    assert read.duration_samples == 1024 * (len(packets) - 1) + (1024 if last is None else last)


@given(packets=PACKETS)
def test_the_data_offset_points_at_the_first_packet(packets):
    segment = media_segment(packets, sequence_number=1, base_decode_time=0)
    moof = segment.index(b"moof") - 4
    offset = struct.unpack_from(">i", tree(segment)[b"trun"], 8)[0]
    assert segment[moof + offset :] == b"".join(packets)


@given(packets=PACKETS, data=st.data())
def test_a_torn_segment_is_never_read_as_whole(packets, data):
    segment = media_segment(packets, sequence_number=1, base_decode_time=0)
    cut = data.draw(st.integers(0, len(segment) - 1))
    with pytest.raises(MalformedError):
        read_media_segment(segment[:cut])


@given(st.binary(max_size=200))
def test_junk_is_malformed_and_nothing_else(junk):
    for read in (read_init_segment, read_media_segment):
        with pytest.raises(MalformedError):
            read(junk)


@given(packets=PACKETS, data=st.data())
def test_a_flipped_byte_is_read_or_malformed_and_nothing_else(packets, data):
    segment = bytearray(
        init_segment(TRACK) + media_segment(packets, sequence_number=1, base_decode_time=0)
    )
    segment[data.draw(st.integers(0, len(segment) - 1))] ^= data.draw(st.integers(1, 255))
    init_bytes = len(init_segment(TRACK))
    for read, part in (
        (read_init_segment, segment[:init_bytes]),
        (read_media_segment, segment[init_bytes:]),
    ):
        with suppress(MalformedError):
            read(bytes(part))


def test_a_segment_without_packets_is_refused():
    with pytest.raises(ValueError, match="at least one packet"):
        media_segment([], sequence_number=1, base_decode_time=0)


def test_every_box_fills_its_parent_exactly():
    def walk(data):
        for kind, content in boxes(data):
            if kind in {b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl", b"mvex"}:
                yield from walk(content)
            yield kind

    assert set(walk(init_segment(TRACK))) >= {b"ftyp", b"mvhd", b"tkhd", b"trex", b"stsd", b"sgpd"}
