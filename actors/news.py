"""News that no log holds, between nodes: which kinds cross, and their JSON.

One of them is `[kind, after_seq, value]`, read strictly: what another release says otherwise is left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from veza.actors.messages.attachments import AttachmentReady
from veza.actors.messages.reports import ReportFiled
from veza.actors.messages.rooms import ReceiptsMoved, RoomAdded, TypingChanged
from veza.actors.messages.tracks import JobChanged
from veza.actors.messages.ways import DraftChanged, RequestMade
from veza.persistence.value_codec import UnreadableError, decoder, encode

_KINDS: Final = (
    AttachmentReady,
    DraftChanged,
    JobChanged,
    ReceiptsMoved,
    ReportFiled,
    RequestMade,
    RoomAdded,
    TypingChanged,
)
CROSSING: Final[Mapping[str, Callable[[object], object]]] = {
    kind.__name__: decoder(kind) for kind in _KINDS
}
"""What reads each kind. Presence is not among them: nodes share the devices themselves."""
_PARTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """News of another node. `after_seq`: of a room, not to be told before this event of it."""

    after_seq: int
    event: object


def write_news(event: object, after_seq: int) -> bytes:
    """Return news as they cross."""
    return b'["%s",%d,%s]' % (type(event).__name__.encode(), after_seq, encode(event))


def read_news(parsed: object) -> Heard:
    """Return the news of parsed JSON. Raises `UnreadableError`."""
    if not isinstance(parsed, list) or len(parsed) != _PARTS:
        raise UnreadableError("these are no news")
    kind, after_seq, value = parsed
    if not isinstance(kind, str) or kind not in CROSSING or after_seq.__class__ is not int:
        raise UnreadableError(f"{kind!r} does not cross")
    return Heard(after_seq=after_seq, event=CROSSING[kind](value))
