"""Checks of what a node stands on: settings, files, limits, port, clock, database, encoder."""

import os
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from veza.config.paths import keys_file
from veza.config.secrets import SecretsFileError, load_keys
from veza.config.settings import LOOPBACK_HOSTS, MEBIBYTE, Settings
from veza.gateway.cli.findings import Finding, fail, ok, warn
from veza.gateway.cli.rendering import count, seconds, size
from veza.supervisors.doctor import DatabaseSeen, EncoderSeen, MediaSeen
from veza.supervisors.shared import RedisSeen

OLDEST_PYTHON: Final = (3, 11)
OPEN_FILES: Final = 65_536
FEW_OPEN_FILES: Final = 4_096
LOW_SHARE: Final = 0.1
LOWEST_SHARE: Final = 0.02
LOW_BYTES: Final = 2 * 1024 * MEBIBYTE
LOWEST_BYTES: Final = 256 * MEBIBYTE
LOW_INODES: Final = 100_000
LOWEST_INODES: Final = 1_000
DRIFT_SECONDS: Final = 2.0
WRONG_SECONDS: Final = 30.0
RELEASED_SECONDS: Final = 1_767_225_600
"""2026-01-01: no clock that is right shows less."""


def check_python(version: Sequence[int]) -> Finding:
    """Check that python is new enough."""
    found = ".".join(str(part) for part in version[:3])
    if tuple(version[:2]) < OLDEST_PYTHON:
        return fail(found, "install Python 3.11 or newer, and run scripts/run with it")
    return ok(found)


def check_settings(wrong: Sequence[str]) -> Finding:
    """Check that settings are valid, and each VEZA_ variable is one."""
    if wrong:
        return fail("; ".join(wrong), "mend them: docs/operations.md lists every setting")
    return ok("valid")


def check_public_url(settings: Settings) -> Finding:
    """Check that the address that people use fits the one the node listens on."""
    url = settings.public_url
    if url is None and settings.is_loopback:
        return ok(f"only this machine reaches {settings.host}:{settings.port}")
    if url is None:
        return warn(
            f"{settings.host}:{settings.port} takes others, without encryption",
            "put a proxy with TLS before it, set VEZA_PUBLIC_URL, and listen on 127.0.0.1",
        )
    if url.path not in {None, "", "/"}:
        return fail(f"{url} has a path", "give the node a host name of its own: it serves /")
    if (url.host or "").strip("[]") in LOOPBACK_HOSTS:
        return warn(f"{url} means another machine to everybody else", "name the host people use")
    if url.scheme != "https":
        return warn(f"{url} is not encrypted", "passwords travel in clear: use https")
    return ok(f"{url} leads to {settings.host}:{settings.port}")


def check_registration(settings: Settings) -> Finding:
    """Check that not everybody may make an account where everybody can come."""
    is_public = not settings.is_loopback or settings.public_url is not None
    if not settings.is_registration_open:
        return ok("closed")
    if is_public:
        return warn(
            "anybody who reaches the node can make an account",
            "VEZA_REGISTRATION=closed, unless that is what you want",
        )
    return ok("open on this machine only")


