"""The flat pieces of a message's text: code, quotes, marks, mentions and links, in one pass over it.

The grammar is in docs/protocol.md. Each piece is found by one search that starts where the last
piece ended, and the partners of backticks are looked up in a table, so the time grows with the
length of the text and with nothing else.
"""

import re
from bisect import bisect_left
from enum import Enum, auto
from typing import ClassVar, Final, NamedTuple

MAX_NAME_CHARS: Final = 32

_NO_LINK: Final = (
    r"\x00-\x20\"<>`|\u00a0\u1680\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
_UUID: Final = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
# The look ahead lets the search jump; each look behind stands after the first character for that.
_NAMING: Final = (
    r"\\[*~`|>@]|`+"
    r"|@(?<![0-9A-Za-z_/@\u00c0-\u024f]@)[0-9A-Za-z][0-9A-Za-z_.-]*"
    rf"|[Hh](?<![0-9A-Za-z][Hh])[Tt][Tt][Pp][Ss]?://[^{_NO_LINK}]+"
    rf"|/(?<![0-9A-Za-z_./~-]/)tracks/{_UUID}(?![0-9A-Za-z_/-])(?:[?#][^{_NO_LINK}]*)?"
)
_TICKS: Final = re.compile(r"`+")
_QUOTE_LINE: Final = re.compile(r"^>(?: |$)", re.MULTILINE)
_QUOTE: Final = re.compile(r"(?:> [^\n]*(?:\n|\Z)|>(?:\n|\Z))+")
_QUOTE_SIGN: Final = re.compile(r"^> ?", re.MULTILINE)
_LANGUAGE: Final = re.compile(r"([0-9A-Za-z_+#.-]{1,20})\n")
_SPECIAL: Final = re.compile(r"[\\`*~|@]")
_LINK_END: Final = ".,;:!?'*~)]}\\"
_BLANK: Final = " \t\n"
_AFTER_NAME: Final = re.compile(r"[0-9A-Za-z_@\u00c0-\u024f]")
_WORD: Final = re.compile(r"[0-9A-Za-z]")
_MARK_CHARS: Final = {"*": 3, "~": 2, "|": 2}
"""The longest run of each that is a mark. Of `~` and `|` two are wanted, of `*` one to three."""
_FENCE: Final = 3
_NOWHERE: Final = 1 << 30


class Piece(Enum):
    TEXT = auto()
    CODE = auto()
    BLOCK = auto()
    QUOTE = auto()
    MENTION = auto()
    LINK = auto()
    MARK = auto()


class Lexeme(NamedTuple):
    """`text` is what stands there, for a mention without `@`, for code without its backticks.

    `***` is two marks; the later one `is_second`, and the two may change places.
    """

    kind: Piece
    text: str
    can_open: bool = False
    can_close: bool = False
    is_second: bool = False
    language: str = ""
    inner: "tuple[Lexeme, ...]" = ()


def is_plain(text: str) -> bool:
    """Whether the text says nothing but itself: one piece, no matter what stands in it."""
    return (
        _SPECIAL.search(text) is None
        and "://" not in text
        and "/tracks/" not in text
        and (">" not in text or _QUOTE_LINE.search(text) is None)
    )


def lexemes(text: str) -> tuple[Lexeme, ...]:
    """Cut a text into its pieces. Put together they are the text without its signs."""
    return _Scanner(text).pieces()


def naming_lexemes(text: str) -> tuple[Lexeme, ...]:
    """Only those of the text's pieces that may name something: mentions, links, code and quotes."""
    return _NamesScanner(text).pieces()


class _Scanner:
    _piece_pattern: ClassVar = re.compile(rf"(?=[\\`@/Hh*~|])(?:\*+|~+|\|+|{_NAMING})")

    def __init__(self, text: str, *, is_quoted: bool = False) -> None:
        self._text = text
        self._is_quoted = is_quoted
        self._out: list[Lexeme] = []
        self._from = 0
        """Where the plain text begins that waits for its end."""
        self._ticks: dict[int, list[int]] | None = None

    def pieces(self) -> tuple[Lexeme, ...]:
        text = self._text
        at, piece, quote = 0, self._piece_pattern.search(text), self._next_quote(0)
        while piece or quote < _NOWHERE:
            start = piece.start() if piece else _NOWHERE
            if quote <= start:
                at = self._quote(quote)
            elif piece:
                at = self._piece(start, piece.end())
            if piece and piece.start() < at:
                piece = self._piece_pattern.search(text, at)
            if quote < at:
                quote = self._next_quote(at)
        self._plain(len(text))
        return tuple(self._out)

    def _next_quote(self, at: int) -> int:
        if self._is_quoted or ">" not in self._text:
            return _NOWHERE
        found = _QUOTE_LINE.search(self._text, at)
        return found.start() if found else _NOWHERE

    def _plain(self, end: int) -> None:
        if end > self._from:
            self._out.append(Lexeme(Piece.TEXT, self._text[self._from : end]))

    def _add(self, lexeme: Lexeme, start: int, end: int) -> int:
        self._plain(start)
        self._out.append(lexeme)
        self._from = end
        return end

    def _add_apart(self, lexeme: Lexeme, start: int, end: int) -> int:
        """Add what stands on lines of its own: the break before and after it is not shown."""
        before = start - 1 if start > self._from and self._text[start - 1] == "\n" else start
        self._plain(before)
        self._out.append(lexeme)
        self._from = end
        return end

    def _quote(self, start: int) -> int:
        found = _QUOTE.match(self._text, start)
        end = found.end() if found else start
        inner = _QUOTE_SIGN.sub("", self._text[start:end]).removesuffix("\n")
        if not inner.strip(_BLANK):
            return end
        quoted = type(self)(inner, is_quoted=True).pieces()
        return self._add_apart(Lexeme(Piece.QUOTE, inner, inner=quoted), start, end)

    def _piece(self, start: int, end: int) -> int:
        match self._text[start]:
            case "*" | "~" | "|":
                return self._mark(start, end)
            case "`":
                return self._code(start, end)
            case "@":
                return self._mention(start, end)
            case "\\":
                return self._add(Lexeme(Piece.TEXT, self._text[start + 1]), start, end)
            case _:
                return self._link(start, end)

    def _code(self, start: int, end: int) -> int:
        """Code goes to the next run of just as many backticks, on one line unless there are three."""
        text, length = self._text, end - start
        close = self._next_ticks(end, length)
        body = text[end:close] if close < _NOWHERE else ""
        if length >= _FENCE and not self._is_quoted:
            named = _LANGUAGE.match(body)
            language = named[1] if named else ""
            body = body[named.end() if named else 0 :].removeprefix("\n").removesuffix("\n")
            if not body.strip(_BLANK):
                return end
            after = close + length
            after += text.startswith("\n", after)
            return self._add_apart(Lexeme(Piece.BLOCK, body, language=language), start, after)
        if "\n" in body or not body.strip(_BLANK):
            return end
        if body[0] == body[-1] == " ":
            body = body[1:-1]
        return self._add(Lexeme(Piece.CODE, body), start, close + length)

    def _next_ticks(self, at: int, length: int) -> int:
        if self._ticks is None:
            self._ticks = {}
            for run in _TICKS.finditer(self._text):
                self._ticks.setdefault(run.end() - run.start(), []).append(run.start())
        runs = self._ticks.get(length, [])
        index = bisect_left(runs, at)
        return runs[index] if index < len(runs) else _NOWHERE

    def _mention(self, start: int, end: int) -> int:
        name = self._text[start + 1 : end].rstrip(".-")
        end = start + 1 + len(name)
        if not 1 < len(name) <= MAX_NAME_CHARS or _AFTER_NAME.match(self._text, end):
            return end
        return self._add(Lexeme(Piece.MENTION, name), start, end)

    def _link(self, start: int, end: int) -> int:
        link = self._text[start:end].rstrip(_LINK_END)
        if link[-1] == "/" and link.count("/") == 2:  # noqa: PLR2004  # nothing after "https://"
            return end
        return self._add(Lexeme(Piece.LINK, link), start, start + len(link))

    def _mark(self, start: int, end: int) -> int:
        text, sign = self._text, self._text[start]
        length, longest = end - start, _MARK_CHARS[sign]
        if length > longest or (sign != "*" and length < longest):
            return end
        before, after = text[start - 1 : start], text[end : end + 1]
        is_loose = sign == "|"
        can_open = after not in _BLANK and (is_loose or not _WORD.match(before))
        can_close = before not in _BLANK and (is_loose or not _WORD.match(after))
        if not can_open and not can_close:
            return end
        mark = Lexeme(Piece.MARK, text[start : min(end, start + 2)], can_open, can_close)
        self._add(mark, start, end)
        if length > len(mark.text):
            self._out.append(mark._replace(text=sign, is_second=True))
        return end


class _NamesScanner(_Scanner):
    """Takes no notice of plain text and marks: neither changes what the other pieces are."""

    _piece_pattern: ClassVar = re.compile(rf"(?=[\\`@/Hh])(?:{_NAMING})")

    def _plain(self, end: int) -> None:
        pass
