"""The web client's files, read and compressed once: a path that holds their hash never changes."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

WEB_ROOT: Final = Path(__file__).parent / "web"
INDEX: Final = "index.html"
HASH_PLACEHOLDER: Final = b"@@"
_HASH_CHARS: Final = 16

CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""What is served; files of other kinds (types, checksums) are for people who work on the client."""

_PACKED: Final = frozenset({".png", ".webp", ".woff2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file. `gzipped` is None where compressing gains nothing."""

    content_type: str
    body: bytes
    gzipped: bytes | None
    etag: str


class Page:
    """The files of the web client below `root`, by their path from there."""

    def __init__(self, root: Path) -> None:
        bodies = dict(_read(root))
        if INDEX not in bodies:
            raise FileNotFoundError(f"no {INDEX} in {root}")
        self.hash = _hash(bodies)
        index = bodies.pop(INDEX).replace(HASH_PLACEHOLDER, self.hash.encode())
        self.index = _asset(INDEX, index)
        self.assets = {path: _asset(path, body) for path, body in bodies.items()}


def _read(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(root.rglob("*")):
        if path.suffix in CONTENT_TYPES and path.is_file():
            yield path.relative_to(root).as_posix(), path.read_bytes()


def _hash(bodies: dict[str, bytes]) -> str:
    digest = sha256()
    for path, body in bodies.items():
        digest.update(f"{path}\n{len(body)}\n".encode())
        digest.update(body)
    return digest.hexdigest()[:_HASH_CHARS]


def _asset(path: str, body: bytes) -> Asset:
    suffix = Path(path).suffix
    gzipped = None if suffix in _PACKED else gzip.compress(body, 9, mtime=0)
    return Asset(
        content_type=CONTENT_TYPES[suffix],
        body=body,
        gzipped=gzipped if gzipped is not None and len(gzipped) < len(body) else None,
        etag=sha256(body).hexdigest()[:_HASH_CHARS],
    )
