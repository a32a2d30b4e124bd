"""Signatures hold for what they were made for, until they expire, and for nothing else."""

import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.gateway.errors import ProblemCode, ProblemError
from veza.gateway.tokens import (
    LEEWAY_SECONDS,
    AccessClaims,
    AccessTokens,
    Cursors,
    PlaybackUrls,
    SigningKeys,
)

SECRET = b"s" * 32
KEYS = SigningKeys("k1", {"k1": SECRET})
TOKENS = AccessTokens(KEYS, "veza", 900)
CLAIMS = AccessClaims(user_id=uuid4(), session_id=uuid4())
NOW = 1_800_000_000.0


def code_of(call: Any) -> ProblemCode:
    with pytest.raises(ProblemError) as caught:
        call()
    return caught.value.code


def test_a_token_says_who_it_was_issued_to_until_it_expires() -> None:
    token = TOKENS.issue(CLAIMS, NOW)

    assert TOKENS.verify(token, NOW) == CLAIMS
    assert TOKENS.verify(token, NOW + 900 + LEEWAY_SECONDS - 1) == CLAIMS
    late = NOW + 900 + LEEWAY_SECONDS
    assert code_of(lambda: TOKENS.verify(token, late)) is ProblemCode.INVALID_TOKEN


def test_after_a_rotation_old_tokens_still_verify_and_new_ones_name_the_new_key() -> None:
    rotated = AccessTokens(SigningKeys("k2", {"k1": SECRET, "k2": b"t" * 32}), "veza", 900)

    assert rotated.verify(TOKENS.issue(CLAIMS, NOW), NOW) == CLAIMS
    assert jwt.get_unverified_header(rotated.issue(CLAIMS, NOW))["kid"] == "k2"


def forged(**changes: Any) -> str:
    payload = {
        "iss": "veza",
        "sub": str(CLAIMS.user_id),
        "sid": str(CLAIMS.session_id),
        "iat": NOW,
        "exp": NOW + 900,
        **{key: value for key, value in changes.items() if key not in {"key", "alg", "kid"}},
    }
    payload = {key: value for key, value in payload.items() if value is not None}
    key = changes.get("key", KEYS.signing_key("access token"))
    headers = {"kid": changes.get("kid", "k1")}
    return jwt.encode(payload, key, changes.get("alg", "HS256"), headers=headers)


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "none", "key": None},
        {"alg": "HS512", "key": b"s" * 64},
        {"key": KEYS.signing_key("playback")},
        {"key": SECRET},
        {"kid": "k2"},
        {"iss": "another"},
        {"iss": None},
        {"sub": None},
        {"sid": None},
        {"exp": None},
        {"iat": None},
        {"sub": "ada"},
        {"sid": "x"},
        {"exp": "soon"},
    ],
)
def test_a_token_with_anything_else_in_it_is_refused(changes: dict[str, Any]) -> None:
    token = forged(**changes)

    assert code_of(lambda: TOKENS.verify(token, NOW)) is ProblemCode.INVALID_TOKEN


@given(st.text(max_size=300))
def test_no_text_crashes_the_verifier(token: str) -> None:
    assert code_of(lambda: TOKENS.verify(token, NOW)) is ProblemCode.INVALID_TOKEN


def test_a_signing_key_is_long_enough_and_known() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SigningKeys("k", {"k": b"short"})
    with pytest.raises(ValueError, match="current"):
        SigningKeys("other", {"k": SECRET})
    random = AccessTokens(SigningKeys.random(), "veza", 900)
    assert random.verify(random.issue(CLAIMS, time.time()), time.time()) == CLAIMS


URLS = PlaybackUrls(KEYS)
TRACK = "/api/v1/media/one/"


def query_of(signed: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in signed.split("&"))


def test_a_playback_url_opens_its_prefix_until_it_expires() -> None:
    query = query_of(URLS.sign(TRACK, int(NOW) + 60))

    URLS.verify(TRACK, query, NOW)
    expired = code_of(lambda: URLS.verify(TRACK, query, NOW + 60))
    other = code_of(lambda: URLS.verify("/api/v1/media/two/", query, NOW))
    assert expired is ProblemCode.PLAYBACK_URL_EXPIRED
    assert other is ProblemCode.PLAYBACK_URL_INVALID


@given(
    st.fixed_dictionaries(
        {},
        optional={name: st.text(max_size=60) for name in ("kid", "exp", "sig")},
    )
)
def test_no_query_but_the_signed_one_opens_anything(query: dict[str, str]) -> None:
    signed = query_of(URLS.sign(TRACK, int(NOW) + 60))
    for changed in (query, {**signed, **query}):
        if changed != signed:
            code = code_of(lambda changed=changed: URLS.verify(TRACK, changed, NOW))
            assert code is ProblemCode.PLAYBACK_URL_INVALID


CURSORS = Cursors(KEYS)


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_a_cursor_leads_back_to_its_position(position: str) -> None:
    assert CURSORS.decode("rooms", CURSORS.encode("rooms", position)) == position


@given(st.text(max_size=80))
def test_no_other_cursor_leads_anywhere(cursor: str) -> None:
    assert code_of(lambda: CURSORS.decode("rooms", cursor)) is ProblemCode.INVALID_CURSOR


def test_a_cursor_is_good_for_one_list() -> None:
    cursor = CURSORS.encode("rooms", "here")

    assert code_of(lambda: CURSORS.decode("tracks", cursor)) is ProblemCode.INVALID_CURSOR
