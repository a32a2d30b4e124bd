"""What a thumbnail is, and the ways a picture can be at fault. `pictures.py` makes or tells them."""

from dataclasses import dataclass
from enum import StrEnum


class PictureFault(StrEnum):
    """Why there is no thumbnail of a file."""

    NOT_A_PICTURE = "not_a_picture"
    TOO_MANY_PIXELS = "too_many_pixels"
    DAMAGED = "damaged_picture"


class PictureError(Exception):
    """The file itself is at fault: another attempt would end the same way."""

    def __init__(self, fault: PictureFault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A small WebP picture, and how large the whole one is when held the right way up."""

    picture_width_px: int
    picture_height_px: int
    width_px: int
    height_px: int
    data: bytes
