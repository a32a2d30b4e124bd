"""An import's account: a session that goes on, and what passes told from what does not."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from veza.actors.messages.common import Busy
from veza.gateway.cli.import_client import Account
from veza.gateway.cli.import_memory import Memory
from veza.gateway.cli.outcome import CommandError, RefusalError, UnreachableError

NOBODY = "http://127.0.0.1:9"


class Told:
    """Hears why nothing moves, and may do something about it."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.whenever: Callable[[], object] = list

    def __call__(self, reason: str) -> None:
        self.reasons.append(reason)
        self.whenever()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def session() -> Any:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
async def account(session: Any, api: Any, ada: Any, told: Told) -> Account:
    url = f"http://{api.client.host}:{api.client.port}"
    made = Account(session, url, told)
    await made.sign_in(ada.user.username, "correct horse")
    return made


async def test_a_token_that_ended_is_renewed_on_the_way(account: Account) -> None:
    account._tokens["access_token"] = "stale"

    answer = await account.call("GET", "/me")

    assert answer.body["username"] == "ada"


async def test_a_session_that_ended_ends_the_import(account: Account) -> None:
    account._tokens = {"access_token": "stale", "refresh_token": "stale"}

    with pytest.raises(CommandError) as raised:
        await account.call("GET", "/me")

    assert not isinstance(raised.value, RefusalError)


async def test_what_is_refused_is_told_with_its_code(account: Account) -> None:
    with pytest.raises(RefusalError) as raised:
        await account.call("GET", "/nothing")
    assert raised.value.problem == "not_found"


async def test_a_busy_server_is_asked_again(account: Account, actors: Any, told: Told) -> None:
    actors.faults["catalogue"] = Busy(command="x")
    told.whenever = actors.faults.clear

    assert "data" in (await account.call("GET", "/tracks")).body

    assert len(told.reasons) == 1


async def test_a_server_that_is_gone_is_unreachable(session: Any) -> None:
    account = Account(session, NOBODY, Told(), give_up_seconds=-1.0)
    with pytest.raises(UnreachableError):
        await account.call("GET", "/me")


def test_uploads_are_remembered_over_a_broken_file(tmp_path: Any) -> None:
    path = tmp_path / "new" / "imports.json"
    Memory(path).put("key", "/there")
    assert Memory(path).get("key") == "/there"
    path.write_text("{half")
    memory = Memory(path)
    assert memory.get("key") is None
    memory.put("other", "/here")
    memory.drop("other")
    assert Memory(path).get("other") is None
    assert [each.name for each in path.parent.iterdir()] == ["imports.json"]
