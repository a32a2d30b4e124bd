"""A picture becomes a small one that looks the same and tells nothing more; a bad file becomes an error."""

import random
import struct
import zlib
from contextlib import suppress
from io import BytesIO

import pytest
from PIL import Image, ImageCms

from veza.codecs.pictures import FORMATS, make_thumbnail
from veza.codecs.thumbnail import PictureError, PictureFault

RED, BLUE, CLEAR = (230, 20, 30), (20, 30, 230), (0, 0, 0, 0)


def halves(width=900, height=600, left=RED, right=BLUE, mode="RGB"):
    """A picture that is red on its left and blue on its right."""
    picture = Image.new(mode, (width, height), right)
    picture.paste(left, (0, 0, width // 2, height))
    return picture


def written(picture, kind="PNG", **options):
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def opened(thumbnail):
    picture = Image.open(BytesIO(thumbnail.data), formats=["WEBP"])
    picture.load()
    assert picture.size == (thumbnail.width_px, thumbnail.height_px)
    return picture


def is_near(pixel, wanted, by=12):
    return all(abs(one - other) <= by for one, other in zip(pixel, wanted, strict=True))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_of_every_kind_is_made_small_and_keeps_its_look(kind):
    thumbnail = make_thumbnail(written(halves(), kind))

    assert (thumbnail.picture_width_px, thumbnail.picture_height_px) == (900, 600)
    assert (thumbnail.width_px, thumbnail.height_px) == (480, 320)
    picture = opened(thumbnail)
    assert is_near(picture.getpixel((100, 160)), RED)
    assert is_near(picture.getpixel((380, 160)), BLUE)


@pytest.mark.parametrize(
    ("mode", "colour"),
    [
        ("1", 1),
        ("L", 200),
        ("LA", (200, 255)),
        ("P", 200),
        ("I;16", 200 * 257),
        ("CMYK", (55, 55, 55, 0)),
    ],
)
def test_a_picture_of_every_mode_keeps_its_brightness(mode, colour):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    picture = Image.new("L" if mode == "P" else mode, (600, 600), colour)
    if mode == "P":
        picture = picture.convert("P")

    pixel = opened(make_thumbnail(written(picture, kind))).getpixel((240, 240))

    assert is_near(pixel, (255,) * 3 if mode == "1" else (200,) * 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_was_taken_sideways_is_turned_the_right_way_up(orientation):
    # What the camera stored, so that turning it as its Exif says gives red on the left.
    turn_back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = halves()
    if orientation in turn_back:
        stored = stored.transpose(turn_back[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation

    thumbnail = make_thumbnail(written(stored, "JPEG", exif=exif))

    assert (thumbnail.picture_width_px, thumbnail.picture_height_px) == (900, 600)
    assert is_near(opened(thumbnail).getpixel((100, 160)), RED)
    assert is_near(opened(thumbnail).getpixel((380, 160)), BLUE)


def test_nothing_but_the_picture_is_kept():
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = written(halves(), "JPEG", exif=exif, icc_profile=profile, comment=b"a secret")

    thumbnail = make_thumbnail(source)

    assert set(opened(thumbnail).info) <= {"loop", "background", "timestamp", "duration"}
    for secret in (b"EXIF", b"ICCP", b"XMP", b"secret", b"taken at home"):
        assert secret not in thumbnail.data


def test_what_is_transparent_stays_transparent():
    source = halves(left=CLEAR, right=(*BLUE, 255), mode="RGBA")

    for kind in ("PNG", "WEBP", "AVIF", "GIF"):
        picture = opened(make_thumbnail(written(source, kind)))
        assert picture.getpixel((100, 160))[3] < 10
        assert picture.getpixel((380, 160))[3] > 245


def test_of_an_animation_the_first_frame_is_shown():
    frames = [Image.new("RGB", (600, 600), colour) for colour in (RED, BLUE, BLUE)]

    for kind in ("GIF", "WEBP", "PNG", "AVIF"):
        source = written(frames[0], kind, save_all=True, append_images=frames[1:], duration=40)
        picture = opened(make_thumbnail(source))
        assert not getattr(picture, "is_animated", False)
        assert is_near(picture.getpixel((240, 240)), RED)


def test_a_small_picture_is_not_blown_up_and_a_thin_one_keeps_a_pixel():
    small = make_thumbnail(written(halves(20, 10)))
    thin = make_thumbnail(written(halves(4000, 2)))

    assert (small.width_px, small.height_px) == (20, 10)
    assert (thin.width_px, thin.height_px) == (480, 1)


def png_that_says(width, height, data=b""):
    """A PNG whose header promises what its data does not hold."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [10_001, 30_000, 2**31 - 1])
def test_more_pixels_than_allowed_are_refused_before_one_is_decoded(side):
    with pytest.raises(PictureError) as raised:
        make_thumbnail(png_that_says(side, side, zlib.compress(bytes(1000))))

    assert raised.value.fault is PictureFault.TOO_MANY_PIXELS


def test_a_header_that_promises_more_than_there_is_is_damage():
    with pytest.raises(PictureError) as raised:
        make_thumbnail(png_that_says(2_000, 2_000, zlib.compress(bytes(100))))

    assert raised.value.fault is PictureFault.DAMAGED


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_is_cut_off_is_at_fault(kind):
    whole = written(Image.effect_noise((400, 300), 60).convert("RGB"), kind)

    with pytest.raises(PictureError):
        make_thumbnail(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    "data", [b"", b"no picture", b"BM" + bytes(60), b"<svg xmlns='x'/>", b"II*\0" + bytes(40)]
)
def test_what_is_no_picture_of_a_known_kind_is_at_fault(data):
    with pytest.raises(PictureError) as raised:
        make_thumbnail(data)

    assert raised.value.fault is PictureFault.NOT_A_PICTURE


@pytest.mark.parametrize("kind", FORMATS)
def test_whatever_is_done_to_a_file_it_is_a_picture_or_at_fault(kind):
    chance = random.Random(7)
    whole = written(halves(120, 80), kind)
    for _ in range(150):
        changed = bytearray(whole[: chance.randrange(1, len(whole) + 1)])
        for _ in range(chance.randrange(6)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        with suppress(PictureError):
            thumbnail = make_thumbnail(bytes(changed))
            assert max(thumbnail.width_px, thumbnail.height_px) <= 480
