"""Who may import what, beyond the layers that import-linter holds; and one list of packages everywhere."""

import ast
import configparser
import re
from collections.abc import Iterator

import pytest

# What may import each library: a folder, or one file.
HOMES = {
    "thespian": ("actors/runtime/thespian_api.py", "actors/runtime/thespian_api.pyi"),
    "veza.actors.runtime.thespian_api": ("actors/runtime/", "actors/base.py", "supervisors/"),
    "aiohttp": ("gateway/",),
    "jwt": ("gateway/",),
    "asyncpg": ("persistence/",),
    "redis": ("persistence/",),
    "obstore": ("persistence/s3_store.py",),
    "av": ("codecs/", "actors/encoding/worker.py", "actors/encoding/copy_worker.py"),
    "PIL": ("codecs/",),
    "soundfile": ("codecs/",),
    "soxr": ("codecs/",),
    "prometheus_client": ("gateway/metrics.py",),
}
# SQL as a statement: an English sentence may contain any one of these words.
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|(CREATE|ALTER|DROP)\s+TABLE)\b",
    re.DOTALL,
)


def imports(module: ast.Module) -> Iterator[str]:
    """Names of everything imported, and each `from x import y` as `x.y` too."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_of(name: str, library: str) -> bool:
    return name == library or name.startswith(f"{library}.")


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_only_where_it_belongs(checkout, library) -> None:
    users = {
        path
        for path, module in checkout.modules().items()
        if any(is_of(name, library) for name in imports(module))
    }

    assert {path for path in users if not path.startswith(HOMES[library])} == set()


def test_sql_stands_in_persistence_only(checkout) -> None:
    found = [
        path
        for path, module in checkout.modules().items()
        if not path.startswith("persistence/")
        and any(
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and SQL.search(node.value)
            for node in ast.walk(module)
        )
    ]

    assert found == []


def test_the_packages_that_are_installed_are_those_there_are(checkout) -> None:
    config = configparser.ConfigParser()
    config.read_string(checkout.text("setup.cfg"))
    listed = config["options"]["packages"].split()

    there = {
        "veza." + path.removesuffix("/__init__.py").replace("/", ".")
        for path in checkout.modules()
        if path.endswith("/__init__.py")
    }
    assert set(listed) == there
    assert listed == sorted(listed)


def test_every_folder_of_modules_is_a_package(checkout) -> None:
    folders = {path.rpartition("/")[0] for path in checkout.modules()}

    assert {
        folder for folder in folders if not (checkout.root / folder / "__init__.py").is_file()
    } == set()


def test_a_bare_checkout_links_the_packages_that_are_installed(checkout) -> None:
    links = {
        link.name: link.readlink().as_posix() for link in (checkout.root / ".links/veza").iterdir()
    }
    packages = {path.split("/")[0] for path in checkout.modules()}

    assert links == {name: f"../../{name}" for name in packages}


def test_every_module_says_what_it_promises(checkout) -> None:
    silent = [
        path
        for path, module in checkout.modules().items()
        if module.body and ast.get_docstring(module) is None
    ]

    assert silent == []
