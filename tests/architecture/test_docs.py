"""The documents say what the code does: links, commands, settings, metrics and functions all exist."""

import ast
import inspect
import json
import os
import re
import shlex

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from veza.actors.fanout import FanOutCounters
from veza.config.settings import Settings
from veza.gateway.cli.serve import serve
from veza.gateway.metrics import ActorCollector, FanOutCollector, Metrics
from veza.persistence.postgres.binaries import OVERRIDE

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MENTION = re.compile(
    r"(?<![\w/])((?:docs|config|scripts|tests|actors|gateway|persistence)/[\w./-]+\w)"
)
SETTINGS = {f"VEZA_{name.upper()}": field for name, field in Settings.model_fields.items()}
# Read by the launcher of the private server before there are settings.
BESIDE = {OVERRIDE}


def documents(checkout) -> list[str]:
    return [path for path in checkout.files() if path.endswith(".md")]


def rows(checkout, path: str, first: str) -> list[list[str]]:
    """The rows of every table of a document whose first column has this header."""
    text = checkout.text(path)
    starts = re.finditer(rf"^\| {first} \|.*\n\|[-|]+\n", text, re.MULTILINE)
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|"))]
        for start in starts
        for row in text[start.end() :].partition("\n\n")[0].splitlines()
    ]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_links_lead_to_files(checkout) -> None:
    broken = []
    for path in documents(checkout):
        for target in LINK.findall(checkout.text(path)):
            if "://" not in target and not target.startswith("#"):
                file = (checkout.root / path).parent / target.partition("#")[0]
                broken += [] if file.exists() else [f"{path}: {target}"]

    assert broken == []


def test_files_that_documents_and_code_speak_of_exist(checkout) -> None:
    missing = [
        f"{path}: {name}"
        for path in checkout.files()
        if path.endswith((".md", ".py", ".cfg", ".toml", ".service", ".env", ".sql"))
        and path != "gateway/web/vendor/VENDOR.toml"
        for name in MENTION.findall(checkout.text(path))
        if not any(checkout.root.glob(f"{name}*")) and "NNNN" not in name
        if name.startswith("docs/") or path.endswith(".md")
    ]

    assert missing == []


def test_decisions_are_numbered_once(checkout) -> None:
    numbers = [
        path.split("/")[-1][:4] for path in documents(checkout) if path.startswith("docs/adr/")
    ]

    assert len(numbers) == len(set(numbers))
    assert all(number.isdigit() for number in numbers)


def test_commands_at_the_head_of_the_readme_exist(checkout) -> None:
    lines = checkout.text("README.md").splitlines()
    commands = [shlex.split(line, comments=True) for line in lines[1:5] if line.startswith("    ")]

    assert commands == [["scripts/run"], ["scripts/test"]]
    assert all(os.access(checkout.root / command[0], os.X_OK) for command in commands)


def test_the_makefile_names_what_exists_and_nothing_more(checkout) -> None:
    text = checkout.text("Makefile")
    used = re.findall(r"(?:scripts|tests)/\S+", text)

    assert re.findall(r"^(\w+):", text, re.MULTILINE) == ["run", "test", "bench"]
    assert all((checkout.root / path).is_file() for path in used)


def test_the_readmes_options_are_those_of_serve(checkout) -> None:
    table = {quoted(row[0])[0]: quoted(row[1])[0] for row in rows(checkout, "README.md", "Option")}
    options = list(inspect.signature(serve).parameters)

    assert table == {f"--{name.replace('_', '-')}": f"VEZA_{name.upper()}" for name in options}


def test_the_readmes_folders_are_those_there_are(checkout) -> None:
    listed = [quoted(row[0])[0].rstrip("/") for row in rows(checkout, "README.md", "Folder")]
    there = {path.split("/")[0] for path in checkout.files() if "/" in path}

    assert {folder for folder in there if not folder.startswith(".")} == {
        folder for folder in listed if "/" not in folder
    }
    assert all((checkout.root / folder).is_dir() for folder in listed)


def test_the_example_names_every_setting(checkout) -> None:
    text = checkout.text("config/example.env")
    named = re.findall(r"^#(VEZA_\w+)=", text, re.MULTILINE)

    assert sorted(named) == sorted(SETTINGS.keys() | BESIDE)


