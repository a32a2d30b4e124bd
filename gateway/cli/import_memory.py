"""Which uploads of imports are not finished, in a file: a later import goes on with them."""

import os
from pathlib import Path

import orjson


def default_place() -> Path:
    """Return the file in this user's folder for such things (XDG Base Directory)."""
    root = os.environ.get("XDG_STATE_HOME")
    return (Path(root) if root else Path.home() / ".local" / "state") / "veza" / "imports.json"


class Memory:
    """Addresses of uploads by what they are of. A file that cannot be read is an empty one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._known: dict[str, str] = orjson.loads(path.read_bytes())
        except (OSError, ValueError):
            self._known = {}

    def get(self, key: str) -> str | None:
        """Return where the upload is."""
        return self._known.get(key)

    def put(self, key: str, location: str) -> None:
        """Remember an upload."""
        self._known[key] = location
        self._write()

    def drop(self, key: str) -> None:
        """Forget an upload."""
        if self._known.pop(key, None) is not None:
            self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        whole = self._path.with_suffix(f".{os.getpid()}")
        whole.write_bytes(orjson.dumps(self._known))
        whole.replace(self._path)
