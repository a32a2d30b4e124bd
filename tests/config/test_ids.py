"""Ids are UUIDv7: they tell their time, sort by it, and never meet."""

from uuid import RFC_4122

from hypothesis import given
from hypothesis import strategies as st

from veza.config.ids import uuid7

MOMENTS = st.integers(min_value=0, max_value=(1 << 48) * 1_000_000 - 1)


@given(MOMENTS)
def test_an_id_is_a_version_7_uuid_of_its_millisecond(unix_ns: int) -> None:
    made = uuid7(unix_ns)

    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == unix_ns // 1_000_000


@given(MOMENTS, st.integers(min_value=1_000, max_value=10**12))
def test_a_later_id_is_greater_even_within_a_millisecond(unix_ns: int, later_ns: int) -> None:
    if unix_ns + later_ns < (1 << 48) * 1_000_000:
        assert uuid7(unix_ns) < uuid7(unix_ns + later_ns)


def test_ids_of_one_moment_differ() -> None:
    assert len({uuid7(0) for _ in range(10_000)}) == 10_000