def test_the_example_shows_the_defaults(checkout, monkeypatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    default = Settings()
    lines = re.findall(r"^#(VEZA_\w+)=(.*)$", checkout.text("config/example.env"), re.MULTILINE)
    for name, value in lines:
        monkeypatch.setenv(name, value)

    shown = Settings()

    for name in Settings.model_fields:
        if getattr(default, name) is not None:
            assert getattr(shown, name) == getattr(default, name), name


def test_operations_tell_every_setting_and_its_default(checkout) -> None:
    table = {
        quoted(row[0])[0]: "".join(quoted(row[1]))
        for row in rows(checkout, "docs/operations.md", "Variable")
    }

    assert table.keys() == SETTINGS.keys() | BESIDE
    for name, shown in table.items():
        if shown and name != "VEZA_DATA":
            wanted = SETTINGS[name].default
            value = list(wanted) if isinstance(wanted, tuple) else wanted
            found = shown if isinstance(wanted, str) else json.loads(shown)
            assert found == value, name


def test_a_unit_in_a_settings_name_is_the_unit_that_is_told(checkout) -> None:
    units = {"_SECONDS": "s", "_MS": "ms", "_BYTES": "bytes", "_DAYS": "days", "_KBPS": "kbit/s"}
    for variable, _default, unit, _meaning in rows(checkout, "docs/operations.md", "Variable"):
        for suffix, wanted in units.items():
            if quoted(variable)[0].endswith(suffix):
                assert unit.split()[0] == wanted, variable


def test_operations_tell_every_metric(checkout) -> None:
    metrics = Metrics("0")
    metrics.watch(FanOutCollector(FanOutCounters(), lambda: 0))
    metrics.watch(ActorCollector())
    suffix = {"counter": "_total"}
    known = {
        (family.name + suffix.get(family.type, ""), family.type)
        for family in metrics.registry.collect()
        if family.name.startswith("veza_")
    }

    table = {(quoted(row[0])[0], row[1]) for row in rows(checkout, "docs/operations.md", "Metric")}
    assert table == known


def defined(module: ast.Module) -> set[str]:
    """Names of functions and classes, methods as `Class.method`."""
    names = set()
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (ast.FunctionDef, ast.AsyncFunctionDef)
            names |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, methods)}
    return names


def test_the_journeys_go_through_functions_that_exist(checkout) -> None:
    steps = rows(checkout, "docs/architecture.md", "File")
    missing = [
        f"{quoted(file)[0]}: {quoted(function)[0]}"
        for file, function, _what in steps
        if quoted(function)[0] not in defined(checkout.parsed(quoted(file)[0]))
    ]

    assert len(steps) > 40
    assert missing == []


def test_what_is_said_of_failures_is_shown_by_tests_that_exist(checkout) -> None:
    tests = "\n".join(
        checkout.text(path)
        for path in checkout.files()
        if path.startswith("tests/") and path.endswith(".py")
    )
    named = [
        name for row in rows(checkout, "docs/architecture.md", "What") for name in quoted(row[3])
    ]

    assert len(named) > 10
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_the_tree_in_the_architecture_is_the_one_that_starts(checkout) -> None:
    told = [quoted(row[0])[0] for row in rows(checkout, "docs/architecture.md", "Child of `root`")]
    tree = ast.get_docstring(checkout.parsed("supervisors/tree.py")) or ""

    assert told == re.findall(r"^[├└]── (\w+)", tree, re.MULTILINE)


def test_the_licence_is_the_one_that_is_named(checkout) -> None:
    assert checkout.text("LICENSE").splitlines()[0].strip() == "GNU AFFERO GENERAL PUBLIC LICENSE"
    assert len(checkout.text("LICENSE").splitlines()) == 661
    assert "license = AGPL-3.0-or-later" in checkout.text("setup.cfg")


# Any text fits the others.
CHECKED = sorted(
    SETTINGS.keys()
    - {"VEZA_HOST", "VEZA_DATA", "VEZA_BREACHED_PASSWORDS", "VEZA_DATABASE_URL", "VEZA_REDIS_URL"}
)


@pytest.mark.parametrize("name", CHECKED)
def test_a_value_that_does_not_fit_stops_the_start(name, monkeypatch) -> None:
    monkeypatch.setenv(name, "?")

    with pytest.raises((ValidationError, SettingsError)):
        Settings()
