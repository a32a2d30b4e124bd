"""The base of services that work on the media store: one that is full or away is a refusal, not a bug."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from veza.actors.database import RETRY_SECONDS, DatabaseActor
from veza.actors.messages.common import RefusedError, RejectCode
from veza.persistence.errors import MediaUnavailableError, StorageFullError
from veza.persistence.media_store import MediaStore
from veza.persistence.pool import Pool

Given = ParamSpec("Given")
Result = TypeVar("Result")


class StoringActor(DatabaseActor):
    """A service with a pool and a store."""

    def __init__(self, *, pool: Pool, store: MediaStore) -> None:
        super().__init__(pool=pool)
        self.store = store

    async def stored(
        self, act: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Do something with the store, in a thread."""
        try:
            return await asyncio.to_thread(act, *args, **kwargs)
        except StorageFullError as error:
            raise RefusedError(RejectCode.STORAGE_FULL, "The server's disk is full.") from error
        except MediaUnavailableError as error:
            raise RefusedError(
                RejectCode.STORAGE_UNAVAILABLE,
                "The media store is not reachable at present. Try again.",
                retry_after_seconds=RETRY_SECONDS,
            ) from error
