"""The request a message belongs to: captured when it is sent, set again while it is handled."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """Whose work this is: the id in logs, and the W3C `traceparent` of the span that asked."""

    request_id: str
    traceparent: str = ""


NO_REQUEST = RequestContext(request_id="")

request_context: ContextVar[RequestContext] = ContextVar("request_context", default=NO_REQUEST)
