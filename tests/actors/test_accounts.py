"""Who may have an account, how it is proved, and that nothing is told about accounts that are none."""

import asyncio
from datetime import timedelta
from time import perf_counter

import pytest

from veza.actors.accounts import AccountPolicy, AccountsActor, digest
from veza.actors.messages.accounts import (
    TICKET_PREFIX,
    ClaimSetup,
    Identified,
    IdentifyCookie,
    IdentifySession,
    IssueSetup,
    IssueTicket,
    Proof,
    RefreshSession,
    RegisterAccount,
    SessionRevoked,
    SetupIssued,
    SignedIn,
    SignIn,
    SignOut,
    SpendTicket,
)
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.passwords import PasswordRules, condensed, hash_password, is_password

PASSWORD = "correct horse battery"


@pytest.fixture
def ask(world):
    async def asking(command):
        is_arrival = isinstance(command, IdentifyCookie | IdentifySession)
        key = ("arrivals", "") if is_arrival else ("accounts", "")
        return await world.node.ask(key, command)

    return asking


def register(name="alice", email=None, password=PASSWORD):
    return RegisterAccount(
        username=name, email=email or f"{name}@example.org", password=password, user_agent="test"
    )


def sign_in(login="alice", password=PASSWORD):
    return SignIn(login=login, proof=Proof(password=password), user_agent="test")


def code_of(reply):
    assert isinstance(reply, Rejected), reply
    return reply.code


async def test_one_signs_in_by_name_or_address_in_any_case(ask):
    registered = await ask(register())

    for login in ("alice", "ALICE", "Alice@Example.org"):
        signed_in = await ask(sign_in(login))
        assert isinstance(signed_in, SignedIn)
        assert signed_in.user == registered.user


async def test_a_wrong_password_and_a_missing_account_get_the_same_answer(ask):
    await ask(register())

    assert await ask(sign_in(password="wrong")) == await ask(sign_in("nobody"))


@pytest.fixture
def ask_slow(world):
    """Asks a service of cost 9: a hash takes tens of milliseconds."""
    policy = AccountPolicy(is_registration_open=True, session_lifetime=timedelta(days=1))
    runtime = world.node.runtime
    accounts = runtime.spawn(
        AccountsActor,
        {"pool": world.pool, "policy": policy, "bcrypt_cost": 9, "rules": PasswordRules()},
    )

    async def asking(command):
        return await runtime.request(accounts, command, 10)

    return asking


async def test_a_missing_account_takes_as_long_as_a_wrong_password(ask_slow):
    await ask_slow(register())

    async def seconds(command):
        started = perf_counter()
        await ask_slow(command)
        return perf_counter() - started

    # By turns, so that whatever else this machine does meanwhile falls on both.
    took = [
        (await seconds(sign_in(password="wrong")), await seconds(sign_in("nobody")))
        for _ in range(8)
    ]
    wrong, missing = (min(each) for each in zip(*took, strict=True))

    assert missing > wrong / 2


async def test_a_crowd_that_comes_at_once_is_refused_in_part_and_keeps_nobody_waiting(
    ask, ask_slow
):
    cookie = (await ask_slow(register())).cookie_token

    crowd = [asyncio.ensure_future(ask_slow(register(f"person{n}"))) for n in range(100)]
    await asyncio.sleep(0)
    identified = await ask(IdentifyCookie(cookie_token=cookie))
    still_waiting = sum(not each.done() for each in crowd)
    answers = await asyncio.gather(*crowd)

    assert isinstance(identified, Identified)
    assert still_waiting > 0
    refused = [reply for reply in answers if isinstance(reply, Rejected)]
    assert 0 < len(refused) < len(answers)
    assert {reply.code for reply in refused} == {RejectCode.UNAVAILABLE}
    assert all(reply.retry_after_seconds for reply in refused)


async def test_names_and_addresses_are_taken_whatever_their_case(ask):
    await ask(register())

    assert code_of(await ask(register("ALICE", "other@example.org"))) is RejectCode.USERNAME_TAKEN
    assert code_of(await ask(register("bob", "Alice@example.ORG"))) is RejectCode.EMAIL_TAKEN


async def test_of_many_who_register_one_name_at_once_one_gets_it(ask):
    replies = await asyncio.gather(*(ask(register("alice", f"a{n}@x.org")) for n in range(8)))

    assert sum(isinstance(reply, SignedIn) for reply in replies) == 1


