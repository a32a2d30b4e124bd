"""What is said of encoding anew."""

from typing import Literal
from uuid import UUID

from veza.actors.messages.encodings import Which
from veza.gateway.values import View
from veza.gateway.wire.bodies import Act


class EncodingsView(View):
    recipe: str
    published: int
    outdated: int


class Reencode(Act):
    """One track, or those that are told; `after` is the `last` of the part before."""

    which: Literal[Which.OUTDATED, Which.ALL] = Which.OUTDATED
    track_id: UUID | None = None
    after: UUID | None = None


class ReencodingsView(View):
    """`last` is null when there was none left."""

    queued: int
    last: UUID | None
