"""A directory holds objects whole or not at all, whatever happens in the middle of a write."""

import os
from pathlib import Path
from uuid import UUID

import pytest

from veza.persistence.errors import StorageFullError
from veza.persistence.local_store import LocalMediaStore

KEY = "media/0190/aac-64/0.m4s"


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_nothing_but_its_objects_is_left_in_the_directory(tmp_path: Path) -> None:
    store, upload_id = LocalMediaStore(tmp_path), UUID(int=1)
    store.put(KEY, b"bytes")
    store.put(KEY, b"others")
    store.staging.append(upload_id, 0, b"abc")
    store.finish(upload_id, "sources/one")

    assert files(tmp_path) == [KEY, "sources/one"]
    assert store.locate("sources/one") == tmp_path / "sources" / "one"


def test_a_full_disk_keeps_the_old_object_and_nothing_of_the_new(tmp_path: Path, full_disk) -> None:
    store = LocalMediaStore(tmp_path)
    store.put(KEY, b"old")
    with full_disk(10), pytest.raises(StorageFullError):
        store.put(KEY, bytes(20_000))
    assert store.read(KEY) == b"old"
    assert files(tmp_path) == [KEY]


def test_uploads_survive_a_restart_and_interrupted_writes_do_not(tmp_path: Path) -> None:
    store, upload_id = LocalMediaStore(tmp_path), UUID(int=1)
    store.staging.write_chunk(upload_id, 0, b"abc")
    store.put(KEY, b"bytes")
    for name in ("old", "young"):
        (tmp_path / "partial" / name).write_bytes(b"half")
    os.utime(tmp_path / "partial" / "old", (0, 0))
    again = LocalMediaStore(tmp_path)
    assert files(tmp_path) == [KEY, "partial/young", f"uploads/{upload_id}"]
    assert again.staging.write_chunk(upload_id, 3, b"def") == 6
