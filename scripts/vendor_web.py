"""Fetch the pinned packages of the web client and write the same committed files each time.

Run by hand after a change of `gateway/web/vendor/VENDOR.toml`; needs npm and the network.
Packages are only packed, never installed, so none of their scripts run.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

WEB = Path(__file__).resolve().parent.parent / "gateway" / "web"
VENDOR = WEB / "vendor"
PINS = VENDOR / "VENDOR.toml"
SUMS = VENDOR / "SHA256SUMS"
LICENSES = VENDOR / "LICENSES"

_SPECIFIER = re.compile(r"""(\bfrom\s*|\bimport\s*\(?\s*)(["'])([@\w][^"'$]*)\2""")
_SOURCE_MAP = re.compile(r"\n?//# sourceMappingURL=\S+\s*")
_SYMBOL = re.compile(r'\n {4}<symbol id="(?P<name>[\w-]+)".*?</symbol>', re.DOTALL)


def packed(name: str, version: str, integrity: str, into: Path) -> Path:
    """Fetch and unpack the tarball of one package, after its bytes matched the pin."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is needed to fetch the packages")
    answer = subprocess.run(
        [npm, "pack", f"{name}@{version}", "--silent", "--pack-destination", str(into)],
        check=True,
        capture_output=True,
        text=True,
    )
    tarball = into / answer.stdout.split()[-1]
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != integrity:
        sys.exit(f"{name}@{version}: the tarball is sha512-{digest}, the pin says {integrity}")
    folder = into / tarball.stem
    with tarfile.open(tarball) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def as_module(text: str, target: str, targets: dict[str, str]) -> str:
    """Make imports relative, since a page under our policy can have no import map."""

    def relative(match: re.Match[str]) -> str:
        keyword, quote, specifier = match.groups()
        if specifier not in targets:
            sys.exit(f"{target} imports {specifier!r}, which is not vendored")
        return f"{keyword}{quote}./{Path(targets[specifier]).name}{quote}"

    return _SOURCE_MAP.sub("\n", _SPECIFIER.sub(relative, text))


def as_subset(sprite: str, icons: list[str]) -> str:
    """Keep the wanted symbols only, in the order of their names."""
    head, _, _ = sprite.partition("\n    <symbol")
    symbols = {found["name"]: found[0] for found in _SYMBOL.finditer(sprite)}
    if missing := sorted(set(icons) - set(symbols)):
        sys.exit(f"no such icon: {', '.join(missing)}")
    return head + "".join(symbols[name] for name in sorted(icons)) + "\n  </defs>\n</svg>\n"


def write_package(package: dict[str, Any], targets: dict[str, str], work: Path) -> list[Path]:
    """Write the files of one package and its licence; answer what was written."""
    folder = packed(package["name"], package["version"], package["integrity"], work)
    texts = {
        file["target"]: as_module((folder / file["source"]).read_text(), file["target"], targets)
        for file in package.get("file", [])
    } | {
        part["target"]: as_subset((folder / part["source"]).read_text(), part["icons"])
        for part in package.get("sprite", [])
    }
    licence = f"vendor/LICENSES/{package['name'].replace('/', '-').removeprefix('@')}.txt"
    texts[licence] = (folder / "LICENSE").read_text()
    for target, text in texts.items():
        (WEB / target).write_text(text, newline="\n")
    return [WEB / target for target in texts]


def main() -> None:
    packages = tomllib.loads(PINS.read_text())["package"]
    targets = {
        file["specifier"]: file["target"]
        for package in packages
        for file in package.get("file", [])
    }
    LICENSES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        written = [
            path for package in packages for path in write_package(package, targets, Path(work))
        ]
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(WEB).as_posix()}\n"
        for path in sorted(written)
    ]
    SUMS.write_text("".join(lines), newline="\n")
    for path in sorted(written):
        print(f"{path.stat().st_size:>8}  {path.relative_to(WEB)}")


if __name__ == "__main__":
    main()
