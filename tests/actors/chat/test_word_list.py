"""Words that a room forbids are found whole, in any dress, and in time that hardly depends on the list."""

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veza.actors.chat.folding import folded, words
from veza.actors.chat.word_list import MAX_WORD_CHARS, MAX_WORDS, WordError, WordList


@pytest.mark.parametrize(
    "text",
    ["darn", "oh DARN!", "d\u00e0rn it", "d\u0430rn", "d4rn", "daaaarn", "x-darn-y", "«darn»"],
)
def test_a_word_is_found_in_any_dress(text) -> None:
    assert WordList.of(["Darn"]).find(text) == "darn"


@pytest.mark.parametrize("text", ["darned", "undarn", "da rn", "barn", "", "d.a.r.n"])
def test_only_whole_words_are_found(text) -> None:
    assert WordList.of(["darn"]).find(text) is None


def test_double_letters_are_not_taken_away() -> None:
    assert WordList.of(["as"]).find("the ass says") is None
    assert WordList.of(["ass"]).find("asss") == "ass"


def test_a_star_stands_for_any_ending() -> None:
    words = WordList.of(["spam*", "egg*", "hamster"])

    assert words.find("no SPAMMERS here") == "spammers"
    assert words.find("spam") == "spam"
    assert words.find("antispam ham spa") is None


@pytest.mark.parametrize("entry", ["", "*", "two words", "a*b", "**", "a-b", "!", "**x", "x" * 51])
def test_what_can_never_be_found_is_no_entry(entry) -> None:
    with pytest.raises(WordError) as error:
        WordList.of(["good", entry])

    assert error.value.index == 1


def test_the_list_has_a_limit() -> None:
    assert len(WordList.of(f"w{n}" for n in range(MAX_WORDS)).entries) == MAX_WORDS
    with pytest.raises(WordError):
        WordList.of(f"w{n}" for n in range(MAX_WORDS + 1))


entries = st.text(alphabet="abc", min_size=1, max_size=4)


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(st.tuples(entries, st.booleans()), max_size=6),
    st.text(alphabet="abcABC -", max_size=25),
)
def test_it_finds_what_looking_at_every_pair_finds(pairs, text) -> None:
    found = WordList.of(word + "*" * open_ended for word, open_ended in pairs).find(text)
    hits = [
        word
        for word in words(text)
        for entry, open_ended in pairs
        if word == entry or (open_ended and word.startswith(entry))
    ]

    assert found == (hits[0] if hits else None)


@settings(deadline=None)  # the machine may be busy
@given(st.text(min_size=1, max_size=10))
def test_every_entry_is_found_in_itself(entry) -> None:
    try:
        listed = WordList.of([entry])
    except WordError:
        return
    stem = entry.strip().removesuffix("*")

    assert listed.find(f"({stem})") == folded(stem)


@pytest.mark.parametrize("unit", ["a", "a ", "aaab", "b4", "aa* ", "\u0301a", "1"])
def test_time_grows_with_the_length_of_the_text_only(unit) -> None:
    long = [("a" * n)[: MAX_WORD_CHARS - 2] + "z*" for n in range(1, MAX_WORD_CHARS)]
    listed = WordList.of(long + [f"a{n}" for n in range(400)])
    text = (unit * 16_000)[:16_000]

    began = process_time()
    listed.find(text)

    assert process_time() - began < 0.5
