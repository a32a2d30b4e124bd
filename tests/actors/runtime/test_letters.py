from uuid import uuid4

from veza.actors.messages.directory import Deliver
from veza.actors.messages.tracks import WriteChunk
from veza.actors.runtime.letters import (
    KEPT_CAUSES,
    KEPT_CRASHES_A_CAUSE,
    KEPT_LETTER_BYTES,
    KEPT_LETTERS,
    Letters,
)


def fail(error):
    raise error


def crash(letters, address, error, class_name="Clerk"):
    try:
        fail(error)
    except LookupError as caught:
        letters.record_crash(address, class_name, "Count", caught)


def test_the_newest_dead_letters_are_kept_under_their_numbers(base):
    letters = Letters()
    for number in range(KEPT_LETTERS + 5):
        letters.bury(base.address, base.address, number, "no handler")

    assert len(letters.dead) == KEPT_LETTERS
    assert letters.dead_count == KEPT_LETTERS + 5
    assert list(letters.dead)[:1] == [6]
    assert letters.dead[6].message == 5


def test_dead_letters_are_bounded_by_what_they_hold_too(base):
    letters, data = Letters(), bytes(256 * 1024)
    fitting = KEPT_LETTER_BYTES // len(data)
    for number in range(fitting + 5):
        chunk = WriteChunk(upload_id=uuid4(), offset=number * len(data), data=data)
        wrapped = Deliver(key=("media", ""), message=chunk)
        letters.bury(base.address, base.address, wrapped, "no such address")

    assert list(letters.dead) == list(range(6, fitting + 6))
    assert letters.dead_bytes <= KEPT_LETTER_BYTES
    assert letters.discard() == fitting
    assert letters.dead_bytes == 0


def test_a_dead_letter_that_is_too_large_by_itself_is_only_counted(base):
    letters = Letters()
    letters.bury(base.address, base.address, bytes(KEPT_LETTER_BYTES + 1), "no such address")

    assert (letters.dead_count, len(letters.dead), letters.dead_bytes) == (1, 0, 0)


def test_discarding_counts_what_was_there(base):
    letters = Letters()
    for number in range(4):
        letters.bury(base.address, base.address, number, "no handler")

    assert letters.discard((2, 99)) == 1
    assert list(letters.dead) == [1, 3, 4]
    assert letters.discard() == 3
    assert not letters.dead


def test_crashes_of_one_class_exception_and_place_are_one_cause(base):
    letters = Letters()
    for number in range(KEPT_CRASHES_A_CAUSE + 3):
        crash(letters, base.address, IndexError(number))
    crash(letters, base.address, KeyError("other exception"))
    crash(letters, base.address, IndexError("other class"), class_name="Other")

    assert [cause.count for cause in letters.causes.values()] == [KEPT_CRASHES_A_CAUSE + 3, 1, 1]
    values = next(iter(letters.causes.values()))
    assert len(values.newest) == KEPT_CRASHES_A_CAUSE
    assert values.newest[-1].error == f"IndexError({KEPT_CRASHES_A_CAUSE + 2})"
    assert letters.crash_count == KEPT_CRASHES_A_CAUSE + 5


def test_the_cause_that_was_not_seen_for_longest_goes_first(base):
    letters = Letters()
    for number in range(KEPT_CAUSES):
        crash(letters, base.address, IndexError(), class_name=f"Class{number}")
    crash(letters, base.address, IndexError(), class_name="Class0")
    crash(letters, base.address, IndexError(), class_name="New")

    kept = [cause.newest[-1].class_name for cause in letters.causes.values()]
    assert len(kept) == KEPT_CAUSES
    assert kept[-2:] == ["Class0", "New"]
    assert "Class1" not in kept
