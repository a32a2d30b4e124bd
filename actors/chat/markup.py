"""What a message looks like: the tree of its Markdown subset, and its words without any markup.

The grammar is in docs/protocol.md; the page has the same one in `gateway/web/app/markup.js`, and
both pass the same table of cases. Time grows with the length of the text, and the tree is at most
`MAX_DEPTH` deep, since no style stands inside itself.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from veza.actors.chat.lexemes import Lexeme, Piece, is_plain, lexemes
from veza.actors.chat.track_links import MAX_CARDS, track_card
from veza.persistence.room_rows import TrackCard

SPOILER_SHOWN_AS: Final = "[spoiler]"


class Style(StrEnum):
    BOLD = "bold"
    ITALIC = "italic"
    STRIKE = "strike"
    SPOILER = "spoiler"
    QUOTE = "quote"


MAX_DEPTH: Final = len(Style) + 1
"""Each style once around the others, and what they hold."""
_STYLES: Final = {
    "**": Style.BOLD,
    "*": Style.ITALIC,
    "~~": Style.STRIKE,
    "||": Style.SPOILER,
}


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    text: str


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """`language` is what was written behind the opening backticks, or empty."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Mention:
    """`name` as it was written; `room` means everybody in the room."""

    name: str


@dataclass(frozen=True, slots=True)
class TrackLink:
    """`text` is the link as it was written, for those who cannot show a card."""

    card: TrackCard
    text: str


@dataclass(frozen=True, slots=True)
class Styled:
    style: Style
    children: "tuple[Node, ...]"


Node = Text | Code | CodeBlock | Mention | TrackLink | Styled


def parse(text: str, own_host: str = "") -> tuple[Node, ...]:
    """Return the tree of a text. Links to tracks on `own_host`, or without a host, are cards."""
    if is_plain(text):
        return (Text(text),) if text else ()
    return _Builder(own_host).nodes(lexemes(text))


def plain_text(text: str, *, hides_spoilers: bool = False) -> str:
    """Return the words of a text without its markup, for search and (spoilers hidden) notifications."""
    if is_plain(text):
        return text
    out: list[str] = []
    _write(_Builder("").nodes(lexemes(text)), out, hides_spoilers=hides_spoilers)
    return "".join(out)


def _write(nodes: tuple[Node, ...], out: list[str], *, hides_spoilers: bool) -> None:
    for at, node in enumerate(nodes):
        is_apart = _stands_apart(node) or (at > 0 and _stands_apart(nodes[at - 1]))
        if is_apart and out and not out[-1].endswith("\n"):
            out.append("\n")
        match node:
            case Styled(Style.SPOILER) if hides_spoilers:
                out.append(SPOILER_SHOWN_AS)
            case Styled(_, children):
                _write(children, out, hides_spoilers=hides_spoilers)
            case Mention(name):
                out.append("@" + name)
            case _:
                out.append(node.text)


def _stands_apart(node: Node) -> bool:
    return isinstance(node, CodeBlock) or (isinstance(node, Styled) and node.style is Style.QUOTE)


class _Builder:
    """Makes the tree of one message; counts its cards over all its parts."""

    def __init__(self, own_host: str) -> None:
        self._own_host = own_host
        self._cards: set[TrackCard] = set()

    def nodes(self, flat: tuple[Lexeme, ...]) -> tuple[Node, ...]:
        pieces = list(flat)
        partners = _partners(pieces)
        open_lists: list[list[Node]] = [[]]
        for at, piece in enumerate(pieces):
            partner = partners.get(at)
            if partner is None:
                _append(open_lists[-1], self._leaf(piece))
            elif partner > at:
                open_lists.append([])
            else:
                inside = tuple(open_lists.pop())
                open_lists[-1].append(Styled(_STYLES[piece.text], inside))
        return tuple(open_lists[0])

    def _leaf(self, piece: Lexeme) -> Node:
        match piece.kind:
            case Piece.CODE:
                return Code(piece.text)
            case Piece.BLOCK:
                return CodeBlock(piece.text, piece.language)
            case Piece.QUOTE:
                return Styled(Style.QUOTE, self.nodes(piece.inner))
            case Piece.MENTION:
                return Mention(piece.text)
            case Piece.LINK if card := self._card(piece.text):
                return TrackLink(card, piece.text)
            case _:
                return Text(piece.text)

    def _card(self, link: str) -> TrackCard | None:
        card = track_card(link, self._own_host)
        if card is None or (card not in self._cards and len(self._cards) == MAX_CARDS):
            return None
        self._cards.add(card)
        return card


def _append(nodes: list[Node], node: Node) -> None:
    last = nodes[-1] if nodes else None
    if isinstance(node, Text) and isinstance(last, Text):
        nodes[-1] = Text(last.text + node.text)
    else:
        nodes.append(node)


def _partners(pieces: list[Lexeme]) -> dict[int, int]:
    """Return which mark opens and which one closes with it, by index, in both directions."""
    partners: dict[int, int] = {}
    opened: list[int] = []
    for at, piece in enumerate(pieces):
        match piece.kind:
            case Piece.MARK:
                _pair(pieces, opened, partners, at)
            case Piece.BLOCK | Piece.QUOTE:
                opened.clear()
    return partners


def _pair(pieces: list[Lexeme], opened: list[int], partners: dict[int, int], at: int) -> None:
    if opened and pieces[at].can_close and not pieces[at].is_second:
        _turn(pieces, opened, at)
    mark = pieces[at]
    level = next((n for n, index in enumerate(opened) if pieces[index].text == mark.text), None)
    if level is not None and mark.can_close:
        partners[at], partners[opened[level]] = opened[level], at
        del opened[level:]
    elif mark.can_open:
        if level is not None:
            del opened[level]
        opened.append(at)


def _turn(pieces: list[Lexeme], opened: list[int], at: int) -> None:
    """Let `***` open or close in the order that the other side wants."""
    top = opened[-1]
    if at + 1 < len(pieces) and pieces[at + 1].is_second and pieces[top].text == "*":
        _swap(pieces, at)
    elif pieces[top].is_second and top - 1 in opened and pieces[top - 1].text == pieces[at].text:
        _swap(pieces, top - 1)


def _swap(pieces: list[Lexeme], at: int) -> None:
    first, second = pieces[at], pieces[at + 1]
    pieces[at] = first._replace(text=second.text)
    pieces[at + 1] = second._replace(text=first.text)
