"""Each check of what a node stands on finds what is in order, and what is not."""

import os
import socket
from pathlib import Path

import pytest

from veza.config.paths import keys_file
from veza.config.secrets import load_keys
from veza.config.settings import Settings
from veza.gateway.cli.findings import Grade
from veza.gateway.cli.machine_checks import (
    check_clock,
    check_database,
    check_encoder,
    check_folder,
    check_inodes,
    check_media,
    check_open_files,
    check_port,
    check_public_url,
    check_python,
    check_redis,
    check_registration,
    check_secrets,
    check_settings,
    check_space,
    judge_drift,
    judge_room,
)
from veza.gateway.cli.rendering import count
from veza.supervisors.doctor import DatabaseSeen, EncoderSeen, MediaSeen
from veza.supervisors.shared import RedisSeen

OK, WARN, FAIL = Grade.OK, Grade.WARN, Grade.FAIL
GIB = 1024**3


@pytest.mark.parametrize(
    ("version", "grade"), [((3, 10, 9), FAIL), ((3, 11, 0), OK), ((3, 14, 1), OK), ((4, 0, 0), OK)]
)
def test_python_is_new_enough(version, grade) -> None:
    assert check_python(version).grade is grade


def test_settings_that_are_wrong_are_all_named() -> None:
    finding = check_settings(["VEZA_PROT: no such setting", "port: too large"])

    assert finding.grade is FAIL
    assert "VEZA_PROT" in finding.found
    assert "port" in finding.found
    assert check_settings([]).grade is OK


@pytest.mark.parametrize(
    ("changes", "grade"),
    [
        ({}, OK),
        ({"public_url": "https://music.example.org"}, OK),
        ({"host": "0.0.0.0", "public_url": "https://music.example.org"}, OK),
        ({"host": "0.0.0.0"}, WARN),
        ({"public_url": "http://music.example.org"}, WARN),
        ({"public_url": "https://localhost:8443"}, WARN),
        ({"public_url": "https://[::1]/"}, WARN),
        ({"public_url": "https://example.org/music"}, FAIL),
    ],
)
def test_the_public_address_makes_sense(data, changes, grade) -> None:
    assert check_public_url(Settings(**changes)).grade is grade


@pytest.mark.parametrize(
    ("changes", "grade"),
    [
        ({}, OK),
        ({"registration": "open"}, OK),
        ({"host": "0.0.0.0"}, OK),
        ({"host": "0.0.0.0", "registration": "open"}, WARN),
        ({"public_url": "https://music.example.org", "registration": "open"}, WARN),
    ],
)
def test_registration_is_not_open_to_the_world_unnoticed(data, changes, grade) -> None:
    assert check_registration(Settings(**changes)).grade is grade


@pytest.mark.parametrize(
    ("mode", "grade"), [(0o700, OK), (0o750, WARN), (0o755, WARN), (0o770, FAIL), (0o777, FAIL)]
)
def test_the_data_folder_is_closed_to_others(tmp_path: Path, mode, grade) -> None:
    tmp_path.chmod(mode)

    assert check_folder(tmp_path, os.geteuid()).grade is grade


