"""Messages and states as operators may see them: no secrets, no texts of people unless asked for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import islice
from typing import Any, Final

MAX_CHARS: Final = 2_000
MAX_TEXT_CHARS: Final = 200
MAX_ITEMS: Final = 20
MAX_FIELDS: Final = 100
MAX_DEPTH: Final = 6
_SECRETS: Final = (
    "password",
    "token",
    "secret",
    "cookie",
    "signature",
    "credential",
    "totp",
    "recovery_codes",
    "authorization",
    "invite",
    "query",  # of a playlist: it carries the signature of all below it
)
_TEXTS: Final = frozenset({"text", "email", "login", "user_agent", "title", "filename", "data"})


def described(message: object, *, with_texts: bool) -> str:
    """Return a message's fields as JSON text, masked and cut to `MAX_CHARS`."""
    text = _line(masked(message, with_texts=with_texts))
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


def shown_state(state: Mapping[str, object]) -> dict[str, str]:
    """Return what an actor declares of itself, a line a name."""
    shown = masked(state, with_texts=False)
    return {
        name: value if isinstance(value, str) else _line(value) for name, value in shown.items()
    }


def masked(value: Any, *, with_texts: bool, name: str = "", depth: int = 0) -> Any:
    """Turn a value into plain JSON values; what a field's name says is private is not repeated."""
    if value is not None and any(secret in name.lower() for secret in _SECRETS):
        return "(masked)"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value)} bytes)"
    if isinstance(value, str) and not isinstance(value, Enum):
        return _text(value, is_shown=with_texts or name not in _TEXTS)
    if value is None or isinstance(value, bool | int | float | Enum):
        return value
    if depth >= MAX_DEPTH:
        return "…"
    return _nested(value, with_texts=with_texts, name=name, depth=depth + 1)


def _nested(value: Any, *, with_texts: bool, name: str, depth: int) -> Any:
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        shown = {
            str(key): masked(each, with_texts=with_texts, name=str(key), depth=depth)
            for key, each in islice(value.items(), MAX_FIELDS)
        }
        left_out = len(value) - MAX_FIELDS
        return {**shown, "…": f"(and {left_out} more)"} if left_out > 0 else shown
    if isinstance(value, Sequence | set | frozenset):
        items = [
            masked(each, with_texts=with_texts, name=name, depth=depth)
            for each in islice(value, MAX_ITEMS)
        ]
        left_out = len(value) - len(items)
        return [*items, f"(and {left_out} more)"] if left_out else items
    return _text(str(value), is_shown=True)


def _text(text: str, *, is_shown: bool) -> str:
    if not is_shown:
        return f"({len(text)} characters)"
    return text if len(text) <= MAX_TEXT_CHARS else text[: MAX_TEXT_CHARS - 1] + "…"


def _line(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace").decode()  # half a surrogate pair is no text
