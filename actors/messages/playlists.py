"""The protocol of playlists. Key: `("playlists", "")`.

A playlist that whoever asks may not see is `not_found`; one that is seen but not theirs to change,
`forbidden`.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.codecs.playlist_files import PlaylistFormat
from veza.persistence.rows import Author, Playlist, PlaylistItem, PlaylistVisibility

PLAYLISTS: Final = ("playlists", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class MakePlaylist:
    """Make a playlist with nothing in it. Reply: `PlaylistTold` or `Rejected` (`quota_exceeded`)."""

    playlist_id: UUID
    owner_id: UUID
    title: str
    description: str
    visibility: PlaylistVisibility


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPlaylistOf:
    """Ask what a playlist says of itself. Reply: `PlaylistTold` or `Rejected`."""

    playlist_id: UUID
    viewer_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistTold:
    playlist: Playlist


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPlaylists:
    """List public playlists, of one owner if `owner_id` says so, newest first. Reply: `PlaylistsListed`."""

    viewer_id: UUID | None
    owner_id: UUID | None
    before: UUID | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOwnPlaylists:
    """List one's own playlists and those one helps to fill; or one's own `deleted` ones.

    Reply: `PlaylistsListed`.
    """

    viewer_id: UUID
    deleted: bool
    before: UUID | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistsListed:
    playlists: tuple[Playlist, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePlaylist:
    """Change what is not None of one's own playlist. Reply: `PlaylistTold` or `Rejected`.

    Codes: `not_found`, `forbidden`, `version_conflict`.
    """

    playlist_id: UUID
    owner_id: UUID
    title: str | None
    description: str | None
    visibility: PlaylistVisibility | None
    if_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePlaylist:
    """Delete one's own playlist; for a month it can come back. Reply: `PlaylistDeleted` or `Rejected`."""

    playlist_id: UUID
    owner_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistDeleted:
    """It is seen by nobody any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlaylist:
    """Bring a deleted playlist back. Reply: `PlaylistTold` or `Rejected` (`not_found`)."""

    playlist_id: UUID
    owner_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatePlaylist:
    """Make one's own private copy of what one sees and hears of a playlist, in one transaction.

    Reply: `PlaylistTold` or `Rejected` (`not_found`, `quota_exceeded`).
    """

    playlist_id: UUID
    copy_id: UUID
    owner_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCollaborator:
    """Let somebody help to fill one's playlist, or no more; they may leave by themselves.

    Reply: `CollaboratorsTold` or `Rejected` (`not_found`, `forbidden`, `quota_exceeded`, `blocked`).
    """

    playlist_id: UUID
    by_id: UUID
    user_id: UUID
    is_set: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCollaborators:
    """Who helps to fill a playlist? Reply: `CollaboratorsTold` or `Rejected`."""

    playlist_id: UUID
    viewer_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollaboratorsTold:
    people: tuple[Author, ...]


# --- its tracks ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ListItems:
    """List a playlist's tracks in order, those behind the rank `after`. Reply: `ItemsListed`."""

    playlist_id: UUID
    viewer_id: UUID | None
    after: str | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsListed:
    items: tuple[PlaylistItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddItems:
    """Add tracks that one may hear, in this order: behind an item, or at the end.

    Reply: `ItemsListed` (those that were added) or `Rejected`: `not_found` (also of a track or item),
    `forbidden`, `quota_exceeded`.
    """

    playlist_id: UUID
    by_id: UUID
    track_ids: tuple[UUID, ...]
    behind: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveItem:
    """Put an item behind another, or with None in front of all. Reply: `ItemMoved` or `Rejected`."""

    playlist_id: UUID
    by_id: UUID
    item_id: UUID
    behind: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveItem:
    """Take an item out. Reply: `ItemMoved` or `Rejected` (`not_found`, `forbidden`)."""

    playlist_id: UUID
    by_id: UUID
    item_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMoved:
    """It is where it was told to be, or gone."""


# --- files ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlaylist:
    """Write a file of what one hears of a playlist. Reply: `PlaylistExported` or `Rejected`.

    `address` is this server's, without the slash at its end: tracks are named by it.
    """

    playlist_id: UUID
    viewer_id: UUID | None
    form: PlaylistFormat
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistExported:
    title: str
    data: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlaylist:
    """Make a private playlist of what a file names and one may hear.

    Tracks are known by their id at the end of their address, else by title and artist. Without a `title` it
    has that of the file. Reply: `PlaylistImported` or `Rejected` (`validation_failed`, `quota_exceeded`).
    """

    playlist_id: UUID
    owner_id: UUID
    title: str | None
    data: bytes
    form: PlaylistFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistImported:
    """`missing` are the places in the file, from 0, of what was not found."""

    playlist: Playlist
    missing: tuple[int, ...]
