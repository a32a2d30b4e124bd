"""The module graph: nothing missing, nothing unused, few files before the first paint."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

Imports = Callable[[Path], tuple[set[Path], set[Path]]]

# Without a bundler each module is a request: 19 took 0.24 s cold and 60 took 0.59 s.
FIRST_PAINT_MODULES = 20


def _closure(start: set[Path], imports: Imports, *, lazily: bool = False) -> set[Path]:
    found: set[Path] = set()
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        at_once, later = imports(path)
        waiting += at_once | later if lazily else at_once
    return found


@pytest.mark.parametrize("view", ["views/home/home.js", "views/sign-in/sign-in.js"])
def test_the_first_paint_needs_at_most_twenty_modules(
    web: Path, imports: Imports, view: str
) -> None:
    graph = _closure({web / "app" / "main.js", web / view}, imports)
    names = sorted(path.relative_to(web).as_posix() for path in graph)
    assert len(graph) <= FIRST_PAINT_MODULES, names


def test_the_media_loader_and_the_charts_are_not_part_of_the_first_paint(
    web: Path, imports: Imports
) -> None:
    graph = _closure({web / "app" / "main.js"}, imports)
    heavy = {"hls.light.js", "playback.js", "dock.js", "uplot.js"}
    assert not {path.name for path in graph} & heavy


def test_only_the_ops_page_draws_charts(web: Path, imports: Imports, sources: dict) -> None:
    ops = web / "views" / "ops"
    users = {path for path in sources if web / "vendor" / "uplot.js" in set().union(*imports(path))}
    assert users == {ops / "charts.js"}
    others = set((web / "views").glob("*/*.js")) - set(ops.glob("*.js"))
    assert not _closure(others, imports, lazily=True) & set(ops.glob("*.js"))


def test_every_import_leads_to_a_file_and_every_file_is_imported(
    web: Path, imports: Imports, sources: dict[Path, str]
) -> None:
    graph = _closure({web / "app" / "main.js"}, imports, lazily=True)
    assert all(path.is_file() for path in graph)
    assert graph == set(sources) | set((web / "vendor").glob("*.js"))


def test_views_are_fetched_when_they_are_shown(web: Path, imports: Imports) -> None:
    graph = _closure({web / "app" / "main.js"}, imports)
    assert not [path for path in graph if "views" in path.parts]


def test_every_module_is_checked_and_says_what_it_promises(sources: dict[Path, str]) -> None:
    for path, text in sources.items():
        first, second, *_ = text.splitlines()
        assert first == "// @ts-check", path
        assert re.fullmatch(r"/\*\* .+ \*/", second), path
