"""What clients are told of uploads that go on after a break, and what they say of the file."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field

from veza.actors.messages.tracks import Visibility
from veza.actors.messages.uploads import UploadDescribed, UploadState
from veza.gateway.values import Body, Time, Title, View
from veza.gateway.wire.views import JobView, TrackView


class UploadMetadata(Body):
    """The keys of `Upload-Metadata` that mean something here; without a title the file's name is it."""

    title: Title | None = None
    filename: str = ""
    visibility: Visibility = Visibility.PUBLIC


class UploadView(View):
    """`offset` bytes are stored for good. `track`, `job` and `sha256` are there once it is published.

    `length` is null until the client tells it; `duplicate_of` is an older track of the same bytes.
    """

    id: UUID
    offset: Annotated[int, Field(validation_alias="offset_bytes")]
    length: Annotated[int | None, Field(validation_alias="length_bytes")]
    state: UploadState
    title: str
    filename: str
    sha256: str | None = None
    duplicate_of: UUID | None
    track: TrackView | None = None
    job: JobView | None = None
    created_at: Time
    expires_at: Time

    @classmethod
    def of(cls, value: Any) -> Self:
        """Fill the fields from an upload and what became of it."""
        described: UploadDescribed = value
        upload, track, job = described.upload, described.track, described.job
        fields: dict[str, Any] = {name: getattr(upload, name) for name in _PLAIN}
        fields["sha256"] = None if upload.sha256 is None else upload.sha256.hex()
        fields["track"] = None if track is None else TrackView.of(track)
        fields["job"] = None if job is None else JobView.of(job)
        return cls.model_validate(fields)


class UploadPage(View):
    data: list[UploadView]
    next_cursor: str | None = None


_PLAIN = (
    *("id", "offset_bytes", "length_bytes", "state", "title", "filename", "duplicate_of"),
    *("created_at", "expires_at"),
)
