"""Actor code loaded at run time, as Thespian has it: unused until an authority passed it."""

import hashlib
import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from zipfile import BadZipFile

from veza.actors.runtime.cell import Cell
from veza.actors.runtime.thespian_api import (
    Actor,
    ActorAddress,
    LoadedSource,
    SourceHashFinder,
    UnloadedSource,
    ValidatedSource,
    ValidateSource,
    actualActorClass,
    loadModuleFromHashSource,
)

if TYPE_CHECKING:
    from veza.actors.runtime.system import AsyncioSystemBase

logger = logging.getLogger("veza.actors")


class Sources:
    """Loaded zip files by their hash. Without a registered authority, loads are ignored."""

    def __init__(self, system: "AsyncioSystemBase") -> None:
        self._system = system
        self._loaded: dict[str, bytes] = {}
        self._known: set[str] = set()
        self._notified: dict[ActorAddress, None] = {}
        self.authority: ActorAddress | None = None

    def actor_class(self, wanted: type[Actor] | str, source_hash: str | None) -> type[Actor]:
        """Find the class meant by a class or a dotted name, in a loaded source if one is given."""
        if not source_hash:
            return actualActorClass(wanted)
        return actualActorClass(
            wanted, partial(loadModuleFromHashSource, source_hash, self._loaded)
        )

    def submit(self, source_hash: str, data: bytes) -> None:
        if self.authority is not None:
            question = ValidateSource(source_hash, data)
            self._system.post(self.authority, question, self._system.address)

    def validated(self, answer: ValidatedSource) -> None:
        """Take a source the authority passed (or, without data, refused)."""
        if answer.sourceZip is None:
            return
        try:
            SourceHashFinder(answer.sourceHash, bytes, answer.sourceZip).getZipNames()
        except (BadZipFile, ImportError, OSError, ValueError):
            logger.exception("validated actor source %s cannot be read", answer.sourceHash)
            return
        self._loaded[answer.sourceHash] = answer.sourceZip
        self._known.add(answer.sourceHash)
        self._tell(LoadedSource(answer.sourceHash, answer.sourceInfo or ""))

    def unload(self, source_hash: str) -> None:
        """Make no more actors from it; those there are may go on importing from it."""
        if self._loaded.pop(source_hash, None) is not None:
            self._tell(UnloadedSource(source_hash, ""))

    def close(self) -> None:
        """Forget all sources, and take their modules out of the interpreter."""
        self._loaded.clear()
        self._notified.clear()
        for finder in [f for f in sys.meta_path if getattr(f, "srcHash", None) in self._known]:
            root = cast("SourceHashFinder", finder).hashRoot()
            for name in [name for name in sys.modules if name.startswith(root)]:
                del sys.modules[name]
            sys.meta_path.remove(finder)

    def notify(self, address: ActorAddress, *, enable: bool) -> None:
        if not enable:
            self._notified.pop(address, None)
            return
        self._notified[address] = None
        for source_hash in self._loaded:
            self._system.post(address, LoadedSource(source_hash, ""), self._system.address)

    def hashes(self) -> list[tuple[str, str]]:
        return [(source_hash, "") for source_hash in self._loaded]

    def forget(self, cell: Cell) -> None:
        self._notified.pop(cell, None)
        if self.authority is cell:
            self.authority = None

    def _tell(self, news: LoadedSource | UnloadedSource) -> None:
        for address in tuple(self._notified):
            self._system.post(address, news, self._system.address)


def read_source(source: object) -> tuple[str, bytes]:
    """Read a named or an open file (which is closed, as Thespian does): its hash and bytes."""
    file = cast("BinaryIO", source) if hasattr(source, "read") else Path(str(source)).open("rb")  # noqa: SIM115  # closed in the next line
    with file:
        data = file.read()
    return hashlib.md5(data, usedforsecurity=False).hexdigest(), data
