"""What clients are told of files in messages, over HTTP and in frames."""

from typing import Annotated, Any, Final, Self
from urllib.parse import quote
from uuid import UUID

from pydantic import Field

from veza.actors.messages.attachments import AttachmentReady, AttachmentState
from veza.gateway.values import Body, Time, View
from veza.gateway.wire.tree import Json
from veza.gateway.wire.views import JobView

THUMBNAIL: Final = "thumbnail"
_PREFIX: Final = "/api/v1/attachments"


class AttachmentForm(Body):
    """The form has no field but its file."""


class AttachmentView(View):
    """`url` is where the file is, `thumbnail_url` a small picture of it, once there is one.

    `width` and `height` are those of a picture that was decoded, the right way up.
    """

    id: UUID
    room: Annotated[UUID, Field(validation_alias="room_id")]
    filename: str
    content_type: str
    size_bytes: int
    state: AttachmentState
    width: Annotated[int | None, Field(validation_alias="width_px")]
    height: Annotated[int | None, Field(validation_alias="height_px")]
    url: str = ""
    thumbnail_url: str | None = None
    thumbnail_width: Annotated[int | None, Field(validation_alias="thumbnail_width_px")]
    thumbnail_height: Annotated[int | None, Field(validation_alias="thumbnail_height_px")]
    created_at: Time

    @classmethod
    def of(cls, value: Any) -> Self:
        """Fill the fields of an attachment, and say where it is."""
        url = f"{_PREFIX}/{value.id}/{quote(value.filename, safe='')}"
        thumbnail_url = _thumbnail_url(value.id, value.state, value.width_px)
        update = {"url": url, "thumbnail_url": thumbnail_url}
        return cls.model_validate(value).model_copy(update=update)


class AttachmentAcceptedView(AttachmentView):
    """`job` makes the thumbnail; null for what gets none."""

    job: JobView | None = None


def _thumbnail_url(attachment_id: UUID, state: AttachmentState, width_px: int | None) -> str | None:
    has_thumbnail = state is AttachmentState.READY and width_px is not None
    return f"{_PREFIX}/{attachment_id}/{THUMBNAIL}" if has_thumbnail else None


def attachment_ready(event: AttachmentReady) -> Json:
    """Shape the frame that tells of a thumbnail, or that there will be none."""
    d = {
        "id": event.attachment_id,
        "state": event.state,
        "width": event.width_px,
        "height": event.height_px,
        "thumbnail_url": _thumbnail_url(event.attachment_id, event.state, event.width_px),
        "thumbnail_width": event.thumbnail_width_px,
        "thumbnail_height": event.thumbnail_height_px,
    }
    return {"t": "attachment.ready", "room": event.room_id, "d": d}
