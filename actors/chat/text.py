"""What the text of a message means to the server: its safe form, whom it mentions, where it leads."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from veza.actors.chat.lexemes import Lexeme, Piece, is_plain, naming_lexemes
from veza.actors.chat.track_links import MAX_CARDS, track_card
from veza.persistence.room_rows import TrackCard

ROOM_MENTION: Final = "room"
MAX_DIACRITICS: Final = 4
"""On one letter. Languages that are written with more have letters of their own for them."""
MAX_UNSEEN: Final = 2
"""Invisible characters in a row: an emoji joins its parts by a selector and a joiner."""

_BREAKS: Final = re.compile(r"\r\n?|[\u2028\u2029]")
_FLAG: Final = "\U0001f3f4[\U000e0030-\U000e007a]{1,6}\U000e007f"
"""Of a part of a country: the only use of tags, which can hide whole sentences."""
_TAGS: Final = r"\U000e0000-\U000e007f"
# Control characters; marks that turn the text behind them around ("\u202egpj.exe" reads as
# "exe.jpg"); grapheme joiners, byte order marks and annotations; halves of surrogate pairs.
_UNSAFE: Final = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\u034f\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
)
_REMOVED: Final = re.compile(f"({_FLAG})|[{_UNSAFE}{_TAGS}]+")
_UNSEEN: Final = (
    r"\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2064"
    r"\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
)
_UNSEEN_RUN: Final = re.compile(f"([{_UNSEEN}]{{{MAX_UNSEEN}}})[{_UNSEEN}]+")
_DIACRITICS: Final = (
    r"\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
_DIACRITIC_RUN: Final = re.compile(
    f"((?:[{_DIACRITICS}][{_UNSEEN}]*){{{MAX_DIACRITICS}}})[{_DIACRITICS}{_UNSEEN}]+"
)
_SUSPECT: Final = re.compile(rf"[{_UNSAFE}{_TAGS}{_UNSEEN}{_DIACRITICS}\u2028\u2029]")
_BLANK_LINES: Final = re.compile(r"\n{4,}")
_SEEN: Final = re.compile(rf"[^\s{_UNSEEN}{_TAGS}]")

_LINK: Final = re.compile(r"https?://[^\s<>\"`|]+", re.IGNORECASE)
_TOP_LEVEL: Final = (
    "app|at|be|best|biz|blog|br|ca|cc|ch|click|cloud|club|cn|co|com|cz|de|dev|dk|es|eu|fi|fm|fr|fun|"
    "gg|gl|gr|hu|icu|in|info|io|it|jp|kr|link|live|ly|me|mobi|net|news|nl|no|nz|online|org|pl|pro|"
    "pt|ro|ru|se|shop|site|sk|space|store|su|tech|to|top|tv|ua|uk|us|vip|website|win|ws|xyz|zone"
)
# "x.gg" and "x.anything/path"; most file names and abbreviations are no addresses.
_BARE_LINK: Final = re.compile(
    r"(?<![\w@./:-])(?:[a-z0-9][a-z0-9-]{0,62}\.){1,8}"
    rf"(?:(?:{_TOP_LEVEL})(?![\w.-]*\w)|(?<=\.)(?!\d)[a-z]{{2,24}}/\w)",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class MessageContent:
    """`mentions` are user names in lower case, without the room's; `links` are as written, in order.

    Mentions and tracks within code are none; links within code can be read, so they count.
    """

    text: str
    mentions: frozenset[str] = frozenset()
    mentions_room: bool = False
    links: tuple[str, ...] = ()
    tracks: tuple[TrackCard, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see."""
        return _SEEN.search(self.text) is None

    @property
    def has_link(self) -> bool:
        """Whether it leads elsewhere, be it only by a domain's name that can be copied."""
        return bool(self.links) or ("." in self.text and _BARE_LINK.search(self.text) is not None)

    @property
    def mention_count(self) -> int:
        return len(self.mentions) + self.mentions_room


def read_text(text: str, own_host: str = "") -> MessageContent:
    """Bring a text into its safe form and read it. `own_host` is this server's public host."""
    text = normalised(text)
    if is_plain(text):
        return MessageContent(text)
    reading = _Reading(own_host)
    reading.read(naming_lexemes(text))
    names = frozenset(reading.names)
    return MessageContent(
        text,
        names - {ROOM_MENTION},
        ROOM_MENTION in names,
        tuple(reading.links),
        tuple(reading.cards),
    )


def normalised(text: str) -> str:
    """Return the text composed (NFC), with plain line breaks and nothing that hides, turns or piles up.

    Doing it again changes nothing.
    """
    if not (text.isascii() and text.isprintable()):
        if _SUSPECT.search(text):
            text = _REMOVED.sub(r"\1", _BREAKS.sub("\n", text))
        if not text.isascii():
            text = _unpiled(unicodedata.normalize("NFC", text))
        text = _BLANK_LINES.sub("\n\n\n", text).lstrip("\n")
    return text.rstrip()


def _unpiled(text: str) -> str:
    """Cut off what piles up on one letter, or hides between two."""
    if _SUSPECT.search(text) is None:
        return text
    return _DIACRITIC_RUN.sub(r"\1", _UNSEEN_RUN.sub(r"\1", text))


class _Reading:
    """Gathers what a message names, in the order of the text."""

    def __init__(self, own_host: str) -> None:
        self._own_host = own_host
        self.names: set[str] = set()
        self.links: list[str] = []
        self.cards: dict[TrackCard, None] = {}

    def read(self, pieces: tuple[Lexeme, ...]) -> None:
        for piece in pieces:
            match piece.kind:
                case Piece.MENTION:
                    self.names.add(piece.text.lower())
                case Piece.LINK:
                    self._link(piece.text)
                case Piece.CODE | Piece.BLOCK:
                    self.links += _LINK.findall(piece.text)
                case Piece.QUOTE:
                    self.read(piece.inner)

    def _link(self, link: str) -> None:
        card = track_card(link, self._own_host)
        if card is None:
            if not link.startswith("/"):
                self.links.append(link)
        elif len(self.cards) < MAX_CARDS:
            self.cards[card] = None
