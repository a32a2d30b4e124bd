"""What is said of looking after the media store."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StrictBool

from veza.actors.messages.media_keeping import Fate, Shelf
from veza.gateway.values import View
from veza.gateway.wire.bodies import Act

GRACE_SECONDS: Final = 24 * 3600.0
"""What is younger may be on its way to a table."""


class CheckQuery(BaseModel):
    """`after` is the `last` of the part before; `fast` looks at presence and size only."""

    shelf: Shelf = Shelf.TRACKS
    after: UUID | None = None
    fast: bool = False


class BadObjectView(View):
    key: str
    fate: Fate


class MediaCheckedView(View):
    """`last` is null when none was left."""

    objects: int
    size_bytes: int
    bad: list[BadObjectView]
    last: UUID | None


class Collect(Act):
    """`after` is the `last` of the part before."""

    kind: Literal["sources", "media", "attachments"] = "media"
    after: Annotated[str, Field(max_length=200)] = ""
    older_than_seconds: Annotated[float, Field(ge=3600)] = GRACE_SECONDS
    deletes: StrictBool = False


class GarbageView(View):
    """`last` is empty when nothing was left."""

    objects: int
    size_bytes: int
    last: str
