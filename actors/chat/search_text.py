"""Texts as search sees them: what is indexed, asked for, and shown of what was found. Pure.

A folded text has no case, no accents and no signs, so that "été" and "ETE" are one word; the database
finds the stems of what is left (`persistence/message_search.py`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from veza.actors.chat.folding import folded, without_signs
from veza.actors.chat.markup import plain_text

MAX_TERMS: Final = 16
"""Of a query; what is more is left out."""
SNIPPET_CHARS: Final = 200
_LEAD_CHARS: Final = 40
_ALPHABET: Final = 4096
# Feminine participles: without their accent the French stemmer takes "preferee" for another word
# than "prefere".
_PARTICIPLE: Final = re.compile(r"(?<=[a-z]{4}e)es?\b")
_TERM: Final = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_MARK: Final = re.compile("[\x01\x02]")

Marks = tuple[tuple[int, int], ...]
"""Stretches of a text: the first character of each and the one behind it, in ascending order."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word, or words in a row. `is_unwanted`: messages with it are not looked for."""

    text: str
    is_unwanted: bool


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text, and which character of the original each of its characters comes from."""

    text: str
    origins: Sequence[int]

    def origin(self, marks: Iterable[tuple[int, int]]) -> Marks:
        """Return stretches of the original for those of the folded text."""
        return tuple((self.origins[start], self.origins[end - 1] + 1) for start, end in marks)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A part of a message's words, and where in it (in characters of Unicode) the words searched stand."""

    text: str
    marks: Marks


def searchable(text: str) -> str:
    """Return a message's text as it is indexed."""
    plain = plain_text(text)
    return _reduced(plain.lower() if plain.isascii() else "".join(map(_char, plain)))


def fold(text: str) -> Folded:
    """Return the words of a plain text as they are indexed, with their places."""
    if text.isascii():
        return Folded(_reduced(text.lower()), range(len(text)))
    parts = [_char(char) for char in text]
    origins = [at for at, part in enumerate(parts) for _ in part]
    return Folded(_reduced("".join(parts)), origins)


@lru_cache(maxsize=_ALPHABET)
def _char(char: str) -> str:
    return folded(char)


def _reduced(line: str) -> str:
    """Blank out, without moving anything, what is no word and what tells no words apart."""
    return _PARTICIPLE.sub(lambda match: " " * len(match[0]), without_signs(line))


def read_query(query: str) -> tuple[tuple[Term, ...], ...]:
    """Return what a query asks for: any of these groups, and of a group every term.

    Words are wanted all; `"…"` are words in a row, `-` before either excludes it, `or` between them gives a
    choice, as web search has it. A group in which nothing is wanted is left out: it would ask for
    everything.
    """
    groups: list[list[Term]] = [[]]
    for number, (minus, phrase, word) in enumerate(_TERM.findall(query)):
        if number == MAX_TERMS:
            break
        if word.lower() == "or" and not minus:
            groups.append([])
            continue
        text = " ".join(fold(phrase or word).text.split())
        if text:
            groups[-1].append(Term(text, is_unwanted=bool(minus)))
    return tuple(tuple(group) for group in groups if any(not term.is_unwanted for term in group))


def compose(groups: Iterable[Iterable[Term]], stems: Iterator[str]) -> str:
    """Put the queries of all terms, in their order, together to one; empty if nothing is left to look for."""
    wanted: list[str] = []
    for group in groups:
        known = [(term, query) for term, query in zip(group, stems, strict=False) if query]
        if any(not term.is_unwanted for term, _ in known):
            parts = [f"!({query})" if term.is_unwanted else f"({query})" for term, query in known]
            wanted.append(" & ".join(parts))
    return " | ".join(f"({each})" for each in wanted)


def read_marks(marked: str, line: str) -> list[tuple[int, int]]:
    """Return where the marks are that the database put into a folded text; none if it is another one."""
    if _MARK.sub("", marked) != line:
        return []
    marks: list[tuple[int, int]] = []
    start = 0
    for shift, match in enumerate(_MARK.finditer(marked)):
        at = match.start() - shift
        if match[0] == "\x01":
            start = at
        else:
            marks.append((start, at))
    return marks


def joined(marks: Iterable[tuple[int, int]]) -> Marks:
    """Return stretches in order, those that touch or overlap as one."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(marks):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return tuple(out)


def snippet(text: str, marks: Marks) -> Snippet:
    """Cut from a plain text the part around the first mark, at spaces where there are any."""
    first = marks[0][0] if marks else 0
    start = 0 if len(text) <= SNIPPET_CHARS else max(0, first - _LEAD_CHARS)
    if start:
        space = text.find(" ", start, first)
        start = start if space < 0 else space + 1
    end = min(len(text), start + SNIPPET_CHARS)
    if end < len(text):
        space = text.rfind(" ", first + 1, end)
        end = end if space <= start else space
    inside = tuple(
        (max(a, start) - start, min(b, end) - start) for a, b in marks if a < end and b > start
    )
    return Snippet(text[start:end], inside)
