"""Messages are values with one name each, and a handler takes the message it is named after."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
from collections import defaultdict
from types import ModuleType

import pytest

import veza.actors.messages

PREFIX = "receiveMsg_"
# Thespian's own: sent by the runtime, never by us.
RUNTIME = {"ActorExitRequest", "ActorStopped", "ChildExit"}


def modules() -> list[ModuleType]:
    names = [info.name for info in pkgutil.iter_modules(veza.actors.messages.__path__)]
    return [importlib.import_module(f"veza.actors.messages.{name}") for name in names]


def message_classes() -> list[type]:
    """Every dataclass that a message module defines."""
    return [
        member
        for module in modules()
        for _name, member in inspect.getmembers(module, inspect.isclass)
        if member.__module__ == module.__name__ and dataclasses.is_dataclass(member)
    ]


def handlers(module: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(PREFIX)
    ]


def classes(module: ast.Module) -> list[str]:
    return [node.name for node in ast.walk(module) if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize("message", message_classes(), ids=lambda cls: cls.__name__)
def test_a_message_is_frozen_slotted_and_takes_keywords_only(message) -> None:
    options = message.__dataclass_params__

    assert options.frozen
    assert "__slots__" in vars(message)
    assert all(field.kw_only for field in dataclasses.fields(message))


def test_no_two_messages_have_one_name(checkout) -> None:
    """Handlers are found by the class's name, so a private message must not share one either."""
    handled = {
        handler.name.removeprefix(PREFIX)
        for module in checkout.modules().values()
        for handler in handlers(module)
    }
    homes = defaultdict(list)
    for path, module in checkout.modules().items():
        if path.startswith(("actors/", "supervisors/")):
            for name in classes(module):
                homes[name].append(path)
    named = {cls.__name__ for cls in message_classes()} | handled

    assert {name: homes[name] for name in sorted(named) if len(homes[name]) > 1} == {}


def test_a_handler_takes_the_message_it_is_named_after(checkout) -> None:
    wrong = []
    for path, module in checkout.modules().items():
        for handler in handlers(module):
            takes = handler.args.args[1].annotation
            if takes is None or ast.unparse(takes).strip("'\"") != handler.name.removeprefix(
                PREFIX
            ):
                wrong.append(f"{path}: {handler.name}")

    assert wrong == []


def test_a_handled_message_is_defined_or_imported_in_the_handlers_module(checkout) -> None:
    unknown = []
    for path, module in checkout.modules().items():
        known = {*classes(module)} | {
            alias.asname or alias.name
            for node in ast.walk(module)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        unknown += [
            f"{path}: {handler.name}"
            for handler in handlers(module)
            if handler.name.removeprefix(PREFIX) not in known
        ]

    assert unknown == []


def test_every_command_that_is_defined_is_handled_or_sent(checkout) -> None:
    """A message class nobody uses is dead."""
    used = defaultdict(set)
    for path, module in checkout.modules().items():
        for node in ast.walk(module):
            if isinstance(node, ast.Name):
                used[node.id].add(path)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                used[node.value].add(path)

    dead = [
        cls.__name__
        for cls in message_classes()
        if not used[cls.__name__] and cls.__name__ not in RUNTIME
    ]
    assert dead == []
