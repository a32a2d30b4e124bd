"""People write while actors, the node and PostgreSQL are killed, and the log keeps what it promised.

A short run of `scripts/soak chat`, as its users start it. Its limits are generous: this machine may have
other things to do.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHAT = ROOT / "tests" / "checker" / "chat.py"
SETTLE_SECONDS = 60
LONGEST_SECONDS = 300


def soak(mix: str, seconds: int, keep: Path) -> subprocess.CompletedProcess[str]:
    """One run of a mix of faults, whose history is kept."""
    options = ["--faults", mix, "--seconds", str(seconds), "--settle", str(SETTLE_SECONDS)]
    options += ["--absences", "0"]
    command = [sys.executable, str(CHAT), *options, "--seeds", "1", "--keep", str(keep)]
    return subprocess.run(
        [*command, "--keep-all"],
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )


def judged_again(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHAT), "--judge", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


@pytest.mark.timeout(LONGEST_SECONDS)
def test_kills_in_the_middle_of_sends_lose_double_and_reorder_nothing(tmp_path) -> None:
    run = soak("short", 3, tmp_path)

    assert run.returncode == 0, run.stdout + run.stderr
    (folder,) = tmp_path.iterdir()
    figures = json.loads((folder / "figures.json").read_text())
    assert figures["violations"] == 0
    assert figures["faults"] >= 4
    assert figures["reconnects"] >= 12
    assert figures["acks"] >= 50
    assert_loss_is_seen(folder)


def assert_loss_is_seen(folder: Path) -> None:
    """The same history, without the row of one acked message, is judged otherwise."""
    kept = records(folder)
    row = next(each for each in kept if each["is"] == "Row" and each["message_id"] is not None)
    lines = [json.dumps(each) for each in kept if each is not row]
    (folder / "history.jsonl").write_text("\n".join(lines))

    again = judged_again(folder)

    assert again.returncode == 1, again.stderr
    assert f"message {row['message_id']} of room {row['room']} was acked" in again.stdout


@pytest.mark.timeout(LONGEST_SECONDS)
def test_a_log_that_loses_a_message_behind_the_servers_back_fails_the_run(tmp_path) -> None:
    run = soak("sabotage", 2, tmp_path)

    assert run.returncode == 1, run.stdout + run.stderr
    assert "A (no acked message is lost)" in run.stdout
    assert "C (the seq of a room is 1 to n, without gap or reuse)" in run.stdout
    assert "again: scripts/soak chat --faults sabotage --seed 1" in run.stdout
