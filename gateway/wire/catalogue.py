"""What owners change of their tracks."""

from veza.actors.messages.tracks import Visibility
from veza.gateway.values import Artist, Body, Title
from veza.gateway.wire.ways import Moment


class TrackChange(Body):
    """Whatever is left out stays. `release_at: null` lets the track out at once."""

    title: Title | None = None
    artist: Artist | None = None
    visibility: Visibility | None = None
    release_at: Moment | None = None
