"""The web client's files, read once, for tests that look at nothing but files."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

_WEB = Path(__file__).resolve().parents[3] / "gateway" / "web"
_STATIC_IMPORT = re.compile(r"""^(?:import|export)\s[^;"']*?["'](\.[^"']+)["'];""", re.MULTILINE)
_SIDE_EFFECT_IMPORT = re.compile(r"""^import\s+["'](\.[^"']+)["'];""", re.MULTILINE)
_LAZY_IMPORT = re.compile(r"""\bimport\(["'](\.[^"']+)["']\)""")


def _beside(path: Path, names: set[str]) -> set[Path]:
    return {(path.parent / name).resolve() for name in names}


@pytest.fixture(scope="session")
def web() -> Path:
    return _WEB


@pytest.fixture(scope="session")
def sources(web: Path) -> dict[Path, str]:
    """Our own modules: everything but what is vendored."""
    own = (path for path in web.rglob("*.js") if "vendor" not in path.parts)
    return {path: path.read_text() for path in sorted(own)}


@pytest.fixture(scope="session")
def imports() -> Callable[[Path], tuple[set[Path], set[Path]]]:
    """Return what a module imports at once, and what it imports when needed."""

    def of(path: Path) -> tuple[set[Path], set[Path]]:
        # Types in comments name modules that are never loaded.
        text = re.sub(r"/\*\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        # Minified files put several statements on one line.
        spread = re.sub(r";(?=import\b|export\b)", ";\n", text)
        at_once = set(_STATIC_IMPORT.findall(spread)) | set(_SIDE_EFFECT_IMPORT.findall(spread))
        at_once |= set(re.findall(r'\bfrom"(\./[^"]+)"', text))
        later = set(_LAZY_IMPORT.findall(text))
        return _beside(path, at_once), _beside(path, later)

    return of
