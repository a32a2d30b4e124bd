"""What operators read of messages and states holds no secret, and no text of people unless asked for."""

import json
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veza.actors.messages.accounts import RegisterAccount
from veza.actors.messages.rooms import PostMessage
from veza.actors.messages.tracks import WriteChunk
from veza.supervisors.masking import MAX_CHARS, described, shown_state

ID = UUID("01900000-0000-7000-8000-000000000001")


def test_a_password_is_never_shown() -> None:
    command = RegisterAccount(
        username="ada", email="ada@example.org", password="correct horse", user_agent="test"
    )

    for with_texts in (False, True):
        text = described(command, with_texts=with_texts)
        assert "correct horse" not in text
        assert json.loads(text)["username"] == "ada"


@pytest.mark.parametrize("name", ["Authorization", "API_TOKEN", "query", "refresh_token"])
def test_a_secret_is_known_by_its_name_however_it_is_written(name: str) -> None:
    assert json.loads(described({name: "s3cret"}, with_texts=True)) == {name: "(masked)"}


def test_a_mapping_is_cut_as_a_list_is() -> None:
    state = shown_state({"many": dict.fromkeys(range(100_000), 1), "list": list(range(100_000))})

    assert '"…":"(and 99900 more)"' in state["many"]
    assert "(and 99980 more)" in state["list"]


def test_texts_of_people_are_counted_unless_they_were_asked_for() -> None:
    post = PostMessage(message_id=ID, text="salut")

    assert json.loads(described(post, with_texts=False))["text"] == "(5 characters)"
    assert json.loads(described(post, with_texts=True))["text"] == "salut"


def test_bytes_are_shown_as_their_length() -> None:
    chunk = WriteChunk(upload_id=ID, offset=0, data=b"x" * 4096)

    assert json.loads(described(chunk, with_texts=True))["data"] == "(4096 bytes)"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=200,
    )
)
def test_any_value_is_described_within_the_limit(value: object) -> None:
    assert len(described({"value": value}, with_texts=True)) <= MAX_CHARS


def test_a_state_is_a_line_a_name() -> None:
    state = {"rooms": 2, "jobs": ["a", "b"], "session_token": "abc", "topic": "room:1"}

    assert shown_state(state) == {
        "rooms": "2",
        "jobs": '["a","b"]',
        "session_token": "(masked)",
        "topic": "room:1",
    }
