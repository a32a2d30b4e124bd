"""What is asked for and told in search of tracks, people, playlists, rooms and tags."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, Field

from veza.actors.messages.catalogue_search import Found
from veza.actors.messages.tracks import Licence
from veza.gateway.values import Bpm, MusicalKey, Phrase, Tag, Title, View
from veza.gateway.wire.bodies import PageQuery
from veza.gateway.wire.views import AuthorView, TrackView

MAX_SUGGESTED: Final = 20
MAX_TAGS_TOLD: Final = 200

Milliseconds = Annotated[int, Field(ge=0, le=2**31 - 1)]


class FindQuery(PageQuery):
    """All but `q` and `type` are of tracks only."""

    q: Phrase
    type: Found = Found.TRACK
    genre: Title | None = None
    tag: Tag | None = None
    bpm_min: Bpm | None = None
    bpm_max: Bpm | None = None
    key: MusicalKey | None = None
    duration_min_ms: Milliseconds | None = None
    duration_max_ms: Milliseconds | None = None
    licence: Licence | None = None


class SuggestQuery(BaseModel):
    q: Phrase
    limit: Annotated[int, Field(ge=1, le=MAX_SUGGESTED)] = 5


class TagsQuery(BaseModel):
    limit: Annotated[int, Field(ge=1, le=MAX_TAGS_TOLD)] = 50


class NameView(View):
    id: UUID
    name: str


class FoundView(View):
    """`track` is told of tracks; of all others, what they are called."""

    type: Found
    id: UUID
    name: str
    track: TrackView | None = None


class FoundPage(View):
    """`is_near`: nothing had the words, and this is near them in spelling."""

    data: list[FoundView]
    is_near: bool
    next_cursor: str | None


class TagView(View):
    tag: str
    tracks: int


class SuggestionsView(View):
    tracks: list[NameView]
    people: list[AuthorView]
    tags: list[str]


class TagsView(View):
    data: list[TagView]
