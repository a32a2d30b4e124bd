"""What a file is by what is in it. What its sender calls it is not asked.

A type is named only for what clients may show or play; everything else is `UNKNOWN`, which browsers
save and do not open. Signatures: WHATWG MIME Sniffing, section 6, and each format's own specification.
"""

import re
from encodings.utf_8 import IncrementalDecoder
from typing import Final

UNKNOWN: Final = "application/octet-stream"
TEXT: Final = "text/plain"
HEAD_BYTES: Final = 4096
"""How much of a file `sniff` wants to see."""

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"%PDF-", "application/pdf"),
)
_RIFF_KINDS: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BRANDS: Final = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P "), "audio/mp4"),
    **dict.fromkeys((b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"avc1"), "video/mp4"),
    **dict.fromkeys((b"mp41", b"mp42", b"M4V ", b"MSNV", b"dash"), "video/mp4"),
}
"""Major brands of ISO base media files (mp4ra.org)."""
_OGG_SOUND: Final = (b"OpusHead", b"\x01vorbis", b"\x7fFLAC", b"Speex   ")
_OGG_FIRST_PACKET: Final = 28
"""A first page holds one packet: 27 bytes of header and one of lacing stand before it (RFC 3533)."""
_EBML: Final = b"\x1a\x45\xdf\xa3"
_WEBM: Final = re.compile(rb"\x42\x82.webm", re.DOTALL)
_FRAME_HEADER_BYTES: Final = 4
_MPEG_SYNC: Final = 0xFFE0
_MPEG_1: Final = 3
_LAYER_III: Final = 1
_MPEG_1_KBPS: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG_2_KBPS: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG_RATES_HZ: Final = {
    _MPEG_1: (44_100, 48_000, 32_000),
    2: (22_050, 24_000, 16_000),
    0: (11_025, 12_000, 8_000),
}
"""Of layer III by the version bits of a frame's header (ISO 11172-3, 2.4.2.3; ISO 13818-3)."""
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
"""Control characters that no text has, but for tabs, line and page breaks, and terminal colours."""


def sniff(head: bytes) -> str:
    """Return the type of a file that begins with `head`; `UNKNOWN` if it is none of those known.

    Text is not told here, since all of a file has to be text (`TextCheck`).
    """
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF":
        return _RIFF_KINDS.get(head[8:12], UNKNOWN)
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], UNKNOWN)
    if head[:4] == b"OggS":
        return "audio/ogg" if head[_OGG_FIRST_PACKET:].startswith(_OGG_SOUND) else UNKNOWN
    if head[:4] == _EBML:
        return "video/webm" if _WEBM.search(head[:64]) else UNKNOWN
    return "audio/mpeg" if _is_mp3(head) else UNKNOWN


class TextCheck:
    """Whether a file, seen piece by piece, is text in UTF-8 from its first byte to its last."""

    def __init__(self) -> None:
        self._decoder = IncrementalDecoder()
        self._is_text = True

    def feed(self, piece: bytes, *, is_last: bool = False) -> bool:
        """Take the next piece; return whether all so far is text."""
        if self._is_text:
            try:
                self._is_text = not _NO_TEXT.search(self._decoder.decode(piece, is_last))
            except UnicodeDecodeError:
                self._is_text = False
        return self._is_text


def _is_mp3(head: bytes) -> bool:
    """Whether two frames of MPEG layer III follow each other: one sync alone is found in any file."""
    size_bytes = _mp3_frame_bytes(head)
    return size_bytes > 0 and _mp3_frame_bytes(head[size_bytes:]) > 0


def _mp3_frame_bytes(head: bytes) -> int:
    """Return the length of the frame that begins here; 0 if none does."""
    if len(head) < _FRAME_HEADER_BYTES or int.from_bytes(head[:2]) & _MPEG_SYNC != _MPEG_SYNC:
        return 0
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate, kbps, padding = head[2] >> 2 & 3, head[2] >> 4, head[2] >> 1 & 1
    rates_hz, rates_kbps = _MPEG_RATES_HZ.get(version, ()), _MPEG_2_KBPS
    if layer != _LAYER_III or rate >= len(rates_hz) or not 0 < kbps < len(rates_kbps):
        return 0
    samples_by_8 = 72
    if version == _MPEG_1:
        samples_by_8, rates_kbps = 144, _MPEG_1_KBPS
    return samples_by_8 * 1000 * rates_kbps[kbps] // rates_hz[rate] + padding
