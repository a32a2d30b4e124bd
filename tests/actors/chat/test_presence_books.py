"""What presence asks of its store: nobody twice at once, nothing newer is lost, and all take turns."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from veza.actors.chat.presence_books import READ_AT_ONCE, KeepBook, LoadBook, ShareBook
from veza.actors.chat.presence_people import Device
from veza.actors.chat.presence_rules import Choice
from veza.actors.messages.presence import Status

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
NOBODY: Any = None


def device(number: int) -> Device:
    return Device(UUID(int=number), UUID(int=number), NOBODY, NOBODY, 0.0)


def test_who_comes_while_others_are_asked_for_is_asked_for_next() -> None:
    book = LoadBook()
    book.add(UUID(int=1))
    first = book.next()
    book.add(UUID(int=1))
    book.add(UUID(int=2))
    book.done(first)

    assert first == (UUID(int=1),)
    assert book.next() == (UUID(int=2),)
    assert book.is_asking
    book.done((UUID(int=2),))
    assert book.next() == ()
    assert not book.is_asking


def test_what_could_not_be_stored_does_not_take_the_place_of_what_is_newer() -> None:
    book = KeepBook()
    one, two = UUID(int=1), UUID(int=2)
    book.note(one, Choice(at_ms=1, status=Status.DND), NOW)
    book.note(two, None, NOW)
    taken = book.take()
    book.note(one, None, LATER)
    book.put_back(taken)

    kept = {each.user_id: each for each in book.take()}
    assert (kept[one].last_seen_at, kept[two].last_seen_at) == (LATER, NOW)
    assert not book


def test_a_choice_is_kept_by_what_is_noted_after_it() -> None:
    book = KeepBook()
    choice = Choice(at_ms=1, status=Status.DND)
    book.note(UUID(int=1), choice, NOW)
    book.note(UUID(int=1), None, LATER)

    (kept,) = book.take()
    assert (kept.choice, kept.chosen_at, kept.last_seen_at) == (Status.DND, choice.at, LATER)


def test_others_are_told_of_changes_and_now_and_then_of_all_but_of_nobody_who_is_gone() -> None:
    book = ShareBook(refresh_seconds=4.0)
    one, two = device(1), device(2)
    everything = {one.session_id: one, two.session_id: two}
    assert book.take(everything, 100.0) == ([one, two], ())

    book.changed[two.session_id] = two
    assert book.take(everything, 103.0) == ([two], ())
    book.ended.append(two)
    assert book.take(everything, 104.0) == ([one], (two,))
    assert book.take(everything, 105.0) == ([], ())


def test_all_are_looked_for_in_turn_and_newcomers_first() -> None:
    book = ShareBook(refresh_seconds=4.0)
    people = [UUID(int=number) for number in range(READ_AT_ONCE + 10)]
    newcomer = UUID(int=10**6)

    first = list(book.next_to_read(people))
    book.unread[newcomer] = None
    second = list(book.next_to_read(people))

    assert second[0] == newcomer
    assert set(first) | set(second) == {*people, newcomer}
    assert len(first) == READ_AT_ONCE
