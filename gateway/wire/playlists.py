"""What is said of playlists and their tracks."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, Field

from veza.actors.messages.playlists import PlaylistFormat, PlaylistVisibility
from veza.gateway.values import Body, Description, Time, Title, View
from veza.gateway.wire.bodies import PageQuery
from veza.gateway.wire.views import AuthorView, TrackView

MAX_ADDED: Final = 100


class NewPlaylist(Body):
    title: Title
    description: Description = ""
    visibility: PlaylistVisibility = PlaylistVisibility.PUBLIC


class PlaylistChange(Body):
    """What is left out stays."""

    title: Title | None = None
    description: Description | None = None
    visibility: PlaylistVisibility | None = None


class PlaylistView(View):
    """`tracks` counts all, also those one may not hear. `is_editable`: one may fill it."""

    id: UUID
    owner: AuthorView
    title: str
    description: str
    visibility: PlaylistVisibility
    tracks: int
    is_editable: bool
    created_at: Time
    updated_at: Time
    deleted_at: Time | None


class PlaylistPage(View):
    data: list[PlaylistView]
    next_cursor: str | None


class OwnPlaylistsQuery(PageQuery):
    """`deleted`: those that can still come back, in place of those that are there."""

    deleted: bool = False


class NewItems(Body):
    """`behind` is an item; without it they go to the end."""

    track_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_ADDED)]
    behind: UUID | None = None


class ItemMove(Body):
    """`behind` is the item it goes behind; null is in front of all."""

    behind: UUID | None


class ItemView(View):
    """`track` is null if one may not hear it."""

    id: UUID
    track: TrackView | None
    added_by: AuthorView | None
    added_at: Time


class ItemsView(View):
    data: list[ItemView]


class ItemPage(View):
    data: list[ItemView]
    next_cursor: str | None


class CollaboratorsView(View):
    data: list[AuthorView]


class ExportQuery(BaseModel):
    format: PlaylistFormat = PlaylistFormat.M3U8


class ImportQuery(ExportQuery):
    """`title` takes the place of the one in the file."""

    title: Title | None = None


class ImportedView(View):
    """`missing` are the places in the file, from 0, of tracks that were not found."""

    playlist: PlaylistView
    missing: list[int]
