"""The service that finds tracks, people, playlists, rooms and tags."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from veza.actors.database import DatabaseActor
from veza.actors.messages.catalogue_search import (
    FindNames,
    FindTracks,
    Found,
    ListTags,
    NamesFound,
    Place,
    Suggest,
    Suggested,
    TagsListed,
    TracksFound,
)
from veza.actors.runtime.address import Address
from veza.persistence import catalogue_search as search
from veza.persistence.catalogue_search import Behind, FoundTrack
from veza.persistence.pool import Connection

_BY_NAME: Final[Mapping[Found, Any]] = {
    Found.USER: search.find_people,
    Found.PLAYLIST: search.find_playlists,
    Found.ROOM: search.find_rooms,
}


class CatalogueSearchActor(DatabaseActor):
    """Few questions at a time: each may cost the database tens of milliseconds."""

    concurrency: ClassVar[int] = 4
    mailbox_limit: ClassVar[int] = 256

    async def receiveMsg_FindTracks(self, command: FindTracks, _sender: Address) -> TracksFound:
        is_near = command.behind is not None and command.behind.is_near
        async with self.connection() as conn:
            found = await self._tracks(conn, command, is_near=is_near)
            if not found and command.behind is None:
                is_near = True
                found = await self._tracks(conn, command, is_near=True)
        return TracksFound(tracks=found, is_near=is_near)

    async def _tracks(
        self, conn: Connection, command: FindTracks, *, is_near: bool
    ) -> tuple[FoundTrack, ...]:
        return await search.find_tracks(
            conn,
            command.text,
            command.viewer_id,
            only=command.only,
            is_near=is_near,
            behind=_behind(command.behind),
            limit=command.limit,
        )

    async def receiveMsg_FindNames(self, command: FindNames, _sender: Address) -> NamesFound:
        find = _BY_NAME[command.kind]
        async with self.connection() as conn:
            names = await find(
                conn, command.text, behind=_behind(command.behind), limit=command.limit
            )
        return NamesFound(names=names)

    async def receiveMsg_Suggest(self, command: Suggest, _sender: Address) -> Suggested:
        async with self.connection() as conn:
            tracks, people, tags = await search.suggest(
                conn, command.text, command.viewer_id, command.limit
            )
        return Suggested(tracks=tracks, people=people, tags=tags)

    async def receiveMsg_ListTags(self, command: ListTags, _sender: Address) -> TagsListed:
        async with self.connection() as conn:
            return TagsListed(tags=await search.list_tags(conn, command.limit))


def _behind(place: Place | None) -> Behind:
    return None if place is None else (place.score, place.id)
