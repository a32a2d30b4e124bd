"""Links to this server's own tracks: which text is one, and the place in the track that it names."""

import re
from typing import Final
from uuid import UUID

from veza.persistence.room_rows import TrackCard

MAX_CARDS: Final = 5
"""Different cards a message shows; further links stay plain text."""
MAX_AT_SECONDS: Final = 86_400

_LINK: Final = re.compile(
    r"(?:(https?)://([^/?#]*))?/tracks/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"(?:\?([^#]*))?(?:#(.*))?",
    re.IGNORECASE | re.ASCII,
)
_TIME_FIELD: Final = re.compile(r"(?:^|&)t=([^&]*)")
_CLOCK: Final = re.compile(r"(?:([0-9]{1,2}):)?([0-9]{1,3}):([0-5]?[0-9])(?:\.([0-9]{1,3}))?")
_SPOKEN: Final = re.compile(
    r"(?=[0-9])(?:([0-9]{1,2})h)?(?:([0-9]{1,4})m)?(?:([0-9]{1,5})(?:\.([0-9]{1,3}))?s?)?"
)
_DEFAULT_PORT: Final = {"http": ":80", "https": ":443"}


def track_card(link: str, own_host: str) -> TrackCard | None:
    """Return the track that a link leads to, if it leads to one of ours.

    A link with a host counts only if that is `own_host` (`host` or `host:port`, lower case); of a
    link without one the path is enough.
    """
    found = _LINK.fullmatch(link)
    if found is None:
        return None
    scheme, host, track_id, query, fragment = found.groups()
    if scheme is not None:
        port = _DEFAULT_PORT[scheme.lower()]
        if not own_host or host.lower().removesuffix(port) != own_host.removesuffix(port):
            return None
    at_ms = _at_ms(fragment or "") or _at_ms(query or "")
    return TrackCard(track_id=UUID(track_id), at_ms=at_ms)


def _at_ms(fields: str) -> int:
    """Read `t=83`, `t=83.5`, `t=1:23`, `t=1:02:03` or `t=1h2m3s`; what cannot be read is the beginning."""
    field = _TIME_FIELD.search(fields)
    time = field and (_CLOCK.fullmatch(field[1]) or _SPOKEN.fullmatch(field[1]))
    if not time:
        return 0
    hours, minutes, seconds = (int(part or 0) for part in time.groups()[:3])
    total = hours * 3600 + minutes * 60 + seconds
    return total * 1000 + int((time[4] or "0").ljust(3, "0")) if total < MAX_AT_SECONDS else 0
