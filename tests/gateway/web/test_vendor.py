"""What others wrote is exactly what was fetched and checked, and comes with its licence."""

import hashlib
import re
import tomllib
from pathlib import Path


def _sums(web: Path) -> dict[str, str]:
    lines = (web / "vendor" / "SHA256SUMS").read_text().splitlines()
    return {target: digest for digest, target in (line.split("  ", 1) for line in lines)}


def _pins(web: Path) -> list[dict]:
    return tomllib.loads((web / "vendor" / "VENDOR.toml").read_text())["package"]


def test_no_vendored_file_was_edited_by_hand(web: Path) -> None:
    found = {
        target: hashlib.sha256((web / target).read_bytes()).hexdigest() for target in _sums(web)
    }
    assert found == _sums(web)


def test_every_file_in_the_vendor_folder_is_pinned(web: Path) -> None:
    present = {
        path.relative_to(web).as_posix()
        for path in (web / "vendor").rglob("*")
        if path.is_file() and path.name not in {"VENDOR.toml", "SHA256SUMS"}
    }
    assert present == set(_sums(web)) - {"icons.svg"}


def test_every_package_names_its_licence_and_ships_the_text(web: Path) -> None:
    for package in _pins(web):
        name = package["name"].removeprefix("@").replace("/", "-")
        assert package["licence"] in {"MIT", "Apache-2.0", "ISC"}
        assert package["integrity"].startswith("sha512-")
        assert (web / "vendor" / "LICENSES" / f"{name}.txt").stat().st_size > 500


def test_vendored_modules_need_no_import_map_and_name_no_source_map(web: Path) -> None:
    for path in (web / "vendor").glob("*.js"):
        text = path.read_text()
        # A package's name has no spaces; what prose puts in quotes after a "from" has.
        assert not re.findall(r"""\bfrom\s*["'][^."'$\s][^"'\s]*["']""", text), path.name
        assert "sourceMappingURL" not in text, path.name
