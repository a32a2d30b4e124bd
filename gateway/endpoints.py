"""How an address is declared: one decorator says who may call it, what it takes and what it answers.

The handler's own signature is the declaration of its input: `body`, `query` and path parameters are
decoded to the types it names, so the code that checks, the code that runs and `openapi.py`, which
reads the same declarations, cannot disagree.
"""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_type_hints

from aiohttp import HttpVersion11, web
from pydantic import BaseModel

from veza.actors.messages.permissions import Permission
from veza.gateway import values
from veza.gateway.errors import ProblemCode, ProblemError
from veza.gateway.keys import IDENTITY
from veza.gateway.rates import RatePolicy

API: Final = "/api/v1"
MAX_JSON_BYTES: Final = 64 * 1024
READ_SECONDS: Final = 30.0
"""How long a client may take to send a JSON body, or one chunk of an upload."""

_PATTERN: Final = re.compile(r"\{(\w+):[^{}]*\}")
_NUMBER: Final = re.compile("[0-9]{1,18}")

Handler = Callable[..., Awaitable[web.StreamResponse]]
HandlerType = TypeVar("HandlerType", bound=Handler)


class Access(Enum):
    """Who may call an endpoint. `OPTIONAL` is public, but knows who asks if they say so.

    What not everybody who is signed in may do needs a permission besides.
    """

    PUBLIC = "public"
    OPTIONAL = "optional"
    SIGNED_IN = "signed in"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One success answer: a JSON view, or bytes of a content type, or nothing."""

    view: type[BaseModel] | None = None
    content_type: str | None = None
    text: str = "OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderField:
    """A header of requests that an endpoint reads."""

    name: str
    text: str
    is_required: bool = False


Answers = Mapping[int, Answer | type[BaseModel]]
NO_CONTENT: Final = Answer(text="Done; there is nothing to tell")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one address, ready to be routed and documented."""

    method: str
    path: str
    tag: str
    access: Access
    needs: Permission | None
    handler: Handler
    answers: Mapping[int, Answer]
    body: type[BaseModel] | None
    needs_body: bool
    query: type[BaseModel] | None
    path_types: Mapping[str, type]
    takes_who: bool
    rate: RatePolicy | None
    upload: type[BaseModel] | None
    has_validator: bool
    takes_version: bool
    headers: tuple[HeaderField, ...]
    streams: str | None

    @property
    def admits(self) -> str:
        """Return whom it lets in, in a word: the permission it needs, or its access."""
        return (self.needs or self.access).value

    @property
    def template(self) -> str:
        """Return the path without the patterns of its placeholders."""
        return _PATTERN.sub(r"{\1}", self.path)

    @property
    def operation_id(self) -> str:
        """Return the handler's name in camelCase, which code generators like."""
        first, *rest = self.handler.__name__.split("_")
        return first + "".join(word.capitalize() for word in rest)

    @property
    def summary(self) -> str:
        """Return the first line of the handler's docstring."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Decode what the handler's signature asks for, and call it."""
        arguments: dict[str, Any] = {
            name: _path_value(request.match_info[name], kind)
            for name, kind in self.path_types.items()
        }
        if self.query is not None:
            arguments["query"] = values.parse_fields(self.query, dict(request.query))
        if self.body is not None:
            arguments["body"] = await self._read_body(self.body, request)
        if self.takes_who:
            arguments["who"] = request.get(IDENTITY)
        return await self.handler(request, **arguments)

    async def _read_body(self, model: type[BaseModel], request: web.Request) -> BaseModel | None:
        if not self.needs_body and not request.body_exists:
            return None
        return values.parse_body(model, await read_json(request))


