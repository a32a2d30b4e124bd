"""What reads the same is the same: folded words, and fingerprints of whole texts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veza.actors.chat.folding import fingerprint, folded, words


@pytest.mark.parametrize(
    "other",
    [
        "BUY NOW cheap",
        "buy   now\ncheap!!!",
        "b u y n o w c h e a p",
        "buuuuy nooow cheeeeap",
        "b\u00fcy n\u00f3w ch\u00ebap",
        "buy\u200b now\u200d cheap",
        "\u0432uy n\u043ew \u0441h\u0435\u0430p",
        "\uff42\uff55\uff59 now cheap",
        "\U0001d41b\U0001d42e\U0001d432 now cheap",
        "b\u0338u\u0338y\u0338 now cheap",
    ],
)
def test_a_text_in_disguise_has_the_same_fingerprint(other) -> None:
    assert fingerprint(other) == fingerprint("buy now cheap")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("take 1", "take 2"),
        ("yes", "no"),
        ("???", "!!!"),
        ("🔥", "👍"),
        ("\u0915\u093f", "\u0915\u0940"),
        ("\u65e5", "\u6708"),
    ],
)
def test_different_texts_have_different_fingerprints(one, other) -> None:
    assert fingerprint(one) != fingerprint(other)


@settings(deadline=None)  # the machine may be busy
@given(st.text(alphabet="abcxyz 019!.", max_size=30))
def test_the_quick_way_for_ascii_is_the_same_way(text) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in text)

    assert folded(wide) == folded(text)
    if any(map(str.isalnum, text)):
        assert fingerprint(wide) == fingerprint(text)


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=40))
def test_folding_again_finds_the_same_words(text) -> None:
    found = words(text)

    assert all(found)
    assert folded(folded(text)) == folded(text)


def test_disguised_words_come_with_what_they_stand_for() -> None:
    assert words("it is B4D, baaaad") == ["it", "is", "b4d", "baaaad", "bad", "baad", "bad"]
    assert words("2026 good 1st") == ["2026", "good", "1st", "ist"]


def test_vowel_signs_of_other_scripts_are_parts_of_words() -> None:
    hindi = "\u0939\u093f\u0928\u094d\u0926\u0940"

    assert words(f"{hindi}!") == [folded(hindi)]
