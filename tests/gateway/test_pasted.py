"""The command a node names at its start works when it is pasted, wherever the program and the data are."""

from pathlib import Path

import pytest

from veza.config.settings import default_data_dir
from veza.gateway.pasted import command, program


def make_program(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "veza"
    made.touch(0o755)
    return made


def test_a_program_on_the_path_is_named_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_program(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(made.parent))

    assert program(str(made), "python3", tmp_path) == ["veza"]


def test_another_of_that_name_on_the_path_is_not_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, other = make_program(tmp_path / ".venv/bin"), make_program(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(other.parent))

    assert program(str(made), "python3", tmp_path) == [".venv/bin/veza"]
    assert program(str(made), "python3", Path("/usr")) == [str(made)]
    assert program(str(made), "python3", Path("/")) == [str(made)]
    assert program(str(made), "python3", made.parent) == ["./veza"]


def test_a_module_is_started_by_the_same_python(tmp_path: Path) -> None:
    started_as = "/srv/veza/gateway/cli/__main__.py"

    assert program(started_as, "/opt/python", tmp_path) == [
        "/opt/python",
        "-m",
        "veza.gateway.cli",
    ]


def test_only_data_elsewhere_is_named_and_in_words_for_a_shell() -> None:
    assert command(["veza"], default_data_dir()) == "veza top"
    assert command(["veza"], Path("/srv/my veza")) == "veza top --data '/srv/my veza'"
