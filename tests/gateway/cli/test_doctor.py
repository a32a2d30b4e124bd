"""`veza doctor` works with and without a node, and its exit code says whether anything failed."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from veza.config.paths import lock_file
from veza.config.version import version
from veza.gateway.cli.doctor import RUNNING
from veza.gateway.cli.examination import holder_of

# A process of its own that listens as a node does and answers /readyz with what it was given.
SERVER = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[1]))
        self.end_headers()
        self.wfile.write(sys.argv[2].encode())
server = http.server.HTTPServer(("127.0.0.1", 0), Ready)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def run_http() -> Iterator:
    started = []

    def run(status: int, checks: dict[str, bool]) -> tuple[int, int]:
        answer = json.dumps({"status": "?", "checks": checks})
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(status), answer],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        return process.pid, int(process.stdout.readline())

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def grades(told) -> dict[str, str]:
    return {each["name"]: each["grade"] for each in told.json}


def test_without_a_node_the_machine_is_checked(veza, data, monkeypatch) -> None:
    monkeypatch.setenv("VEZA_PORT", "0")

    told = veza("doctor", "--json")
    shown = veza("doctor")

    assert told.code == shown.code == ("FAIL" in grades(told).values())
    assert [each["number"] for each in told.json] == list(range(1, len(told.json) + 1))
    assert grades(told)["Encoder"] != "FAIL"
    assert "Port" in grades(told)
    assert f"the {len(RUNNING)} checks of one were left out" in shown.err
    # It looks, it does not make.
    assert list(data.iterdir()) == []


def test_a_well_node_is_found_well(veza, peer, run_http) -> None:
    peer.node["pid"], port = run_http(200, {"actors": True})
    peer.node["version"] = version()
    peer.letters, peer.crashes = [], []
    peer.tree["children"][1]["children"][0]["unhealthy"] = []

    told = veza("doctor", "--json")

    found = grades(told)
    assert told.code == ("FAIL" in found.values())
    assert {found[name] for name in RUNNING if name != "Port"} == {"OK"}
    # It listens on a port of its own, which the settings here do not say.
    assert found["Port"] == "WARN"
    assert str(port) in told.out


def test_an_ill_node_fails_with_what_to_do(veza, peer, run_http) -> None:
    peer.node["pid"], _port = run_http(503, {"database": False})

    told = veza("doctor")

    assert told.code == 1
    assert "FAIL  Ready" in told.out
    assert "database does not hold" in told.out
    assert "-> `veza ps --unhealthy`" in told.out


def test_wrong_settings_are_a_finding_and_not_the_end(veza, data, monkeypatch) -> None:
    monkeypatch.setenv("VEZA_PORT", "high")

    told = veza("doctor", "--json")

    assert told.code == 1
    assert grades(told) == {"Python": "OK", "Settings": "FAIL"}


def test_a_variable_nobody_knows_fails_and_all_else_is_checked(veza, data, monkeypatch) -> None:
    monkeypatch.setenv("VEZA_PROT", "1")

    found = grades(veza("doctor", "--json"))

    assert found["Settings"] == "FAIL"
    assert "Encoder" in found


def test_who_holds_the_data_folder_is_seen_without_touching_the_lock(data) -> None:
    path = lock_file(data)
    assert holder_of(path) is None
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        assert holder_of(path) is None
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert holder_of(path) == os.getpid()
    finally:
        os.close(descriptor)


def test_a_node_that_holds_the_folder_and_does_not_answer_fails(veza, data) -> None:
    descriptor = os.open(lock_file(data), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        told = veza("doctor", "--json")
    finally:
        os.close(descriptor)

    assert told.code == 1
    assert grades(told)["Node"] == "FAIL"
