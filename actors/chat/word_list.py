"""A room's list of words that nobody may use there, ready to be looked for in a message."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from veza.actors.chat.folding import folded, words

MAX_WORDS: Final = 500
MAX_WORD_CHARS: Final = 50


class WordError(ValueError):
    """An entry that can never be found, or too many of them. `index` tells which one."""

    def __init__(self, reason: str, index: int | None = None) -> None:
        super().__init__(reason)
        self.index = index


@dataclass(frozen=True, slots=True)
class WordList:
    """Whole words, case and accents aside; a `*` at the end of one stands for any ending.

    Each word of a message is looked up for itself and, if it begins like one of the list, once for
    each length of a beginning: time grows with the message, hardly with the list.
    """

    entries: tuple[str, ...] = ()
    _whole: frozenset[str] = field(init=False, repr=False, compare=False)
    _beginnings: frozenset[str] = field(init=False, repr=False, compare=False)
    _lengths: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _heads: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        plain = [folded(entry) for entry in self.entries]
        beginnings = frozenset(entry[:-1] for entry in plain if entry.endswith("*"))
        lengths = tuple(sorted({len(each) for each in beginnings}))
        object.__setattr__(self, "_whole", frozenset(plain))
        object.__setattr__(self, "_beginnings", beginnings)
        object.__setattr__(self, "_lengths", lengths)
        object.__setattr__(self, "_heads", frozenset(each[: lengths[0]] for each in beginnings))

    @classmethod
    def of(cls, entries: Iterable[str]) -> Self:
        """Make a list of what somebody wrote down. Raises `WordError`."""
        kept: dict[str, None] = {}
        for index, entry in enumerate(entries):
            if index == MAX_WORDS:
                raise WordError(f"At most {MAX_WORDS} words.")
            word = entry.strip()
            if len(word) > MAX_WORD_CHARS:
                raise WordError(f"At most {MAX_WORD_CHARS} characters.", index)
            stem = word.removesuffix("*")
            if words(stem)[:1] != [folded(stem)]:
                raise WordError("One word of letters and digits, * at its end if need be.", index)
            kept[word] = None
        return cls(tuple(kept))

    def find(self, text: str) -> str | None:
        """Return the first word of a text, folded, that is on the list."""
        if not self.entries:
            return None
        found = words(text)
        if self._whole.isdisjoint(found) and not self._may_begin(found):
            return None
        return next(filter(self._has, found), None)

    def _may_begin(self, found: list[str]) -> bool:
        """Look at all words at once, before each is looked at in each length."""
        if not self._lengths:
            return False
        length = self._lengths[0]
        return not self._heads.isdisjoint([word[:length] for word in found])

    def _has(self, word: str) -> bool:
        if word in self._whole:
            return True
        return any(word[:length] in self._beginnings for length in self._lengths)
