"""The credentials service: people see and end their sessions, change passwords, add a second factor."""

from datetime import UTC, datetime
from typing import ClassVar, Final
from uuid import UUID

import pyotp

from veza.actors.accounts import digest, new_token
from veza.actors.messages.accounts import API_KEY_PREFIX
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.credentials import (
    ApiKeyEnded,
    ApiKeyMade,
    ApiKeysListed,
    ChangePassword,
    DisableTotp,
    EnableTotp,
    EndApiKey,
    EndSession,
    EndSessions,
    ListApiKeys,
    ListSessions,
    MakeApiKey,
    ReadSecondFactor,
    RecoveryCodesMade,
    RenewRecoveryCodes,
    SecondFactorRead,
    SessionsEnded,
    SessionsListed,
    SetUpTotp,
    TotpDisabled,
    TotpSetUp,
)
from veza.actors.proving import ProvingActor, matching_step, new_recovery_codes, recovery_hash
from veza.actors.runtime.address import Address
from veza.config.ids import uuid7
from veza.persistence import api_keys, credentials
from veza.persistence.pool import Connection

SESSIONS_TOLD: Final = 200
MAX_API_KEYS: Final = 50
HINT_CHARS: Final = 6


class CredentialsActor(ProvingActor):
    """What makes an account easier to take wants the account's proof, not only a session."""

    concurrency: ClassVar[int] = 16
    mailbox_limit: ClassVar[int] = 256

    async def receiveMsg_ListSessions(
        self, command: ListSessions, _sender: Address
    ) -> SessionsListed:
        async with self.connection() as conn:
            found = await credentials.list_sessions(conn, command.user_id, SESSIONS_TOLD)
        return SessionsListed(sessions=found)

    async def receiveMsg_EndSession(self, command: EndSession, _sender: Address) -> SessionsEnded:
        async with self.connection() as conn:
            if not await credentials.end_session(conn, command.user_id, command.session_id):
                raise RefusedError(RejectCode.NOT_FOUND, "There is no such session.")
        return SessionsEnded(session_ids=(command.session_id,))

    async def receiveMsg_EndSessions(self, command: EndSessions, _sender: Address) -> SessionsEnded:
        async with self.connection() as conn:
            return SessionsEnded(session_ids=await credentials.end_sessions(conn, command.user_id))

    async def receiveMsg_ChangePassword(
        self, command: ChangePassword, _sender: Address
    ) -> SessionsEnded:
        account = await self.require_own_proof(command.user_id, command.proof)
        user = account.user
        await self.rules.require_good(command.new_password, user.username, user.email)
        password_hash = await self.passwords.hash(command.new_password)
        async with self.transaction() as conn:
            await credentials.set_password(conn, user.id, password_hash)
            ended = await credentials.end_sessions(conn, user.id, but=command.session_id)
        return SessionsEnded(session_ids=ended)

    async def receiveMsg_ReadSecondFactor(
        self, command: ReadSecondFactor, _sender: Address
    ) -> SecondFactorRead:
        async with self.connection() as conn:
            is_enabled, left = await credentials.factor_state(conn, command.user_id)
        return SecondFactorRead(is_enabled=is_enabled, recovery_codes_left=left)

    async def receiveMsg_SetUpTotp(self, command: SetUpTotp, _sender: Address) -> TotpSetUp:
        account = await self.require_own_proof(command.user_id, command.proof)
        secret = pyotp.random_base32()
        async with self.connection() as conn:
            if not await credentials.place_factor(conn, account.user.id, secret):
                detail = "There is a second factor. Take it away first."
                raise RefusedError(RejectCode.INVALID_STATE, detail)
        return TotpSetUp(secret=secret, username=account.user.username)

    async def receiveMsg_EnableTotp(
        self, command: EnableTotp, _sender: Address
    ) -> RecoveryCodesMade:
        async with self.transaction() as conn:
            secret = await credentials.pending_secret(conn, command.user_id)
            if secret is None:
                detail = "No second factor waits for its first code. Set one up."
                raise RefusedError(RejectCode.INVALID_STATE, detail)
            step = matching_step(secret, command.totp_code, datetime.now(UTC))
            if step is None:
                raise RefusedError(RejectCode.TOTP_INVALID, "This is not the code of the moment.")
            await credentials.confirm_factor(conn, command.user_id, step)
            return await self._make_codes(conn, command.user_id)

    async def receiveMsg_DisableTotp(self, command: DisableTotp, _sender: Address) -> TotpDisabled:
        account = await self.require_own_proof(command.user_id, command.proof)
        async with self.transaction() as conn:
            await credentials.remove_factor(conn, account.user.id)
        return TotpDisabled()

    async def receiveMsg_RenewRecoveryCodes(
        self, command: RenewRecoveryCodes, _sender: Address
    ) -> RecoveryCodesMade:
        account = await self.require_own_proof(command.user_id, command.proof)
        if account.totp_secret is None:
            raise RefusedError(RejectCode.INVALID_STATE, "There is no second factor.")
        async with self.transaction() as conn:
            return await self._make_codes(conn, account.user.id)

    async def receiveMsg_MakeApiKey(self, command: MakeApiKey, _sender: Address) -> ApiKeyMade:
        if command.expires_at is not None and command.expires_at <= datetime.now(UTC):
            raise RefusedError(RejectCode.VALIDATION_FAILED, "A key ends in the future.")
        account = await self.require_own_proof(command.user_id, command.proof)
        token = API_KEY_PREFIX + new_token()
        async with self.transaction() as conn:
            if await api_keys.count_keys(conn, account.user.id) >= MAX_API_KEYS:
                detail = f"There are {MAX_API_KEYS} keys. Delete one first."
                raise RefusedError(RejectCode.QUOTA_EXCEEDED, detail)
            key = await api_keys.insert_key(
                conn,
                key_id=uuid7(),
                user_id=account.user.id,
                name=command.name,
                key_hash=digest(token),
                hint=token[: len(API_KEY_PREFIX) + HINT_CHARS],
                scopes=command.scopes,
                expires_at=command.expires_at,
            )
        return ApiKeyMade(key_token=token, key=key)

    async def receiveMsg_ListApiKeys(self, command: ListApiKeys, _sender: Address) -> ApiKeysListed:
        async with self.connection() as conn:
            return ApiKeysListed(keys=await api_keys.list_keys(conn, command.user_id))

    async def receiveMsg_EndApiKey(self, command: EndApiKey, _sender: Address) -> ApiKeyEnded:
        async with self.connection() as conn:
            if not await api_keys.delete_key(conn, command.user_id, command.key_id):
                raise RefusedError(RejectCode.NOT_FOUND, "There is no such key.")
        return ApiKeyEnded()

    async def _make_codes(self, conn: Connection, user_id: UUID) -> RecoveryCodesMade:
        codes = new_recovery_codes()
        hashes = [recovery_hash(code) for code in codes]
        await credentials.replace_recovery_codes(conn, user_id, hashes)
        return RecoveryCodesMade(recovery_codes=codes)
