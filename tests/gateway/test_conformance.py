"""The socket layer keeps RFC 6455 and RFC 7692: cases of the Autobahn suite, against a server made of it.

These take seconds; `scripts/conformance` runs all 517.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

ECHO_SERVER = Path(__file__).with_name("echo_server.py")
LINKS = Path(__file__).parents[2] / ".links"
FINE = {"OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"}
KOSOKU = Path(sys.executable).with_name("kosoku")

GROUPS = {
    "framing": (["1.*", "2.*", "3.*", "4.*", "5.*"], 60),
    "utf8": (["6.1.*", "6.2.*", "6.3.*", "6.4.*", "6.12.*"], 0),
    "closing": (["7.*", "10.*"], 0),
    "deflate": (["12.1.1", "12.2.3", "12.1.11", "13.3.1", "13.5.1", "13.7.1"], 6),
}


@pytest.mark.skipif(not KOSOKU.exists(), reason="kosoku is not installed")
@pytest.mark.parametrize("name", GROUPS)
async def test_the_socket_does_what_the_rfcs_say(tmp_path: Path, name: str) -> None:
    cases, at_least = GROUPS[name]
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ECHO_SERVER),
        env=os.environ | {"PYTHONPATH": str(LINKS)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        port = (await server.stdout.readline()).decode().split()[-1]
        wanted = [word for case in cases for word in ("-i", case)]
        suite = await asyncio.create_subprocess_exec(
            *(str(KOSOKU), "-p", "4", "-o", str(tmp_path), *wanted, f"127.0.0.1:{port}"),
            stdout=asyncio.subprocess.DEVNULL,
        )
        await asyncio.wait_for(suite.wait(), 100)
    finally:
        server.terminate()
        await server.wait()

    results = json.loads((tmp_path / "index.json").read_text())
    found = {case: each for agent in results.values() for case, each in agent.items()}
    failed = {
        case: each
        for case, each in found.items()
        if each["behavior"] not in FINE or each["behaviorClose"] not in FINE
    }
    assert not failed
    assert len(found) >= max(1, at_least)
