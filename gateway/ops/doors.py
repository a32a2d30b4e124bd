"""One declaration for two doors: HTTP, with a permission, and the unix socket, which its file guards."""

from collections.abc import Callable

from veza.actors.messages.permissions import Permission
from veza.gateway.endpoints import Access, Answers, Endpoints, HandlerType


class Doors:
    """The endpoints of one module: for staff over HTTP, and for whoever may open the socket."""

    def __init__(self, tag: str = "ops") -> None:
        self.http = Endpoints(tag, has_validators=False)
        self.socket = Endpoints(tag, prefix="", has_validators=False)

    def declare(
        self,
        method: str,
        path: str,
        *,
        answers: Answers,
        needs: Permission | None = None,
        http_path: str | None = None,
    ) -> Callable[[HandlerType], HandlerType]:
        """Declare the decorated handler at both; `http_path` if HTTP has it elsewhere.

        `needs` is by default to look or, for what changes something, to act.
        """
        needs = needs or (Permission.OPS_READ if method == "GET" else Permission.OPS_ACT)

        def register(handler: HandlerType) -> HandlerType:
            declare = self.http.declare(
                method,
                http_path or path,
                access=Access.SIGNED_IN,
                needs=needs,
                answers=answers,
            )
            declare(handler)
            self.socket.declare(method, path, access=Access.PUBLIC, answers=answers)(handler)
            return handler

        return register
