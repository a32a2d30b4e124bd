"""What no file may hold: notes to self, addresses of one machine, hosts that only one network has."""

import re

import pytest

# Written so that this file does not hold them. Actors have paths too, below the supervisor `root`.
FORBIDDEN = {
    "a note to self": r"TO[D]O|FIX[M]E|XX[X]",
    "a path of one machine": r"(?<![\w.$-])/(roo[t]/(?!rooms/|[ab]\b)|hom[e]/|wor[k]/)|/tmp/vez[a]/",
    "a host of one network": r"//[\w.-]*(pypi|pythonhosted|npmjs|artifactory|registry)[\w.-]*\.\w+|file:///[o]pt",
}
# Lists of what is installed, made by a tool; and what others wrote.
MADE = re.compile(
    r"\.lock$|^gateway/web/vendor/|^tests/gateway/asyncapi/schema-|^LICENSE$|\.(png|svg|ico|woff2)$"
)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(checkout, what) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path}:{number}: {line.strip()[:80]}"
        for path in checkout.files()
        if not MADE.search(path)
        for number, line in enumerate(checkout.text(path).splitlines(), start=1)
        if pattern.search(line)
    ]

    assert found == []


def test_lock_files_name_no_index(checkout) -> None:
    locks = [path for path in checkout.files() if path.endswith(".lock")]

    assert len(locks) == 3
    assert [path for path in locks if re.search("https?://|--index|-i ", checkout.text(path))] == []
