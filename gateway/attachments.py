"""Addresses for files in messages: uploaded for a room, read by those who may read it.

What a stranger uploaded is served as what its bytes are, never sniffed, without any right on the page that
it is shown on; only pictures that were decoded here, and sound, open in a browser, all else is saved.
"""

import re
import unicodedata
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.attachments import (
    ATTACHMENTS,
    Attachment,
    AttachmentRead,
    AttachmentShown,
    AttachmentState,
    AttachmentStored,
    ReadAttachment,
    ShowAttachment,
    StoreAttachment,
)
from veza.actors.messages.common import Rejected
from veza.actors.messages.tracks import PUBLISH_SECONDS
from veza.config.ids import uuid7
from veza.gateway import wire
from veza.gateway.answers import bytes_answer, is_known, json_answer, ranged_answer
from veza.gateway.endpoints import API, Access, Answer, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.forms import check_form, drop, receive
from veza.gateway.keys import ACTORS, SETTINGS
from veza.gateway.rates import ATTACHMENTS as UPLOADS
from veza.gateway.rooms import author_of, require
from veza.gateway.values import printable

routes = Endpoints("attachments")

THUMBNAIL_TYPE: Final = "image/webp"
_ANY_TYPE: Final = "application/octet-stream"
_FOR_EVER: Final = "private, max-age=31536000, immutable"
_ASK_AGAIN: Final = "private, no-cache"
_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
_MAX_NAME_CHARS: Final = 100
_MAX_SUFFIX_CHARS: Final = 16
_SEPARATORS: Final = re.compile(r"[/\\]")
_NOT_IN_NAMES: Final = re.compile(r'[<>:"|?*]')
"""What Windows allows in no file name."""
_NOT_IN_HEADERS: Final = re.compile(r'[^ -~]|["\\%]')


@routes.declare(
    "POST",
    "/rooms/{room_id}/attachments",
    access=Access.SIGNED_IN,
    answers={201: wire.AttachmentAcceptedView},
    rate=UPLOADS,
    upload=wire.AttachmentForm,
)
async def upload_attachment(request: web.Request, room_id: UUID, who: Identified) -> web.Response:
    """Take a file for a message to this room: form field `file`. Unused, it goes after a day."""
    limit_bytes = request.app[SETTINGS].max_attachment_bytes
    check_form(request, limit_bytes)
    await require(request, room_id, who, "POST")
    upload_id = uuid7()
    _, filename = await receive(request, upload_id, wire.AttachmentForm, limit_bytes)
    command = StoreAttachment(
        attachment_id=uuid7(),
        upload_id=upload_id,
        owner=author_of(who),
        room_id=room_id,
        filename=safe_name(filename),
    )
    reply = await request.app[ACTORS].ask(ATTACHMENTS, command, PUBLISH_SECONDS)
    if isinstance(reply, Rejected):
        drop(request, upload_id)
    stored = expect(reply, AttachmentStored)
    view = wire.AttachmentAcceptedView.of(stored.attachment)
    if stored.job is not None:
        view = view.model_copy(update={"job": wire.JobView.of(stored.job)})
    location = {"Location": f"{API}/attachments/{stored.attachment.id}"}
    return json_answer(request, view, HTTPStatus.CREATED, location)


@routes.declare(
    "GET",
    "/attachments/{attachment_id}",
    access=Access.SIGNED_IN,
    answers={200: wire.AttachmentView},
)
async def show_attachment(
    request: web.Request, attachment_id: UUID, who: Identified
) -> web.Response:
    """Show what a file is and whether its thumbnail is there."""
    attachment = await visible_attachment(request, attachment_id, who)
    return json_answer(request, wire.AttachmentView.of(attachment))


