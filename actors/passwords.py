"""Passwords: hashed and compared in threads of their own, a bounded number at a time."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

import bcrypt
import structlog

from veza.actors.messages.common import RefusedError, RejectCode
from veza.persistence.breached_passwords import is_breached

logger = structlog.get_logger(__name__)

T = TypeVar("T")
HASHING_THREADS: Final = 2
MAX_HASHES: Final = 16
"""At once, waiting ones included: two seconds' work, and room for all that needs no hash."""
RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordRules:
    """What a new password must not be: the account's own name, or one that is known to be lost.

    Its length is the gateway's to check. `breached` is a file as `persistence.breached_passwords` reads it.
    """

    breached: Path | None = None

    async def require_good(self, password: str, *names: str) -> None:
        """Raise `RefusedError` (`password_weak`) unless it will do for the account of these names."""
        if password.casefold() in {name.casefold() for name in names}:
            raise RefusedError(RejectCode.PASSWORD_WEAK, "A name is no password.")
        if self.breached is not None and await self._is_breached(self.breached, password):
            detail = "This password is in a list of stolen ones. Choose another."
            raise RefusedError(RejectCode.PASSWORD_WEAK, detail)

    async def _is_breached(self, path: Path, password: str) -> bool:
        try:
            return await asyncio.to_thread(is_breached, path, password)
        except OSError as error:
            logger.warning("passwords.list_unreadable", path=str(path), error=str(error))
            return False


class PasswordHasher:
    """bcrypt takes a quarter of a second and releases the interpreter lock, so it runs in threads.

    What would have to wait long for one is refused: who needs no hash must not wait for it.
    """

    def __init__(self, cost: int) -> None:
        self.cost = cost
        self.threads = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="bcrypt")
        self.under_way = 0
        # To compare with when there is nothing to compare with, so that this takes as long as a wrong
        # password. It is a salt with a made-up result: no password hashes to it.
        self.decoy = bcrypt.gensalt(cost).decode() + "." * 31

    def close(self) -> None:
        """Give the threads back."""
        self.threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Return what is stored of a password. Raises `RefusedError` (`unavailable`)."""
        return await self._run(hash_password, password, self.cost)

    async def matches(self, password: str, stored_hash: str | None) -> bool:
        """Tell whether it is the password that was stored. Raises `RefusedError` (`unavailable`)."""
        is_right = await self._run(is_password, password, stored_hash or self.decoy)
        return is_right and stored_hash is not None

    async def _run(self, function: Callable[..., T], *args: object) -> T:
        if self.under_way >= MAX_HASHES:
            raise RefusedError(
                RejectCode.UNAVAILABLE,
                "Too many passwords are being checked at this moment. Try again.",
                retry_after_seconds=RETRY_SECONDS,
            )
        self.under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, function, *args)
        finally:
            self.under_way -= 1


def hash_password(password: str, cost: int) -> str:
    """Hash a password with bcrypt; SHA-256 first, since bcrypt reads 72 bytes and no NUL."""
    return bcrypt.hashpw(condensed(password), bcrypt.gensalt(cost)).decode()


def is_password(password: str, stored_hash: str) -> bool:
    """Compare a password with its hash in constant time."""
    return bcrypt.checkpw(condensed(password), stored_hash.encode())


def condensed(password: str) -> bytes:
    """Return 44 bytes of base64 that stand for a password of any length."""
    return b64encode(sha256(password.encode()).digest())
