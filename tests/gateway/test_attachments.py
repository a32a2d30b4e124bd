"""Files of messages over HTTP: taken in chunks, named safely, and served without any right on a page."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from aiohttp import FormData

from veza.actors.messages import attachments, tracks
from veza.actors.messages.attachments import AttachmentReady, AttachmentState
from veza.actors.messages.common import RefusedError, RejectCode, Rejected, TimedOut
from veza.actors.messages.rooms import RoomKind, RoomSettings
from veza.actors.messages.rooms_service import CreateRoom
from veza.config.ids import uuid7
from veza.gateway.attachments import safe_name
from veza.gateway.forms import CHUNK_BYTES
from veza.gateway.wire import ServerFrame, encode_frame

PREFIX = "/api/v1/attachments"


class MemoryAttachments:
    """The attachments service in memory; tests say what a file turns out to be."""

    def __init__(self, actors: Any) -> None:
        self.actors = actors
        self.rows: dict[UUID, attachments.Attachment] = {}
        self.content_type = "image/png"
        self.reads = 0
        for name in dir(self):
            if name.startswith("on_"):
                setattr(actors, name, getattr(self, name))

    def add(self, owner: Any, room_id: UUID, data: bytes = b"bytes", **more: Any) -> Any:
        attachment_id = more.get("id") or uuid7()
        self.actors.media[attachment_id, "original"] = data
        values: dict[str, Any] = {
            "id": attachment_id,
            "owner_id": owner.user.id,
            "room_id": room_id,
            "message_id": None,
            "filename": "cover.png",
            "content_type": self.content_type,
            "size_bytes": len(data),
            "sha256": sha256(data).digest(),
            "key": "",
            "state": AttachmentState.READY,
            "width_px": None,
            "height_px": None,
            "thumbnail_key": None,
            "thumbnail_width_px": None,
            "thumbnail_height_px": None,
            "created_at": datetime.now(UTC),
        }
        row = self.rows[attachment_id] = attachments.Attachment(**{**values, **more})
        return row

    def add_picture(self, owner: Any, room_id: UUID, **more: Any) -> Any:
        sizes = {"width_px": 900, "height_px": 600}
        small = {"thumbnail_width_px": 480, "thumbnail_height_px": 320}
        return self.add(owner, room_id, thumbnail_key="t", **{**sizes, **small, **more})

    def on_StoreAttachment(self, _: Any, command: attachments.StoreAttachment) -> object:
        data = b"".join(self.actors.uploads.pop(command.upload_id))
        row = self.add(
            type("Who", (), {"user": command.owner}),
            command.room_id,
            data,
            id=command.attachment_id,
            filename=command.filename,
            state=AttachmentState.PROCESSING,
        )
        job = tracks.Job(
            id=uuid7(),
            type=tracks.JobType.THUMBNAIL,
            state=tracks.JobState.QUEUED,
            progress=0.0,
            error=None,
            track_id=None,
            attachment_id=row.id,
            sounds_like=None,
            owner_id=row.owner_id,
            created_at=row.created_at,
            updated_at=row.created_at,
        )
        self.actors.jobs[job.id] = job
        return attachments.AttachmentStored(attachment=row, job=job)

    def on_ShowAttachment(self, _: Any, command: attachments.ShowAttachment) -> object:
        row = self.rows.get(command.attachment_id)
        if row is None:
            raise RefusedError(RejectCode.NOT_FOUND, "No such attachment.")
        return attachments.AttachmentShown(attachment=row)

    def on_ReadAttachment(self, _: Any, command: attachments.ReadAttachment) -> object:
        self.reads += 1
        row = self.rows[command.attachment_id]
        if not command.is_thumbnail:
            data = self.actors.media[row.id, "original"]
        elif row.thumbnail_key is None:
            raise RefusedError(RejectCode.NOT_READY, "Not yet.", retry_after_seconds=1.0)
        else:
            data = b"RIFFsmallWEBP"
        return attachments.AttachmentRead(data=data)


@pytest.fixture
def files(actors: Any) -> MemoryAttachments:
    return MemoryAttachments(actors)


@pytest.fixture
def room_id(api: Any, actors: Any, ada: Any) -> UUID:
    settings = RoomSettings(name="Kitchen", kind=RoomKind.PUBLIC)
    command = CreateRoom(room_id=uuid7(), creator=author(ada), settings=settings)
    actors.on_CreateRoom(("rooms", ""), command)
    return command.room_id


def author(who: Any) -> Any:
    return attachments.Author(id=who.user.id, name=who.user.username)


def form(file: bytes = b"bytes", filename: str = "cover.png", name: str = "file") -> FormData:
    # As browsers write names: in UTF-8, not percent-encoded.
    data = FormData(quote_fields=False)
    data.add_field(name, file, filename=filename, content_type="text/html")
    return data


def url_of(row: Any) -> str:
    return f"{PREFIX}/{row.id}/{quote(row.filename, safe='')}"


async def test_a_file_is_taken_in_chunks_and_told_with_where_it_is(
    api: Any, files: Any, ada: Any, room_id: UUID
) -> None:
    data = bytes(range(256)) * 3000

    answered = await api(
        "POST",
        f"/api/v1/rooms/{room_id}/attachments",
        who=ada,
        data=form(data, "Ma pochette é #1.png"),
        status=201,
    )

    body = answered.body
    assert (body["filename"], body["size_bytes"]) == ("Ma pochette é #1.png", len(data))
    assert (body["content_type"], body["state"]) == ("image/png", "processing")
    assert (body["width"], body["thumbnail_url"], body["room"]) == (None, None, str(room_id))
    assert body["url"] == f"{PREFIX}/{body['id']}/Ma%20pochette%20%C3%A9%20%231.png"
    assert body["job"]["type"] == "thumbnail"
    assert (body["job"]["attachment_id"], body["job"]["track_id"]) == (body["id"], None)
    assert answered.headers["Location"] == f"{PREFIX}/{body['id']}"
    shown = await api("GET", answered.headers["Location"], who=ada)
    assert shown.body == {key: value for key, value in body.items() if key != "job"}
    assert (await api("GET", f"/api/v1/jobs/{body['job']['id']}", who=ada)).body == body["job"]
    assert (await api("GET", body["url"], who=ada)).raw == data


async def test_a_file_beyond_the_limit_is_refused_and_forgotten(
    make_api: Any, actors: Any, files: Any, ada: Any, room_id: UUID
) -> None:
    api = await make_api(max_attachment_bytes=CHUNK_BYTES, max_upload_bytes=10 * CHUNK_BYTES)
    address = f"/api/v1/rooms/{room_id}/attachments"

    large = form(bytes(CHUNK_BYTES + 1))
    answered = await api("POST", address, who=ada, data=large, status=413)

    assert answered.body["code"] == "payload_too_large"
    assert not actors.uploads
    assert not files.rows
    await api("POST", address, who=ada, data=form(bytes(CHUNK_BYTES)), status=201)
    limits = (await api("GET", "/api/v1/instance")).body["limits"]
    assert (limits["max_attachment_bytes"], limits["message_attachments"]) == (CHUNK_BYTES, 10)


async def test_what_is_no_file_for_a_room_is_refused_before_it_is_stored(
    api: Any, actors: Any, files: Any, ada: Any, room_id: UUID
) -> None:
    address = f"/api/v1/rooms/{room_id}/attachments"

    await api("POST", address, data=form(), status=401)
    await api("POST", address, who=ada, json={}, status=415)
    await api("POST", f"/api/v1/rooms/{uuid4()}/attachments", who=ada, data=form(), status=404)
    wrong = await api("POST", address, who=ada, data=form(name="picture"), status=422)
    assert wrong.body["errors"][0]["pointer"] == "/file"
    empty = await api("POST", address, who=ada, data=form(b""), status=422)
    assert empty.body["errors"][0]["pointer"] == "/file"

    assert not actors.uploads
    assert not files.rows


async def test_an_upload_that_is_refused_is_forgotten_and_one_of_unknown_outcome_is_not(
    api: Any, actors: Any, files: Any, ada: Any, room_id: UUID
) -> None:
    address = f"/api/v1/rooms/{room_id}/attachments"
    full = Rejected(command="StoreAttachment", code=RejectCode.STORAGE_FULL, detail="Full.")

    actors.faults["attachments"] = full
    await api("POST", address, who=ada, data=form(), status=507)
    assert len(actors.dropped) == 1

    actors.faults["attachments"] = TimedOut(command="StoreAttachment")
    await api("POST", address, who=ada, data=form(), status=504)
    assert len(actors.dropped) == 1


async def test_uploads_of_one_address_are_counted(
    api: Any, files: Any, ada: Any, room_id: UUID
) -> None:
    address = f"/api/v1/rooms/{room_id}/attachments"

    for _ in range(60):
        await api("POST", address, who=ada, data=form(), status=201)
    # On a slow machine a token or two has come back meanwhile.
    statuses = [
        (await api("POST", address, who=ada, data=form(), status=None)).status for _ in range(30)
    ]

    assert HTTPStatus.TOO_MANY_REQUESTS in statuses


async def test_until_a_message_uses_it_a_file_is_its_owners_alone(
    api: Any, files: Any, ada: Any, bob: Any, room_id: UUID
) -> None:
    row = files.add_picture(ada, room_id)
    addresses = [f"{PREFIX}/{row.id}", f"{PREFIX}/{row.id}/thumbnail", url_of(row)]

    for address in addresses:
        await api("GET", address, status=401)
        await api("GET", address, who=bob, status=404)
        await api("GET", address, who=ada)

    files.rows[row.id] = replace(row, message_id=uuid4())
    for address in addresses:
        await api("GET", address, who=bob)


async def test_who_may_not_read_the_room_may_not_read_its_files(
    api: Any, actors: Any, files: Any, ada: Any, room_id: UUID
) -> None:
    row = files.add_picture(ada, room_id, message_id=uuid4())
    actors.faults["room"] = Rejected(
        command="RequireRight", code=RejectCode.NOT_A_MEMBER, detail="Members only."
    )

    for address in (f"{PREFIX}/{row.id}", f"{PREFIX}/{row.id}/thumbnail", url_of(row)):
        refused = await api("GET", address, who=ada, status=403)
        assert refused.body["code"] == "not_a_member"
    assert files.reads == 0


async def test_unknown_files_and_wrong_names_are_not_found(
    api: Any, files: Any, ada: Any, room_id: UUID
) -> None:
    row = files.add(ada, room_id)

    for path in (f"{uuid4()}/cover.png", "x/cover.png", f"{row.id}/invoice.exe", f"{row.id}/..%2f"):
        await api("GET", f"{PREFIX}/{path}", who=ada, status=404)


SHOWN = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "audio/mpeg",
    "audio/ogg",
)
SAVED = ("application/pdf", "video/mp4", "video/webm", "text/plain", "application/octet-stream")


@pytest.mark.parametrize("content_type", SHOWN + SAVED)
async def test_only_pictures_and_sound_open_in_a_browser_and_nothing_has_rights(
    api: Any, files: Any, ada: Any, room_id: UUID, content_type: str
) -> None:
    row = files.add(ada, room_id, content_type=content_type, filename='é "x";.html')

    headers = (await api("GET", url_of(row), who=ada)).headers

    assert headers["Content-Type"].partition(";")[0] == content_type
    kind = "inline" if content_type in SHOWN else "attachment"
    assert headers["Content-Disposition"] == (
        f"{kind}; filename=\"_ _x_;.html\"; filename*=UTF-8''%C3%A9%20%22x%22%3B.html"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"


async def test_text_says_its_encoding(api: Any, files: Any, ada: Any, room_id: UUID) -> None:
    row = files.add(ada, room_id, content_type="text/plain", filename="notes.txt")

    answered = await api("GET", url_of(row), who=ada)

    assert answered.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("state", [AttachmentState.PROCESSING, AttachmentState.FAILED])
async def test_a_picture_that_was_not_decoded_is_saved_and_not_shown(
    api: Any, files: Any, ada: Any, room_id: UUID, state: AttachmentState
) -> None:
    row = files.add(ada, room_id, state=state)

    headers = (await api("GET", url_of(row), who=ada)).headers

    assert headers["Content-Disposition"].startswith("attachment;")
    is_settled = state is AttachmentState.FAILED
    assert ("immutable" in headers["Cache-Control"]) is is_settled


async def test_bytes_are_served_by_range_and_not_read_again_for_who_has_them(
    api: Any, files: Any, ada: Any, room_id: UUID
) -> None:
    row = files.add(ada, room_id, b"0123456789")

    part = await api("GET", url_of(row), who=ada, headers={"Range": "bytes=2-5"}, status=206)
    assert (part.raw, part.headers["Content-Range"]) == (b"2345", "bytes 2-5/10")
    beyond = {"Range": "bytes=10-"}
    await api("GET", url_of(row), who=ada, headers=beyond, status=416)

    reads = files.reads
    known = {"If-None-Match": part.headers["ETag"]}
    answered = await api("GET", url_of(row), who=ada, headers=known, status=304)
    assert answered.headers["ETag"] == part.headers["ETag"]
    assert files.reads == reads


async def test_a_thumbnail_is_shown_when_it_is_there(
    api: Any, files: Any, ada: Any, room_id: UUID
) -> None:
    waiting = files.add(ada, room_id, state=AttachmentState.PROCESSING)
    early = await api("GET", f"{PREFIX}/{waiting.id}/thumbnail", who=ada, status=409)
    assert (early.body["code"], early.body["retry_after_ms"]) == ("not_ready", 1000)
    row = files.add_picture(ada, room_id)
    shown = (await api("GET", f"{PREFIX}/{row.id}", who=ada)).body

    assert (shown["width"], shown["height"]) == (900, 600)
    assert (shown["thumbnail_width"], shown["thumbnail_height"]) == (480, 320)
    small = await api("GET", shown["thumbnail_url"], who=ada)

    assert small.raw == b"RIFFsmallWEBP"
    assert small.headers["Content-Type"] == "image/webp"
    assert small.headers["Content-Disposition"].startswith("inline;")
    known = {"If-None-Match": small.headers["ETag"]}
    reads = files.reads
    await api("GET", shown["thumbnail_url"], who=ada, headers=known, status=304)
    assert files.reads == reads


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("cover.png", "cover.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\cover.png", "cover.png"),
        ("", "file"),
        ("...", "file"),
        ("/", "file"),
        (".htaccess", "htaccess"),
        ("a\x00b\r\nc\x1b.png", "abc.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("e\u0301t\u00e9.png", "\u00e9t\u00e9.png"),
        ('a<b>:"|?*.png', "a_b______.png"),
        ("thumbnail", "thumbnail_"),
        ("x" * 300 + ".flac", "x" * 95 + ".flac"),
        ("x." + "y" * 300, "x." + "y" * 98),
        ("\ud800x", "x"),
    ],
)
def test_a_name_is_one_that_a_file_may_have_anywhere(given: str, kept: str) -> None:
    assert safe_name(given) == kept
    assert safe_name(kept) == kept


@pytest.mark.parametrize("state", [AttachmentState.READY, AttachmentState.FAILED])
def test_the_frame_of_a_thumbnail_says_where_it_is(state: AttachmentState) -> None:
    is_ready = state is AttachmentState.READY
    event = AttachmentReady(
        room_id=UUID(int=1),
        attachment_id=UUID(int=2),
        state=state,
        width_px=900 if is_ready else None,
        height_px=600 if is_ready else None,
        thumbnail_width_px=480 if is_ready else None,
        thumbnail_height_px=320 if is_ready else None,
    )

    frame = encode_frame(event)

    told = json.loads(frame[frame.index(b"{") :])
    assert (told["t"], told["room"]) == (ServerFrame.ATTACHMENT_READY, str(UUID(int=1)))
    assert (told["d"]["id"], told["d"]["state"]) == (str(UUID(int=2)), state)
    assert (told["d"]["width"], told["d"]["thumbnail_height"]) == (
        (900, 320) if is_ready else (None, None)
    )
    url = f"{PREFIX}/{UUID(int=2)}/thumbnail"
    assert told["d"]["thumbnail_url"] == (url if is_ready else None)


def test_news_of_a_thumbnail_tell_neither_name_nor_content() -> None:
    fields = {name for name in AttachmentReady.__annotations__ if name != "state"}

    assert fields == {
        *("room_id", "attachment_id", "width_px", "height_px"),
        *("thumbnail_width_px", "thumbnail_height_px"),
    }
