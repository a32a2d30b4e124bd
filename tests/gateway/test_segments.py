"""The segment cache loads each object once, keeps to its bytes, and no leaver spoils it for others."""

import asyncio
from uuid import UUID

import pytest

from veza.actors.messages.tracks import MediaRead
from veza.gateway.segments import SegmentCache, SegmentName


def name(number: int) -> SegmentName:
    return SegmentName(track_id=UUID(int=1), rendition="low", name=f"{number}.m4s")


class Store:
    """A store whose reads end when the test says so."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.is_broken = False

    async def load(self, wanted: SegmentName) -> MediaRead:
        self.reads.append(wanted.name)
        await self.is_open.wait()
        if self.is_broken:
            raise LookupError(wanted.name)
        return MediaRead(data=wanted.name.encode().ljust(10), etag="e")


async def test_what_is_kept_is_not_read_again() -> None:
    store = Store()
    cache = SegmentCache(store.load)

    first = await cache.get(name(1))
    again = await cache.get(name(1))

    assert first is again
    assert store.reads == ["1.m4s"]


async def test_the_least_recently_used_goes_first_and_bytes_stay_bounded() -> None:
    store = Store()
    cache = SegmentCache(store.load, max_bytes=25)
    for number in (1, 2, 1, 3):
        await cache.get(name(number))

    await cache.get(name(1))
    await cache.get(name(2))

    assert store.reads == ["1.m4s", "2.m4s", "3.m4s", "2.m4s"]
    assert cache.size_bytes == 20


async def test_what_is_larger_than_the_cache_is_served_and_not_kept() -> None:
    store = Store()
    cache = SegmentCache(store.load, max_bytes=5)

    await cache.get(name(1))

    assert cache.size_bytes == 0


async def test_one_who_leaves_does_not_take_the_segment_from_the_others() -> None:
    store = Store()
    store.is_open.clear()
    cache = SegmentCache(store.load)
    leaver = asyncio.create_task(cache.get(name(1)))
    stayer = asyncio.create_task(cache.get(name(1)))
    await asyncio.sleep(0)

    leaver.cancel()
    store.is_open.set()

    assert (await stayer).etag == "e"
    assert store.reads == ["1.m4s"]


async def test_a_failed_read_is_told_to_all_who_waited_and_tried_anew_after() -> None:
    store = Store()
    store.is_broken = True
    cache = SegmentCache(store.load)

    both = await asyncio.gather(cache.get(name(1)), cache.get(name(1)), return_exceptions=True)
    store.is_broken = False

    assert [type(each) for each in both] == [LookupError, LookupError]
    assert (await cache.get(name(1))).etag == "e"


async def test_a_failed_read_that_nobody_waits_for_any_more_is_nobodys_error() -> None:
    store = Store()
    store.is_broken = True
    store.is_open.clear()
    cache = SegmentCache(store.load)
    leaver = asyncio.create_task(cache.get(name(1)))
    await asyncio.sleep(0)
    leaver.cancel()
    store.is_open.set()

    with pytest.raises(asyncio.CancelledError):
        await leaver
    await asyncio.sleep(0)
