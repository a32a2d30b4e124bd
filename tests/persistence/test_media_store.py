"""What a store promises, whichever it is: objects are whole or not there, and a key leads nowhere else."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from veza.persistence.errors import InvalidKeyError, MediaNotFoundError, UploadUnknownError
from veza.persistence.local_store import LocalMediaStore
from veza.persistence.media_store import MediaStore
from veza.persistence.s3_store import S3MediaStore

KEY = "media/0190/aac-64/0.m4s"


@pytest.fixture(params=["directory", "bucket"])
def store(request, tmp_path: Path) -> MediaStore:
    if request.param == "directory":
        return LocalMediaStore(tmp_path)
    return S3MediaStore(request.getfixturevalue("bucket").described(), tmp_path)


def test_an_object_reads_back_the_same(store: MediaStore) -> None:
    store.put(KEY, b"bytes")
    assert store.read(KEY) == b"bytes"
    store.put(KEY, b"others")
    assert store.read(KEY) == b"others"


def test_what_is_not_there_is_not_found(store: MediaStore) -> None:
    with pytest.raises(MediaNotFoundError):
        store.read(KEY)
    with pytest.raises(MediaNotFoundError):
        store.open_source(KEY)


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


def test_an_upload_becomes_an_object_that_a_decoder_can_seek_in(store: MediaStore) -> None:
    upload_id, data = uuid4(), os.urandom(3_000_000)
    assert store.staging.write_chunk(upload_id, 0, data[:1_000_000]) == 1_000_000
    assert store.staging.write_chunk(upload_id, 1_000_000, data[1_000_000:]) == 3_000_000
    expected = (3_000_000, hashlib.sha256(data).digest())
    assert store.finish(upload_id, "sources/one") == expected
    source = store.open_source("sources/one")
    assert os.pread(source.fd, 10, 2_000_000) == data[2_000_000:2_000_010]
    assert os.lseek(source.fd, 0, os.SEEK_CUR) == 0
    source.close()


def test_finishing_an_upload_again_gives_the_same_answer(store: MediaStore) -> None:
    upload_id = uuid4()
    store.staging.write_chunk(upload_id, 0, b"bytes")
    assert store.finish(upload_id, "sources/one") == store.finish(upload_id, "sources/one")


def test_an_upload_nobody_began_cannot_be_finished(store: MediaStore) -> None:
    with pytest.raises(UploadUnknownError):
        store.finish(uuid4(), "sources/one")


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


@pytest.mark.parametrize("number", range(5))
def test_those_that_finish_an_upload_at_once_find_the_same(store: MediaStore, number: int) -> None:
    upload_id, data = UUID(int=number), os.urandom(5 * 1024 * 1024)
    store.staging.append(upload_id, 0, data)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda key: store.finish(upload_id, key), ["sources/a"] * 4))

    assert set(found) == {(len(data), hashlib.sha256(data).digest())}


def test_what_there_is_of_a_kind_is_told_by_name_and_by_page(store: MediaStore) -> None:
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


def test_an_object_is_measured_and_deleted(store: MediaStore) -> None:
    store.put("sources/a", b"sound")

    assert store.size("sources/a") == 5
    assert store.measure("sources/a") == (5, hashlib.sha256(b"sound").digest())
    store.delete("sources/a")
    store.delete("sources/a")
    for ask in (store.size, store.measure):
        with pytest.raises(MediaNotFoundError):
            ask("sources/a")
