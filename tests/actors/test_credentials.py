"""Passwords, second factors and sessions: what proves somebody, once each, and what wrong proofs cost."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from veza.actors import credentials as service
from veza.actors.messages.accounts import (
    ACCOUNTS,
    ARRIVALS,
    Identified,
    IdentifyKey,
    IdentifySession,
    Proof,
    RegisterAccount,
    SignedIn,
    SignIn,
)
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.credentials import (
    CREDENTIALS,
    ApiKeyMade,
    ChangePassword,
    DisableTotp,
    EnableTotp,
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
    SetUpTotp,
    TotpDisabled,
)
from veza.actors.passwords import PasswordRules
from veza.actors.proving import matching_step, wait_until
from veza.persistence.breached_passwords import is_breached

PASSWORD = "correct horse battery"
NEW = "staple battery horse"


class Holder:
    """Somebody who signed up, and asks about their own account."""

    def __init__(self, node, signed_in):
        self.node, self.id, self.session_id = node, signed_in.user.id, signed_in.session_id

    async def ask(self, kind, **fields):
        return await self.node.ask(CREDENTIALS, kind(user_id=self.id, **fields))

    async def sign_in(self, password=PASSWORD, code=None):
        proof = Proof(password=password, totp_code=code)
        return await self.node.ask(ACCOUNTS, SignIn(login="ada", proof=proof, user_agent="second"))

    async def is_open(self, session_id):
        reply = await self.node.ask(ARRIVALS, IdentifySession(session_id=session_id))
        return isinstance(reply, Identified)

    async def arm(self):
        """Take a second factor; return the app and the recovery codes."""
        made = await self.ask(SetUpTotp, proof=Proof(password=PASSWORD))
        app = pyotp.TOTP(made.secret)
        # The code before the present one, so that the present one is still good for what follows.
        first = app.generate_otp(app.timecode(datetime.now(UTC)) - 1)
        enabled = await self.ask(EnableTotp, totp_code=first)
        assert isinstance(enabled, RecoveryCodesMade), enabled
        return app, enabled.recovery_codes


@pytest.fixture
async def ada(world):
    command = RegisterAccount(
        username="ada", email="ada@example.org", password=PASSWORD, user_agent="first"
    )
    return Holder(world.node, await world.node.ask(ACCOUNTS, command))


def code_of(reply):
    assert isinstance(reply, Rejected), reply
    return reply.code


async def test_sessions_are_listed_and_each_can_be_ended(ada):
    second = await ada.sign_in()

    listed = (await ada.ask(ListSessions)).sessions
    ended = await ada.ask(EndSession, session_id=second.session_id)
    again = await ada.ask(EndSession, session_id=second.session_id)

    assert [each.user_agent for each in listed] == ["second", "first"]
    assert ended == SessionsEnded(session_ids=(second.session_id,))
    assert code_of(again) is RejectCode.NOT_FOUND
    assert not await ada.is_open(second.session_id)
    assert await ada.is_open(ada.session_id)


async def test_nobody_ends_another_persons_session(world, ada):
    command = RegisterAccount(
        username="eve", email="eve@example.org", password=PASSWORD, user_agent="x"
    )
    eve = Holder(world.node, await world.node.ask(ACCOUNTS, command))

    refused = await eve.ask(EndSession, session_id=ada.session_id)
    await eve.ask(EndSessions)

    assert code_of(refused) is RejectCode.NOT_FOUND
    assert await ada.is_open(ada.session_id)


async def test_a_changed_password_is_the_only_one_and_ends_all_other_sessions(ada):
    second = await ada.sign_in()

    changed = await ada.ask(
        ChangePassword,
        session_id=ada.session_id,
        proof=Proof(password=PASSWORD),
        new_password=NEW,
    )

    assert changed == SessionsEnded(session_ids=(second.session_id,))
    assert await ada.is_open(ada.session_id)
    assert code_of(await ada.sign_in()) is RejectCode.BAD_CREDENTIALS
    assert isinstance(await ada.sign_in(NEW), SignedIn)


@pytest.mark.parametrize("weak", ["Ada", "ADA@example.org"])
async def test_a_name_is_no_password(ada, weak):
    refused = await ada.ask(
        ChangePassword,
        session_id=ada.session_id,
        proof=Proof(password=PASSWORD),
        new_password=weak,
    )

    assert code_of(refused) is RejectCode.PASSWORD_WEAK


async def test_a_session_alone_changes_nothing_that_makes_the_account_easier_to_take(ada):
    wrong = Proof(password="a guess")
    for kind, fields in [
        (ChangePassword, {"session_id": ada.session_id, "new_password": NEW}),
        (SetUpTotp, {}),
        (DisableTotp, {}),
        (RenewRecoveryCodes, {}),
    ]:
        assert code_of(await ada.ask(kind, proof=wrong, **fields)) is RejectCode.BAD_CREDENTIALS


async def test_with_a_second_factor_a_password_is_not_enough(ada):
    app, _codes = await ada.arm()

    assert code_of(await ada.sign_in()) is RejectCode.TOTP_REQUIRED
    assert code_of(await ada.sign_in(code="000000")) is RejectCode.TOTP_INVALID
    assert code_of(await ada.sign_in("wrong", code=app.now())) is RejectCode.BAD_CREDENTIALS
    assert isinstance(await ada.sign_in(code=app.now()), SignedIn)


async def test_a_code_works_once_however_many_come_with_it_at_once(ada):
    app, _codes = await ada.arm()
    code = app.now()

    replies = await asyncio.gather(*(ada.sign_in(code=code) for _ in range(4)))

    assert [type(each) for each in replies].count(SignedIn) == 1
    assert {each.code for each in replies if isinstance(each, Rejected)} == {
        RejectCode.TOTP_INVALID
    }


async def test_each_recovery_code_works_once_as_it_was_told_or_typed(ada):
    _app, codes = await ada.arm()

    assert isinstance(await ada.sign_in(code=codes[0]), SignedIn)
    assert code_of(await ada.sign_in(code=codes[0])) is RejectCode.TOTP_INVALID
    assert isinstance(await ada.sign_in(code=codes[1].lower().replace("-", " ")), SignedIn)
    left = await ada.ask(ReadSecondFactor)
    assert left == SecondFactorRead(is_enabled=True, recovery_codes_left=len(codes) - 2)


async def test_new_recovery_codes_make_the_old_ones_void(ada):
    app, old = await ada.arm()

    proof = Proof(password=PASSWORD, totp_code=app.now())
    new = (await ada.ask(RenewRecoveryCodes, proof=proof)).recovery_codes

    assert not set(new) & set(old)
    assert code_of(await ada.sign_in(code=old[0])) is RejectCode.TOTP_INVALID
    assert isinstance(await ada.sign_in(code=new[0]), SignedIn)


async def test_a_factor_counts_from_its_first_code_on_and_until_it_is_taken_away(ada):
    await ada.ask(SetUpTotp, proof=Proof(password=PASSWORD))
    assert isinstance(await ada.sign_in(), SignedIn)
    assert code_of(await ada.ask(EnableTotp, totp_code="000000")) is RejectCode.TOTP_INVALID

    app, codes = await ada.arm()
    again = await ada.ask(SetUpTotp, proof=Proof(password=PASSWORD, totp_code=app.now()))
    assert code_of(again) is RejectCode.INVALID_STATE
    proof = Proof(password=PASSWORD, totp_code=codes[0])
    assert await ada.ask(DisableTotp, proof=proof) == TotpDisabled()

    assert isinstance(await ada.sign_in(), SignedIn)
    assert code_of(await ada.ask(EnableTotp, totp_code=app.now())) is RejectCode.INVALID_STATE


async def test_wrong_proofs_make_the_next_one_wait_the_right_one_too(ada):
    for _ in range(5):
        assert code_of(await ada.sign_in("a guess")) is RejectCode.BAD_CREDENTIALS

    refused = await ada.sign_in()

    assert code_of(refused) is RejectCode.RATE_LIMITED
    assert 0 < refused.retry_after_seconds <= 1


async def test_who_guesses_learns_nothing_of_which_accounts_there_are(world, ada):
    async def tried(login):
        command = SignIn(login=login, proof=Proof(password="a guess"), user_agent="x")
        return [code_of(await world.node.ask(ACCOUNTS, command)) for _ in range(6)]

    known, unknown = await tried("ada"), await tried("nobody")
    assert known == unknown == [RejectCode.BAD_CREDENTIALS] * 5 + [RejectCode.RATE_LIMITED]
    # Nor which address belongs to a name.
    assert (await tried("ADA@example.org"))[0] is RejectCode.BAD_CREDENTIALS
    assert (await tried("aDa"))[0] is RejectCode.RATE_LIMITED
    async with world.pool.acquire() as conn:
        await conn.execute("UPDATE failed_proofs SET failed_at = now() - interval '25 hours'")
        await tried("somebody else")
        assert await conn.fetchval("SELECT count(*) FROM failed_proofs") == 1


async def test_a_right_proof_begins_the_count_anew(ada):
    for _ in range(3):
        for _ in range(4):
            await ada.sign_in("a guess")
        assert isinstance(await ada.sign_in(), SignedIn)


def test_the_wait_doubles_up_to_a_quarter_of_an_hour():
    then = datetime(2026, 5, 4, tzinfo=UTC)
    waits = [(wait_until(count, then) - then).total_seconds() for count in (5, 6, 7, 14, 15, 99)]

    assert wait_until(4, then) < then
    assert waits == [1, 2, 4, 512, 900, 900]


def test_codes_are_those_of_rfc_6238_and_half_a_minute_aside():
    """Appendix B, SHA-1, the last six of its eight digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, code in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]:
        moment = datetime.fromtimestamp(seconds, UTC)
        assert matching_step(secret, code, moment) == seconds // 30
        assert matching_step(secret, code, moment + timedelta(seconds=30)) == seconds // 30
        assert matching_step(secret, code, moment + timedelta(seconds=60)) is None


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    """A thousand stolen passwords in the format of their list."""
    hashes = sorted(hashlib.sha1(b"lost %d" % n).hexdigest().upper() for n in range(1_000))
    path = tmp_path_factory.mktemp("lost") / "hashes.txt"
    path.write_text("".join(f"{each}:{n % 97}\r\n" for n, each in enumerate(hashes)))
    return path


