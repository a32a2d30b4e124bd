"""Uploads are written from their start, hold what they say, and survive what they are promised to."""

import os
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from veza.persistence.errors import ChunkOffsetError, StorageFullError, UploadUnknownError
from veza.persistence.staging import Staging


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_chunk_that_would_leave_a_hole_is_told_where_to_go_on(
    staging: Staging, tmp_path: Path
) -> None:
    upload_id = uuid4()
    with pytest.raises(ChunkOffsetError) as caught:
        staging.write_chunk(upload_id, 5, b"def")
    assert caught.value.size_bytes == 0
    assert names(tmp_path) == []
    staging.write_chunk(upload_id, 0, b"abc")
    for offset in (4, -1):
        with pytest.raises(ChunkOffsetError) as caught:
            staging.write_chunk(upload_id, offset, b"def")
        assert caught.value.size_bytes == 3


def test_a_chunk_that_does_not_fit_on_the_disk_leaves_nothing_of_itself(
    staging: Staging, full_disk
) -> None:
    upload_id = uuid4()
    staging.write_chunk(upload_id, 0, b"abc")
    with full_disk(10), pytest.raises(StorageFullError):
        staging.write_chunk(upload_id, 3, bytes(20_000))
    assert staging.write_chunk(upload_id, 3, b"def") == 6


def test_a_disk_that_fills_up_leaves_an_upload_as_it_was(staging: Staging, full_disk) -> None:
    upload_id, part_id = UUID(int=1), UUID(int=2)
    staging.append(upload_id, 0, b"012")
    staging.write_chunk(part_id, 0, bytes(4000))

    with full_disk(2048):
        with pytest.raises(StorageFullError):
            staging.append(upload_id, 3, bytes(4000))
        with pytest.raises(StorageFullError):
            staging.join(upload_id, 3, part_id)

    staging.cut(upload_id, 3)
    assert staging.path(upload_id).read_bytes() == b"012"


def test_uploads_nobody_writes_to_any_more_are_found(staging: Staging, tmp_path: Path) -> None:
    old, young = uuid4(), uuid4()
    for upload_id in (old, young):
        staging.write_chunk(upload_id, 0, b"abc")
    os.utime(tmp_path / str(old), (0, 0))
    assert staging.stale(older_than_seconds=3600) == (old,)


def test_a_chunk_sent_again_is_harmless(staging: Staging) -> None:
    upload_id = uuid4()
    staging.write_chunk(upload_id, 0, b"abc")
    staging.write_chunk(upload_id, 3, b"def")
    assert staging.write_chunk(upload_id, 0, b"abc") == 6
    assert staging.path(upload_id).read_bytes() == b"abcdef"


def test_a_dropped_upload_is_gone(staging: Staging, tmp_path: Path) -> None:
    upload_id = uuid4()
    staging.write_chunk(upload_id, 0, b"abc")
    staging.drop(upload_id)
    staging.drop(upload_id)
    assert names(tmp_path) == []


def test_bytes_are_appended_where_they_belong_and_nowhere_else(staging: Staging) -> None:
    upload_id = UUID(int=1)
    staging.append(upload_id, 0, b"012")
    staging.append(upload_id, 3, b"345, to be written over")
    staging.append(upload_id, 6, b"678")

    with pytest.raises(ChunkOffsetError) as raised:
        staging.append(upload_id, 10_000, b"x")
    assert raised.value.size_bytes == 26
    staging.cut(upload_id, 9)
    with pytest.raises(ChunkOffsetError) as raised:
        staging.cut(upload_id, 10)
    assert raised.value.size_bytes == 9

    assert staging.path(upload_id).read_bytes() == b"012345678"
    staging.drop(upload_id)
    staging.cut(upload_id, 9)
    with pytest.raises(ChunkOffsetError):
        staging.append(upload_id, 9, b"x")


@pytest.mark.parametrize("offset", [0, 3])
def test_an_upload_joined_to_another_is_its_end_and_gone(
    staging: Staging, tmp_path: Path, offset: int
) -> None:
    upload_id, part_id, part = UUID(int=1), UUID(int=2), os.urandom(3 * 1024 * 1024 + 5)
    staging.append(upload_id, 0, b"012, and what is written over")
    staging.write_chunk(part_id, 0, part)

    staging.join(upload_id, offset, part_id)

    whole = b"012"[:offset] + part
    assert staging.path(upload_id).read_bytes() == whole
    assert names(tmp_path) == [str(upload_id)]
    with pytest.raises(UploadUnknownError):
        staging.join(upload_id, 0, part_id)
