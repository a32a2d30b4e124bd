"""docs/protocol.md says what the code does: each of its tables equals an enum, a route list or a model."""

import re
from pathlib import Path

import pytest

from veza.actors.messages.rooms import EventKind
from veza.config.settings import Settings
from veza.gateway import wire
from veza.gateway.app import AREAS
from veza.gateway.errors import CLOSE_MEANINGS, CloseCode, FieldCode, ProblemCode
from veza.gateway.rates import POLICIES

TEXT = (Path(__file__).parents[2] / "docs/protocol.md").read_text()
Rows = list[list[str]]


def tables(first_header: str) -> list[Rows]:
    """Return the rows of every table whose first column has this header."""
    starts = re.finditer(rf"^\| {first_header} \|.*\n\|[-|]+\n", TEXT, re.MULTILINE)
    return [
        [
            [cell.strip().strip("`") for cell in row.strip("|").split(" |")]
            for row in TEXT[start.end() :].partition("\n\n")[0].splitlines()
        ]
        for start in starts
    ]


def table(first_header: str) -> Rows:
    (only,) = tables(first_header)
    return only


def test_every_address_is_documented_with_its_access_and_no_other() -> None:
    declared = {(each.method, each.template, each.admits) for area in AREAS for each in area}

    assert {(row[0], row[1], row[2]) for row in table("Method")} == declared


def test_every_answer_of_an_address_is_named() -> None:
    rows = {(row[0], row[1]): row[3] for row in table("Method")}

    for endpoint in (each for area in AREAS for each in area):
        text = rows[endpoint.method, endpoint.template]
        assert {int(code) for code in re.findall(r"\b[2-5]\d\d\b", text)} == set(endpoint.answers)


def test_every_problem_is_documented_with_status_and_title() -> None:
    declared = {
        (each.value, str(each.status), "yes" if each.is_retryable else "no", each.title)
        for each in ProblemCode
    }

    assert {tuple(row) for row in tables("Code")[0]} == declared


def test_every_close_code_is_documented_with_its_meaning() -> None:
    told = {int(code): meaning for code, meaning in tables("Code")[1]}

    assert told == {each.value: CLOSE_MEANINGS[each].strip("`") for each in CloseCode}


def test_every_field_code_is_documented() -> None:
    assert {row[0] for row in table("Field code")} == {each.value for each in FieldCode}


def test_every_frame_of_clients_is_documented_with_its_fields() -> None:
    rows = {row[0]: row[1] for row in tables("Type")[0]}

    assert rows.keys() == wire.CLIENT_FRAMES.keys()
    for kind, model in wire.CLIENT_FRAMES.items():
        named = set(re.findall(r"`(\w+)", f"`{rows[kind]}`"))
        assert named == model.model_fields.keys(), kind


def test_every_frame_of_the_server_is_documented() -> None:
    assert {row[0] for row in tables("Type")[1]} == {*wire.ServerFrame, *EventKind}


def test_every_limit_is_documented_with_its_default() -> None:
    rows = {row[0]: row[1] for row in table("Limit")}
    limits = wire.limits(Settings()).model_dump()

    assert rows.keys() == limits.keys()
    for name, value in limits.items():
        assert rows[name].split()[0].rstrip(",") == str(value)


@pytest.mark.parametrize("row", [row for row in table("Limit") if row[-1].startswith("VEZA_")])
def test_every_setting_of_a_limit_exists(row: list[str]) -> None:
    assert row[2].removeprefix("VEZA_").lower() in Settings.model_fields


def test_every_policy_of_requests_is_documented_as_it_is() -> None:
    declared = {
        (each.name, str(each.quota), str(each.window_seconds), each.by.value, each.is_shared)
        for each in POLICIES
    }

    assert {(*row[:4], row[4] == "yes") for row in table("Policy")} == declared


def test_every_rate_of_an_address_is_one_of_the_policies() -> None:
    rates = {each.rate for area in AREAS for each in area if each.rate is not None}

    assert rates <= set(POLICIES)
