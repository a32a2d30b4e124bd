"""Keys are made once, read again, private to their owner, and never overwritten when unreadable."""

from pathlib import Path

import pytest

from veza.config.secrets import KEY_BYTES, SecretKeys, SecretsFileError, load_keys, write_keys


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets" / "keys.json"


def test_keys_are_made_at_the_first_start_and_the_same_at_the_next(path: Path) -> None:
    first = load_keys(path)

    assert len(first.by_id[first.current]) == KEY_BYTES
    assert load_keys(path) == first


def test_only_the_owner_may_read_them(path: Path) -> None:
    load_keys(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"current": "1", "keys": {}}', '{"current": "1", "keys": {"1": "c2hvcnQ="}}'],
)
def test_a_file_that_cannot_be_used_is_told_and_kept(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)

    with pytest.raises(SecretsFileError):
        load_keys(path)

    assert path.read_text() == content


def test_a_second_key_can_be_added(path: Path) -> None:
    keys = SecretKeys(current="2", by_id={"1": bytes(32), "2": bytes(range(32))})

    write_keys(path, keys)

    assert load_keys(path) == keys


def test_a_key_never_shows_in_a_repr() -> None:
    assert "AAAA" not in repr(SecretKeys(current="1", by_id={"1": b"A" * 32}))
