"""Settings come from options, then the environment, then defaults; a wrong one is an error."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from veza.config.paths import MAX_SOCKET_PATH_BYTES, ops_socket
from veza.config.settings import Settings, as_environment, unknown_variables


def test_an_option_wins_over_the_environment_and_that_over_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VEZA_PORT", "9000")

    assert Settings().port == 9000
    assert Settings(port=9001).port == 9001
    assert Settings().host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value"), [("port", 70_000), ("bcrypt_cost", 3), ("registration", "maybe")]
)
def test_a_value_out_of_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Settings(**{name: value})


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError):
        Settings(prot=1)


def test_a_secret_never_shows_in_an_error_or_a_repr() -> None:
    settings = Settings(database_url="postgresql://veza:hunter2@db/veza")

    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("host", "registration", "is_open"),
    [
        ("127.0.0.1", "auto", True),
        ("::1", "auto", True),
        ("0.0.0.0", "auto", False),
        ("0.0.0.0", "open", True),
        ("127.0.0.1", "closed", False),
    ],
)
def test_registration_is_open_by_default_only_while_the_node_is_private(
    host: str, registration: str, is_open: bool
) -> None:
    assert Settings(host=host, registration=registration).is_registration_open is is_open


def test_the_operators_socket_fits_into_a_socket_path() -> None:
    assert ops_socket(Path("/data")) == Path("/data/ops.sock")
    assert len(str(ops_socket(Path("/" + "long/" * 40)))) <= MAX_SOCKET_PATH_BYTES


def test_a_misspelt_variable_is_named_with_what_was_meant() -> None:
    wrong = unknown_variables({"VEZA_PRT": "1", "VEZA_PORT": "1", "VEZA_TEST_WORKERS": "2"})

    assert wrong == ["VEZA_PRT: no such setting; did you mean VEZA_PORT?"]


def test_a_public_url_closes_registration_until_it_is_opened() -> None:
    assert not Settings(public_url="https://music.example.org").is_registration_open
    assert Settings(
        public_url="https://music.example.org", registration="open"
    ).is_registration_open


def test_another_process_reads_the_same_settings_from_its_environment(monkeypatch) -> None:
    given = Settings(
        data=Path("/data"),
        port=81,
        demo=True,
        database_url="postgresql://veza:secret@localhost/veza",
        ladder_kbps=(64, 256),
        public_url="https://music.example.org",
        job_lease_seconds=2.5,
    )

    for name, value in as_environment(given).items():
        monkeypatch.setenv(name, value)

    assert Settings() == given
