"""The base of services that ask people who they are: a password and, where it is wanted, a code.

RFC 6238 (TOTP) with the values all apps know: SHA-1, six digits, 30 s. Wrong proofs make the next one
wait, longer each time: guessing takes years, and its victim is shut out for minutes at most.
"""

import secrets
from base64 import b32encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Final
from uuid import UUID

import pyotp

from veza.actors.database import DatabaseActor
from veza.actors.messages.accounts import Proof
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.passwords import PasswordHasher, PasswordRules
from veza.persistence import credentials
from veza.persistence.pool import Connection, Pool
from veza.persistence.rows import Account

STEP_SECONDS: Final = 30
STEPS_ASIDE: Final = 1
"""A clock may be half a minute off, and typing takes time."""
FREE_FAILURES: Final = 5
FIRST_WAIT: Final = timedelta(seconds=1)
LONGEST_WAIT: Final = timedelta(minutes=15)
RECOVERY_CODES: Final = 10
_CODE_BYTES: Final = 10
_CODE_PART: Final = 4


class ProvingActor(DatabaseActor):
    """Compares what people prove themselves with; no two may use one code."""

    def __init__(self, *, pool: Pool, bcrypt_cost: int, rules: PasswordRules) -> None:
        super().__init__(pool=pool)
        self.passwords = PasswordHasher(bcrypt_cost)
        self.rules = rules

    def on_stop(self) -> None:
        self.passwords.close()

    async def require_own_proof(self, user_id: UUID, proof: Proof) -> Account:
        """Return the account of somebody who is signed in, if the proof is theirs, as `require_proof`."""
        async with self.connection() as conn:
            account = await credentials.get_account(conn, user_id)
        return await self.require_proof(account, proof, f"account {user_id}")

    async def require_proof(self, account: Account | None, proof: Proof, subject: str) -> Account:
        """Return the account if the proof is its own; raises `RefusedError`, in the same time without one.

        Codes: `bad_credentials`, `totp_required`, `totp_invalid`, `rate_limited`. `subject` is what is being
        tried: wrong proofs are counted by it, whether or not there is an account.
        """
        counted = sha256(subject.encode()).digest()
        async with self.connection() as conn:
            failures, failed_at = await credentials.read_failures(conn, counted)
        _refuse_too_soon(failures, failed_at)
        stored_hash = None if account is None else account.password_hash
        is_right = await self.passwords.matches(proof.password, stored_hash)
        if account is None or not is_right:
            await self._note_failure(counted)
            raise RefusedError(RejectCode.BAD_CREDENTIALS, "The name or the password is wrong.")
        if account.totp_secret is not None and not await self._is_code(account, proof.totp_code):
            await self._note_failure(counted)
            raise RefusedError(RejectCode.TOTP_INVALID, "This code is wrong, or was used before.")
        if failures:
            async with self.connection() as conn:
                await credentials.forget_failures(conn, counted)
        return account

    async def _is_code(self, account: Account, code: str | None) -> bool:
        if not code:
            raise RefusedError(RejectCode.TOTP_REQUIRED, "Say a code of your app, too.")
        async with self.connection() as conn:
            return await spend_code(conn, account, code)

    async def _note_failure(self, counted: bytes) -> None:
        async with self.connection() as conn:
            await credentials.note_failure(conn, counted)


def _refuse_too_soon(failures: int, failed_at: datetime | None) -> None:
    left = wait_until(failures, failed_at) - datetime.now(UTC)
    if left > timedelta(0):
        raise RefusedError(
            RejectCode.RATE_LIMITED,
            "Too many wrong passwords for this login.",
            retry_after_seconds=left.total_seconds(),
        )


def wait_until(failures: int, failed_at: datetime | None) -> datetime:
    """Say when something may be tried again after so many failures, the last one then."""
    if failed_at is None or failures < FREE_FAILURES:
        return datetime.min.replace(tzinfo=UTC)
    doublings = min(failures - FREE_FAILURES, 10)
    return failed_at + min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


async def spend_code(conn: Connection, account: Account, code: str) -> bool:
    """Use up a code of the app, or a recovery code; whether it was good."""
    step = matching_step(account.totp_secret or "", code, datetime.now(UTC))
    if step is not None:
        return await credentials.take_step(conn, account.user.id, step)
    return await credentials.spend_recovery_code(conn, account.user.id, recovery_hash(code))


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """Return the half minute since 1970 that a code is of, if that is about now."""
    current = int(now.timestamp()) // STEP_SECONDS
    generator, found = pyotp.TOTP(secret), None
    for step in range(current - STEPS_ASIDE, current + STEPS_ASIDE + 1):
        expected = generator.generate_otp(step)
        if compare_digest(expected.encode(), code.encode(errors="replace")):
            found = step
    return found


def new_recovery_codes() -> tuple[str, ...]:
    """Make codes of 80 random bits, in groups that can be typed from paper."""
    return tuple(_grouped(secrets.token_bytes(_CODE_BYTES)) for _ in range(RECOVERY_CODES))


def _grouped(raw: bytes) -> str:
    text = b32encode(raw).decode()
    return "-".join(text[at : at + _CODE_PART] for at in range(0, len(text), _CODE_PART))


def recovery_hash(code: str) -> bytes:
    """Return what is stored of a recovery code, however it was typed."""
    plain = "".join(char for char in code.upper() if char.isalnum())
    return sha256(plain.encode()).digest()
