"""More than two channels to stereo, after ITU-R BS.775-4, annex 4.

Left and right keep 1, centre goes to both with 1/sqrt(2), each surround to its side with
1/sqrt(2), a back centre to both with 1/2, LFE is dropped. The matrix is then scaled so that no
full-scale input can clip: loudness is set by gain metadata later, a clipped master is beyond
repair.
"""

import math
from collections.abc import Sequence

import numpy as np

from veza.codecs.source import Samples

HALF_POWER = math.sqrt(0.5)
# libav's channel names to (left, right).
COEFFICIENTS = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (HALF_POWER, HALF_POWER),
    "LFE": (0.0, 0.0),
    "LFE2": (0.0, 0.0),
    "FLC": (1.0, 0.0),
    "FRC": (0.0, 1.0),
    "WL": (1.0, 0.0),
    "WR": (0.0, 1.0),
    "BL": (HALF_POWER, 0.0),
    "BR": (0.0, HALF_POWER),
    "SL": (HALF_POWER, 0.0),
    "SR": (0.0, HALF_POWER),
    "TFL": (HALF_POWER, 0.0),
    "TFR": (0.0, HALF_POWER),
    "TBL": (HALF_POWER, 0.0),
    "TBR": (0.0, HALF_POWER),
    "BC": (0.5, 0.5),
}
UNKNOWN = (0.5, 0.5)
# Files without a channel mask follow the order of WAVEFORMATEXTENSIBLE.
DEFAULT_LAYOUTS = {
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}


def stereo_matrix(channels: int, layout: Sequence[str]) -> Samples | None:
    """Give the (channels, 2) matrix, or None for mono and stereo, which stay as they are."""
    if channels <= 2:  # noqa: PLR2004  # mono and stereo
        return None
    if len(layout) != channels or set(layout) <= {"NONE"}:
        layout = DEFAULT_LAYOUTS.get(channels, ())
    names = [*layout, *["NONE"] * (channels - len(layout))]
    matrix = np.array([COEFFICIENTS.get(name, UNKNOWN) for name in names], dtype=np.float32)
    # Both columns get the same factor: scaling each alone would move the image.
    loudest = float(matrix.sum(axis=0).max())
    return matrix / np.float32(max(loudest, 1.0))
