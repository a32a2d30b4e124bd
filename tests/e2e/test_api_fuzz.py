"""No request, however wrong, gets a 5xx or an answer that the published document does not have.

schemathesis reads `/openapi.json` and tries every operation; `schemathesis.toml` says what it leaves out
and why. `VEZA_FUZZ_SECONDS` makes each run longer, and its seed another one (scripts/fuzz-api).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

SECONDS = int(os.environ.get("VEZA_FUZZ_SECONDS", "0"))
CONFIG = Path(__file__).with_name("schemathesis.toml")
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
SHORT = ("--max-examples", "3")
# Beyond what schemathesis gives itself: it writes its report after that.
MARGIN_SECONDS = 100

pytestmark = pytest.mark.timeout(SECONDS + 2 * MARGIN_SECONDS)


Fuzz = Callable[..., None]


@pytest.fixture
def fuzz(tmp_path: Path) -> Fuzz:
    return partial(run, tmp_path)


def run(folder: Path, url: str, token: str, *options: str, config: Path = CONFIG) -> None:
    """Try every operation with this token; what is found fails the test with how to repeat it."""
    command = [
        *(str(SCHEMATHESIS), "--config-file", str(config), "--no-color"),
        *("run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {token}"),
        *("--warnings", "off", "--generation-database", "none", *options),
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(CONFIG.parent)}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, **hooks},
        timeout=SECONDS + MARGIN_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]


def effort(*short: str) -> tuple[str, ...]:
    """The options of a run: a few examples, or as many as the time allows."""
    if not SECONDS:
        return (*SHORT, *short)
    return ("--max-time", str(SECONDS), "--seed", str(int.from_bytes(os.urandom(4))))


@pytest.fixture(scope="module")
def node(new_demo: Any) -> Any:
    """A node with the demo's people, rooms and tracks, which nobody else uses."""
    node = new_demo().start()
    yield node
    node.signal(signal.SIGTERM)
    assert node.wait() == 0
    # Warnings are expected: what operators do is logged as one.
    assert [line for line in node.complaints() if '"level":"warning"' not in line] == []


@pytest.fixture
async def boss(node: Any, person: Any) -> Any:
    boss = await person(node, "boss")
    token = node.told("First admin").partition("#")[2]
    account = {"username": "boss", "email": "boss@example.org", "password": "correct horse"}
    await boss.enter("/setup", {**account, "token": token})
    return boss


async def test_nothing_breaks_for_an_administrator(node: Any, boss: Any, fuzz: Fuzz) -> None:
    # All else has the next run.
    own = ("ops", "moderation", "roles")
    fuzz(node.url, boss.token, *effort(*(f"--include-tag={tag}" for tag in own)))


async def test_nothing_breaks_for_somebody_with_an_account(
    node: Any, person: Any, fuzz: Fuzz
) -> None:
    ada = await (await person(node)).register()

    fuzz(node.url, ada.token, *effort("--phases", "fuzzing,stateful"))


async def test_nothing_breaks_for_somebody_who_leaves(
    node: Any, person: Any, fuzz: Fuzz, tmp_path: Path
) -> None:
    """`logout` would end the runs above with its first example."""
    ada = await (await person(node)).register()
    nothing_left_out = tmp_path / "schemathesis.toml"
    nothing_left_out.write_text("")
    only = ("--include-operation-id", "logout", *SHORT)

    fuzz(node.url, ada.token, *only, config=nothing_left_out)
