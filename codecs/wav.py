"""WAV files (RIFF, integer PCM) from float samples."""

import struct

import numpy as np

from veza.codecs.source import Samples

PCM_FORMAT = 1
HEADER_BEHIND_SIZE = 36  # bytes of header that the RIFF size counts


def wav_bytes(samples: Samples, *, sample_rate_hz: int, bits: int = 16) -> bytes:
    """Give a WAV file of `samples` (n, channels), 16, 24 or 32 bits, clipped at full scale."""
    channels = samples.shape[1]
    frame_bytes = channels * bits // 8
    data = _integers(samples, bits)
    header = struct.pack(
        "<4sI8sIHHIIHH4sI",
        b"RIFF",
        HEADER_BEHIND_SIZE + len(data),
        b"WAVEfmt ",
        16,
        PCM_FORMAT,
        channels,
        sample_rate_hz,
        sample_rate_hz * frame_bytes,
        frame_bytes,
        bits,
        b"data",
        len(data),
    )
    return header + data + b"\0" * (len(data) % 2)


def _integers(samples: Samples, bits: int) -> bytes:
    top = 2 ** (bits - 1)
    scaled = np.clip(np.rint(samples.astype(np.float64) * top), -top, top - 1)
    # The low bytes of little-endian 32 bit integers are the shorter integers.
    quads = scaled.astype("<i4").reshape(-1, 1).view(np.uint8)
    return bytes(quads[:, : bits // 8].tobytes())
