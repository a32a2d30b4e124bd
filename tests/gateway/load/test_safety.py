"""A load test goes nowhere but to this machine, unless both the command and its owner say so."""

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from veza.config.settings import Settings
from veza.gateway.load.api_client import ApiClient, ApiError
from veza.gateway.load.nodes import own_settings, variables
from veza.gateway.load.safety import check_rate, check_url
from veza.gateway.load.scenario import ScenarioError


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"])
def test_this_machine_may_be_loaded(host: str) -> None:
    check_url(f"http://{host}:8080", None, Settings())


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "example.org",
        "127.0.0.1.example.org",
        "0.0.0.0",
        "localhost.example.org",
        "[::]",
    ],
)
def test_another_machine_is_refused(host: str) -> None:
    with pytest.raises(ScenarioError, match="is not this machine"):
        check_url(f"http://{host}:8080", None, Settings())


def test_another_machine_needs_the_option_and_the_setting() -> None:
    url, owner = "http://stage.example.org", Settings(load_targets=("stage.example.org",))

    check_url(url, "stage.example.org", owner)
    with pytest.raises(ScenarioError):
        check_url(url, "stage.example.org", Settings())
    with pytest.raises(ScenarioError):
        check_url(url, None, owner)
    with pytest.raises(ScenarioError):
        check_url("http://other.example.org", "stage.example.org", owner)


@pytest.mark.parametrize("url", ["ftp://localhost", "localhost:8080", "http://", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ScenarioError, match="is no http address"):
        check_url(url, None, Settings())


async def test_a_node_cannot_send_the_tester_elsewhere() -> None:
    went: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        went.append(request.path)
        raise web.HTTPFound("/elsewhere")

    app = web.Application()
    app.router.add_get("/{path:.*}", elsewhere)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        async with ApiClient(url, users=1, connections=1, timeout_seconds=5) as api:
            with pytest.raises(ApiError, match="status_302"):
                await api.call("GET", "/rest")
            with pytest.raises(aiohttp.ClientError, match="redirect"):
                await api.session(0).ws_connect(f"{url}/ws")

    assert went == ["/rest", "/ws"]


def test_the_owner_of_the_machine_bounds_the_rate(scenario) -> None:
    with pytest.raises(ScenarioError, match="VEZA_LOAD_MAX_RATE"):
        check_rate(scenario(), Settings(load_max_rate=199))
    check_rate(scenario(), Settings(load_max_rate=200))


def test_an_own_node_has_nothing_of_the_callers_settings(scenario, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VEZA_DATABASE_URL", "postgresql://precious")
    monkeypatch.setenv("VEZA_HOST", "0.0.0.0")

    settings = own_settings(scenario(settings={"segment_seconds": 4}), tmp_path)
    given = variables(settings)

    assert settings.database_url is None
    assert settings.host == "127.0.0.1"
    assert "VEZA_DATABASE_URL" not in given
    assert (given["VEZA_HOST"], given["VEZA_SEGMENT_SECONDS"]) == ("127.0.0.1", "4")
