"""An object is there whole or not at all, and a key leads nowhere but into the store."""

import hashlib
import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from veza.persistence.errors import (
    ChunkOffsetError,
    InvalidKeyError,
    MediaNotFoundError,
    StorageFullError,
    UploadUnknownError,
)
from veza.persistence.media_store import LocalMediaStore, MediaStore

KEY = "media/0190/aac-64/0.m4s"


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return LocalMediaStore(tmp_path)


@contextmanager
def full_disk(size_bytes: int) -> Iterator[None]:
    """The kernel refuses to let a file grow past a size, as it does where the disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_an_object_reads_back_the_same(store: MediaStore, tmp_path: Path) -> None:
    store.put(KEY, b"bytes")
    assert store.read(KEY) == b"bytes"
    store.put(KEY, b"others")
    assert store.read(KEY) == b"others"
    assert files(tmp_path) == [KEY]


def test_what_is_not_there_is_not_found(store: MediaStore) -> None:
    with pytest.raises(MediaNotFoundError):
        store.read(KEY)
    with pytest.raises(MediaNotFoundError):
        store.open_source(KEY)


def test_a_full_disk_keeps_the_old_object_and_nothing_of_the_new(
    store: MediaStore, tmp_path: Path
) -> None:
    store.put(KEY, b"old")
    with full_disk(10), pytest.raises(StorageFullError):
        store.put(KEY, bytes(20_000))
    assert store.read(KEY) == b"old"
    assert files(tmp_path) == [KEY]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "media",
        "media/",
        "/media/a",
        "media//a",
        "media/../a",
        "media/a/..",
        "media/.hidden",
        "media/a/\0",
        "media/a\n",
        "media/A",
        "media/a b",
        "uploads/a",
        "partial/a",
        "media/a/b/c/d/e",
        "media/" + "a" * 101,
    ],
)
def test_a_key_that_is_none_is_refused(store: MediaStore, key: str) -> None:
    for use in (store.read, store.open_source, lambda key: store.put(key, b"")):
        with pytest.raises(InvalidKeyError):
            use(key)
    with pytest.raises(InvalidKeyError):
        store.finish(uuid4(), key)


def test_an_upload_becomes_an_object_that_a_decoder_can_seek_in(
    store: MediaStore, tmp_path: Path
) -> None:
    upload_id, data = uuid4(), os.urandom(3_000_000)
    assert store.write_chunk(upload_id, 0, data[:1_000_000]) == 1_000_000
    assert store.write_chunk(upload_id, 1_000_000, data[1_000_000:]) == 3_000_000
    expected = (3_000_000, hashlib.sha256(data).digest())
    assert store.finish(upload_id, "sources/one") == expected
    fd = store.open_source("sources/one")
    try:
        assert os.pread(fd, 10, 2_000_000) == data[2_000_000:2_000_010]
    finally:
        os.close(fd)
    assert files(tmp_path) == ["sources/one"]


def test_finishing_an_upload_again_gives_the_same_answer(store: MediaStore) -> None:
    upload_id = uuid4()
    store.write_chunk(upload_id, 0, b"bytes")
    assert store.finish(upload_id, "sources/one") == store.finish(upload_id, "sources/one")


def test_an_upload_nobody_began_cannot_be_finished(store: MediaStore) -> None:
    with pytest.raises(UploadUnknownError):
        store.finish(uuid4(), "sources/one")


def test_a_chunk_sent_again_is_harmless(store: MediaStore) -> None:
    upload_id = uuid4()
    store.write_chunk(upload_id, 0, b"abc")
    store.write_chunk(upload_id, 3, b"def")
    assert store.write_chunk(upload_id, 0, b"abc") == 6
    store.finish(upload_id, "sources/one")
    assert store.read("sources/one") == b"abcdef"


def test_a_chunk_that_would_leave_a_hole_is_told_where_to_go_on(
    store: MediaStore, tmp_path: Path
) -> None:
    upload_id = uuid4()
    with pytest.raises(ChunkOffsetError) as caught:
        store.write_chunk(upload_id, 5, b"def")
    assert caught.value.size_bytes == 0
    assert files(tmp_path) == []
    store.write_chunk(upload_id, 0, b"abc")
    for offset in (4, -1):
        with pytest.raises(ChunkOffsetError) as caught:
            store.write_chunk(upload_id, offset, b"def")
        assert caught.value.size_bytes == 3


def test_a_chunk_that_does_not_fit_on_the_disk_leaves_nothing_of_itself(store: MediaStore) -> None:
    upload_id = uuid4()
    store.write_chunk(upload_id, 0, b"abc")
    with full_disk(10), pytest.raises(StorageFullError):
        store.write_chunk(upload_id, 3, bytes(20_000))
    assert store.write_chunk(upload_id, 3, b"def") == 6


def test_a_dropped_upload_is_gone(store: MediaStore) -> None:
    upload_id = uuid4()
    store.write_chunk(upload_id, 0, b"abc")
    store.drop(upload_id)
    store.drop(upload_id)
    with pytest.raises(UploadUnknownError):
        store.finish(upload_id, "sources/one")


def test_uploads_nobody_writes_to_any_more_are_found(store: MediaStore, tmp_path: Path) -> None:
    old, young = uuid4(), uuid4()
    for upload_id in (old, young):
        store.write_chunk(upload_id, 0, b"abc")
    os.utime(tmp_path / "uploads" / str(old), (0, 0))
    assert store.stale_uploads(older_than_seconds=3600) == (old,)


def test_uploads_survive_a_restart_and_interrupted_writes_do_not(tmp_path: Path) -> None:
    store, upload_id = LocalMediaStore(tmp_path), UUID(int=1)
    store.write_chunk(upload_id, 0, b"abc")
    store.put(KEY, b"bytes")
    for name in ("old", "young"):
        (tmp_path / "partial" / name).write_bytes(b"half")
    os.utime(tmp_path / "partial" / "old", (0, 0))
    again = LocalMediaStore(tmp_path)
    assert files(tmp_path) == [KEY, "partial/young", f"uploads/{upload_id}"]
    assert again.write_chunk(upload_id, 3, b"def") == 6


def test_all_objects_below_a_key_are_deleted_and_no_other(store: MediaStore) -> None:
    for key in ("attachments/0190/original", "attachments/0190/small.webp", "attachments/01901/x"):
        store.put(key, b"bytes")

    store.delete_below("attachments/0190")
    store.delete_below("attachments/0190")

    for name in ("original", "small.webp"):
        with pytest.raises(MediaNotFoundError):
            store.read(f"attachments/0190/{name}")
    assert store.read("attachments/01901/x") == b"bytes"
    with pytest.raises(InvalidKeyError):
        store.delete_below("attachments")


def test_bytes_are_appended_where_they_belong_and_nowhere_else(store: MediaStore) -> None:
    upload_id = UUID(int=1)
    store.append(upload_id, 0, b"012")
    store.append(upload_id, 3, b"345, to be written over")
    store.append(upload_id, 6, b"678")

    with pytest.raises(ChunkOffsetError) as raised:
        store.append(upload_id, 10_000, b"x")
    assert raised.value.size_bytes == 26
    store.cut(upload_id, 9)
    with pytest.raises(ChunkOffsetError) as raised:
        store.cut(upload_id, 10)
    assert raised.value.size_bytes == 9

    assert store.finish(upload_id, "sources/a") == (9, hashlib.sha256(b"012345678").digest())
    store.cut(upload_id, 9)
    with pytest.raises(ChunkOffsetError):
        store.append(upload_id, 9, b"x")


@pytest.mark.parametrize("offset", [0, 3])
def test_an_upload_joined_to_another_is_its_end_and_gone(
    store: MediaStore, tmp_path: Path, offset: int
) -> None:
    upload_id, part_id, part = UUID(int=1), UUID(int=2), os.urandom(3 * 1024 * 1024 + 5)
    store.append(upload_id, 0, b"012, and what is written over")
    store.write_chunk(part_id, 0, part)

    store.join(upload_id, offset, part_id)

    whole = b"012"[:offset] + part
    assert store.finish(upload_id, "sources/a") == (len(whole), hashlib.sha256(whole).digest())
    assert files(tmp_path) == ["sources/a"]
    with pytest.raises(UploadUnknownError):
        store.join(upload_id, 0, part_id)


def test_a_disk_that_fills_up_leaves_an_upload_as_it_was(store: MediaStore) -> None:
    upload_id, part_id = UUID(int=1), UUID(int=2)
    store.append(upload_id, 0, b"012")
    store.write_chunk(part_id, 0, bytes(4000))

    with full_disk(2048):
        with pytest.raises(StorageFullError):
            store.append(upload_id, 3, bytes(4000))
        with pytest.raises(StorageFullError):
            store.join(upload_id, 3, part_id)

    store.cut(upload_id, 3)
    assert store.finish(upload_id, "sources/a") == (3, hashlib.sha256(b"012").digest())


@pytest.mark.parametrize("number", range(5))
def test_those_that_finish_an_upload_at_once_find_the_same(store: MediaStore, number: int) -> None:
    upload_id, data = UUID(int=number), os.urandom(5 * 1024 * 1024)
    store.append(upload_id, 0, data)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda key: store.finish(upload_id, key), ["sources/a"] * 4))

    assert set(found) == {(len(data), hashlib.sha256(data).digest())}


def test_what_there_is_of_a_kind_is_told_by_name_and_by_page(store: LocalMediaStore) -> None:
    for key in ("media/a/low/0.mp4", "media/a/low/1.mp4", "media/b/low/0.mp4", "sources/a"):
        store.put(key, key.encode())

    first = store.entries("media", after="", limit=1)
    second = store.entries("media", after="a", limit=9)

    assert [[each.key for each in entry.objects] for entry in (*first, *second)] == [
        ["media/a/low/0.mp4", "media/a/low/1.mp4"],
        ["media/b/low/0.mp4"],
    ]
    (source,) = store.entries("sources", after="", limit=9)
    assert (source.name, source.objects[0].size_bytes) == ("a", 9)
    assert source.objects[0].age_seconds < 3600
    assert store.entries("media", after="b", limit=9) == ()
    assert store.entries("attachments", after="", limit=9) == ()
    with pytest.raises(InvalidKeyError):
        store.entries("uploads", after="", limit=9)


def test_an_object_is_measured_and_deleted(store: LocalMediaStore) -> None:
    store.put("sources/a", b"sound")

    assert store.size("sources/a") == 5
    assert store.measure("sources/a") == (5, hashlib.sha256(b"sound").digest())
    store.delete("sources/a")
    store.delete("sources/a")
    for ask in (store.size, store.measure):
        with pytest.raises(MediaNotFoundError):
            ask("sources/a")
