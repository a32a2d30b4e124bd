"""Pages laid side by side are the list: nothing twice, nothing left out, and an end."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from veza.gateway.errors import ProblemCode, ProblemError
from veza.gateway.keys import CURSORS
from veza.gateway.paging import Paging
from veza.gateway.tokens import Cursors, SigningKeys
from veza.gateway.wire import PageQuery

APP = web.Application()
APP[CURSORS] = Cursors(SigningKeys("k1", {"k1": b"s" * 32}))


def paging(cursor: str | None, limit: int, scope: str = "numbers") -> Paging[int]:
    request = make_mocked_request("GET", "/", app=APP)
    return Paging(request, scope, PageQuery(limit=limit, cursor=cursor), int)


@given(st.sets(st.integers(0, 999), max_size=30), st.integers(1, 12))
def test_pages_side_by_side_are_the_whole_list(entries: set[int], limit: int) -> None:
    seen: list[int] = []
    pages, cursor = 0, None
    while cursor is not None or not pages:
        page = paging(cursor, limit)
        after = -1 if page.start is None else page.start
        read = [entry for entry in sorted(entries) if entry > after][: page.read_limit]
        shown, cursor = page.cut(read, lambda entry: entry)
        seen += shown
        pages += 1
    assert seen == sorted(entries)
    assert pages == max(1, -(-len(entries) // limit))


def test_a_place_at_zero_is_a_place() -> None:
    cursor = paging(None, 10).cursor_at(0)
    assert paging(cursor, 10).start == 0


def test_the_cursor_of_one_list_begins_no_page_of_another() -> None:
    cursor = paging(None, 10).cursor_at(5)
    with pytest.raises(ProblemError) as refused:
        paging(cursor, 10, scope="letters")
    assert refused.value.code is ProblemCode.INVALID_CURSOR
