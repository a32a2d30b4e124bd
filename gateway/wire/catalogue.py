"""What owners change of their tracks, and waveforms to draw."""

from typing import Annotated

from pydantic import BaseModel, Field

from veza.actors.messages.tracks import (
    CLEARABLE,
    Credit,
    Downloads,
    Licence,
    TrackEdit,
    Visibility,
)
from veza.gateway.values import (
    MAX_CREDITS,
    MAX_TAGS,
    Artist,
    Body,
    Bpm,
    CreditRole,
    Description,
    MusicalKey,
    Name,
    Tag,
    Title,
    View,
)
from veza.gateway.wire.ways import Moment


class WaveformQuery(BaseModel):
    """At least so many samples a pixel; what is kept may be coarser."""

    samples_per_pixel: Annotated[int, Field(ge=1, le=2**24)] = 1


class ArtworkQuery(BaseModel):
    """The `tag` in a track's `artwork_url`."""

    tag: Annotated[str, Field(max_length=64)] = ""


class AudiowaveformView(View):
    """audiowaveform's JSON format, version 2: minimum and maximum of each pixel, in turn."""

    version: int
    channels: int
    sample_rate: int
    samples_per_pixel: int
    bits: int
    length: int
    data: list[int]


class NewCredit(Body):
    role: CreditRole
    name: Name


class TrackChange(Body):
    """Whatever is left out stays. `release_at: null` lets the track out at once.

    Without one of their own (null), `bpm` and `key` are what was measured.
    """

    title: Title | None = None
    artist: Artist | None = None
    album: Artist | None = None
    genre: Artist | None = None
    track_number: Annotated[int, Field(ge=0, le=9999)] | None = None
    visibility: Visibility | None = None
    downloads: Downloads | None = None
    release_at: Moment | None = None
    description: Description | None = None
    credits: Annotated[list[NewCredit], Field(max_length=MAX_CREDITS)] | None = None
    tags: Annotated[list[Tag], Field(max_length=MAX_TAGS)] | None = None
    licence: Licence | None = None
    bpm: Bpm | None = None
    key: MusicalKey | None = None

    def edit(self) -> TrackEdit:
        """Return what is to be changed, of a track that may hold each tag once."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if self.credits is not None:
            given["credits"] = tuple(
                Credit(role=each.role, name=each.name) for each in self.credits
            )
        if self.tags is not None:
            given["tags"] = tuple(dict.fromkeys(self.tags))
        clears = frozenset(name for name, value in given.items() if value is None) & CLEARABLE
        return TrackEdit(**given, clears=clears)