def test_the_data_folder_is_ours_or_not_there_yet(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    assert check_folder(tmp_path, os.geteuid() + 1).grade is FAIL
    assert check_folder(file, os.geteuid()).grade is FAIL
    assert check_folder(tmp_path / "new", os.geteuid()).grade is OK


def test_signing_keys_are_whole_and_secret(tmp_path: Path) -> None:
    path = keys_file(tmp_path)
    before = check_secrets(tmp_path)
    is_made = path.exists()
    load_keys(path)
    whole = check_secrets(tmp_path)
    path.chmod(0o640)
    shown = check_secrets(tmp_path)
    path.chmod(0o600)
    path.write_text("{}")
    broken = check_secrets(tmp_path)

    assert not is_made
    assert [each.grade for each in (before, whole, shown, broken)] == [OK, OK, FAIL, FAIL]


@pytest.mark.parametrize(("free", "grade"), [(50, OK), (15, WARN), (5, FAIL)])
def test_room_that_runs_out_is_told_in_time(free, grade) -> None:
    assert judge_room(free, 100, (10, 20), count).grade is grade


def test_the_disk_of_a_folder_that_is_not_there_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    assert "free" in check_space(tmp_path / "a" / "b").found
    assert check_inodes(tmp_path / "a").found


@pytest.mark.parametrize(("limit", "grade"), [(-1, OK), (65_536, OK), (20_000, WARN), (1024, FAIL)])
def test_the_limit_of_open_files_is_high_enough(limit, grade) -> None:
    assert check_open_files(limit).grade is grade


def test_a_port_is_free_or_somebody_has_it(data) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert check_port(Settings(port=port)).grade is FAIL
    assert check_port(Settings(port=port)).grade is OK
    assert check_port(Settings(port=0)).grade is OK
    assert check_port(Settings(host="no.such.host.invalid")).grade is FAIL


@pytest.mark.parametrize(
    ("seen", "grade", "part"),
    [
        (DatabaseSeen(is_private=True, problem="no programs"), FAIL, "no programs"),
        (DatabaseSeen(is_private=False, problem="away"), FAIL, "away"),
        (DatabaseSeen(is_private=True, version="17.1"), OK, "there is a cluster"),
        (DatabaseSeen(is_private=True, version="17.1", has_cluster=False), OK, "first start"),
        (DatabaseSeen(is_private=False, version="16.2", is_running=True), OK, "your own"),
        (
            DatabaseSeen(
                is_private=False,
                version="16.2",
                is_running=True,
                missing_migrations=("0002_x.sql",),
            ),
            WARN,
            "0002_x.sql",
        ),
    ],
)
def test_the_database_is_told_as_it_stands(seen, grade, part) -> None:
    finding = check_database(seen)

    assert finding.grade is grade
    assert part in finding.found
    assert (finding.grade is OK) == (not finding.advice)


@pytest.mark.parametrize(
    ("seen", "grade"),
    [
        (EncoderSeen(seconds=0.4), OK),
        (EncoderSeen(seconds=0.4, sandbox_notes=("system call filter: no",)), WARN),
        (EncoderSeen(problem="it ended with -9"), FAIL),
    ],
)
def test_an_encoder_works_works_open_or_does_not(seen, grade) -> None:
    assert check_encoder(seen).grade is grade


@pytest.mark.parametrize(("ahead", "grade"), [(0.3, OK), (-1.0, OK), (5.0, WARN), (-90.0, FAIL)])
def test_clocks_that_part_are_told(ahead, grade) -> None:
    assert judge_drift(ahead, "the database").grade is grade


def test_the_clock_is_compared_with_what_there_is(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    asked = DatabaseSeen(is_private=False, is_running=True, ahead_seconds=60.0)
    silent = DatabaseSeen(is_private=True)

    assert check_clock(now, asked, tmp_path).grade is FAIL
    # Years from what the file system says.
    assert "file system" in check_clock(now, silent, tmp_path).found
    assert check_clock(0.0, silent, tmp_path).found == "it is 1970"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("seen", "grade", "word"),
    [
        (RedisSeen(is_used=False), OK, "one node needs none"),
        (RedisSeen(is_used=True, version="7.0.15"), OK, "7.0.15"),
        (RedisSeen(is_used=True, problem="Connection refused"), WARN, "Connection refused"),
    ],
)
def test_redis_that_is_away_is_a_warning_for_nothing_is_lost(seen, grade, word) -> None:
    finding = check_redis(seen)

    assert finding.grade is grade
    assert word in finding.found


@pytest.mark.parametrize(
    ("seen", "grade", "word"),
    [
        (MediaSeen(), OK, "data folder"),
        (MediaSeen(bucket="music"), OK, "music"),
        (MediaSeen(bucket="music", problem="Connection refused"), FAIL, "Connection refused"),
    ],
)
def test_a_bucket_that_is_away_is_a_failure_for_nothing_plays(seen, grade, word) -> None:
    finding = check_media(seen)

    assert finding.grade is grade
    assert word in finding.found
