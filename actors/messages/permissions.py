"""What roles allow: `resource:action`, where `*` stands for any. Whoever asks what, this decides."""

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    """Everything that an endpoint or a service asks for."""

    ACCOUNTS_BAN = "accounts:ban"
    AUDIT_READ = "audit:read"
    COMMENTS_MODERATE = "comments:moderate"
    METRICS_READ = "metrics:read"
    OPS_ACT = "ops:act"
    OPS_READ = "ops:read"
    OPS_SEND = "ops:send"
    REPORTS_HANDLE = "reports:handle"
    REPORTS_READ = "reports:read"
    ROLES_GRANT = "roles:grant"
    ROLES_READ = "roles:read"
    ROOMS_CREATE = "rooms:create"
    ROOMS_MODERATE = "rooms:moderate"
    TRACKS_UPLOAD = "tracks:upload"


def holds(granted: Iterable[str], needed: str) -> bool:
    """Tell whether a permission is among those that were granted."""
    return any(_covers(each, needed) for each in granted)


def _covers(granted: str, needed: str) -> bool:
    return all(
        ours in {"*", theirs}
        for ours, theirs in zip(granted.split(":"), needed.split(":"), strict=True)
    )
