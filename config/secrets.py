"""The node's signing keys: made at the first start, kept in a file that only its owner reads."""

import json
import os
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKeys:
    """Keys by id. `current` signs; the others still verify, so that a key can be replaced."""

    current: str
    by_id: dict[str, bytes]

    def __repr__(self) -> str:
        return f"SecretKeys(current={self.current!r}, ids={sorted(self.by_id)})"


class SecretsFileError(Exception):
    """The file is there but cannot be used; nothing is overwritten."""


def load_keys(path: Path) -> SecretKeys:
    """Read the keys, or make the first one. Raises `SecretsFileError`."""
    if not path.exists():
        write_keys(path, SecretKeys(current="1", by_id={"1": secrets.token_bytes(KEY_BYTES)}))
    try:
        content = json.loads(path.read_text("ascii"))
        by_id = {key_id: b64decode(key, validate=True) for key_id, key in content["keys"].items()}
        keys = SecretKeys(current=content["current"], by_id=by_id)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise SecretsFileError(f"{path} cannot be read as a file of keys: {error}") from error
    if keys.current not in by_id or any(len(key) < KEY_BYTES for key in by_id.values()):
        raise SecretsFileError(f"{path} holds no usable current key")
    return keys


def write_keys(path: Path, keys: SecretKeys) -> None:
    """Write the file whole or not at all, readable by its owner only."""
    content = {
        "current": keys.current,
        "keys": {key_id: b64encode(key).decode() for key_id, key in keys.by_id.items()},
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
