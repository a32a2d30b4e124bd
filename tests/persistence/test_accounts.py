"""Names and addresses are unique, tokens work once, and a session ends when it should."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from veza.persistence import accounts, credentials, roles
from veza.persistence.errors import (
    EmailTakenError,
    TokenReusedError,
    TokenUnknownError,
    UsernameTakenError,
)
from veza.persistence.pool import Connection, Pool
from veza.persistence.rows import Identity, User

LATER = datetime.now(UTC) + timedelta(days=1)
EARLIER = datetime.now(UTC) - timedelta(seconds=1)


async def add_user(conn: Connection, username: str = "Ada", email: str = "ada@example.org") -> User:
    return await accounts.insert_user(
        conn, user_id=uuid4(), username=username, email=email, password_hash="secret hash"
    )


async def grant(conn: Connection, user: User, name: str) -> None:
    await roles.grant(conn, user.id, await roles.lock_role(conn, name), None)


async def open_session(
    conn: Connection, user: User, *, name: str = "1", expires_at: datetime = LATER
) -> UUID:
    session_id = uuid4()
    await accounts.open_session(
        conn,
        session_id=session_id,
        user_id=user.id,
        cookie_hash=f"cookie {name}".encode(),
        refresh_hash=f"refresh {name}".encode(),
        user_agent="test",
        expires_at=expires_at,
    )
    return session_id


async def rotate(conn: Connection, old: str, new: str) -> accounts.RotatedSession:
    return await accounts.rotate_refresh(
        conn,
        token_hash=f"refresh {old}".encode(),
        new_token_hash=f"refresh {new}".encode(),
        new_cookie_hash=f"cookie {new}".encode(),
    )


async def test_a_new_account_is_found_by_its_id(conn: Connection) -> None:
    user = await add_user(conn)
    assert (user.username, user.email, user.roles) == ("Ada", "ada@example.org", frozenset())
    assert abs(datetime.now(UTC) - user.created_at) < timedelta(minutes=1)
    assert await accounts.get_user(conn, user.id) == user
    assert await accounts.get_user(conn, uuid4()) is None


async def test_a_username_is_taken_in_whatever_case(conn: Connection) -> None:
    await add_user(conn)
    with pytest.raises(UsernameTakenError):
        await add_user(conn, "aDA", "other@example.org")


async def test_an_address_is_taken_in_whatever_case(conn: Connection) -> None:
    await add_user(conn)
    with pytest.raises(EmailTakenError):
        await add_user(conn, "bob", "ADA@example.org")


async def test_a_refused_account_leaves_the_callers_transaction_usable(conn: Connection) -> None:
    await add_user(conn)
    async with conn.transaction():
        with pytest.raises(UsernameTakenError):
            await add_user(conn, "ada", "other@example.org")
        other = await add_user(conn, "bob", "bob@example.org")
    assert await accounts.get_user(conn, other.id) == other


async def test_of_two_who_want_a_name_at_once_one_gets_it(pool: Pool) -> None:
    async def register(number: int) -> User:
        async with pool.acquire() as conn:
            return await add_user(conn, "ada", f"{number}@example.org")

    results = await asyncio.gather(*map(register, range(6)), return_exceptions=True)
    assert sum(isinstance(result, User) for result in results) == 1
    assert sum(isinstance(result, UsernameTakenError) for result in results) == 5


@pytest.mark.parametrize("login", ["ada", "ADA", "ada@example.org", "Ada@Example.org"])
async def test_a_login_is_a_name_or_an_address_in_whatever_case(
    conn: Connection, login: str
) -> None:
    user = await add_user(conn)
    found = await credentials.find_login(conn, login)
    assert found is not None
    assert (found.user, found.password_hash) == (user, "secret hash")


async def test_an_unknown_login_finds_nobody(conn: Connection) -> None:
    assert await credentials.find_login(conn, "nobody") is None


async def test_a_name_that_is_anothers_address_finds_the_one_so_named(conn: Connection) -> None:
    await add_user(conn)
    named = await add_user(conn, "ada@example.org", "other@example.org")
    found = await credentials.find_login(conn, "ada@example.org")
    assert found is not None
    assert found.user == named


async def test_roles_are_granted_once_and_seen_everywhere(conn: Connection) -> None:
    user = await add_user(conn)
    assert not await accounts.has_admin(conn)
    await grant(conn, user, "ops")
    assert not await accounts.has_admin(conn)
    await grant(conn, user, "admin")
    await grant(conn, user, "admin")
    assert await accounts.has_admin(conn)
    again = await accounts.get_user(conn, user.id)
    assert again is not None
    assert again.roles == {"admin", "ops"}


async def test_an_open_session_is_found_by_its_id_and_its_cookie(conn: Connection) -> None:
    user = await add_user(conn)
    session_id = await open_session(conn, user)
    expected = Identity(user=user, session_id=session_id, expires_at=LATER)
    assert (await accounts.find_sessions(conn, [session_id])).get(session_id) == expected
    assert (await accounts.find_cookies(conn, [b"cookie 1"])).get(b"cookie 1") == expected
    assert await accounts.find_sessions(conn, [uuid4()]) == {}
    assert (await accounts.find_cookies(conn, [b"another"])).get(b"another") is None


async def issue(
    conn: Connection, session_id: UUID, name: bytes, lifetime: timedelta = timedelta(seconds=30)
) -> datetime:
    return await accounts.store_ticket(
        conn, token_hash=name, session_id=session_id, lifetime=lifetime
    )


async def test_a_ticket_is_good_once(conn: Connection) -> None:
    user = await add_user(conn)
    session_id = await open_session(conn, user)
    expires_at = await issue(conn, session_id, b"ticket")
    assert timedelta(seconds=20) < expires_at - datetime.now(UTC) < timedelta(seconds=40)

    expected = Identity(user=user, session_id=session_id, expires_at=LATER)
    assert await accounts.spend_ticket(conn, b"another") is None
    assert await accounts.spend_ticket(conn, b"ticket") == expected
    assert await accounts.spend_ticket(conn, b"ticket") is None


async def test_of_many_who_come_with_one_ticket_at_once_one_gets_in(pool: Pool) -> None:
    async with pool.acquire() as conn:
        session_id = await open_session(conn, await add_user(conn))
        await issue(conn, session_id, b"ticket")

    async def spend() -> Identity | None:
        async with pool.acquire() as conn:
            return await accounts.spend_ticket(conn, b"ticket")

    found = await asyncio.gather(*(spend() for _ in range(8)))

    assert len([each for each in found if each is not None]) == 1


async def test_a_ticket_is_worth_nothing_past_its_time_or_its_session(conn: Connection) -> None:
    user = await add_user(conn)
    session_id = await open_session(conn, user)
    over = await open_session(conn, user, name="2", expires_at=EARLIER)
    await issue(conn, session_id, b"late", timedelta(seconds=-1))
    await issue(conn, over, b"over")
    await issue(conn, session_id, b"closed")
    await accounts.close_session(conn, session_id)

    for name in (b"late", b"over", b"closed"):
        assert await accounts.spend_ticket(conn, name) is None


async def test_a_new_ticket_sweeps_out_those_whose_time_is_over(conn: Connection) -> None:
    session_id = await open_session(conn, await add_user(conn))
    for n in range(3):
        await issue(conn, session_id, b"old %d" % n, timedelta(seconds=-1))
    await issue(conn, session_id, b"good")
    await issue(conn, session_id, b"new")

    left = await conn.fetch("SELECT token_hash FROM realtime_tickets")

    assert {row["token_hash"] for row in left} == {b"good", b"new"}


async def test_a_closed_session_has_neither_cookie_nor_refresh_token(conn: Connection) -> None:
    session_id = await open_session(conn, await add_user(conn))
    await accounts.close_session(conn, session_id)
    await accounts.close_session(conn, session_id)
    assert (await accounts.find_sessions(conn, [session_id])).get(session_id) is None
    assert (await accounts.find_cookies(conn, [b"cookie 1"])).get(b"cookie 1") is None
    with pytest.raises(TokenUnknownError):
        await rotate(conn, "1", "2")


async def test_an_expired_session_has_neither_cookie_nor_refresh_token(conn: Connection) -> None:
    session_id = await open_session(conn, await add_user(conn), expires_at=EARLIER)
    assert (await accounts.find_sessions(conn, [session_id])).get(session_id) is None
    assert (await accounts.find_cookies(conn, [b"cookie 1"])).get(b"cookie 1") is None
    with pytest.raises(TokenUnknownError):
        await rotate(conn, "1", "2")


async def test_a_refresh_token_buys_a_new_token_and_cookie(conn: Connection) -> None:
    user = await add_user(conn)
    session_id = await open_session(conn, user)
    rotated = await rotate(conn, "1", "2")
    assert (rotated.user, rotated.session_id, rotated.expires_at) == (user, session_id, LATER)
    assert (await accounts.find_cookies(conn, [b"cookie 1"])).get(b"cookie 1") is None
    assert (await accounts.find_cookies(conn, [b"cookie 2"])).get(b"cookie 2") is not None
    assert (await rotate(conn, "2", "3")).session_id == session_id


async def test_an_unknown_refresh_token_is_refused(conn: Connection) -> None:
    with pytest.raises(TokenUnknownError):
        await rotate(conn, "1", "2")


async def test_a_spent_refresh_token_ends_its_session_and_no_other(conn: Connection) -> None:
    user = await add_user(conn)
    session_id = await open_session(conn, user)
    other_id = await open_session(conn, user, name="other")
    await rotate(conn, "1", "2")
    with pytest.raises(TokenReusedError) as caught:
        await rotate(conn, "1", "3")
    assert caught.value.session_id == session_id
    assert (await accounts.find_sessions(conn, [session_id])).get(session_id) is None
    with pytest.raises(TokenUnknownError):
        await rotate(conn, "2", "4")
    assert (await accounts.find_sessions(conn, [other_id])).get(other_id) is not None


async def test_of_many_uses_of_a_refresh_token_at_once_one_wins_and_the_session_ends(
    pool: Pool,
) -> None:
    async with pool.acquire() as conn:
        session_id = await open_session(conn, await add_user(conn))

    async def use(number: int) -> accounts.RotatedSession:
        async with pool.acquire() as conn:
            return await rotate(conn, "1", f"new {number}")

    results = await asyncio.gather(*map(use, range(6)), return_exceptions=True)
    assert sum(isinstance(result, accounts.RotatedSession) for result in results) == 1
    assert sum(isinstance(result, TokenReusedError) for result in results) == 5
    async with pool.acquire() as conn:
        assert (await accounts.find_sessions(conn, [session_id])).get(session_id) is None


async def test_a_setup_token_works_once(conn: Connection) -> None:
    await accounts.store_setup_token(conn, token_hash=b"token", expires_at=LATER)
    assert not await accounts.spend_setup_token(conn, b"another")
    assert await accounts.spend_setup_token(conn, b"token")
    assert not await accounts.spend_setup_token(conn, b"token")


async def test_an_expired_setup_token_does_not_work(conn: Connection) -> None:
    await accounts.store_setup_token(conn, token_hash=b"token", expires_at=EARLIER)
    assert not await accounts.spend_setup_token(conn, b"token")


async def test_a_new_setup_token_replaces_the_old_one(conn: Connection) -> None:
    await accounts.store_setup_token(conn, token_hash=b"old", expires_at=LATER)
    await accounts.store_setup_token(conn, token_hash=b"new", expires_at=LATER)
    assert not await accounts.spend_setup_token(conn, b"old")
    assert await accounts.spend_setup_token(conn, b"new")


async def test_a_rolled_back_sign_up_gives_the_setup_token_back(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await accounts.store_setup_token(conn, token_hash=b"token", expires_at=LATER)
        await add_user(conn)

    async def sign_up() -> None:
        async with pool.transaction() as conn:
            assert await accounts.spend_setup_token(conn, b"token")
            await add_user(conn, "ada", "other@example.org")

    with pytest.raises(UsernameTakenError):
        await sign_up()
    async with pool.acquire() as conn:
        assert await accounts.spend_setup_token(conn, b"token")
