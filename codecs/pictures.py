"""Small pictures of large ones: bytes in, WebP out, with nothing of the original but what one sees.

Decoders of strangers' files do not belong into a process with anything to lose: the node runs this in
a sandboxed one (`actors/encoding/picture_worker.py`). All that Pillow would import at its first file
is imported here, because there is no opening files behind the sandbox.
"""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Final

from PIL import AvifImagePlugin, Image, ImageCms, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin

from veza.codecs.thumbnail import PictureError, PictureFault, Thumbnail

FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP", "AVIF")
MAX_PIXELS: Final = 100_000_000
"""400 MB of RGBA; a telephone takes 12 to 50 million, the largest 200 million."""
MAX_EDGE_PX: Final = 480
WEBP_QUALITY: Final = 80
SAMPLES_A_PIXEL: Final = 2
"""JPEG is decoded at an eighth, a quarter or half of its size, but not below twice what is wanted."""

_ORIENTATION_TAG: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Exif 2.32, table 6: how the stored picture is turned to be the right way up."""
_SIDEWAYS: Final = range(5, 9)
_BROKEN: Final = (
    *(OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, ArithmeticError),
    *(RuntimeError, SystemError, AttributeError, struct.error, zlib.error),
)
"""What Pillow raises for files that are cut off or made up; there is no class of its own for it."""

Image.preinit()
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a sandboxed process may start none
# Named, or the linter would have the imports go that register these kinds.
_LOADED: Final = (AvifImagePlugin, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin)
_SRGB: Final = ImageCms.createProfile("sRGB")


def make_thumbnail(
    data: bytes, *, max_edge_px: int = MAX_EDGE_PX, max_pixels: int = MAX_PIXELS
) -> Thumbnail:
    """Return a picture of `max_edge_px` at most on its longer side; of an animation the first frame.

    Exif orientation is applied and colours are brought to sRGB; no metadata is kept.

    Raises:
        PictureError: the file is no PNG, JPEG, GIF, WebP or AVIF, is damaged, or has too many pixels.
        MemoryError: the process may not have what decoding needs.

    """
    with _at_fault(PictureFault.NOT_A_PICTURE, "it is no picture of a kind known here"):
        picture = Image.open(BytesIO(data), formats=FORMATS)
    width, height = picture.size
    if width * height > max_pixels:
        raise PictureError(PictureFault.TOO_MANY_PIXELS, f"{width:,} by {height:,} pixels")
    with picture, _at_fault(PictureFault.DAMAGED, "it cannot be decoded"):
        orientation = picture.getexif().get(_ORIENTATION_TAG)
        small = _shrunk(picture, max_edge_px)
        if orientation in _TURNS:
            small = small.transpose(_TURNS[orientation])
            width, height = (height, width) if orientation in _SIDEWAYS else (width, height)
        return Thumbnail(
            picture_width_px=width,
            picture_height_px=height,
            width_px=small.width,
            height_px=small.height,
            data=_webp(small),
        )


@contextmanager
def _at_fault(fault: PictureFault, sentence: str) -> Iterator[None]:
    """Tell whatever Pillow makes of a broken file as one error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Image.DecompressionBombError as error:
        raise PictureError(PictureFault.TOO_MANY_PIXELS, str(error)) from error
    except _BROKEN as error:
        raise PictureError(fault, sentence) from error


def _shrunk(picture: Image.Image, max_edge_px: int) -> Image.Image:
    """Decode a picture, no larger than need be, and scale it down."""
    wanted = (max_edge_px * SAMPLES_A_PIXEL, max_edge_px * SAMPLES_A_PIXEL)
    picture.draft(None, wanted)
    profile = picture.info.get("icc_profile")
    small = _eight_bit(picture)
    small.thumbnail((max_edge_px, max_edge_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    small = _in_srgb(small, profile)
    mode = "RGBA" if small.has_transparency_data else "RGB"
    return small.convert(mode)


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Give the picture samples that can be averaged: no palette, no single bits, no 16 bits."""
    if picture.mode.startswith("I"):
        return picture.convert("I").point(lambda sample: sample * (1 / 256)).convert("L")
    if picture.mode in {"RGB", "RGBA", "L", "LA", "CMYK"} and "transparency" not in picture.info:
        picture.load()
        return picture
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Bring colours to the one space that everybody shows; a profile that is broken is left out."""
    if not profile or picture.mode not in {"RGB", "RGBA", "CMYK"}:
        return picture
    output_mode = "RGB" if picture.mode == "CMYK" else picture.mode
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        return ImageCms.profileToProfile(picture, source, _SRGB, outputMode=output_mode) or picture
    except (ImageCms.PyCMSError, *_BROKEN):
        return picture


def _webp(picture: Image.Image) -> bytes:
    picture.info.clear()  # else comments, Exif and colour profile are written along
    written = BytesIO()
    picture.save(written, "WEBP", quality=WEBP_QUALITY)
    return written.getvalue()
