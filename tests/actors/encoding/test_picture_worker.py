"""A picture is decoded in a process of its own, and whatever the file does, that process alone ends."""

import io
import struct
import sys
import zlib
from functools import cache

import pytest
from PIL import Image

from veza.actors.encoding.frames import (
    FailedFrame,
    ReadyFrame,
    StartThumbnailFrame,
    ThumbnailFrame,
)
from veza.codecs.pictures import FORMATS, make_thumbnail


def picture(kind="PNG", size=(900, 600), **options):
    file = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(file, kind, **options)
    return file.getvalue()


async def made(run, data, **options):
    """The last frame of a worker that ended well."""
    done = await run(data, start=StartThumbnailFrame(**options)).end()
    assert done.exits == [(0, None)], done.frames
    assert isinstance(done.frames[0], ReadyFrame)
    if sys.platform == "linux":
        assert done.frames[0].sandbox_notes == ()
    return done.frames[-1]


@pytest.mark.parametrize("kind", FORMATS)
async def test_pictures_of_every_kind_are_decoded_behind_the_sandbox(kind, run):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = picture(kind, exif=exif) if kind == "JPEG" else picture(kind)

    frame = await made(run, data)

    expected = make_thumbnail(data)
    assert isinstance(frame, ThumbnailFrame)
    assert (frame.width_px, frame.height_px) == (expected.width_px, expected.height_px)
    assert frame.data == expected.data


async def test_a_wide_gamut_picture_is_decoded_behind_the_sandbox(run):
    data = picture("JPEG", icc_profile=DISPLAY_P3)

    frame = await made(run, data)

    assert frame.data == make_thumbnail(data).data
    assert frame.data != make_thumbnail(picture("JPEG")).data


def s15(value):
    return struct.pack(">i", round(value * 65536))


def xyz(*values):
    return b"XYZ " + bytes(4) + b"".join(map(s15, values))


def profile(red, green, blue):
    """A matrix profile of gamma 2.2 with these primaries (ICC.1:2004, 9.2 and 10)."""
    curve = b"curv" + bytes(4) + struct.pack(">IHH", 1, 0x0233, 0)
    text = b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(78 + 12)
    tags = {
        b"rXYZ": xyz(*red),
        b"gXYZ": xyz(*green),
        b"bXYZ": xyz(*blue),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
        b"desc": text,
    }
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += padded
    head = b"".join(
        (struct.pack(">I", at + len(body)), b"lcms", bytes((2, 0x40, 0, 0)), b"mntrRGB XYZ ")
    )
    head = head.ljust(36, b"\0") + b"acsp" + bytes(28) + s15(0.9642) + s15(1) + s15(0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


DISPLAY_P3 = profile((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))


@cache
def bomb(side=9_999):
    """A PNG of a hundred million pixels in a hundred kilobytes."""

    def chunk(name, content):
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0)
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(bytes(1 + side * 8)) for _ in range(side)) + rows.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


HUGE_GIF = b"".join(
    (b"GIF89a", b"\xff" * 4, bytes(3), b",", bytes(4), b"\xff" * 4, b"\0\x08\x02\0\x01\0;")
)
"""It says 65,535 by 65,535 pixels."""


async def test_a_bomb_that_outgrows_its_memory_fails_with_a_reason(run):
    frame = await made(run, bomb(), max_memory_bytes=256 * 1024**2)

    assert isinstance(frame, FailedFrame)
    assert frame.fault == "too_many_pixels"


async def test_a_picture_that_costs_too_much_time_is_ended_by_the_kernel(run):
    done = await run(bomb(), start=StartThumbnailFrame(max_cpu_seconds=1)).end()

    assert len(done.exits) == 1
    assert done.exits[0][1] is not None
    assert done.of(ThumbnailFrame) == []


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "not_a_picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not_a_picture"),
        (picture()[:5000], "damaged_picture"),
        (HUGE_GIF, "too_many_pixels"),
    ],
)
async def test_a_file_that_lies_fails_with_a_reason(data, fault, run):
    frame = await made(run, data)

    assert isinstance(frame, FailedFrame)
    assert frame.fault == fault