@routes.declare(
    "GET",
    "/attachments/{attachment_id}/thumbnail",
    access=Access.SIGNED_IN,
    answers={200: Answer(content_type=THUMBNAIL_TYPE, text="The thumbnail")},
)
async def read_thumbnail(
    request: web.Request, attachment_id: UUID, who: Identified
) -> web.Response:
    """Serve a small picture of a picture."""
    attachment = await visible_attachment(request, attachment_id, who)
    # Made once: the id of the attachment names it as well as any hash.
    etag = f"{attachment_id.hex}-thumbnail"
    headers = _headers("inline", "thumbnail.webp", _FOR_EVER)
    body = b""
    if attachment.thumbnail_key is None or not is_known(request, etag):
        body = await _read(request, attachment_id, is_thumbnail=True)
    return bytes_answer(request, body, content_type=THUMBNAIL_TYPE, etag=etag, headers=headers)


@routes.declare(
    "GET",
    "/attachments/{attachment_id}/{name}",
    access=Access.SIGNED_IN,
    answers={
        200: Answer(content_type=_ANY_TYPE, text="The file, under the type that its bytes have"),
        206: Answer(content_type=_ANY_TYPE, text="The bytes that `Range` asks for"),
    },
)
async def read_attachment(
    request: web.Request, attachment_id: UUID, name: str, who: Identified
) -> web.Response:
    """Serve a file under its name."""
    attachment = await visible_attachment(request, attachment_id, who)
    if name != attachment.filename:
        raise ProblemError(ProblemCode.NOT_FOUND)
    etag = attachment.sha256.hex()
    is_settled = attachment.state is not AttachmentState.PROCESSING
    headers = _headers(
        "inline" if opens_in_browsers(attachment) else "attachment",
        attachment.filename,
        _FOR_EVER if is_settled else _ASK_AGAIN,
    )
    content_type = attachment.content_type
    if is_known(request, etag):
        return bytes_answer(request, b"", content_type=content_type, etag=etag, headers=headers)
    body = await _read(request, attachment_id, is_thumbnail=False)
    if content_type.startswith("text/"):
        content_type += "; charset=utf-8"
    return ranged_answer(request, body, content_type=content_type, etag=etag, headers=headers)


async def visible_attachment(
    request: web.Request, attachment_id: UUID, who: Identified
) -> Attachment:
    """Return an attachment: its room's readers see it, until a message uses it only its owner."""
    reply = await request.app[ACTORS].ask(ATTACHMENTS, ShowAttachment(attachment_id=attachment_id))
    attachment = expect(reply, AttachmentShown).attachment
    if attachment.message_id is None and attachment.owner_id != who.user.id:
        raise ProblemError(ProblemCode.NOT_FOUND)
    await require(request, attachment.room_id, who, "READ")
    return attachment


def opens_in_browsers(attachment: Attachment) -> bool:
    """Whether a browser may show a file in place: sound, and pictures that could be decoded."""
    if attachment.content_type.startswith("audio/"):
        return True
    is_picture = attachment.content_type.startswith("image/")
    return is_picture and attachment.state is AttachmentState.READY


def safe_name(text: str) -> str:
    """Return a name that a file may have anywhere: no path, nothing unseen, not too long, not empty."""
    name = unicodedata.normalize("NFC", _SEPARATORS.split(text)[-1])
    name = _NOT_IN_NAMES.sub("_", printable(name, len(name))).strip(" .")
    suffix = PurePosixPath(name).suffix
    if len(name) > _MAX_NAME_CHARS:
        kept = suffix if len(suffix) <= _MAX_SUFFIX_CHARS else ""
        name = name[: _MAX_NAME_CHARS - len(kept)].rstrip(" .") + kept
    # That address is the thumbnail's.
    return f"{name}_" if name == wire.THUMBNAIL else name or "file"


def _headers(disposition: str, name: str, cache_control: str) -> Mapping[str, str]:
    return {
        "Cache-Control": cache_control,
        "Content-Disposition": f"{disposition}; {name_parameters(name)}",
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
    }


def name_parameters(name: str) -> str:
    """Write a file's name for `Content-Disposition` (RFC 6266, section 4.3; RFC 8187)."""
    plain = _NOT_IN_HEADERS.sub("_", name)
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def _read(request: web.Request, attachment_id: UUID, *, is_thumbnail: bool) -> bytes:
    command = ReadAttachment(attachment_id=attachment_id, is_thumbnail=is_thumbnail)
    return expect(await request.app[ACTORS].ask(ATTACHMENTS, command), AttachmentRead).data
