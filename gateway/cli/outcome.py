"""How a command ends: the exit codes that scripts rely on, and errors that carry them."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    PROBLEM = 1
    USAGE = 2
    UNREACHABLE = 3


class CommandError(Exception):
    """Ends a command; the message is for whoever typed it."""

    code = Exit.PROBLEM


class UsageError(CommandError):
    """The command was given something it cannot mean."""

    code = Exit.USAGE


class UnreachableError(CommandError):
    """No node answers."""

    code = Exit.UNREACHABLE


class RefusalError(CommandError):
    """The node answered, and will not do it. `problem` is the code it gave."""

    def __init__(self, problem: str, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem
