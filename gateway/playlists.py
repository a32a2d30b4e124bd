"""Addresses for playlists: what they say of themselves, who fills them, and files of them."""

from hashlib import sha256
from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.playlists import (
    PLAYLISTS,
    ChangePlaylist,
    CollaboratorsTold,
    DeletePlaylist,
    DuplicatePlaylist,
    ExportPlaylist,
    ImportPlaylist,
    ListOwnPlaylists,
    ListPlaylists,
    MakePlaylist,
    PlaylistDeleted,
    PlaylistExported,
    PlaylistImported,
    PlaylistsListed,
    PlaylistTold,
    ReadCollaborators,
    ReadPlaylistOf,
    RestorePlaylist,
    SetCollaborator,
)
from veza.config.ids import uuid7
from veza.gateway.answers import bytes_answer, json_answer, matched_version, no_content
from veza.gateway.attachments import name_parameters
from veza.gateway.endpoints import NO_CONTENT, Access, Answer, Endpoints, read_bytes
from veza.gateway.errors import expect
from veza.gateway.identity import viewer_of
from veza.gateway.keys import ACTORS, SETTINGS
from veza.gateway.paging import Paging
from veza.gateway.rates import PLAYLISTS_MADE
from veza.gateway.wire.bodies import PageQuery
from veza.gateway.wire.playlists import (
    CollaboratorsView,
    ExportQuery,
    ImportedView,
    ImportQuery,
    NewPlaylist,
    OwnPlaylistsQuery,
    PlaylistChange,
    PlaylistPage,
    PlaylistView,
)
from veza.gateway.wire.views import AuthorView

routes = Endpoints("playlists")

MAX_FILE_BYTES: Final = 4 * 2**20
_ETAG_CHARS: Final = 32


@routes.declare("GET", "/playlists", access=Access.OPTIONAL, answers={200: PlaylistPage})
async def list_playlists(
    request: web.Request, query: PageQuery, who: Identified | None
) -> web.Response:
    """List playlists for everybody, newest first."""
    return await _list_public(request, query, who, None)


@routes.declare(
    "GET", "/users/{user_id}/playlists", access=Access.OPTIONAL, answers={200: PlaylistPage}
)
async def list_playlists_of(
    request: web.Request, user_id: UUID, query: PageQuery, who: Identified | None
) -> web.Response:
    """List somebody's public playlists, newest first."""
    return await _list_public(request, query, who, user_id)


async def _list_public(
    request: web.Request, query: PageQuery, who: Identified | None, owner_id: UUID | None
) -> web.Response:
    paging = Paging(request, f"playlists {owner_id}", query, UUID)
    command = ListPlaylists(
        viewer_id=viewer_of(who),
        owner_id=owner_id,
        before=paging.start,
        limit=paging.read_limit,
    )
    return await _page(request, paging, command)


@routes.declare("GET", "/me/playlists", access=Access.SIGNED_IN, answers={200: PlaylistPage})
async def list_own_playlists(
    request: web.Request, query: OwnPlaylistsQuery, who: Identified
) -> web.Response:
    """List one's own playlists and those one helps to fill, newest first; or one's deleted ones."""
    paging = Paging(request, f"own playlists {query.deleted}", query, UUID)
    command = ListOwnPlaylists(
        viewer_id=who.user.id,
        deleted=query.deleted,
        before=paging.start,
        limit=paging.read_limit,
    )
    return await _page(request, paging, command)


async def _page(request: web.Request, paging: Paging[UUID], command: object) -> web.Response:
    found = expect(await request.app[ACTORS].ask(PLAYLISTS, command), PlaylistsListed).playlists
    shown, cursor = paging.cut(found, lambda playlist: playlist.id)
    data = [PlaylistView.of(playlist) for playlist in shown]
    return json_answer(request, PlaylistPage(data=data, next_cursor=cursor))


@routes.declare(
    "POST",
    "/playlists",
    access=Access.SIGNED_IN,
    answers={201: PlaylistView},
    rate=PLAYLISTS_MADE,
)
async def make_playlist(request: web.Request, body: NewPlaylist, who: Identified) -> web.Response:
    """Make a playlist with nothing in it."""
    command = MakePlaylist(
        playlist_id=uuid7(),
        owner_id=who.user.id,
        title=body.title,
        description=body.description,
        visibility=body.visibility,
    )
    return await _answer(request, command, HTTPStatus.CREATED)


@routes.declare(
    "GET", "/playlists/{playlist_id}", access=Access.OPTIONAL, answers={200: PlaylistView}
)
async def show_playlist(
    request: web.Request, playlist_id: UUID, who: Identified | None
) -> web.Response:
    """Show what a playlist says of itself."""
    return await _answer(request, ReadPlaylistOf(playlist_id=playlist_id, viewer_id=viewer_of(who)))


@routes.declare(
    "PATCH",
    "/playlists/{playlist_id}",
    access=Access.SIGNED_IN,
    answers={200: PlaylistView},
    takes_version=True,
)
async def change_playlist(
    request: web.Request, playlist_id: UUID, body: PlaylistChange, who: Identified
) -> web.Response:
    """Change what one's own playlist says of itself; `If-Match` says which version of it."""
    command = ChangePlaylist(
        playlist_id=playlist_id,
        owner_id=who.user.id,
        title=body.title,
        description=body.description,
        visibility=body.visibility,
        if_version=matched_version(request),
    )
    return await _answer(request, command)


