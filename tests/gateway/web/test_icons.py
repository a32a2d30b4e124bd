"""Every icon the page draws is in the sprite, and the sprite holds no other."""

import re
import tomllib
from pathlib import Path

_CALL = re.compile(r"(?<!function )\bicon\(([^)]*)\)")


def _used(sources: dict[Path, str]) -> set[str]:
    return {
        call.strip("\"'")
        for path, text in sources.items()
        if path.name != "icon.js"
        for call in _CALL.findall(text)
    }


def test_icons_are_named_by_literals_so_that_they_can_be_checked(sources: dict[Path, str]) -> None:
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in _used(sources))


def test_every_icon_used_is_in_the_sprite_and_no_other(web: Path, sources: dict[Path, str]) -> None:
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (web / "icons.svg").read_text()))
    assert sprite == _used(sources)


def test_the_pin_file_lists_the_sprite(web: Path) -> None:
    packages = tomllib.loads((web / "vendor" / "VENDOR.toml").read_text())["package"]
    (pinned,) = [part["icons"] for package in packages for part in package.get("sprite", [])]
    sprite = re.findall(r'<symbol id="([^"]+)"', (web / "icons.svg").read_text())
    assert sorted(pinned) == sprite
