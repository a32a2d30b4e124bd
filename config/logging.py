"""One log for everything: JSON lines for machines, colours on a terminal, and no secret in either.

Secrets are taken out twice: by the name of their key, and by what they look like inside any text, so
that neither an exception's message nor the `repr` of a command carries one out.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, Literal, TextIO

import orjson
import structlog
from structlog.types import Processor

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "pretty"]

REDACTED: Final = "[redacted]"

_SECRET_KEY: Final = re.compile(
    r"(?i)password|passwd|secret|token|totp_code|recovery_codes|cookie|authorization|signature"
    r"|api_?key|^sig$"
)
_SECRET_TEXTS: Final = (
    # A JWT, wherever it stands.
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*"), REDACTED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s,;'\"]+"), rf"\1 {REDACTED}"),
    # key=value and "key": "value", as in queries, forms, JSON, cookies and the repr of a message.
    (
        re.compile(
            r"(?i)\b((?:\w*(?:password|passwd|secret|token|totp_code|recovery_codes|api_?key)"
            r"|(?:__Host-)?veza_session|sig)"
            r"[\"']?\s*[=:]\s*)b?(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s,;&)}\"']+)"
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(?i)\b((?:set-)?cookie\s*:\s*)[^\r\n]+"), rf"\1{REDACTED}"),
    # The password of a database URL.
    (re.compile(r"(\w://[^\s:/@]*:)[^\s@/]+@"), rf"\1{REDACTED}@"),
)


_MANY_LINES: Final = frozenset({"event", "exception", "stack"})
"""Tracebacks, and the watchdog's words: our own lines stay lines."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_CONTROL_OR_BREAK: Final = re.compile(rf"[\t\n\u2028\u2029]|{_CONTROL.pattern}")


def configure_logging(level: Level, form: Format, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records through one chain to one stream."""
    target = stream or sys.stderr
    is_pretty = form == "pretty" or (form == "auto" and target.isatty())
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_common(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                *(
                    [escape_control, structlog.dev.ConsoleRenderer()]
                    if is_pretty
                    else [render_json]
                ),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The gateway logs each request itself, without queries.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _common() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        # Which actor failed, on what, for whom: the standard library's records carry it beside the text.
        structlog.stdlib.ExtraAdder(allow=("actor", "command", "request_id")),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.StackInfoRenderer(),
        # As text, before `redact`: a renderer's own traceback would show local variables.
        structlog.processors.format_exc_info,
    ]


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take secrets out of a record."""
    return {key: _redacted(key, value) for key, value in event.items()}


def _redacted(key: object, value: object) -> object:
    if isinstance(key, str) and _SECRET_KEY.search(key):
        return REDACTED
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): _redacted(name, each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(None, each) for each in value]
    return redact_text(value if isinstance(value, str) else repr(value))


def redact_text(text: str) -> str:
    """Take out of a text whatever looks like a secret."""
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def escape_control(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Keep what clients send from acting on a terminal, or from looking like a line of the log."""
    return {
        key: _escaped(value, _CONTROL if key in _MANY_LINES else _CONTROL_OR_BREAK)
        for key, value in event.items()
    }


def _escaped(value: object, unwanted: re.Pattern[str]) -> object:
    if not isinstance(value, str):
        return value
    return unwanted.sub(lambda found: ascii(found.group())[1:-1], value)


def render_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """Write a record as one line of JSON, time and event first."""
    first = {key: event.pop(key) for key in ("ts", "level", "event") if key in event}
    record = {**first, **event}
    try:
        return orjson.dumps(record).decode()
    except TypeError:
        # Integers past 64 bits and lone surrogates: still a line, and still told.
        return orjson.dumps({key: ascii(value) for key, value in record.items()}).decode()
