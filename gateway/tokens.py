"""What the gateway signs: access tokens, playback URLs, list cursors, listeners' names. Time is an argument.

Each kind has a key of its own, derived from the node's secret, so that no signature of one kind is
ever good for another.
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, cast
from uuid import UUID

import jwt
import orjson

from veza.gateway.errors import ProblemCode, ProblemError

LEEWAY_SECONDS: Final = 5
MIN_SECRET_BYTES: Final = 32
_CURSOR_MAC_BYTES: Final = 12
_LISTENER_BYTES: Final = 16
_DAY_SECONDS: Final = 86_400
_ALGORITHM: Final = "HS256"
_UNIX_SECONDS: Final = re.compile("[1-9][0-9]{0,11}")
_VERSION: Final = re.compile(r"0|[1-9][0-9]{0,8}")


class SigningKeys:
    """The node's secrets by key id. New signatures use `current`; the others still verify.

    Args:
        current: the id of the key to sign with.
        by_id: every key that may verify, at least 32 bytes each.

    """

    def __init__(self, current: str, by_id: Mapping[str, bytes]) -> None:
        if current not in by_id:
            raise ValueError("the current key is not among the keys")
        if any(len(secret) < MIN_SECRET_BYTES for secret in by_id.values()):
            raise ValueError(f"a signing key needs {MIN_SECRET_BYTES} bytes")
        self.current = current
        self._by_id = dict(by_id)
        self._derived: dict[tuple[str, str], bytes] = {}

    @property
    def ids(self) -> tuple[str, ...]:
        """Every key that may verify."""
        return tuple(self._by_id)

    @classmethod
    def random(cls) -> "SigningKeys":
        """Make one fresh key."""
        return cls("1", {"1": secrets.token_bytes(MIN_SECRET_BYTES)})

    def derive(self, purpose: str, key_id: str) -> bytes | None:
        """Return the key of one purpose, or None if nobody knows the id."""
        if key_id not in self._by_id:
            return None
        derived = self._derived.get((purpose, key_id))
        if derived is None:
            secret = self._by_id[key_id]
            derived = hmac.digest(secret, f"veza {purpose}".encode(), sha256)
            self._derived[purpose, key_id] = derived
        return derived

    def signing_key(self, purpose: str) -> bytes:
        """Return the key that signs from now on."""
        return cast(bytes, self.derive(purpose, self.current))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessClaims:
    """What an access token says about its holder."""

    user_id: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessGrant:
    """What an access token says, and until when; `expires_at` is in seconds since 1970."""

    claims: AccessClaims
    expires_at: int


class AccessTokens:
    """Short-lived JWTs for API clients (RFC 7519), HS256 and nothing else."""

    def __init__(self, keys: SigningKeys, issuer: str, lifetime_seconds: int) -> None:
        self._keys = keys
        self._issuer = issuer
        self._by_header = {
            _header(key_id): key
            for key_id in keys.ids
            if (key := keys.derive("access token", key_id)) is not None
        }
        self.lifetime_seconds = lifetime_seconds

    def issue(self, claims: AccessClaims, now: float) -> str:
        """Sign a token that names the user and the session it belongs to."""
        payload = {
            "iss": self._issuer,
            "sub": str(claims.user_id),
            "sid": str(claims.session_id),
            "iat": int(now),
            "exp": int(now) + self.lifetime_seconds,
        }
        key = self._keys.signing_key("access token")
        return jwt.encode(payload, key, _ALGORITHM, headers={"kid": self._keys.current})

    def verify(self, token: str, now: float) -> AccessClaims:
        """Return what a token of ours says; any other raises `invalid_token`."""
        return self.read(token, now).claims

    def read(self, token: str, now: float) -> AccessGrant:
        """Return what a token of ours says and when it ends; any other raises `invalid_token`."""
        try:
            payload = self._payload(token)
            claims = AccessClaims(user_id=UUID(payload["sub"]), session_id=UUID(payload["sid"]))
            expires_at = int(payload["exp"])
        except (ValueError, TypeError, KeyError) as error:
            raise ProblemError(ProblemCode.INVALID_TOKEN) from error
        if now >= expires_at + LEEWAY_SECONDS:
            raise ProblemError(ProblemCode.INVALID_TOKEN, "The access token has expired.")
        return AccessGrant(claims=claims, expires_at=expires_at)

    def _payload(self, token: str) -> dict[str, Any]:
        """Check the signature; raises `ValueError` or `KeyError`.

        Only headers as this node writes them are known, so there is no algorithm to be talked into.
        """
        signed, _, signature = token.rpartition(".")
        header, _, body = signed.partition(".")
        mac = hmac.digest(self._by_header[header], signed.encode(), "sha256")
        if not hmac.compare_digest(_base64(mac).encode(), signature.encode(errors="replace")):
            raise ValueError("the signature is another")
        payload: dict[str, Any] = orjson.loads(_unbase64(body))
        if payload["iss"] != self._issuer or not isinstance(payload["iat"], int | float):
            raise ValueError("the token is somebody else's")
        return payload


def _header(key_id: str) -> str:
    """Return the first part of every token that a key signs."""
    unsigned = jwt.encode({}, bytes(MIN_SECRET_BYTES), _ALGORITHM, headers={"kid": key_id})
    return unsigned.partition(".")[0]


class PlaybackUrls:
    """Signatures over a path prefix: one opens all of a track's playlists and segments until it expires.

    What is signed has a version too; whoever asks knows which one is good (`gateway/playback.py`).
    """

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    def sign(self, prefix: str, expires_at: int, version: int = 0) -> str:
        """Return the query that opens every path below `prefix`."""
        key = self._keys.signing_key("playback")
        signature = _playback_mac(key, self._keys.current, expires_at, version, prefix)
        return f"kid={self._keys.current}&exp={expires_at}&ver={version}&sig={signature}"

    def verify(self, prefix: str, query: Mapping[str, str], now: float) -> int:
        """Return the version that was signed.

        Raises `playback_url_invalid` or `playback_url_expired` unless the query opens `prefix`.
        """
        key_id, expiry, version, signature = (
            query.get(name, "") for name in ("kid", "exp", "ver", "sig")
        )
        key = self._keys.derive("playback", key_id)
        if key is None or not (_UNIX_SECONDS.fullmatch(expiry) and _VERSION.fullmatch(version)):
            raise ProblemError(ProblemCode.PLAYBACK_URL_INVALID)
        expected = _playback_mac(key, key_id, int(expiry), int(version), prefix)
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
            raise ProblemError(ProblemCode.PLAYBACK_URL_INVALID)
        if now >= int(expiry):
            raise ProblemError(ProblemCode.PLAYBACK_URL_EXPIRED)
        return int(version)


def _playback_mac(key: bytes, key_id: str, expires_at: int, version: int, prefix: str) -> str:
    signed = f"{key_id}\n{expires_at}\n{version}\n{prefix}".encode()
    return _base64(hmac.digest(key, signed, sha256))


class Listeners:
    """Names for listeners without an account, each good for a day; nobody can lead one back to them."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    def name(self, client: str, agent: str, now: float) -> bytes:
        """Return the name of who listens from a client's address with this browser."""
        day = int(now) // _DAY_SECONDS
        key = self._keys.signing_key("listener")
        return hmac.digest(key, f"{day}\n{client}\n{agent}".encode(errors="replace"), sha256)[
            :_LISTENER_BYTES
        ]


class Cursors:
    """Opaque positions in a list. Signed, so that clients neither read nor make them."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    def encode(self, scope: str, position: str) -> str:
        """Return the cursor of a position; it is good for the list named `scope` only."""
        payload = position.encode()
        return _base64(self._mac(scope, payload) + payload)

    def decode(self, scope: str, cursor: str) -> str:
        """Return the position of a cursor of ours; any other raises `invalid_cursor`."""
        try:
            raw = _unbase64(cursor)
        except ValueError as error:
            raise ProblemError(ProblemCode.INVALID_CURSOR) from error
        mac, payload = raw[:_CURSOR_MAC_BYTES], raw[_CURSOR_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(scope, payload)):
            raise ProblemError(ProblemCode.INVALID_CURSOR)
        return payload.decode()

    def _mac(self, scope: str, payload: bytes) -> bytes:
        key = self._keys.signing_key("cursor")
        return hmac.digest(key, scope.encode() + b"\n" + payload, sha256)[:_CURSOR_MAC_BYTES]


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
