"""What is indexed and what is searched for are folded alike; marks stand where the words stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.actors.chat.search_text import (
    SNIPPET_CHARS,
    Term,
    compose,
    fold,
    joined,
    read_marks,
    read_query,
    searchable,
    snippet,
)


def wanted(*texts):
    return tuple(Term(text, is_unwanted=False) for text in texts)


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Été", "ete"),
        ("ÉTÉ", "été"),
        ("cœur", "cœur"),
        ("Straße", "STRASSE"),
        ("préférées", "préféré"),
        ("préférées", "preferee"),
        ("naïve", "naive"),
    ],
)
def test_case_and_accents_tell_no_words_apart(written, typed) -> None:
    assert searchable(written).split() == fold(typed).text.split()


def test_signs_and_markup_are_no_words() -> None:
    assert searchable("**fort** l'été, rendez-vous <b>!").split() == [
        *("fort", "l", "ete", "rendez", "vous", "b")
    ]


@given(st.text(max_size=80))
def test_what_is_indexed_of_plain_words_is_what_is_folded_of_them(text) -> None:
    line = fold(text)

    assert len(line.text) == len(line.origins)
    assert "\x01" not in searchable(text)
    assert list(line.origins) == sorted(line.origins)
    assert all(0 <= at < len(text) for at in line.origins)


@pytest.mark.parametrize(
    ("query", "groups"),
    [
        ("deux mots", [wanted("deux", "mots")]),
        ('"Deux Mots" fin', [wanted("deux mots", "fin")]),
        ('"sans fin', [wanted("sans fin")]),
        ("rendez-vous", [wanted("rendez vous")]),
        ("chat OR chien noir", [wanted("chat"), wanted("chien", "noir")]),
        ("or or", []),
        ("jazz -free", [(Term("jazz", is_unwanted=False), Term("free", is_unwanted=True))]),
        ('jazz -"free jazz"', [(*wanted("jazz"), Term("free jazz", is_unwanted=True))]),
        ("-free", []),
        ("jazz or -free", [wanted("jazz")]),
        ("?! \u200b", []),
        ("'; DROP TABLE x --", [wanted("drop", "table", "x")]),
    ],
)
def test_a_query_is_read_as_web_search_has_it(query, groups) -> None:
    assert list(read_query(query)) == groups


@given(st.text(max_size=200))
def test_no_query_is_too_strange_to_be_read(query) -> None:
    for group in read_query(query):
        assert any(not term.is_unwanted for term in group)
        assert all(term.text.strip() for term in group)


def test_a_query_of_words_that_have_no_stem_asks_for_nothing() -> None:
    groups = read_query("aa bb or cc -dd")

    assert compose(groups, iter(["'a'", "", "'c'", "'d'"])) == "(('a')) | (('c') & !('d'))"
    assert compose(groups, iter(["", "", "", "'d'"])) == ""


def test_marks_lead_back_to_the_characters_that_were_written() -> None:
    line = fold("Straße: \ufb01n d'été")
    start = line.text.index("ete")
    marked = f"{line.text[:start]}\x01ete\x02{line.text[start + 3 :]}"
    fine = line.text.index("fin")

    assert line.origin(read_marks(marked, line.text)) == ((13, 16),)
    assert line.origin([(fine, fine + 3)]) == ((8, 10),)
    assert read_marks("something \x01else\x02", line.text) == []


def test_marks_that_touch_are_one() -> None:
    assert joined([(4, 6), (0, 2), (2, 3), (5, 9)]) == ((0, 3), (4, 9))


@given(st.text("ab \n", max_size=600), st.data())
def test_a_snippet_is_a_part_with_its_first_mark_in_it(text, data) -> None:
    start = data.draw(st.integers(0, max(0, len(text) - 1)))
    end = data.draw(st.integers(min(start + 1, len(text)), min(start + 20, len(text))))
    marks = ((start, end),) if end > start else ()
    part = snippet(text, marks)

    assert part.text in text
    assert len(part.text) <= SNIPPET_CHARS
    for begin, stop in part.marks:
        assert text[start:end].startswith(part.text[begin:stop])
    if marks and text[start:end].strip():
        assert part.marks
