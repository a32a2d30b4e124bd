"""Against whom a load test may run: this machine, and others only if both sides of us say so."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from veza.config.settings import Settings
from veza.gateway.load.scenario import Scenario, ScenarioError


def check_url(url: str, allowed: str | None, settings: Settings) -> None:
    """Refuse a target elsewhere. Raises `ScenarioError`.

    It needs the option, which is typed for this run, and the setting, which the machine's owner made.
    """
    parts = urlsplit(url)
    host = parts.hostname
    if parts.scheme not in {"http", "https"} or not host:
        raise ScenarioError(f"{url!r} is no http address")
    if is_loopback(host):
        return
    if host != allowed or host not in settings.load_targets:
        raise ScenarioError(
            f"{host} is not this machine. If it is yours to load, say --allow-target {host} and have"
            f' VEZA_LOAD_TARGETS=["{host}"] in the environment'
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine; a name other than `localhost` may lead anywhere."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_rate(scenario: Scenario, settings: Settings) -> None:
    """Refuse more than this machine's owner allows. Raises `ScenarioError`."""
    if scenario.highest_rate > settings.load_max_rate:
        raise ScenarioError(
            f"{scenario.highest_rate:g}/s is more than VEZA_LOAD_MAX_RATE allows"
            f" ({settings.load_max_rate}/s)"
        )
