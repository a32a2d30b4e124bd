"""The type of a file is that of its bytes; what is not known for sure is not shown as anything."""

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from veza.codecs.sniffing import HEAD_BYTES, TEXT, UNKNOWN, TextCheck, sniff


def picture(kind):
    file = BytesIO()
    Image.new("RGB", (40, 30), (1, 2, 3)).save(file, kind)
    return file.getvalue()


def sound(kind, subtype=None):
    file = BytesIO()
    soundfile.write(file, np.zeros((48_000, 2), np.float32), 48_000, format=kind, subtype=subtype)
    return file.getvalue()


def muxed(container, codec, options=None):
    """A container with a second of silence, or of black if the codec is one of pictures."""
    file = BytesIO()
    with av.open(file, "w", format=container, options=options or {}) as out:
        stream = out.add_stream(codec, rate=48_000 if codec in {"aac", "libmp3lame"} else 10)
        if stream.type == "audio":
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
            frame.sample_rate = 48_000
        else:
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            frame = av.VideoFrame(64, 64, "yuv420p")
        for number in range(10):
            frame.pts = number * (1024 if stream.type == "audio" else 1)
            frame.time_base = Fraction(1, 48_000 if stream.type == "audio" else 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


FILES = {
    "image/png": lambda: picture("PNG"),
    "image/jpeg": lambda: picture("JPEG"),
    "image/gif": lambda: picture("GIF"),
    "image/webp": lambda: picture("WEBP"),
    "image/avif": lambda: picture("AVIF"),
    "audio/wav": lambda: sound("WAV"),
    "audio/flac": lambda: sound("FLAC"),
    "audio/ogg": lambda: sound("OGG", "VORBIS"),
    "audio/mpeg": lambda: sound("MP3"),
    "audio/mp4": lambda: muxed("ipod", "aac"),
    "video/mp4": lambda: muxed("mp4", "libx264"),
    "video/webm": lambda: muxed("webm", "libvpx"),
    "application/pdf": lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_known_by_its_bytes(kind):
    assert sniff(FILES[kind]()[:HEAD_BYTES]) == kind


def test_opus_in_ogg_and_mp3_with_and_without_tags_are_known():
    assert sniff(sound("OGG", "OPUS")[:HEAD_BYTES]) == "audio/ogg"
    assert sniff(muxed("mp3", "libmp3lame")[:HEAD_BYTES]) == "audio/mpeg"
    bare = muxed("mp3", "libmp3lame", {"id3v2_version": "0", "write_xing": "0"})
    assert bare[:3] != b"ID3"
    assert sniff(bare[:HEAD_BYTES]) == "audio/mpeg"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"M",
        b"MZ\x90\x00",
        b"\x7fELF",
        b"PK\x03\x04",
        b"<!doctype html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"RIFF\0\0\0\0AVI LIST",
        b"\0\0\0\x18ftypqt  \0\0\0\0",
        b"OggS" + bytes(24) + b"\x80theora",
        b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x23\x42\x82\x88matroska",
        b"\xff\xfb\x90\x00" + bytes(2000),
        b"\xff\xff\xff\xff" * 500,
    ],
)
def test_what_clients_must_not_open_is_unknown(head):
    assert sniff(head) == UNKNOWN


def test_text_is_text_wherever_it_is_cut():
    text = "Ça joue à 174 bpm, プレイ\r\n\tend\n".encode()
    for cut in range(len(text) + 1):
        check = TextCheck()
        check.feed(text[:cut])
        assert check.feed(text[cut:], is_last=True)
    assert TEXT == "text/plain"


@pytest.mark.parametrize(
    "pieces",
    [(b"caf\xe9",), (b"a\0b",), (b"fine", b"\xe2\x82"), (b"\x1bfine\x07",), (b"\xff\xfea\0",)],
)
def test_what_holds_anything_but_text_is_none(pieces):
    check = TextCheck()
    *before, last = pieces
    for piece in before:
        check.feed(piece)

    assert not check.feed(last, is_last=True)
    assert not check.feed(b"text again", is_last=True)
