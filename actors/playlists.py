"""The playlists service: who fills them with what, in which order, and as which files they come and go."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.database import DatabaseActor
from veza.actors.marks import refuse_blocked
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.playlists import (
    AddItems,
    ChangePlaylist,
    CollaboratorsTold,
    DeletePlaylist,
    DuplicatePlaylist,
    ExportPlaylist,
    ImportPlaylist,
    ItemMoved,
    ItemsListed,
    ListItems,
    ListOwnPlaylists,
    ListPlaylists,
    MakePlaylist,
    MoveItem,
    PlaylistDeleted,
    PlaylistExported,
    PlaylistImported,
    PlaylistsListed,
    PlaylistTold,
    ReadCollaborators,
    ReadPlaylistOf,
    RemoveItem,
    RestorePlaylist,
    SetCollaborator,
)
from veza.actors.playlist_order import (
    MAX_ITEMS,
    add_behind,
    gap_behind_item,
    rank_anew_if_long,
)
from veza.actors.runtime.address import Address
from veza.codecs.fractional_rank import between
from veza.codecs.playlist_files import (
    CONTENT_TYPES,
    PlaylistEntry,
    PlaylistFile,
    PlaylistFileError,
    read_playlist,
    write_playlist,
)
from veza.persistence import playlist_items, playlists
from veza.persistence.errors import AccountUnknownError
from veza.persistence.pool import Connection, Pool
from veza.persistence.rows import Playlist, PlaylistItem, PlaylistVisibility, Track

SWEEP_SECONDS: Final = 3600.0
MAX_PLAYLISTS: Final = 500
MAX_COLLABORATORS: Final = 50
MAX_TITLE_CHARS: Final = 200
NO_TITLE: Final = "Playlist"
_ID_AT_THE_END: Final = re.compile(
    r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class SweepDeleted:
    """Time to forget what was deleted long ago."""


class PlaylistsActor(DatabaseActor):
    """Whoever changes an order locks its playlist: two who move at once leave one order with all in it."""

    concurrency: ClassVar[int] = 8

    def __init__(self, *, pool: Pool) -> None:
        super().__init__(pool=pool)
        self.wakeup_after(0.0, SweepDeleted())

    async def receiveMsg_SweepDeleted(self, message: SweepDeleted, _sender: Address) -> None:
        """Forget what can come back no more. On several nodes all do it, which is harmless."""
        self.wakeup_after(SWEEP_SECONDS, message)
        with suppress(RefusedError):  # no database now: the next sweep finds the same
            async with self.connection() as conn:
                await playlists.purge_playlists(conn)

    async def receiveMsg_MakePlaylist(
        self, command: MakePlaylist, _sender: Address
    ) -> PlaylistTold:
        async with self.transaction() as conn:
            await _insert(
                conn,
                command.playlist_id,
                command.owner_id,
                title=command.title,
                description=command.description,
                visibility=command.visibility,
            )
            return PlaylistTold(playlist=await seen(conn, command.playlist_id, command.owner_id))

    async def receiveMsg_ReadPlaylistOf(
        self, command: ReadPlaylistOf, _sender: Address
    ) -> PlaylistTold:
        async with self.connection() as conn:
            return PlaylistTold(playlist=await seen(conn, command.playlist_id, command.viewer_id))

    async def receiveMsg_ListPlaylists(
        self, command: ListPlaylists, _sender: Address
    ) -> PlaylistsListed:
        async with self.connection() as conn:
            found = await playlists.list_public(
                conn,
                viewer_id=command.viewer_id,
                owner_id=command.owner_id,
                before=command.before,
                limit=command.limit,
            )
        return PlaylistsListed(playlists=found)

    async def receiveMsg_ListOwnPlaylists(
        self, command: ListOwnPlaylists, _sender: Address
    ) -> PlaylistsListed:
        async with self.connection() as conn:
            found = await playlists.list_own(
                conn,
                command.viewer_id,
                deleted=command.deleted,
                before=command.before,
                limit=command.limit,
            )
        return PlaylistsListed(playlists=found)

    async def receiveMsg_ChangePlaylist(
        self, command: ChangePlaylist, _sender: Address
    ) -> PlaylistTold:
        async with self.transaction() as conn:
            is_changed = await playlists.change_playlist(
                conn,
                command.playlist_id,
                owner_id=command.owner_id,
                title=command.title,
                description=command.description,
                visibility=command.visibility,
                if_version=command.if_version,
            )
            playlist = await owned(conn, command.playlist_id, command.owner_id)
        if not is_changed:
            raise RefusedError(RejectCode.VERSION_CONFLICT, "It was changed meanwhile.")
        return PlaylistTold(playlist=playlist)

    async def receiveMsg_DeletePlaylist(
        self, command: DeletePlaylist, _sender: Address
    ) -> PlaylistDeleted:
        async with self.transaction() as conn:
            await owned(conn, command.playlist_id, command.owner_id)
            await playlists.delete_playlist(conn, command.playlist_id, command.owner_id)
        return PlaylistDeleted()

    async def receiveMsg_RestorePlaylist(
        self, command: RestorePlaylist, _sender: Address
    ) -> PlaylistTold:
        async with self.transaction() as conn:
            await playlists.restore_playlist(conn, command.playlist_id, command.owner_id)
            return PlaylistTold(playlist=await owned(conn, command.playlist_id, command.owner_id))

    async def receiveMsg_DuplicatePlaylist(
        self, command: DuplicatePlaylist, _sender: Address
    ) -> PlaylistTold:
        async with self.transaction() as conn:
            original = await seen(conn, command.playlist_id, command.owner_id)
            await _insert(
                conn,
                command.copy_id,
                command.owner_id,
                title=original.title,
                description=original.description,
            )
            await playlist_items.copy_items(conn, original.id, command.copy_id, command.owner_id)
            return PlaylistTold(playlist=await seen(conn, command.copy_id, command.owner_id))

    # --- who fills them ---

    async def receiveMsg_SetCollaborator(
        self, command: SetCollaborator, _sender: Address
    ) -> CollaboratorsTold:
        async with self.transaction() as conn:
            playlist = await seen(conn, command.playlist_id, command.by_id)
            leaves = not command.is_set and command.user_id == command.by_id
            if playlist.owner.id != command.by_id and not leaves:
                raise RefusedError(RejectCode.FORBIDDEN, "Only its owner says who fills it.")
            if command.is_set:
                await self._add_collaborator(conn, playlist, command.user_id)
            else:
                await playlists.remove_collaborator(conn, playlist.id, command.user_id)
            people = await playlists.list_collaborators(conn, playlist.id)
        return CollaboratorsTold(people=people)

    async def _add_collaborator(self, conn: Connection, playlist: Playlist, user_id: UUID) -> None:
        await playlist_items.lock_order(conn, playlist.id)
        await refuse_blocked(conn, playlist.owner.id, user_id)
        people = await playlists.list_collaborators(conn, playlist.id)
        is_new = user_id not in {person.id for person in people} | {playlist.owner.id}
        if is_new and len(people) >= MAX_COLLABORATORS:
            detail = f"{MAX_COLLABORATORS} people fill it already."
            raise RefusedError(RejectCode.QUOTA_EXCEEDED, detail)
        if is_new:
            try:
                await playlists.add_collaborator(conn, playlist.id, user_id)
            except AccountUnknownError as error:
                raise RefusedError(RejectCode.NOT_FOUND, "There is nobody of that id.") from error

    async def receiveMsg_ReadCollaborators(
        self, command: ReadCollaborators, _sender: Address
    ) -> CollaboratorsTold:
        async with self.connection() as conn:
            await seen(conn, command.playlist_id, command.viewer_id)
            people = await playlists.list_collaborators(conn, command.playlist_id)
        return CollaboratorsTold(people=people)

    # --- what is in them ---

    async def receiveMsg_ListItems(self, command: ListItems, _sender: Address) -> ItemsListed:
        async with self.connection() as conn:
            await seen(conn, command.playlist_id, command.viewer_id)
            items = await playlist_items.list_items(
                conn,
                command.playlist_id,
                command.viewer_id,
                after=command.after,
                limit=command.limit,
            )
        return ItemsListed(items=items)

    async def receiveMsg_AddItems(self, command: AddItems, _sender: Address) -> ItemsListed:
        async with self.transaction() as conn:
            await self._lock(conn, command.playlist_id, command.by_id)
            wanted = command.track_ids
            audible = await playlist_items.audible_of(conn, wanted, command.by_id)
            if set(wanted) - audible:
                raise RefusedError(RejectCode.NOT_FOUND, "There is no such track.")
            added = await add_behind(
                conn, command.playlist_id, wanted, command.behind, command.by_id
            )
            items = await playlist_items.list_items(
                conn, command.playlist_id, command.by_id, only=added, limit=len(added)
            )
        return ItemsListed(items=items)

    async def receiveMsg_MoveItem(self, command: MoveItem, _sender: Address) -> ItemMoved:
        async with self.transaction() as conn:
            await self._lock(conn, command.playlist_id, command.by_id)
            if await playlist_items.gap_behind(conn, command.playlist_id, command.item_id) is None:
                raise RefusedError(RejectCode.NOT_FOUND, "There is no such item.")
            if command.behind != command.item_id:
                low, high = await gap_behind_item(conn, command.playlist_id, command.behind)
                rank = between(low, high)
                await playlist_items.move_item(conn, command.playlist_id, command.item_id, rank)
                await rank_anew_if_long(conn, command.playlist_id, rank)
        return ItemMoved()

    async def receiveMsg_RemoveItem(self, command: RemoveItem, _sender: Address) -> ItemMoved:
        async with self.transaction() as conn:
            await self._lock(conn, command.playlist_id, command.by_id)
            if not await playlist_items.remove_item(conn, command.playlist_id, command.item_id):
                raise RefusedError(RejectCode.NOT_FOUND, "There is no such item.")
        return ItemMoved()

    async def _lock(self, conn: Connection, playlist_id: UUID, by_id: UUID) -> None:
        """Let nobody else change the order meanwhile; refuse who may not."""
        playlist = await seen(conn, playlist_id, by_id)
        if not playlist.is_editable:
            raise RefusedError(RejectCode.FORBIDDEN, "Others fill this playlist.")
        await playlist_items.lock_order(conn, playlist_id)

    # --- files ---

    async def receiveMsg_ExportPlaylist(
        self, command: ExportPlaylist, _sender: Address
    ) -> PlaylistExported:
        async with self.connection() as conn:
            playlist = await seen(conn, command.playlist_id, command.viewer_id)
            items = await playlist_items.list_items(
                conn, playlist.id, command.viewer_id, limit=MAX_ITEMS
            )
        entries = tuple(_entry(track, command.address) for track in _heard(items))
        file = PlaylistFile(title=playlist.title, entries=entries)
        return PlaylistExported(
            title=playlist.title,
            data=write_playlist(file, command.form),
            content_type=CONTENT_TYPES[command.form],
        )

    async def receiveMsg_ImportPlaylist(
        self, command: ImportPlaylist, _sender: Address
    ) -> PlaylistImported:
        try:
            file = await asyncio.to_thread(read_playlist, command.data, command.form)
        except PlaylistFileError as error:
            raise RefusedError(RejectCode.VALIDATION_FAILED, str(error)) from error
        title = command.title or file.title.strip()[:MAX_TITLE_CHARS] or NO_TITLE
        async with self.transaction() as conn:
            await _insert(conn, command.playlist_id, command.owner_id, title=title)
            found = await _find_all(conn, file.entries, command.owner_id)
            track_ids = tuple(track_id for track_id in found if track_id is not None)
            await add_behind(conn, command.playlist_id, track_ids, None, command.owner_id)
            playlist = await seen(conn, command.playlist_id, command.owner_id)
        missing = tuple(place for place, track_id in enumerate(found) if track_id is None)
        return PlaylistImported(playlist=playlist, missing=missing)


async def seen(conn: Connection, playlist_id: UUID, viewer_id: UUID | None) -> Playlist:
    """Return a playlist that somebody may see; raises `RefusedError` (`not_found`)."""
    playlist = await playlists.get_seen(conn, playlist_id, viewer_id)
    if playlist is None:
        raise RefusedError(RejectCode.NOT_FOUND, "There is no such playlist.")
    return playlist


async def owned(conn: Connection, playlist_id: UUID, owner_id: UUID) -> Playlist:
    """Return one's own playlist; raises `RefusedError` (`not_found`, `forbidden`)."""
    playlist = await seen(conn, playlist_id, owner_id)
    if playlist.owner.id != owner_id:
        raise RefusedError(RejectCode.FORBIDDEN, "It is somebody else's.")
    return playlist


