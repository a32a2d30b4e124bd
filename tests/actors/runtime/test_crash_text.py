"""What is kept of a crash has a limit, and says what was cut out."""

import pytest

from veza.actors.runtime.crash_text import ERROR_CHARS, TRACE_CHARS, cut

NOTE_CHARS = 60
HUGE = "begins " + "x" * 20_000 + " ends"


class UnspeakableError(Exception):
    def __repr__(self):
        raise ValueError("no words")

    __str__ = __repr__


def test_a_text_that_fits_is_kept_whole():
    assert cut("12345678", 8) == "12345678"


def test_a_longer_one_keeps_its_ends_and_says_how_much_is_gone():
    assert cut("abcdefghijkl", 8) == "abcd\n… 4 characters are cut out here …\nijkl"


@pytest.mark.parametrize("kind", ["Machine", "Waiter"])
async def test_a_huge_error_is_kept_small_wherever_it_is_told(base, kit, settle, kind):
    news = []
    root = base.spawn(kit.Supervisor, {"seen": news})
    cell = base.spawn(getattr(kit, kind), parent=root)
    error = ValueError(HUGE) if kind == "Machine" else SystemExit(HUGE)
    base.post(cell, kit.Fail(error=error), base.address)
    await settle()

    (cause,) = base.letters.causes.values()
    (crash,) = cause.newest
    (exit_,) = cell.rare.exits
    for text, limit in (
        (crash.error, ERROR_CHARS),
        (crash.traceback, TRACE_CHARS),
        (exit_.reason.detail, ERROR_CHARS),
        (exit_.reason.traceback, TRACE_CHARS),
    ):
        assert len(text) <= limit + NOTE_CHARS
        assert "characters are cut out here" in text
        assert " ends" in text[-10:]
    assert crash.traceback.startswith("Traceback")


async def test_an_error_without_words_is_a_crash_like_any_other(base, kit, settle):
    cell = base.spawn(kit.Machine)
    base.post(cell, kit.Fail(error=UnspeakableError()), base.address)
    await settle()

    (cause,) = base.letters.causes.values()
    assert cause.newest[0].error == "<UnspeakableError, whose repr raised ValueError>"
    assert not cell.alive
