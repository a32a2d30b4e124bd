"""Values to JSON and back: frozen dataclasses as they are declared, so that a new field needs no line here.

JSON is what `orjson` makes of a dataclass. Back, a value is exactly of the declared shape, every field there
and none more, or it is refused: what another version of the program sent is never half understood.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import orjson

T = TypeVar("T")
Decode = Callable[[Any], Any]


class UnreadableError(Exception):
    """The JSON is not of the shape that was asked for."""


def encode(value: object) -> bytes:
    """Return a value of dataclasses, enums, UUIDs, times, tuples and plain values as JSON."""
    return orjson.dumps(value, default=_as_text)


def _as_text(value: object) -> str:
    # The database driver's ids are of a class of its own, and `orjson` looks at the class.
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


def decoder(of: type[T]) -> Callable[[object], T]:
    """Return a function from parsed JSON to a value of a type; it raises `UnreadableError`.

    Raises `TypeError` for a type that cannot be told from its JSON.
    """
    decode = _decoder(of)

    def read(value: object) -> T:
        try:
            result: T = decode(value)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnreadableError(f"no {of.__name__}: {error}") from error
        return result

    return read


def _decoder(hint: Any) -> Decode:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if get_origin(hint) in {Union, UnionType}:
        return _union(get_args(hint))
    if get_origin(hint) is tuple:
        return _tuple(get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass(hint)
    raise TypeError(f"values of {hint} cannot be read from JSON")


def _exactly(*kinds: type) -> Decode:
    # The class itself and no other: to Python `True` is an `int`.
    def read(value: Any) -> Any:
        if value.__class__ not in kinds:
            raise TypeError(f"{value.__class__.__name__} in place of {kinds[0].__name__}")
        return value

    return read


def _dataclass(kind: type) -> Decode:
    hints = get_type_hints(kind)
    decoders = {field.name: _decoder(hints[field.name]) for field in fields(kind)}

    def read(value: Any) -> Any:
        if value.keys() != decoders.keys():
            raise ValueError(f"the fields of {kind.__name__} are others")
        return kind(**{name: decode(value[name]) for name, decode in decoders.items()})

    return read


def _tuple(items: tuple[Any, ...]) -> Decode:
    if len(items) == 2 and items[1] is Ellipsis:  # noqa: PLR2004  # tuple[X, ...]
        each = _decoder(items[0])
        return lambda value: tuple(map(each, _list(value)))
    places = [_decoder(item) for item in items]
    return lambda value: tuple(
        decode(item) for decode, item in zip(places, _list(value), strict=True)
    )


def _union(kinds: tuple[Any, ...]) -> Decode:
    """Tell dataclasses apart by their fields; beside them there may be one other type, and None."""
    classes = [kind for kind in kinds if isinstance(kind, type) and is_dataclass(kind)]
    others = [kind for kind in kinds if kind is not NoneType and kind not in classes]
    by_fields = {frozenset(field.name for field in fields(kind)): kind for kind in classes}
    if len(by_fields) < len(classes) or len(others) > 1:
        raise TypeError(f"the JSON of {kinds} would be ambiguous")
    decoders = {names: _dataclass(kind) for names, kind in by_fields.items()}
    other = _decoder(others[0]) if others else None

    def read(value: Any) -> Any:
        if value is None and NoneType in kinds:
            return None
        if decoders and isinstance(value, dict):
            return decoders[frozenset(value)](value)
        if other is None:
            raise TypeError(f"{value.__class__.__name__} in place of an object")
        return other(value)

    return read


_text: Final = _exactly(str)
_list: Final = _exactly(list)
_PLAIN: Final[dict[Any, Decode]] = {
    str: _text,
    int: _exactly(int),
    bool: _exactly(bool),
    float: _exactly(float, int),
    UUID: lambda value: UUID(_text(value)),
    datetime: lambda value: datetime.fromisoformat(_text(value)),
}
"""How the types that are not put together are read."""
