"""What `veza load` answers to whoever typed it: exit codes, files, and reports without anything foreign."""

import base64
import hashlib
import re
from pathlib import Path

import orjson
import pytest

from veza.gateway.load import commands
from veza.gateway.load.report import report_page


@pytest.fixture
async def result(drive, targets):
    """One finished run against a server that keeps its promise."""
    made = await drive(lambda run: targets.chat(run, ""), warmup="100ms")
    made["notes"] = ["<script>alert(1)</script>"]
    made["environment"] |= {"cpu": "x", "cores": 2, "system": "s", "python": "3", "veza": "0"}
    made["server"] = [
        {
            "at": at,
            "cpu_percent": 10.0 * at,
            "mailboxes": [{"path": "/a", "depth": at, "age_ms": 1}],
        }
        for at in (1, 2)
    ]
    made["faults"] = [
        {
            "at": 0.5,
            "path": "/veza/root/rooms/1",
            "pattern": "rooms/*",
            "first_seconds": 0.1,
            "full_seconds": None,
            "failed": 3,
            "messages_lost": 0,
        }
    ]
    return made


@pytest.fixture
def saved(result, tmp_path: Path) -> Path:
    path = tmp_path / "run.json"
    path.write_bytes(orjson.dumps(result))
    return path


async def test_a_report_lets_in_its_own_style_and_nothing_else(result) -> None:
    page = report_page([result, result])
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]

    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert not re.search(
        r"<script|<link|<img|<iframe|\sstyle=|\son\w+=|url\(|https?://|@import", page
    )
    assert "&lt;script&gt;" in page
    assert "prefers-color-scheme: dark" in style


async def test_a_report_sets_runs_side_by_side(result) -> None:
    other = {**result, "name": "other"}

    page = report_page([result, other])

    for title in ("Arrivals per second", "chat.delivery by second", "room.send by percentile"):
        assert page.count(f"<title>{title}</title>") == 2
    assert page.count('class="fault"') > 2
    assert "never" in page


async def test_report_and_compare_read_what_run_wrote(saved, tmp_path, capsys) -> None:
    assert commands.write_report(saved, saved, out=tmp_path / "out.html") == 0
    assert (tmp_path / "out.html").read_text().startswith("<!doctype html>")
    assert commands.compare_runs(saved, saved) == 0
    assert "room.send" in capsys.readouterr().out


async def test_what_is_no_result_is_refused(tmp_path, capsys) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}")

    assert commands.write_report(path) == 2
    assert commands.write_report() == 2
    assert commands.write_report(path, out=tmp_path / "nowhere" / "out.html") == 2
    assert commands.compare_runs(path, path) == 2
    assert "is no result of veza load" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"scenario": "nowhere"}, "no scenario"),
        ({"scenario": "smoke", "target": "tcp"}, "no target 'tcp'"),
        ({"scenario": "smoke", "rate": "fast"}, "is no rate"),
        ({"scenario": "smoke", "rate": "1000000/s"}, "VEZA_LOAD_MAX_RATE"),
        ({"scenario": "smoke", "seconds": "2h"}, "an hour at most"),
        ({"scenario": "smoke", "url": "http://127.0.0.1:1"}, "--url is for ws and rest"),
        ({"scenario": "smoke", "target": "ws", "url": "http://192.0.2.1"}, "is not this machine"),
        ({"scenario": "catalogue", "target": "ws"}, "cannot be done at target ws"),
        ({"scenario": "smoke", "out": Path("/nowhere/run.json")}, "cannot be written"),
        ({"scenario": "smoke", "report": Path("/")}, "cannot be written"),
    ],
)
def test_a_wrong_request_exits_with_2(options, told, capsys) -> None:
    assert commands.run(**options) == 2
    assert told in capsys.readouterr().err


def test_a_node_that_does_not_answer_exits_with_3(capsys) -> None:
    assert commands.run("smoke", target="rest", url="http://127.0.0.1:1") == 3
    assert "no node answers" in capsys.readouterr().err


def test_the_ready_scenarios_are_listed(capsys) -> None:
    assert commands.list_ready() == 0
    assert "supervision" in capsys.readouterr().out


def test_a_run_with_a_behaviour_of_ones_own_writes_its_files(tmp_path, monkeypatch) -> None:
    """A broken threshold exits with 99; behaviours are found on the import path."""
    (tmp_path / "own_behaviour.py").write_text(
        "class Echo:\n"
        "    async def prepare(self, run, target):\n"
        "        run.note(f'prepared for {len(target.room_ids)} rooms')\n"
        "    async def perform(self, arrival, probe):\n"
        "        probe.sent()\n"
        "        if arrival.number % 2:\n"
        "            raise LookupError\n"
    )
    (tmp_path / "own.yaml").write_text(
        "scenario: own\n"
        "fixtures: {users: 2, rooms: 1}\n"
        "arrivals: [{constant: {rate: 20, for: 1s, distribution: even}}]\n"
        "generator: {late_p99: 1s}\n"
        "mix: {echo: {weight: 1, behaviour: 'own_behaviour:Echo'}}\n"
        "thresholds: {echo.errors: '<10%'}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    out, report = tmp_path / "run.json", tmp_path / "run.html"

    code = commands.run(str(tmp_path / "own.yaml"), out=out, report=report)

    result = orjson.loads(out.read_bytes())
    assert code == 99
    assert result["operations"]["echo"]["failures"] == {"LookupError": 10}
    assert result["notes"] == ["prepared for 1 rooms"]
    assert "echo by second" in report.read_text()
