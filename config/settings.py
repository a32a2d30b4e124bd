"""Every setting of a node, read once: command-line options, then `VEZA_…` variables, then defaults."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
MEBIBYTE = 1024 * 1024
PREFIX = "VEZA_"
TEST_PREFIX = "VEZA_TEST_"
S3_URL = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?$"
OTHER_VARIABLES = frozenset({"VEZA_PG_BIN"})
"""Read elsewhere: which PostgreSQL binaries to use is decided before there are settings."""


def default_data_dir() -> Path:
    """Return `$XDG_DATA_HOME/veza`, by default `~/.local/share/veza`."""
    return Path("~/.local/share/veza").expanduser()


class Settings(BaseSettings):
    """The configuration of one node. An unknown `VEZA_…` value is an error, never a guess."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    data: Path = Field(default_factory=default_data_dir)
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    demo: bool = False
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    media_url: Annotated[str, Field(pattern=S3_URL)] | None = None
    s3_endpoint: AnyHttpUrl | None = None
    s3_public_endpoint: AnyHttpUrl | None = None
    s3_region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] = "us-east-1"
    s3_access_key_id: SecretStr | None = None
    s3_secret_access_key: SecretStr | None = None
    public_url: AnyHttpUrl | None = None
    cors_origins: tuple[str, ...] = ()
    registration: Literal["auto", "open", "closed"] = "auto"

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "pretty"] = "auto"
    drain_timeout_seconds: Annotated[float, Field(ge=0)] = 20.0

    bcrypt_cost: Annotated[int, Field(ge=4, le=16)] = 12
    breached_passwords: Path | None = None
    access_token_seconds: Annotated[int, Field(ge=30)] = 15 * 60
    session_days: Annotated[int, Field(ge=1)] = 30
    playback_url_seconds: Annotated[int, Field(ge=60)] = 6 * 3600
    x_accel_prefix: Annotated[str, Field(pattern=r"^/([A-Za-z0-9._~-]+/)+$")] | None = None

    max_upload_bytes: Annotated[int, Field(ge=1024)] = 1024 * MEBIBYTE
    user_quota_bytes: Annotated[int, Field(ge=1024)] = 50 * 1024 * MEBIBYTE
    unfinished_uploads: Annotated[int, Field(ge=1)] = 20
    upload_lifetime_seconds: Annotated[float, Field(ge=1)] = 24 * 3600
    max_attachment_bytes: Annotated[int, Field(ge=1024)] = 25 * MEBIBYTE
    max_track_seconds: Annotated[int, Field(ge=1)] = 6 * 3600
    ladder_kbps: tuple[int, ...] = (64, 128, 256)
    ladder_lossless: bool = True
    segment_seconds: Annotated[int, Field(ge=1, le=30)] = 6
    encoders: Annotated[int, Field(ge=1)] = 2
    encoder_memory_bytes: Annotated[int, Field(ge=128 * MEBIBYTE)] = 2048 * MEBIBYTE
    encoder_cpu_seconds: Annotated[int, Field(ge=10)] = 2 * 3600
    job_lease_seconds: Annotated[float, Field(ge=1)] = 30.0

    ws_heartbeat_ms: Annotated[int, Field(ge=1000)] = 25_000
    ws_max_frame_bytes: Annotated[int, Field(ge=1024)] = 64 * 1024
    ws_frames_per_5s: Annotated[int, Field(ge=1)] = 100
    ws_deflate: bool = True
    ws_outbox_bytes: Annotated[int, Field(ge=64 * 1024)] = MEBIBYTE
    connections_per_user: Annotated[int, Field(ge=1)] = 5
    connections_per_address: Annotated[int, Field(ge=0)] = 50
    message_rate_per_10s: Annotated[int, Field(ge=1)] = 10
    message_burst: Annotated[int, Field(ge=1)] = 20
    act_rate_per_10s: Annotated[int, Field(ge=1)] = 30
    act_burst: Annotated[int, Field(ge=1)] = 60
    reactions_per_min: Annotated[int, Field(ge=1)] = 60
    sign_ins_per_min: Annotated[int, Field(ge=1)] = 120
    tracks_per_10_min: Annotated[int, Field(ge=1)] = 10
    rooms_per_hour: Annotated[int, Field(ge=1)] = 5

    load_targets: tuple[str, ...] = ()
    load_max_rate: Annotated[int, Field(ge=1)] = 5000

    @field_validator("data")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @model_validator(mode="after")
    def _bucket_is_whole(self) -> Self:
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError("VEZA_S3_ACCESS_KEY_ID and VEZA_S3_SECRET_ACCESS_KEY belong together")
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the node."""
        return self.host in LOOPBACK_HOSTS

    @property
    def is_registration_open(self) -> bool:
        """Whether anybody may register: by default only while nobody else can reach the node.

        A public URL says that a proxy lets others in, whatever the node itself is bound to.
        """
        if self.registration == "auto":
            return self.is_loopback and self.public_url is None
        return self.registration == "open"


def as_environment(settings: Settings) -> dict[str, str]:
    """Return the variables from which another process reads the same settings."""
    given = {name: getattr(settings, name) for name in sorted(settings.model_fields_set)}
    return {
        f"{PREFIX}{name.upper()}": _as_variable(value)
        for name, value in given.items()
        if value is not None
    }


def _as_variable(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple | bool):
        return json.dumps(value)
    return str(value)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the names of the `VEZA_…` variables, a sentence each."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    return [
        f"{name}: no such setting{_meant(name, known)}"
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in known and not name.startswith(TEST_PREFIX)
    ]


def _meant(name: str, known: set[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
