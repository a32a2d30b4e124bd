"""The checkout as tests see it: its files, its packages and their parsed modules."""

import ast
import os
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What .gitignore names, and hidden folders but that of CI.
LEFT_OUT = re.compile(r"(?!\.ci$)\..+|__pycache__|.+\.egg-info|build|artifacts")
TEXT = re.compile(
    r"\.(py|pyi|md|cfg|toml|lock|sql|env|service|js|ts|css|html|svg|txt)$|^[A-Z]+$|^[a-z]+$|^Makefile$"
)
PACKAGES = ("actors", "codecs", "config", "gateway", "persistence", "supervisors")


class Checkout:
    """Reads files once; paths are relative to the root, with forward slashes."""

    root = ROOT

    @staticmethod
    @cache
    def files() -> tuple[str, ...]:
        """Every text file of the project. No git: an unpacked archive is a checkout too."""
        found = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = sorted(name for name in folders if not LEFT_OUT.fullmatch(name))
            place = Path(folder).relative_to(ROOT)
            found += [(place / name).as_posix() for name in names if TEXT.search(name)]
        return tuple(sorted(found))

    @staticmethod
    @cache
    def text(path: str) -> str:
        return (ROOT / path).read_text(encoding="utf-8")

    def modules(self) -> dict[str, ast.Module]:
        """The project's own modules by path, without tests and scripts."""
        return {
            path: self.parsed(path)
            for path in self.files()
            if path.endswith(".py") and path.split("/")[0] in PACKAGES
        }

    @cache  # noqa: B019  # one checkout a test process
    def parsed(self, path: str) -> ast.Module:
        return ast.parse(self.text(path))


@pytest.fixture(scope="session")
def checkout() -> Checkout:
    return Checkout()
