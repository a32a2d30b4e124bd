"""What is encoded is read back as it was, whatever its fields; what is of another shape is refused."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.persistence.room_rows import RoomEvent
from veza.persistence.value_codec import UnreadableError, decoder, encode


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    id: UUID
    size_bytes: int
    width: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    files: tuple[File, ...] = ()
    is_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    colour: Colour
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    name: str
    share: float
    place: tuple[int, str]
    body: Files | Measure | None
    among: tuple[Files | Measure, ...]


# PostgreSQL's text has no half of a surrogate pair either.
texts = st.text(st.characters(exclude_categories=["Cs"]))
times = st.datetimes(timezones=st.just(UTC))
whole = st.integers(-(2**63), 2**63 - 1)
bodies = st.one_of(
    st.builds(Files, files=st.lists(st.builds(File, size_bytes=whole), max_size=3).map(tuple)),
    st.builds(Measure, until=st.none() | times),
)
everything = st.builds(
    Everything,
    name=texts,
    share=st.floats(allow_nan=False, allow_infinity=False),
    place=st.tuples(whole, texts),
    body=st.none() | bodies,
    among=st.lists(bodies, max_size=3).map(tuple),
)
# Built from the declared types, so that fields that are added are tested without a word here.
st.register_type_strategy(datetime, times)
st.register_type_strategy(str, texts)
st.register_type_strategy(int, whole)
events = st.builds(RoomEvent)


@given(everything)
def test_any_value_comes_back_as_it_was(value) -> None:
    assert decoder(Everything)(orjson.loads(encode(value))) == value


@given(events)
def test_any_event_of_a_room_comes_back_as_it_was(event) -> None:
    assert decoder(RoomEvent)(orjson.loads(encode(event))) == event


async def test_ids_as_the_database_driver_makes_them_are_ids(conn) -> None:
    made = await conn.fetchval("SELECT gen_random_uuid()")
    assert type(made) is not UUID

    assert decoder(UUID)(orjson.loads(encode(made))) == made


json = st.recursive(
    st.none() | st.booleans() | whole | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@given(everything, st.sampled_from(["name", "share", "place", "body", "among"]), json)
def test_a_field_of_another_type_is_refused_or_read_as_what_it_says(value, field, other) -> None:
    changed = orjson.loads(encode(value)) | {field: other}

    try:
        read = decoder(Everything)(changed)
    except UnreadableError:
        return
    assert orjson.loads(encode(read)) == changed


@pytest.mark.parametrize(
    "text",
    [
        b'{"id":"00000000-0000-0000-0000-000000000001"}',
        b'{"id":"00000000-0000-0000-0000-000000000001","size_bytes":1,"width":null,"more":1}',
        b'{"id":"00000000-0000-0000-0000-000000000001","size_bytes":true,"width":null}',
        b'{"id":"00000000-0000-0000-0000-000000000001","size_bytes":1.0,"width":null}',
        b'{"id":1,"size_bytes":1,"width":null}',
        b"[]",
        b"null",
    ],
)
def test_a_value_with_other_fields_is_refused(text) -> None:
    with pytest.raises(UnreadableError):
        decoder(File)(orjson.loads(text))


def test_types_that_cannot_be_told_apart_are_refused_when_the_program_starts() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Pinned:
        id: UUID

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Unpinned:
        id: UUID

    for kind in (Pinned | Unpinned, int | str, dict[str, int]):
        with pytest.raises(TypeError):
            decoder(tuple[kind, ...])
