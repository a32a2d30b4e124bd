"""The order of playlists: ranks for what is put between others, and new ones when they grow long.

Whoever calls holds the playlist's lock (`playlist_items.lock_order`).
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final
from uuid import UUID

from veza.actors.messages.common import RefusedError, RejectCode
from veza.codecs.fractional_rank import between, evenly
from veza.config.ids import uuid7
from veza.persistence import playlist_items
from veza.persistence.pool import Connection

MAX_ITEMS: Final = 5_000
LONGEST_RANK: Final = 40
"""Only who moves again and again into one gap gets there; then the whole list is ranked anew."""


async def add_behind(
    conn: Connection,
    playlist_id: UUID,
    track_ids: tuple[UUID, ...],
    behind: UUID | None,
    by_id: UUID,
) -> list[UUID]:
    """Put tracks behind an item, or at the end; return the new items."""
    _first, last, count = await playlist_items.ends(conn, playlist_id)
    if count + len(track_ids) > MAX_ITEMS:
        detail = f"A playlist has {MAX_ITEMS} tracks at most."
        raise RefusedError(RejectCode.QUOTA_EXCEEDED, detail)
    low, high = (last, None) if behind is None else await gap_behind_item(conn, playlist_id, behind)
    ranks = list(islice(_ranks_between(low, high), len(track_ids)))
    item_ids = [uuid7() for _ in track_ids]
    await playlist_items.insert_items(conn, playlist_id, item_ids, track_ids, ranks, by_id)
    await rank_anew_if_long(conn, playlist_id, max(ranks, key=len, default=""))
    return item_ids


async def gap_behind_item(
    conn: Connection, playlist_id: UUID, behind: UUID | None
) -> tuple[str | None, str | None]:
    """Return the ranks around the place behind an item, or in front of all."""
    if behind is None:
        first, _last, _count = await playlist_items.ends(conn, playlist_id)
        return None, first
    gap = await playlist_items.gap_behind(conn, playlist_id, behind)
    if gap is None:
        raise RefusedError(RejectCode.NOT_FOUND, "There is no such item to be put behind.")
    return gap


def _ranks_between(low: str | None, high: str | None) -> Iterator[str]:
    while True:
        low = between(low, high)
        yield low


async def rank_anew_if_long(conn: Connection, playlist_id: UUID, rank: str) -> None:
    """Give every item a short rank again if this one is longer than any should be."""
    if len(rank) > LONGEST_RANK:
        item_ids = await playlist_items.ids_in_order(conn, playlist_id)
        await playlist_items.rerank(conn, playlist_id, item_ids, list(evenly(len(item_ids))))