def check_folder(folder: Path, my_uid: int) -> Finding:
    """Check that the data folder is ours and closed to others."""
    if not folder.exists():
        return ok(f"{folder} will be made at the first start")
    status = folder.stat()
    mode = f"{stat.S_IMODE(status.st_mode):04o}"
    if not stat.S_ISDIR(status.st_mode):
        return fail(f"{folder} is no folder", "give --data or VEZA_DATA another name")
    if status.st_uid != my_uid:
        return fail(
            f"{folder} belongs to uid {status.st_uid}, and this is uid {my_uid}",
            "run veza as its owner, or choose another data folder",
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return fail(f"others may write in {folder} ({mode})", f"chmod 700 {folder}")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return warn(f"others may look into {folder} ({mode})", f"chmod 700 {folder}")
    return ok(f"{folder} ({mode})")


def check_secrets(data: Path) -> Finding:
    """Check that the signing keys are readable to their owner only, and whole."""
    path = keys_file(data)
    if not path.exists():
        return ok("signing keys will be made at the first start")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return fail(
            f"others can read {path} ({mode:04o})",
            f"chmod 600 {path}; whoever read it can sign as this node: move it away to get new keys",
        )
    try:
        keys = load_keys(path)
    except SecretsFileError as error:
        return fail(str(error), "restore it from the backup, or move it away to get new keys")
    return ok(f"{len(keys.by_id)} signing keys ({mode:04o})")


def check_space(folder: Path) -> Finding:
    """Check that the disk has room."""
    found = os.statvfs(existing(folder))
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    lowest = min(LOWEST_BYTES, LOWEST_SHARE * total)
    return judge_room(free, total, (lowest, min(LOW_BYTES, LOW_SHARE * total)), size)


def check_inodes(folder: Path) -> Finding:
    """Check that the file system has room for more files; some have no such bound."""
    found = os.statvfs(existing(folder))
    if found.f_files == 0:
        return ok("no bound")
    return judge_room(found.f_favail, found.f_files, (LOWEST_INODES, LOW_INODES), count)


def judge_room(
    free: float, total: float, bounds: tuple[float, float], told: Callable[[float], str]
) -> Finding:
    """Compare what is free with what is too little, and with what soon will be."""
    lowest, low = bounds
    found = f"{told(free)} of {told(total)} free"
    if free < lowest:
        return fail(found, "make room now: uploads and messages are refused when it is full")
    return warn(found, "make room soon, or move the data folder") if free < low else ok(found)


def existing(folder: Path) -> Path:
    """Return the folder, or the one it will be made in."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def check_open_files(hard_limit: int) -> Finding:
    """Check that the node may open enough files; it raises the soft limit by itself."""
    if hard_limit < 0 or hard_limit >= OPEN_FILES:
        return ok("no bound" if hard_limit < 0 else f"{count(hard_limit)} allowed")
    advice = f"raise the hard limit of open files to {OPEN_FILES}: LimitNOFILE, or ulimit -Hn"
    found = f"{count(hard_limit)} allowed; each connection is one"
    return fail(found, advice) if hard_limit < FEW_OPEN_FILES else warn(found, advice)


def check_port(settings: Settings) -> Finding:
    """Check that the port is free; for a node that does not run."""
    address = f"{settings.host}:{settings.port}"
    try:
        kind, _type, _protocol, _name, target = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(kind, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(target)
    except OSError as error:
        return fail(
            f"{address}: {error.strerror}", "stop the program that has it, or choose another --port"
        )
    return ok(f"{address} is free" if settings.port else "a free one is taken")


def check_database(seen: DatabaseSeen) -> Finding:
    """Check that the database can be used, and its schema is known."""
    if seen.problem:
        return fail(seen.problem, advice_on(seen))
    if seen.is_running:
        name = f"PostgreSQL {seen.version}, {'private' if seen.is_private else 'your own'}"
        if seen.missing_migrations:
            return warn(
                f"{name}, lacks {', '.join(seen.missing_migrations)}",
                "back up, then start the node anew: it applies them",
            )
        return ok(f"{name}, schema up to date")
    cluster = "there is a cluster" if seen.has_cluster else "the cluster is made at the first start"
    return ok(f"PostgreSQL {seen.version} can run privately; {cluster}")


def advice_on(seen: DatabaseSeen) -> str:
    """Say what to do about a database that cannot be used."""
    if seen.is_private:
        return "see postgres/server.log in the data folder, and docs/operations.md"
    return "look at VEZA_DATABASE_URL and at the server: PostgreSQL 15 or newer is needed"


def check_redis(seen: RedisSeen) -> Finding:
    """Check that the Redis of several nodes can be used; without it they hear of each other later."""
    if not seen.is_used:
        return ok("none: one node needs none")
    if seen.problem:
        return warn(
            f"nodes hear of each other late: {seen.problem}",
            "start Redis, or mend VEZA_REDIS_URL; nothing is lost meanwhile",
        )
    return ok(f"Redis {seen.version}")


def check_media(seen: MediaSeen) -> Finding:
    """Check that the bucket of the media can be asked; a folder is checked as the data folder."""
    if not seen.bucket:
        return ok("in the data folder")
    if seen.problem:
        return fail(
            f"bucket {seen.bucket}: {seen.problem}",
            "mend VEZA_MEDIA_URL and the VEZA_S3_ settings, or what is behind them",
        )
    return ok(f"bucket {seen.bucket}")


def check_encoder(seen: EncoderSeen) -> Finding:
    """Check that an encoder starts, shuts itself in, and encodes."""
    if seen.problem:
        return fail(seen.problem, "no track can be encoded: look at the node's log, reinstall veza")
    found = f"0.1 s of silence encoded in {seconds(seen.seconds)}"
    if seen.sandbox_notes:
        return warn(
            f"{found}; its sandbox lacks {'; '.join(seen.sandbox_notes)}",
            "let only people you trust upload, or run it where the kernel allows these",
        )
    return ok(f"{found}, sandbox complete")


def check_clock(now: float, database: DatabaseSeen, folder: Path) -> Finding:
    """Check that the clock is right, as far as the database or the file system can tell."""
    if now < RELEASED_SECONDS:
        return fail(time.strftime("it is %Y", time.gmtime(now)), "set the clock: run an NTP client")
    if database.ahead_seconds is not None:
        return judge_drift(database.ahead_seconds, "the database")
    with tempfile.NamedTemporaryFile(dir=existing(folder)) as file:
        written = Path(file.name).stat().st_mtime
    return judge_drift(written - now, "the file system")


def judge_drift(ahead_seconds: float, other: str) -> Finding:
    """Compare our clock with another."""
    drift = abs(ahead_seconds)
    found = f"{drift:.1f} s {'behind' if ahead_seconds > 0 else 'ahead of'} {other}"
    if drift > WRONG_SECONDS:
        return fail(found, "run an NTP client on both: tokens and leases end at the wrong time")
    if drift > DRIFT_SECONDS:
        return warn(found, "run an NTP client on both")
    return ok(f"agrees with {other}")