class Endpoints:
    """The endpoints of one module, in the order they are declared.

    `has_validators`: a GET is answered with an ETag, and with 304 to who has it already.
    """

    def __init__(self, tag: str, prefix: str = API, *, has_validators: bool = True) -> None:
        self._tag = tag
        self._prefix = prefix
        self._has_validators = has_validators
        self._declared: list[Endpoint] = []

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._declared)

    def declare(
        self,
        method: str,
        path: str,
        *,
        access: Access,
        answers: Answers,
        needs: Permission | None = None,
        rate: RatePolicy | None = None,
        upload: type[BaseModel] | None = None,
        takes_version: bool = False,
        headers: tuple[HeaderField, ...] = (),
        streams: str | None = None,
    ) -> Callable[[HandlerType], HandlerType]:
        """Declare the decorated handler; `upload` names the form fields beside a streamed file.

        `needs`: what whoever is signed in must be allowed besides.
        `takes_version`: it changes what others change too, and wants `If-Match`. `headers` and `streams`, the
        type of a body that is read as it comes, are what the handler reads by itself.
        """

        def register(handler: HandlerType) -> HandlerType:
            hints = get_type_hints(handler)
            # `Model`, or `Model | None` where the body may be left out.
            bodies = get_args(hints.get("body")) or (hints.get("body", NoneType),)
            self._declared.append(
                Endpoint(
                    method=method,
                    path=self._prefix + path,
                    tag=self._tag,
                    access=access,
                    needs=needs,
                    handler=handler,
                    answers={code: _answer(each) for code, each in answers.items()},
                    body=next((each for each in bodies if each is not NoneType), None),
                    needs_body=NoneType not in bodies,
                    query=hints.get("query"),
                    path_types={name: hints[name] for name in _placeholders(path)},
                    takes_who="who" in hints,
                    rate=rate,
                    upload=upload,
                    has_validator=self._has_validators and method == "GET",
                    takes_version=takes_version,
                    headers=headers,
                    streams=streams,
                )
            )
            return handler

        return register

    def add_to(self, app: web.Application) -> None:
        """Route every endpoint; GET brings HEAD along."""
        for endpoint in self:
            path, handler = endpoint.path, endpoint.__call__
            if endpoint.method == "GET":
                app.router.add_get(path, handler, expect_handler=go_on)
            else:
                app.router.add_route(endpoint.method, path, handler, expect_handler=go_on)


async def go_on(request: web.Request) -> None:
    """Tell a client that asks first to send its body; any other expectation is ignored.

    RFC 9110, section 10.1.1, allows that; aiohttp would answer 417, before our middlewares.
    """
    expects_continue = request.headers.get("Expect", "").lower() == "100-continue"
    if expects_continue and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What was written is no part of the answer (as aiohttp's own handler does).
        request.writer.output_size = 0


def endpoint_of(request: web.Request) -> Endpoint | None:
    """Return the endpoint that a request was routed to, if it is one of ours."""
    found = getattr(request.match_info.handler, "__self__", None)
    return found if isinstance(found, Endpoint) else None


async def read_json(request: web.Request) -> bytes:
    """Read a JSON body within its limits of size and time; raises `ProblemError`."""
    if request.content_type != "application/json":
        raise ProblemError(ProblemCode.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
    return await read_bytes(request, MAX_JSON_BYTES)


async def read_bytes(request: web.Request, limit_bytes: int) -> bytes:
    """Read a small body of any type within its limits of size and time; raises `ProblemError`."""
    if (request.content_length or 0) > limit_bytes:
        raise too_large(limit_bytes)
    raw = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.content.iter_any():
                raw += chunk
                if len(raw) > limit_bytes:
                    raise too_large(limit_bytes)
    except TimeoutError as error:
        raise ProblemError(ProblemCode.REQUEST_TIMEOUT) from error
    return bytes(raw)


def too_large(limit_bytes: int) -> ProblemError:
    """Return the problem of a body beyond its limit."""
    return ProblemError(ProblemCode.PAYLOAD_TOO_LARGE, f"At most {limit_bytes} bytes.")


def _answer(declared: Answer | type[BaseModel]) -> Answer:
    return declared if isinstance(declared, Answer) else Answer(view=declared)


def _placeholders(path: str) -> Iterator[str]:
    for part in path.split("/"):
        if part.startswith("{"):
            yield part.strip("{}").partition(":")[0]


def _path_value(text: str, kind: type) -> object:
    """Decode a placeholder's value; what cannot be one names nothing."""
    if kind is int and not _NUMBER.fullmatch(text):
        raise ProblemError(ProblemCode.NOT_FOUND)
    try:
        return kind(text)
    except ValueError as error:
        raise ProblemError(ProblemCode.NOT_FOUND) from error
