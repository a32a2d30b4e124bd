"""What an import finds below a folder: plain files in order, and a reason for everything else."""

import os
import shutil

import pytest

from veza.gateway.cli.import_walk import Found, Passed, open_plain, walk


@pytest.fixture
def folder(tmp_path):
    music = tmp_path / "music"
    music.mkdir()
    return music


def told(folder):
    """Names below the folder: None for a file, else why it is passed over."""
    return {
        os.path.relpath(each.name, folder): each.reason if isinstance(each, Passed) else None
        for each in walk(folder)
    }


def test_files_come_folder_by_folder_in_order(folder):
    for name in ("b/2", "b/1", "a/z/9", "a/1", "c"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")

    assert list(told(folder)) == ["c", "a/1", "a/z/9", "b/1", "b/2"]


def test_links_are_passed_over_wherever_they_lead(folder, tmp_path):
    (tmp_path / "secret").write_bytes(b"x")
    (folder / "song").write_bytes(b"x")
    for name, target in {
        "out": tmp_path / "secret",
        "folder out": tmp_path,
        "in": folder / "song",
        "circle": folder,
        "nowhere": folder / "nothing",
    }.items():
        (folder / name).symlink_to(target)

    links = dict.fromkeys(["circle", "folder out", "in", "nowhere", "out"], "a link")
    assert told(folder) == {"song": None, **links}


def test_what_is_no_file_with_bytes_is_passed_over(folder):
    os.mkfifo(folder / "pipe")
    (folder / "empty.wav").touch()
    (folder / ".hidden").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_bytes(b"x")

    assert told(folder) == {
        ".git": "hidden",
        ".hidden": "hidden",
        "empty.wav": "empty",
        "pipe": "no file",
    }


def test_names_of_any_bytes_are_shown_as_text(folder):
    names = [b"\xff\xfe.wav", b"new\nline", b"-rf", b"\x1b[31m"]
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(b"x")

    found = list(walk(folder))

    assert {os.fsencode(each.path.name) for each in found} == set(names)
    assert all(each.name.encode() for each in found)


def test_a_folder_that_is_not_there_is_a_fault(folder):
    (passed,) = walk(folder / "nothing")
    assert (passed.reason, passed.is_fault) == ("no such file or directory", True)


def test_a_folder_that_goes_away_on_the_way_does_not_end_the_walk(folder):
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "song").write_bytes(b"x")
    going = walk(folder)
    assert next(going).name.endswith("a/song")

    shutil.rmtree(folder / "b")

    (passed,) = going
    assert (passed.is_fault, passed.name) == (True, str(folder / "b"))


def test_one_file_may_be_named_itself_through_a_link_too(folder, tmp_path):
    (folder / "song").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(folder / "song")
    for top in (folder / "song", tmp_path / "link"):
        (found,) = walk(top)
        assert isinstance(found, Found)
        assert (found.name, found.stamp[0]) == (str(top), 3)
        with open_plain(found.path) as file:
            assert file.read() == b"abc"


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_took_a_files_place_is_not_opened(folder, tmp_path, kind):
    (tmp_path / "secret").write_bytes(b"x")
    (folder / "song").write_bytes(b"x")
    (found,) = walk(folder)
    found.path.unlink()
    if kind == "link":
        found.path.symlink_to(tmp_path / "secret")
    else:
        os.mkfifo(found.path)

    with pytest.raises(OSError, match=r"symbolic|no file"):
        open_plain(found.path)