@routes.declare(
    "DELETE", "/playlists/{playlist_id}", access=Access.SIGNED_IN, answers={204: NO_CONTENT}
)
async def delete_playlist(request: web.Request, playlist_id: UUID, who: Identified) -> web.Response:
    """Delete one's own playlist; for 30 days it can come back."""
    command = DeletePlaylist(playlist_id=playlist_id, owner_id=who.user.id)
    expect(await request.app[ACTORS].ask(PLAYLISTS, command), PlaylistDeleted)
    return no_content()


@routes.declare(
    "POST",
    "/playlists/{playlist_id}/restore",
    access=Access.SIGNED_IN,
    answers={200: PlaylistView},
)
async def restore_playlist(
    request: web.Request, playlist_id: UUID, who: Identified
) -> web.Response:
    """Bring one's own deleted playlist back."""
    return await _answer(request, RestorePlaylist(playlist_id=playlist_id, owner_id=who.user.id))


@routes.declare(
    "POST",
    "/playlists/{playlist_id}/duplicate",
    access=Access.SIGNED_IN,
    answers={201: PlaylistView},
    rate=PLAYLISTS_MADE,
)
async def duplicate_playlist(
    request: web.Request, playlist_id: UUID, who: Identified
) -> web.Response:
    """Make one's own private copy of what one sees and hears of a playlist."""
    command = DuplicatePlaylist(playlist_id=playlist_id, copy_id=uuid7(), owner_id=who.user.id)
    return await _answer(request, command, HTTPStatus.CREATED)


# --- who fills them ---


@routes.declare(
    "GET",
    "/playlists/{playlist_id}/collaborators",
    access=Access.OPTIONAL,
    answers={200: CollaboratorsView},
)
async def list_collaborators(
    request: web.Request, playlist_id: UUID, who: Identified | None
) -> web.Response:
    """List who fills a playlist besides its owner."""
    command = ReadCollaborators(playlist_id=playlist_id, viewer_id=viewer_of(who))
    return await _people(request, command)


@routes.declare(
    "PUT",
    "/playlists/{playlist_id}/collaborators/{user_id}",
    access=Access.SIGNED_IN,
    answers={200: CollaboratorsView},
)
async def add_collaborator(
    request: web.Request, playlist_id: UUID, user_id: UUID, who: Identified
) -> web.Response:
    """Let somebody help to fill one's playlist."""
    command = SetCollaborator(
        playlist_id=playlist_id, by_id=who.user.id, user_id=user_id, is_set=True
    )
    return await _people(request, command)


@routes.declare(
    "DELETE",
    "/playlists/{playlist_id}/collaborators/{user_id}",
    access=Access.SIGNED_IN,
    answers={200: CollaboratorsView},
)
async def remove_collaborator(
    request: web.Request, playlist_id: UUID, user_id: UUID, who: Identified
) -> web.Response:
    """Let somebody fill one's playlist no more, or stop to fill another's."""
    command = SetCollaborator(
        playlist_id=playlist_id, by_id=who.user.id, user_id=user_id, is_set=False
    )
    return await _people(request, command)


async def _people(request: web.Request, command: object) -> web.Response:
    told = expect(await request.app[ACTORS].ask(PLAYLISTS, command), CollaboratorsTold)
    return json_answer(
        request, CollaboratorsView(data=[AuthorView.of(person) for person in told.people])
    )


# --- files ---


@routes.declare(
    "GET",
    "/playlists/{playlist_id}/export",
    access=Access.OPTIONAL,
    answers={200: Answer(content_type="application/octet-stream", text="The file")},
)
async def export_playlist(
    request: web.Request, playlist_id: UUID, query: ExportQuery, who: Identified | None
) -> web.Response:
    """Give what one hears of a playlist as a file that other players read."""
    command = ExportPlaylist(
        playlist_id=playlist_id,
        viewer_id=viewer_of(who),
        form=query.format,
        address=_own_address(request),
    )
    file = expect(await request.app[ACTORS].ask(PLAYLISTS, command), PlaylistExported)
    name = name_parameters(f"{file.title}.{query.format}")
    return bytes_answer(
        request,
        file.data,
        content_type=file.content_type,
        etag=sha256(file.data).hexdigest()[:_ETAG_CHARS],
        headers={
            "Content-Disposition": f"attachment; {name}",
            "Cache-Control": "private, no-cache",
        },
    )


@routes.declare(
    "POST",
    "/playlists/import",
    access=Access.SIGNED_IN,
    answers={201: ImportedView},
    rate=PLAYLISTS_MADE,
    streams="application/octet-stream",
)
async def import_playlist(
    request: web.Request, query: ImportQuery, who: Identified
) -> web.Response:
    """Make a private playlist of a file: of what it names and one may hear."""
    command = ImportPlaylist(
        playlist_id=uuid7(),
        owner_id=who.user.id,
        title=query.title,
        data=await read_bytes(request, MAX_FILE_BYTES),
        form=query.format,
    )
    made = expect(await request.app[ACTORS].ask(PLAYLISTS, command), PlaylistImported)
    view = ImportedView(playlist=PlaylistView.of(made.playlist), missing=list(made.missing))
    return json_answer(request, view, HTTPStatus.CREATED)


def _own_address(request: web.Request) -> str:
    public_url = request.app[SETTINGS].public_url
    return str(public_url).rstrip("/") if public_url else f"{request.scheme}://{request.host}"


async def _answer(
    request: web.Request, command: object, status: int = HTTPStatus.OK
) -> web.Response:
    playlist = expect(await request.app[ACTORS].ask(PLAYLISTS, command), PlaylistTold).playlist
    return json_answer(request, PlaylistView.of(playlist), status, version=playlist.version)
