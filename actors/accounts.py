"""The accounts service: registers people, checks who they are, opens and closes their sessions."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import ClassVar

from veza.actors.messages.accounts import (
    ROLES_CHANGED_WITHIN,
    TICKET_PREFIX,
    AccountBannable,
    AccountBanned,
    AccountBansListed,
    AccountUnbanned,
    BanAccount,
    ClaimSetup,
    EndedSessionsFound,
    FindEndedSessions,
    Identified,
    IssueSetup,
    IssueTicket,
    ListAccountBans,
    RefreshSession,
    RegisterAccount,
    SessionRevoked,
    SetupIssued,
    SignedIn,
    SignedOut,
    SignIn,
    SignOut,
    SpendTicket,
    TicketIssued,
    UnbanAccount,
    User,
)
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.passwords import PasswordRules
from veza.actors.proving import ProvingActor
from veza.actors.runtime.address import Address
from veza.config.ids import uuid7
from veza.persistence import accounts as rows
from veza.persistence import audit, bans, credentials, roles
from veza.persistence.errors import (
    AccountBannedError,
    EmailTakenError,
    TokenReusedError,
    TokenUnknownError,
    UsernameTakenError,
)
from veza.persistence.pool import Connection, Pool
from veza.persistence.rows import Identity

ADMIN_ROLES = ("admin", "ops")
SETUP_LIFETIME = timedelta(hours=1)
TICKET_LIFETIME = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPolicy:
    """What the operator decided about accounts."""

    is_registration_open: bool
    session_lifetime: timedelta


class AccountsActor(ProvingActor):
    """Accounts and sessions. Secrets are told once and stored as hashes only."""

    concurrency: ClassVar[int] = 32
    mailbox_limit: ClassVar[int] = 256

    def __init__(
        self, *, pool: Pool, policy: AccountPolicy, bcrypt_cost: int, rules: PasswordRules
    ) -> None:
        super().__init__(pool=pool, bcrypt_cost=bcrypt_cost, rules=rules)
        self.policy = policy

    async def receiveMsg_RegisterAccount(
        self, command: RegisterAccount, _sender: Address
    ) -> SignedIn:
        if not self.policy.is_registration_open:
            raise RefusedError(
                RejectCode.REGISTRATION_CLOSED, "This server takes no new accounts at present."
            )
        password_hash = await self._hash_new(command)
        async with self.transaction() as conn:
            user = await insert_user(conn, command, password_hash)
            return await self._open_session(conn, user, command.user_agent)

    async def receiveMsg_IssueSetup(self, _command: IssueSetup, _sender: Address) -> SetupIssued:
        async with self.transaction() as conn:
            if await rows.has_admin(conn):
                return SetupIssued(token=None)
            token = new_token()
            expires_at = datetime.now(UTC) + SETUP_LIFETIME
            await rows.store_setup_token(conn, token_hash=digest(token), expires_at=expires_at)
            return SetupIssued(token=token)

    async def receiveMsg_ClaimSetup(self, command: ClaimSetup, _sender: Address) -> SignedIn:
        password_hash = await self._hash_new(command)
        async with self.transaction() as conn:
            if not await rows.spend_setup_token(conn, digest(command.token)):
                raise RefusedError(
                    RejectCode.INVALID_TOKEN, "This set-up link was used or is too old."
                )
            if await rows.has_admin(conn):
                raise RefusedError(RejectCode.INVALID_STATE, "There is an administrator already.")
            user = await insert_user(conn, command, password_hash)
            for name in ADMIN_ROLES:
                await roles.grant(conn, user.id, await roles.lock_role(conn, name), user.id)
            user = await rows.get_user(conn, user.id) or user
            return await self._open_session(conn, user, command.user_agent)

    async def _hash_new(self, command: RegisterAccount | ClaimSetup) -> str:
        await self.rules.require_good(command.password, command.username, command.email)
        return await self.passwords.hash(command.password)

    async def receiveMsg_SignIn(self, command: SignIn, _sender: Address) -> SignedIn:
        async with self.connection() as conn:
            found = await credentials.find_login(conn, command.login)
        subject = f"login {command.login.casefold()}"
        account = await self.require_proof(found, command.proof, subject)
        async with self.transaction() as conn:
            return await self._open_session(conn, account.user, command.user_agent)

    async def receiveMsg_RefreshSession(
        self, command: RefreshSession, _sender: Address
    ) -> SignedIn | SessionRevoked:
        refresh_token, cookie_token = new_token(), new_token()
        async with self.connection() as conn:
            try:
                rotated = await rows.rotate_refresh(
                    conn,
                    token_hash=digest(command.refresh_token),
                    new_token_hash=digest(refresh_token),
                    new_cookie_hash=digest(cookie_token),
                )
            except TokenReusedError as error:
                return SessionRevoked(session_id=error.session_id)
            except TokenUnknownError as error:
                with banned_refused():
                    await bans.explain_refresh(conn, digest(command.refresh_token))
                raise RefusedError(RejectCode.INVALID_TOKEN, "Sign in again.") from error
        return SignedIn(
            user=rotated.user,
            session_id=rotated.session_id,
            refresh_token=refresh_token,
            cookie_token=cookie_token,
            expires_at=rotated.expires_at,
        )

    async def receiveMsg_SignOut(self, command: SignOut, _sender: Address) -> SignedOut:
        async with self.connection() as conn:
            await rows.close_session(conn, command.session_id)
        return SignedOut()

    async def receiveMsg_IssueTicket(self, command: IssueTicket, _sender: Address) -> TicketIssued:
        token = TICKET_PREFIX + new_token()
        async with self.connection() as conn:
            expires_at = await rows.store_ticket(
                conn,
                token_hash=digest(token),
                session_id=command.session_id,
                lifetime=TICKET_LIFETIME,
            )
        return TicketIssued(token=token, expires_at=expires_at)

    async def receiveMsg_SpendTicket(self, command: SpendTicket, _sender: Address) -> Identified:
        async with self.connection() as conn:
            with banned_refused():
                await bans.refuse_ticket(conn, digest(command.token))
            return identified(await rows.spend_ticket(conn, digest(command.token)))

    # --- accounts that are shut out ---

    async def receiveMsg_BanAccount(
        self, command: BanAccount, _sender: Address
    ) -> AccountBanned | AccountBannable:
        if command.until is not None and command.until <= datetime.now(UTC):
            raise RefusedError(RejectCode.VALIDATION_FAILED, "A ban ends in the future.")
        async with self.transaction() as conn:
            await self._require_bannable(conn, command)
            if command.is_rehearsal:
                return AccountBannable()
            await bans.store_ban(
                conn,
                user_id=command.user_id,
                until=command.until,
                reason=command.reason,
                by_id=command.by.id,
            )
            end = "for good" if command.until is None else f"until {command.until:%Y-%m-%dT%H:%MZ}"
            await self._note(conn, command, "account.ban", f"{command.reason} ({end})")
            ban = await bans.get_ban(conn, command.user_id)
        if ban is None:
            # It ended between the check and the commit.
            raise RefusedError(RejectCode.VALIDATION_FAILED, "A ban ends in the future.")
        return AccountBanned(ban=ban)

    async def _require_bannable(self, conn: Connection, command: BanAccount) -> None:
        if command.user_id == command.by.id:
            raise RefusedError(RejectCode.FORBIDDEN, "Nobody bans themselves.")
        found = await bans.lock_to_ban(conn, command.user_id)
        if found is None:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such account.")
        _name, is_admin = found
        if is_admin:
            raise RefusedError(RejectCode.FORBIDDEN, "Administrators do not ban each other.")

    async def receiveMsg_UnbanAccount(
        self, command: UnbanAccount, _sender: Address
    ) -> AccountUnbanned:
        async with self.transaction() as conn:
            was_banned = await bans.delete_ban(conn, command.user_id)
            if was_banned:
                await self._note(conn, command, "account.unban", command.reason)
        return AccountUnbanned(was_banned=was_banned)

    async def _note(
        self, conn: Connection, command: BanAccount | UnbanAccount, action: str, reason: str
    ) -> None:
        await audit.insert_act(
            conn,
            act_id=uuid7(),
            actor_id=command.by.id,
            actor_name=command.by.name,
            via="http",
            action=action,
            target=f"user {command.user_id}",
            reason=reason,
            request_id=command.request_id,
        )

    async def receiveMsg_ListAccountBans(
        self, command: ListAccountBans, _sender: Address
    ) -> AccountBansListed:
        async with self.connection() as conn:
            found = await bans.list_bans(conn, limit=command.limit, before=command.before)
        return AccountBansListed(bans=found)

    async def receiveMsg_FindEndedSessions(
        self, command: FindEndedSessions, _sender: Address
    ) -> EndedSessionsFound:
        async with self.connection() as conn:
            ended = await bans.find_ended(conn, command.session_ids)
            changed = await roles.changed_lately(conn, command.session_ids, ROLES_CHANGED_WITHIN)
        permissions = {user.id: user.permissions for user in changed}
        return EndedSessionsFound(ended=ended, permissions=permissions)

    async def _open_session(self, conn: Connection, user: User, user_agent: str) -> SignedIn:
        signed_in = SignedIn(
            user=user,
            session_id=uuid7(),
            refresh_token=new_token(),
            cookie_token=new_token(),
            expires_at=datetime.now(UTC) + self.policy.session_lifetime,
        )
        with banned_refused():
            await bans.require_welcome(conn, user.id)
        await rows.open_session(
            conn,
            session_id=signed_in.session_id,
            user_id=user.id,
            cookie_hash=digest(signed_in.cookie_token),
            refresh_hash=digest(signed_in.refresh_token),
            user_agent=user_agent,
            expires_at=signed_in.expires_at,
        )
        return signed_in


@contextmanager
def banned_refused() -> Iterator[None]:
    """Turn the ban of an account into the refusal."""
    try:
        yield
    except AccountBannedError as error:
        until = "" if error.until is None else f" until {error.until:%Y-%m-%d %H:%M} UTC"
        detail = f"This account is banned{until}."
        raise RefusedError(RejectCode.ACCOUNT_BANNED, detail) from error


async def insert_user(
    conn: Connection, command: RegisterAccount | ClaimSetup, password_hash: str
) -> User:
    """Make the account a command asks for; a name or address in use is refused."""
    try:
        return await rows.insert_user(
            conn,
            user_id=uuid7(),
            username=command.username,
            email=command.email,
            password_hash=password_hash,
        )
    except UsernameTakenError as error:
        raise RefusedError(RejectCode.USERNAME_TAKEN, "This name is taken.") from error
    except EmailTakenError as error:
        raise RefusedError(RejectCode.EMAIL_TAKEN, "This address has an account.") from error


def identified(found: Identity | None) -> Identified:
    """Turn an open session into the reply, and none into the refusal."""
    if found is None:
        raise RefusedError(RejectCode.INVALID_TOKEN, "Sign in again.")
    return Identified(user=found.user, session_id=found.session_id, expires_at=found.expires_at)


def new_token() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """Return what is stored of a random token: its SHA-256, which needs no salt for 256 bits."""
    return sha256(token.encode()).digest()
