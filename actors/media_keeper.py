"""The media keeper: compares the media store with the tables, and takes away what nobody names."""

from collections.abc import Sequence
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.messages.media_keeping import (
    BadObject,
    CheckMedia,
    CollectGarbage,
    Fate,
    GarbageCollected,
    MediaChecked,
    Shelf,
)
from veza.actors.runtime.address import Address
from veza.actors.runtime.context import request_context
from veza.actors.storing import StoringActor
from veza.config.ids import uuid7
from veza.persistence import media_keys
from veza.persistence.audit import insert_act
from veza.persistence.errors import MediaNotFoundError
from veza.persistence.media_keys import BEFORE_ALL, NamedObject
from veza.persistence.media_store import StoredObject

OWNERS_AT_ONCE: Final = 20
"""Tracks or files of messages in a part: some hundred megabytes to read."""
NAMES_AT_ONCE: Final = 200


class MediaKeeperActor(StoringActor):
    """Goes through the store part by part, one part at a time: disks have other work."""

    concurrency: ClassVar[int] = 1

    async def receiveMsg_CheckMedia(self, command: CheckMedia, _sender: Address) -> MediaChecked:
        after = command.after or BEFORE_ALL
        async with self.connection() as conn:
            if command.shelf is Shelf.TRACKS:
                ids = await media_keys.next_tracks(conn, after=after, limit=OWNERS_AT_ONCE)
                named = await media_keys.objects_of_tracks(conn, ids)
            else:
                ids = await media_keys.next_attachments(conn, after=after, limit=OWNERS_AT_ONCE)
                named = await media_keys.objects_of_attachments(conn, ids)
        sizes, bad = await self.stored(self._compare, named, is_fast=command.is_fast)
        if bad:
            bad = await self._still_named(ids, bad)
        return MediaChecked(
            objects=len(named), size_bytes=sum(sizes), bad=bad, last=ids[-1] if ids else None
        )

    async def receiveMsg_CollectGarbage(
        self, command: CollectGarbage, _sender: Address
    ) -> GarbageCollected:
        # First what is there, then what is named: what is stored in between is named, or young.
        entries = await self.stored(
            self.store.entries, command.kind, after=command.after, limit=NAMES_AT_ONCE
        )
        old = [
            each
            for entry in entries
            for each in entry.objects
            if each.age_seconds >= command.older_than_seconds
        ]
        ids = [owner for entry in entries if (owner := owner_of(entry.name)) is not None]
        async with self.connection() as conn:
            named = await media_keys.known_keys(conn, ids)
        garbage = [each for each in old if each.key not in named and owner_of(part_of(each.key))]
        if command.deletes and garbage:
            await self._delete(command, garbage)
        return GarbageCollected(
            objects=len(garbage),
            size_bytes=sum(each.size_bytes for each in garbage),
            last=entries[-1].name if entries else "",
        )

    async def _delete(self, command: CollectGarbage, garbage: Sequence[StoredObject]) -> None:
        by = command.by
        async with self.connection() as conn:
            await insert_act(
                conn,
                act_id=uuid7(),
                actor_id=UUID(by.user_id) if by.user_id else None,
                actor_name=by.name,
                via=by.via,
                action="gc",
                target=f"{len(garbage)} objects of {command.kind}, from {garbage[0].key}",
                reason=command.reason,
                request_id=request_context.get().request_id,
            )
        for each in garbage:
            await self.stored(self.store.delete, each.key)

    def _compare(
        self, named: Sequence[NamedObject], *, is_fast: bool
    ) -> tuple[list[int], tuple[BadObject, ...]]:
        sizes, bad = [], []
        for each in named:
            try:
                size_bytes, digest = self._look(each, is_fast=is_fast)
            except MediaNotFoundError:
                bad.append(BadObject(key=each.key, fate=Fate.MISSING))
                continue
            sizes.append(size_bytes)
            is_whole = each.size_bytes in {None, size_bytes}
            if not is_whole or (digest is not None and digest != each.sha256):
                bad.append(BadObject(key=each.key, fate=Fate.DAMAGED))
        return sizes, tuple(bad)

    def _look(self, each: NamedObject, *, is_fast: bool) -> tuple[int, bytes | None]:
        """Return size and SHA-256 of an object; no SHA-256 if nobody knows what it should be."""
        if is_fast or each.sha256 is None:
            return self.store.size(each.key), None
        return self.store.measure(each.key)

    async def _still_named(
        self, ids: Sequence[UUID], bad: Sequence[BadObject]
    ) -> tuple[BadObject, ...]:
        """Leave out what was taken away meanwhile, with its row."""
        async with self.connection() as conn:
            named = await media_keys.known_keys(conn, ids)
        return tuple(each for each in bad if each.key in named)


def part_of(key: str) -> str:
    """Return the second part of a key: whose it is."""
    return key.split("/")[1]


def owner_of(name: str) -> UUID | None:
    """Return the id that a name is; None if it is none, and nobody here made it."""
    try:
        return UUID(name)
    except ValueError:
        return None
