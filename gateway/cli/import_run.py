"""One import: each file is examined, looked up by its hash, and sent; all that is not sent is named."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import asdict
from io import BufferedReader
from itertools import groupby
from pathlib import Path
from typing import Final

from veza.gateway.cli.client import Json
from veza.gateway.cli.import_client import CHANGED, Account, ChangedError, Sent
from veza.gateway.cli.import_examine import Examiner, Music
from veza.gateway.cli.import_memory import Memory
from veza.gateway.cli.import_walk import Found, Passed, Stamp, open_plain, reason_of, walk
from veza.gateway.cli.outcome import RefusalError

LAST: Final = 10_000
"""Where a track without a number stands in its album."""

Entries = list[Found | Passed]
Tell = Callable[[Json], None]
Sending = Callable[[str, int], Sent]
"""Is told a file's name and size, and gives what is told how far it is."""


class Import:
    """Brings files to an account; without one it says what it would bring."""

    def __init__(
        self,
        *,
        account: Account | None,
        examiner: Examiner,
        memory: Memory,
        owner: str,
        max_bytes: int | None,
        tell: Tell,
        sending: Sending,
        is_dry: bool,
    ) -> None:
        self._account = account
        self._examiner = examiner
        self._memory = memory
        self._owner = owner
        self._max_bytes = max_bytes
        self._tell = tell
        self._sending = sending
        self._is_dry = is_dry

    async def run(self, entries: Iterable[Found | Passed]) -> None:
        """Import what a walk found; each folder in the order of its albums."""
        for _, group in groupby(entries, folder_of):
            music: list[Music] = []
            for entry in group:
                judged = await self._judged(entry)
                if isinstance(judged, Music):
                    music.append(judged)
                else:
                    self._pass_over(judged)
            for each in sorted(music, key=in_album):
                await self._settle(each)

    async def _judged(self, entry: Found | Passed) -> Music | Passed:
        if isinstance(entry, Passed):
            return entry
        if self._max_bytes is not None and entry.stamp[0] > self._max_bytes:
            reason = f"larger than the {self._max_bytes} bytes that the server takes"
            return Passed(name=entry.name, reason=reason, is_fault=True)
        return await self._examiner.examine(entry)

    def _pass_over(self, passed: Passed) -> None:
        outcome = "failed" if passed.is_fault else "skipped"
        self._tell({"outcome": outcome, "path": passed.name, "reason": passed.reason})

    async def _settle(self, music: Music) -> None:
        """Bring one file; what is wrong with it is told, and is no reason to stop."""
        try:
            told = await self._brought(music)
        except RefusalError as error:
            told = {"outcome": "failed", "reason": str(error)}
        except OSError as error:
            told = {"outcome": "failed", "reason": reason_of(error)}
        self._tell({**described(music), **told})

    async def _brought(self, music: Music) -> Json:
        if self._account is not None:
            known = await self._known(self._account, music)
            if known is not None:
                return {"outcome": "known", "track": known}
        if self._account is None or self._is_dry:
            return {"outcome": "would upload"}
        with open_plain(music.found.path) as file:
            return await self._upload(self._account, music, file)

    async def _known(self, account: Account, music: Music) -> str | None:
        """Return the account's track that was made of the same bytes."""
        try:
            answer = await account.call("GET", f"/tracks/of/{music.sha256}")
        except RefusalError as error:
            if error.problem == "not_found":
                return None
            raise
        return str(answer.body["id"])

    async def _upload(self, account: Account, music: Music, file: BufferedReader) -> Json:
        size_bytes = music.found.stamp[0]
        key = f"{self._owner} {music.sha256}"
        location = self._memory.get(key)
        if location is None or await account.arrived(location) is None:
            location = await account.begin(size_bytes, metadata_of(music))
            self._memory.put(key, location)
        sent = self._sending(music.found.name, size_bytes)
        try:
            await account.send(location, file, size_bytes, sent)
        except ChangedError:
            self._memory.drop(key)
            await account.forget(location)
            raise
        made = await account.outcome(location)
        self._memory.drop(key)
        if made["sha256"] != music.sha256:
            return {"outcome": "failed", "reason": CHANGED, "track": made["track"]["id"]}
        return {"outcome": "uploaded", "track": made["track"]["id"]}


def folder_of(entry: Found | Passed) -> str:
    """Return what a folder's entries have in common."""
    return str(Path(entry.name).parent)


def metadata_of(music: Music) -> dict[str, str]:
    """Return what the server is told of a file."""
    name = Path(music.found.name).name
    return {"filename": name, "title": music.sound.title}


def in_album(music: Music) -> tuple[str, int, str]:
    """Sort by album and number, then by name."""
    album, number = music.sound.album or "", music.sound.number
    return album, LAST if number is None else number, music.found.name


def described(music: Music) -> Json:
    """Return what is told of a file, whatever becomes of it."""
    return {"path": music.found.name, **asdict(music.sound)}


async def settled(tops: Iterable[Path], every_seconds: float) -> AsyncIterator[Entries]:
    """Yield for ever what is new or changed below folders, once it has been the same for two looks."""
    tops = tuple(tops)
    before: dict[str, Stamp | str] = {}
    done: dict[str, Stamp | str] = {}
    while True:
        entries = [each for top in tops for each in await asyncio.to_thread(list, walk(top))]
        now = {each.name: mark_of(each) for each in entries}
        due = [
            each
            for each in entries
            if before.get(each.name) == now[each.name] != done.get(each.name)
        ]
        yield due
        done |= {each.name: now[each.name] for each in due}
        before = now
        await asyncio.sleep(every_seconds)


def mark_of(entry: Found | Passed) -> Stamp | str:
    """Return what is another when an entry is."""
    return entry.stamp if isinstance(entry, Found) else entry.reason
