"""What people read as the same: words and whole texts folded until only that is left which matters."""

import re
import unicodedata
from itertools import compress
from operator import ne
from typing import Final

# Letters of other alphabets, in lower case, that look like Latin ones or like their capitals, and
# those with a stroke: NFKD leaves them alone.
_LOOKALIKES: Final = str.maketrans(
    {
        other: latin
        for latin, others in {
            "a": "\u0430\u03b1",
            "b": "\u0432\u03b2",
            "c": "\u0441\u03f2",
            "d": "\u0501\u0111",
            "e": "\u0435\u03b5",
            "g": "\u0261",
            "h": "\u043d\u04bb\u0127",
            "i": "\u0456\u03b9\u0131",
            "j": "\u0458",
            "k": "\u043a\u03ba",
            "l": "\u04cf\u0142",
            "m": "\u043c\u03bc",
            "n": "\u03b7\u0578",
            "o": "\u043e\u03bf\u0585\u00f8",
            "p": "\u0440\u03c1",
            "s": "\u0455",
            "t": "\u0442\u03c4",
            "u": "\u057d\u03c5",
            "v": "\u03bd\u0475",
            "w": "\u0461\u051d",
            "x": "\u0445\u03c7",
            "y": "\u0443\u03b3",
        }.items()
        for other in others
    }
)
_LEET: Final = str.maketrans("013457", "oieast")
# Accents of Latin, Greek and Cyrillic, points of Hebrew and Arabic, and what cannot be seen. Vowel
# signs of other scripts are letters, though Unicode calls them marks too.
_ACCENTS: Final = re.compile(
    r"[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670"
    r"\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f"
    r"\u2060-\u2064\u20d0-\u20ff\u3164\ufe00-\ufe0f\ufe20-\ufe2f\uffa0\U000e0000-\U000e0fff]+"
)
# All but signs: Python's \w leaves out the vowel signs.
_SIGNS: Final = (
    r"\x00-/:-@\[-`{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u02b9-\u02df"
    r"\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u3020\u3030"
    r"\ufe30-\ufe4f\ufff0-\uffff\U0001f000-\U0001faff"
)
_WORD: Final = re.compile(f"[^{_SIGNS}]+")
_SIGN: Final = re.compile(f"[{_SIGNS}]")
_DISGUISE: Final = re.compile(r"[0-9]|(.)\1\1")
_LONG: Final = re.compile(r"(.)\1{2,}")
_ASCII_SIGNS: Final = bytes(byte for byte in range(128) if not chr(byte).isalnum())
_ASCII_LOWER: Final = bytes(range(256)).lower()


def folded(text: str) -> str:
    """Return the text without case, accents, invisible characters and look-alike letters."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold()).casefold()
    return _ACCENTS.sub("", apart).translate(_LOOKALIKES)


def without_signs(line: str) -> str:
    """Return a folded text with a space in the place of each sign."""
    return _SIGN.sub(" ", line)


def fingerprint(text: str) -> int:
    """Return a number that texts share which read the same.

    Case, accents, spaces, punctuation and how often a letter is repeated do not count; of a text
    that has nothing but signs, the signs do. Good within one process only.
    """
    if text.isascii():
        letters = text.encode().translate(_ASCII_LOWER, _ASCII_SIGNS).decode()
    else:
        letters = "".join(_WORD.findall(folded(text)))
    return hash("".join(compress(letters, map(ne, letters, " " + letters))) or text)


def words(text: str) -> list[str]:
    """Return the folded words of a text, and after them what the disguised among them stand for.

    `baaad` may stand for `baad` and `bad`, `b4d` for `bad`.
    """
    line = folded(text)
    found = _WORD.findall(line)
    if _DISGUISE.search(line):
        found += [spelling for word in found for spelling in _spellings(word)]
    return found


def _spellings(word: str) -> list[str]:
    found = [word] if word.isalpha() or word.isdigit() else [word, word.translate(_LEET)]
    if _LONG.search(word):
        found += [_LONG.sub(less, each) for each in found for less in (r"\1\1", r"\1")]
    return found[1:]
