"""Messages written by hand, as JSON: only those that `veza.actors.messages` defines."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError

import veza.actors.messages
from veza.actors.messages.audit import RecordAct
from veza.actors.messages.common import RefusedError, RejectCode
from veza.supervisors.masking import described


def hand_message(name: str, fields: Mapping[str, object]) -> object:
    """Make the message of a class name from plain JSON values; raises `RefusedError`."""
    found = message_classes().get(name)
    if found is None:
        raise RefusedError(RejectCode.VALIDATION_FAILED, f"There is no message {name[:100]}.")
    if found in written_down():
        raise RefusedError(
            RejectCode.VALIDATION_FAILED, f"{name} says who acts: it cannot be sent by hand."
        )
    unknown = sorted(set(fields) - set(inspect.signature(found).parameters))
    if unknown:
        raise RefusedError(
            RejectCode.VALIDATION_FAILED, f"{name} has no field {', '.join(unknown)[:200]}."
        )
    try:
        return TypeAdapter(found).validate_python(dict(fields))
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5]
        )
        raise RefusedError(RejectCode.VALIDATION_FAILED, where) from error
    except PydanticUserError as error:
        raise RefusedError(
            RejectCode.VALIDATION_FAILED, f"{name} holds more than values: it cannot be written."
        ) from error


def answer_text(reply: object) -> str:
    """Return a reply as JSON text, masked."""
    return described(reply, with_texts=True)


@cache
def written_down() -> frozenset[type[Any]]:
    """Return the messages that name who acts: by hand anybody could be named in the audit log."""
    found = message_classes().values()
    return frozenset({RecordAct, *(each for each in found if "by" in each.__dataclass_fields__)})


@cache
def message_classes() -> Mapping[str, type[Any]]:
    """Return every message by its name; names are unique in the project."""
    return {
        name: member
        for info in pkgutil.iter_modules(veza.actors.messages.__path__)
        for name, member in inspect.getmembers(
            importlib.import_module(f"{veza.actors.messages.__name__}.{info.name}"),
            inspect.isclass,
        )
        if is_dataclass(member)
    }
