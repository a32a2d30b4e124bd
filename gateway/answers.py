"""How answers are given: JSON with an ETag, 304 where the client has it already, byte ranges."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Final

from aiohttp import web

from veza.gateway.errors import ProblemCode, ProblemError
from veza.gateway.values import View

_ETAG_CHARS: Final = 32
_VERSION: Final = re.compile(r'"([0-9]{1,18})(?:\.[0-9a-f]*)?"')
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def json_answer(
    request: web.Request,
    view: View,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    *,
    version: int | None = None,
) -> web.Response:
    """Answer an object; to a GET with its ETag, or 304 if the client has it already.

    With a `version` the ETag begins with it, and any answer has one: `If-Match` looks at no more than that.
    """
    body = view.to_json()
    etag = sha256(body).hexdigest()[:_ETAG_CHARS]
    if version is not None:
        etag = f"{version}.{etag}"
    if request.method in {"GET", "HEAD"}:
        return bytes_answer(
            request,
            body,
            content_type="application/json",
            etag=etag,
            headers={"Cache-Control": "private, no-cache", **(headers or {})},
        )
    return web.Response(
        body=body,
        status=status,
        content_type="application/json",
        headers={
            "Cache-Control": "no-store",
            **({} if version is None else {"ETag": f'"{etag}"'}),
            **(headers or {}),
        },
    )


def matched_version(request: web.Request) -> int | None:
    """Return the version that `If-Match` names; None if it is `*`, whichever there is.

    Raises:
        ProblemError: `precondition_required` without the field, `version_conflict` if it is none of ours.

    """
    field = request.headers.get("If-Match", "").strip()
    if not field:
        raise ProblemError(ProblemCode.PRECONDITION_REQUIRED, "If-Match with the ETag, please.")
    if field == "*":
        return None
    match = _VERSION.fullmatch(field)
    if match is None:
        raise ProblemError(ProblemCode.VERSION_CONFLICT, "No version of ours.")
    return int(match.group(1))


def fresh_answer(body: bytes, status: int = HTTPStatus.OK) -> web.Response:
    """Answer JSON that is true now and not a moment later: nobody may keep it."""
    return web.Response(
        body=body,
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def no_content() -> web.Response:
    """Answer that it is done, and nothing else."""
    return web.Response(status=HTTPStatus.NO_CONTENT)


def bytes_answer(
    request: web.Request,
    body: bytes,
    *,
    content_type: str,
    etag: str,
    headers: Mapping[str, str],
) -> web.Response:
    """Answer bytes that have a strong validator, or 304."""
    tagged = {**headers, "ETag": f'"{etag}"'}
    if is_known(request, etag):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=tagged)
    return web.Response(body=body, headers={**tagged, "Content-Type": content_type})


def is_known(request: web.Request, etag: str) -> bool:
    """Whether `If-None-Match` names this version (RFC 9110, section 13.1.2: weak comparison)."""
    field = request.headers.get("If-None-Match", "")
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in field.split(",")}
    return etag in tags or field.strip() == "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRange:
    """Bytes `first` to `last`, both included."""

    first: int
    last: int


def parse_range(field: str | None, size_bytes: int) -> ByteRange | None:
    """Return the one range a client wants; None for the whole (RFC 9110, section 14.2).

    A field that is not a single byte range is ignored, as the RFC allows.

    Raises:
        ProblemError: `range_not_satisfiable`.

    """
    match = _RANGE.fullmatch(field or "")
    if match is None or match.group(1, 2) == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        wanted = ByteRange(first=max(0, size_bytes - int(last)), last=size_bytes - 1)
    else:
        wanted = ByteRange(first=int(first), last=min(int(last or size_bytes), size_bytes - 1))
        if last and int(last) < int(first):
            return None
    if wanted.first > wanted.last:
        raise ProblemError(
            ProblemCode.RANGE_NOT_SATISFIABLE,
            headers={"Content-Range": f"bytes */{size_bytes}"},
        )
    return wanted


def ranged_answer(
    request: web.Request,
    body: bytes,
    *,
    content_type: str,
    etag: str,
    headers: Mapping[str, str],
) -> web.Response:
    """Answer bytes, or the part of them that the client asks for."""
    whole = bytes_answer(
        request,
        body,
        content_type=content_type,
        etag=etag,
        headers={**headers, "Accept-Ranges": "bytes"},
    )
    if whole.status == HTTPStatus.NOT_MODIFIED or not _may_be_partial(request, etag):
        return whole
    wanted = parse_range(request.headers.get("Range"), len(body))
    if wanted is None:
        return whole
    whole.set_status(HTTPStatus.PARTIAL_CONTENT)
    whole.headers["Content-Range"] = f"bytes {wanted.first}-{wanted.last}/{len(body)}"
    whole.body = body[wanted.first : wanted.last + 1]
    return whole


def _may_be_partial(request: web.Request, etag: str) -> bool:
    """Whether `If-Range` allows a part: only of exactly the version the client has."""
    condition = request.headers.get("If-Range")
    return request.method == "GET" and condition in {None, f'"{etag}"'}
