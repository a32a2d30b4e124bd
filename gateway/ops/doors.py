"""One declaration for two doors: HTTP, where a role is needed, and the unix socket, which its file guards."""

from collections.abc import Callable

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
        access: Access = Access.OPS,
        http_path: str | None = None,
    ) -> Callable[[HandlerType], HandlerType]:
        """Declare the decorated handler at both; `http_path` if HTTP has it elsewhere."""

        def register(handler: HandlerType) -> HandlerType:
            self.http.declare(method, http_path or path, access=access, answers=answers)(handler)
            self.socket.declare(method, path, access=Access.PUBLIC, answers=answers)(handler)
            return handler

        return register
