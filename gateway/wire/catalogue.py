"""What owners change of their tracks, and waveforms to draw."""

from typing import Annotated

from pydantic import BaseModel, Field

from veza.actors.messages.tracks import Downloads, Visibility
from veza.gateway.values import Artist, Body, Title, View
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


class TrackChange(Body):
    """Whatever is left out stays. `release_at: null` lets the track out at once."""

    title: Title | None = None
    artist: Artist | None = None
    album: Artist | None = None
    genre: Artist | None = None
    track_number: Annotated[int, Field(ge=0, le=9999)] | None = None
    visibility: Visibility | None = None
    downloads: Downloads | None = None
    release_at: Moment | None = None