async def _insert(
    conn: Connection,
    playlist_id: UUID,
    owner_id: UUID,
    *,
    title: str,
    description: str = "",
    visibility: PlaylistVisibility = PlaylistVisibility.PRIVATE,
) -> None:
    if await playlists.count_of(conn, owner_id) >= MAX_PLAYLISTS:
        detail = f"An account has {MAX_PLAYLISTS} playlists at most."
        raise RefusedError(RejectCode.QUOTA_EXCEEDED, detail)
    await playlists.insert_playlist(
        conn,
        playlist_id=playlist_id,
        owner_id=owner_id,
        title=title,
        description=description,
        visibility=visibility,
    )


def _heard(items: tuple[PlaylistItem, ...]) -> Iterator[Track]:
    yield from (item.track for item in items if item.track is not None)


def _entry(track: Track, address: str) -> PlaylistEntry:
    return PlaylistEntry(
        title=track.title,
        artist=track.artist or track.owner.name,
        duration_ms=track.duration_ms,
        location=f"{address}/tracks/{track.id}",
    )


async def _find_all(
    conn: Connection, entries: tuple[PlaylistEntry, ...], viewer_id: UUID
) -> list[UUID | None]:
    """Find what a file names: by its id, else by its name."""
    named = [_named_id(entry.location) for entry in entries]
    wanted = [track_id for track_id in named if track_id is not None]
    audible = await playlist_items.audible_of(conn, wanted, viewer_id)
    by_name = await playlist_items.find_by_name(
        conn, [(entry.title, entry.artist) for entry in entries], viewer_id
    )
    return [
        track_id if track_id in audible else alike
        for track_id, alike in zip(named, by_name, strict=True)
    ]


def _named_id(location: str) -> UUID | None:
    match = _ID_AT_THE_END.search(location)
    return None if match is None else UUID(match[1])
