"""What is said of following."""

from veza.gateway.values import View
from veza.gateway.wire.views import AuthorView


class FollowingView(View):
    """How many follow somebody, and whether one does oneself."""

    followers: int
    is_following: bool


class FollowedPage(View):
    data: list[AuthorView]
    next_cursor: str | None