async def test_a_refresh_token_works_once_and_its_second_use_ends_the_session(ask):
    first = await ask(register())

    second = await ask(RefreshSession(refresh_token=first.refresh_token))
    assert isinstance(second, SignedIn)
    assert second.session_id == first.session_id
    again = await ask(RefreshSession(refresh_token=first.refresh_token))

    assert again == SessionRevoked(session_id=first.session_id)
    after = await ask(RefreshSession(refresh_token=second.refresh_token))
    assert isinstance(after, Rejected)
    assert isinstance(await ask(IdentifySession(session_id=first.session_id)), Rejected)


async def test_an_unknown_refresh_token_is_refused(ask):
    assert code_of(await ask(RefreshSession(refresh_token="made up"))) is RejectCode.INVALID_TOKEN


async def test_a_cookie_names_its_holder_until_sign_out(ask):
    signed_in = await ask(register())

    identified = await ask(IdentifyCookie(cookie_token=signed_in.cookie_token))
    assert isinstance(identified, Identified)
    assert identified.user == signed_in.user
    await ask(SignOut(session_id=signed_in.session_id))

    gone = await ask(IdentifyCookie(cookie_token=signed_in.cookie_token))
    assert code_of(gone) is RejectCode.INVALID_TOKEN


async def test_a_ticket_names_its_holder_once(ask):
    signed_in = await ask(register())

    issued = await ask(IssueTicket(session_id=signed_in.session_id))
    assert issued.token.startswith(TICKET_PREFIX)
    identified = await ask(SpendTicket(token=issued.token))
    again = await ask(SpendTicket(token=issued.token))

    assert isinstance(identified, Identified)
    assert (identified.user, identified.session_id) == (signed_in.user, signed_in.session_id)
    assert identified.expires_at == signed_in.expires_at
    assert code_of(again) is RejectCode.INVALID_TOKEN


async def test_signing_out_takes_the_tickets_along(ask):
    signed_in = await ask(register())
    issued = await ask(IssueTicket(session_id=signed_in.session_id))

    await ask(SignOut(session_id=signed_in.session_id))

    assert code_of(await ask(SpendTicket(token=issued.token))) is RejectCode.INVALID_TOKEN


async def test_of_a_ticket_only_the_hash_is_stored(ask, pool):
    signed_in = await ask(register())
    issued = await ask(IssueTicket(session_id=signed_in.session_id))

    async with pool.acquire() as conn:
        stored = await conn.fetchval("SELECT token_hash FROM realtime_tickets")

    assert stored == digest(issued.token)


async def test_the_setup_link_makes_one_administrator_once(ask):
    issued = await ask(IssueSetup())
    claim = ClaimSetup(
        token=issued.token, username="root", email="r@x.org", password=PASSWORD, user_agent="t"
    )

    made = await ask(claim)

    assert made.user.roles == {"admin", "ops"}
    assert isinstance(await ask(claim), Rejected)
    assert await ask(IssueSetup()) == SetupIssued(token=None)


async def test_a_later_setup_link_takes_the_place_of_an_earlier_one(ask):
    first, second = await ask(IssueSetup()), await ask(IssueSetup())
    claim = {"username": "root", "email": "r@x.org", "password": PASSWORD, "user_agent": "t"}

    assert code_of(await ask(ClaimSetup(token=first.token, **claim))) is RejectCode.INVALID_TOKEN
    assert isinstance(await ask(ClaimSetup(token=second.token, **claim)), SignedIn)


async def test_a_claim_that_failed_does_not_spend_the_link(ask):
    await ask(register("taken"))
    issued = await ask(IssueSetup())
    claim = {"token": issued.token, "password": PASSWORD, "user_agent": "t"}

    refused = await ask(ClaimSetup(username="taken", email="r@x.org", **claim))
    made = await ask(ClaimSetup(username="root", email="r@x.org", **claim))

    assert code_of(refused) is RejectCode.USERNAME_TAKEN
    assert isinstance(made, SignedIn)


def test_passwords_differ_past_the_72_bytes_that_bcrypt_reads():
    stored = hash_password("x" * 100 + "a", 4)

    assert is_password("x" * 100 + "a", stored)
    assert not is_password("x" * 100 + "b", stored)
    assert len(condensed("p" * 1000)) == 44