def test_every_stolen_password_is_found_in_its_list_and_no_other(lost):
    assert all(is_breached(lost, f"lost {n}") for n in range(1_000))
    assert not any(is_breached(lost, f"mine {n}") for n in range(1_000))


def test_an_empty_list_holds_nothing(tmp_path):
    (tmp_path / "none").touch()

    assert not is_breached(tmp_path / "none", PASSWORD)


async def test_a_list_that_cannot_be_read_keeps_nobody_out(tmp_path):
    await PasswordRules(breached=tmp_path / "absent").require_good(PASSWORD)


async def test_a_key_is_good_until_its_time_is_over(world, ada):
    command = {"proof": Proof(password=PASSWORD), "name": "Script", "scopes": ("read",)}
    later = datetime.now(UTC) + timedelta(hours=1)
    made = await ada.ask(MakeApiKey, **command, expires_at=later)

    async def held():
        return await world.node.ask(ARRIVALS, IdentifyKey(key_token=made.key_token))

    before = await held()
    async with world.pool.acquire() as conn:
        await conn.execute("UPDATE api_keys SET expires_at = now()")

    assert (before.user.id, before.scopes, before.expires_at) == (ada.id, {"read"}, later)
    assert code_of(await held()) is RejectCode.INVALID_TOKEN


async def test_however_many_keys_are_made_at_once_there_is_a_limit(world, ada, monkeypatch):
    monkeypatch.setattr(service, "MAX_API_KEYS", 3)
    command = {"proof": Proof(password=PASSWORD), "name": "Script", "scopes": ("read",)}

    replies = await asyncio.gather(
        *(ada.ask(MakeApiKey, **command, expires_at=None) for _ in range(6))
    )

    assert [type(each) for each in replies].count(ApiKeyMade) == 3
    assert len((await ada.ask(ListApiKeys)).keys) == 3
