"""The page asks for nothing that its policy forbids: markup from text, inline code, other hosts."""

import re
from pathlib import Path

import pytest

_SINKS = re.compile(
    r"\binnerHTML\b|\bouterHTML\b|\binsertAdjacentHTML\b|\bdocument\.write|\bDOMParser\b"
    r"|\beval\(|\bnew Function\b|\bsrcdoc\b|dangerouslySetInnerHTML|\bcreateContextualFragment\b"
)
_INLINE_STYLE = re.compile(r"""\bstyle=["']|setAttribute\(["']style|\.cssText\b|<style""")
_TIMER_STRING = re.compile(r"""\bset(?:Timeout|Interval)\(\s*["'`]""")
_OTHER_HOST = re.compile(r"""https?://(?!www\.w3\.org/2000/svg)|["'`(]//[\w.-]+""")


@pytest.mark.parametrize("forbidden", [_SINKS, _INLINE_STYLE, _TIMER_STRING, _OTHER_HOST])
def test_no_module_uses(sources: dict[Path, str], forbidden: re.Pattern[str]) -> None:
    found = {path.name: forbidden.findall(text) for path, text in sources.items()}
    assert not {name: hits for name, hits in found.items() if hits}


def test_the_document_has_no_inline_code_or_style(web: Path) -> None:
    text = (web / "index.html").read_text()
    assert not re.findall(r"<script(?![^>]*\bsrc=)", text)
    assert not re.findall(r"<style|\sstyle=|\son\w+=", text)


def test_the_document_takes_everything_from_the_versioned_folder(web: Path) -> None:
    text = (web / "index.html").read_text()
    links = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert links
    for link in links:
        assert link.startswith("/w/@@/"), link
        assert (web / link.removeprefix("/w/@@/")).is_file(), link


def _own_sheets(web: Path) -> list[Path]:
    return [sheet for sheet in web.rglob("*.css") if "vendor" not in sheet.parts]


def test_every_style_sheet_is_linked_and_asks_no_other_host(
    web: Path, sources: dict[Path, str]
) -> None:
    text = (web / "index.html").read_text()
    for sheet in web.rglob("*.css"):
        # What all views share is in the document; a view fetches what it alone needs.
        is_shared = sheet.parent == web / "css"
        by_view = [
            path for path, code in sources.items() if re.search(rf"[\"/]{sheet.name}\"", code)
        ]
        assert (f"/w/@@/css/{sheet.name}" in text) == is_shared, sheet
        assert is_shared or by_view, sheet
        assert not re.findall(r"@import|url\(", sheet.read_text()), sheet.name


def test_every_class_in_a_style_sheet_is_used(web: Path, sources: dict[Path, str]) -> None:
    markup = "\n".join(sources.values()) + (web / "index.html").read_text()
    sheets = "\n".join(sheet.read_text() for sheet in _own_sheets(web))
    selectors = re.sub(r"/\*.*?\*/|\{[^{}]*\}", " ", sheets, flags=re.DOTALL)
    classes = set(re.findall(r"\.([a-zA-Z][\w-]*)", selectors))
    # `skeleton-${kind}` is put together; its kinds are literals too.
    whole_words = {name for name in classes if not name.startswith("skeleton-")}
    assert not [name for name in whole_words if not re.search(rf"[\"'` ]{name}[\"'` ]", markup)]
