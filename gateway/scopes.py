"""What programs may do with an API key: read or write, everywhere or in one area of the API."""

from typing import Final

from veza.actors.messages.accounts import Identified
from veza.actors.messages.permissions import Permission
from veza.gateway.endpoints import Endpoint
from veza.gateway.errors import ProblemCode, ProblemError

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OF_PEOPLE: Final = frozenset({"auth", "realtime"})
"""Areas that no key opens: with one it could make more of itself, or a session."""
_USUAL: Final = frozenset({Permission.ROOMS_CREATE, Permission.TRACKS_UPLOAD})
"""Permissions that everybody has."""


def require_scope(who: Identified, endpoint: Endpoint, method: str) -> None:
    """Refuse a program what its key is not good for; people may go on.

    What needs a permission of staff is not meant by `read` or `write` alone: a key for it says so.
    """
    if who.scopes is None:
        return
    if endpoint.tag in _OF_PEOPLE:
        raise ProblemError(ProblemCode.FORBIDDEN, "This is for people, not for API keys.")
    kind = "read" if method in _SAFE_METHODS else "write"
    own = f"{endpoint.tag}:{kind}"
    is_staff_only = endpoint.needs is not None and endpoint.needs not in _USUAL
    if own in who.scopes or (kind in who.scopes and not is_staff_only):
        return
    raise ProblemError(ProblemCode.FORBIDDEN, f"This needs a key with the scope {own}.")
