"""Tracks over HTTP: uploads stream in bounded chunks and leave nothing half done behind."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import FormData

from veza.actors.messages.common import RejectCode, Rejected, TimedOut
from veza.actors.messages.tracks import JobState, TrackState
from veza.gateway.forms import CHUNK_BYTES

UPLOAD = "/api/v1/tracks"


def form(file: bytes = b"RIFF", title: str = "Nocturne") -> FormData:
    data = FormData()
    data.add_field("title", title)
    data.add_field("file", file, filename="nocturne.wav", content_type="audio/wav")
    return data


async def test_an_upload_becomes_a_track_and_a_job(api: Any, actors: Any, ada: Any) -> None:
    sound = bytes(range(256)) * 3000

    answered = await api("POST", UPLOAD, who=ada, data=form(sound), status=202)

    track, job = answered.body["track"], answered.body["job"]
    assert (track["title"], track["state"], track["peaks_url"]) == ("Nocturne", "processing", None)
    assert (job["state"], job["progress"], job["error"]) == ("queued", 0.25, None)
    assert answered.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    (chunks,) = actors.uploads.values()
    assert b"".join(chunks) == sound
    assert [len(chunk) for chunk in chunks[:-1]] == [CHUNK_BYTES] * (len(chunks) - 1)
    assert not actors.dropped


async def test_a_file_beyond_the_limit_is_refused_and_forgotten(
    make_api: Any, actors: Any, ada: Any
) -> None:
    api = await make_api(max_upload_bytes=CHUNK_BYTES)

    answered = await api("POST", UPLOAD, who=ada, data=form(bytes(CHUNK_BYTES + 1)), status=413)

    assert answered.body["code"] == "payload_too_large"
    assert not actors.uploads
    await api("POST", UPLOAD, who=ada, data=form(bytes(CHUNK_BYTES)), status=202)


async def test_the_limit_holds_for_a_file_of_unknown_length(
    make_api: Any, actors: Any, ada: Any
) -> None:
    api = await make_api(max_upload_bytes=CHUNK_BYTES)
    payload = form(bytes(CHUNK_BYTES * 4))()

    async def stream() -> Any:
        yield await as_bytes(payload)

    headers = {"Content-Type": payload.content_type}
    answered = await api("POST", UPLOAD, who=ada, data=stream(), headers=headers, status=413)

    assert answered.body["code"] == "payload_too_large"
    assert actors.dropped
    assert not actors.uploads


async def as_bytes(payload: Any) -> bytes:
    written = bytearray()

    class Writer:
        async def write(self, data: bytes) -> None:
            written.extend(data)

    await payload.write(Writer())
    return bytes(written)


async def test_a_client_that_leaves_halfway_leaves_nothing(api: Any, actors: Any, ada: Any) -> None:
    payload = form(bytes(CHUNK_BYTES * 4))()
    whole = await as_bytes(payload)
    stored = asyncio.Event()
    write = actors.on_WriteChunk

    def on_write(key: Any, command: Any) -> object:
        stored.set()
        return write(key, command)

    actors.on_WriteChunk = on_write
    dropped = asyncio.Event()
    actors.on_DropUpload = lambda _key, _command: dropped.set()

    async def stream() -> Any:
        yield whole[: CHUNK_BYTES * 2]
        await asyncio.Event().wait()

    headers = {"Content-Type": payload.content_type}
    sending = asyncio.create_task(api("POST", UPLOAD, who=ada, data=stream(), headers=headers))
    await stored.wait()
    sending.cancel()

    await asyncio.wait_for(dropped.wait(), 10)


async def test_an_upload_that_is_refused_is_forgotten(api: Any, actors: Any, ada: Any) -> None:
    actors.faults["catalogue"] = Rejected(
        command="PublishUpload", code=RejectCode.STORAGE_FULL, detail="Full."
    )

    answered = await api("POST", UPLOAD, who=ada, data=form(), status=507)

    assert answered.body["code"] == "storage_full"
    assert actors.dropped


async def test_an_upload_of_unknown_outcome_is_left_alone(api: Any, actors: Any, ada: Any) -> None:
    actors.faults["catalogue"] = TimedOut(command="PublishUpload")

    await api("POST", UPLOAD, who=ada, data=form(), status=504)

    assert not actors.dropped


async def test_only_a_form_is_taken(api: Any, ada: Any) -> None:
    answered = await api("POST", UPLOAD, who=ada, json={"title": "x"}, status=415)

    assert answered.body["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ([("file", b"RIFF"), ("title", "late")], "/title"),
        ([("title", "alone")], "/file"),
        ([("title", ""), ("file", b"RIFF")], "/title"),
        ([("title", "x" * 201), ("file", b"RIFF")], "/title"),
        ([("title", "empty"), ("file", b"")], "/file"),
    ],
)
async def test_title_comes_first_then_the_file(
    api: Any, ada: Any, fields: list[tuple[str, Any]], pointer: str
) -> None:
    data = FormData()
    for name, value in fields:
        data.add_field(name, value, filename="a.wav" if name == "file" else None)
    if all(name != "file" for name, _ in fields):
        data.add_field("other", b"x", filename="b")

    answered = await api("POST", UPLOAD, who=ada, data=data, status=422)

    assert answered.body["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"--b\r\n",
        b"--b\r\nContent-Disposition: form-data; name=title\r\n\r\nhi",
        b"--b\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b'--b\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n' + b"x" * 40,
        b"--b--\r\n",
    ],
)
async def test_a_broken_form_is_the_clients_fault(api: Any, ada: Any, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}

    answered = await api("POST", UPLOAD, who=ada, data=body, headers=headers, status=None)

    assert answered.status in {400, 422}


TITLE = b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nhi\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
ARTIST = b'--b\r\nContent-Disposition: form-data; name="artist"\r\n\r\nada\r\n'


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        (b"\r\nRIFF", "malformed_body"),
        (b"\r\nRIFF\r\n--", "malformed_body"),
        (b"\r\nRIFF\r\n" + ARTIST + b"--b--\r\n", "unknown_field"),
    ],
)
async def test_a_file_that_does_not_end_the_form_is_no_track(
    api: Any, actors: Any, ada: Any, rest: bytes, code: str
) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}

    answered = await api(
        "POST", UPLOAD, who=ada, data=TITLE + FILE + rest, headers=headers, status=None
    )

    assert answered.body["code"] == code
    assert not actors.uploads
    assert not actors.tracks


@pytest.mark.parametrize("boundary", ["", "; boundary=" + "x" * 71, "; boundary="])
async def test_a_form_without_a_usable_boundary_is_the_clients_fault(
    api: Any, ada: Any, boundary: str
) -> None:
    headers = {"Content-Type": f"multipart/form-data{boundary}"}

    answered = await api("POST", UPLOAD, who=ada, data=b"--b\r\n", headers=headers, status=400)

    assert answered.body["code"] == "malformed_body"


async def test_a_track_is_told_once_if_it_did_not_change(api: Any, actors: Any, ada: Any) -> None:
    track = actors.add_track(ada.user)
    path = f"/api/v1/tracks/{track.id}"
    first = await api("GET", path)

    again = await api("GET", path, headers={"If-None-Match": first.headers["ETag"]}, status=304)

    assert again.raw == b""
    assert first.body["peaks_url"] == f"{path}/waveform"
    assert (await api("GET", first.body["peaks_url"])).body == {"buckets": [[-128, 127], [0, 5]]}


async def test_an_unfinished_track_is_its_owners_alone(
    api: Any, actors: Any, ada: Any, bob: Any
) -> None:
    track = actors.add_track(ada.user, state=TrackState.PROCESSING)
    path = f"/api/v1/tracks/{track.id}"

    await api("GET", path, who=ada)
    for address in (path, f"{path}/waveform", f"{path}/playback"):
        await api("GET", address, who=bob, status=404)
        await api("GET", address, status=404)

    assert len((await api("GET", "/api/v1/tracks", who=ada)).body["data"]) == 1
    assert (await api("GET", "/api/v1/tracks")).body == {"data": [], "next_cursor": None}


async def test_a_track_with_nothing_to_hear_yet_asks_to_wait(
    api: Any, actors: Any, ada: Any
) -> None:
    track = actors.add_track(ada.user, state=TrackState.PROCESSING)

    answered = await api("GET", f"/api/v1/tracks/{track.id}/playback", who=ada, status=409)

    assert answered.body["code"] == "not_ready"
    assert answered.body["retryable"] is True
    assert answered.headers["Retry-After"] == "1"


async def test_a_track_that_failed_is_not_played(api: Any, actors: Any, ada: Any) -> None:
    track = actors.add_track(ada.user, state=TrackState.FAILED)

    answered = await api("GET", f"/api/v1/tracks/{track.id}/playback", who=ada, status=409)

    assert answered.body["code"] == "invalid_state"


async def test_jobs_are_shown_cancelled_and_retried_by_their_owner_alone(
    api: Any, actors: Any, ada: Any, bob: Any
) -> None:
    track = actors.add_track(ada.user)
    job = actors.add_job(track, JobState.ENCODING)
    path = f"/api/v1/jobs/{job.id}"

    shown = await api("GET", path, who=ada)
    by_track = await api("GET", f"/api/v1/tracks/{track.id}/job", who=ada)
    cancelled = await api("POST", f"{path}/cancel", who=ada)
    retried = await api("POST", f"{path}/retry", who=ada)
    refused = await api("POST", f"{path}/retry", who=ada, status=409)

    assert shown.body == by_track.body
    assert (cancelled.body["state"], retried.body["state"]) == ("cancelled", "queued")
    assert refused.body["code"] == "invalid_state"
    for method, address in (("GET", path), ("POST", f"{path}/cancel")):
        await api(method, address, who=bob, status=404)
        await api(method, address, status=401)


async def test_tracks_are_listed_newest_first_in_pages(api: Any, actors: Any, ada: Any) -> None:
    made = [str(actors.add_track(ada.user).id) for _ in range(3)]

    page = (await api("GET", "/api/v1/tracks?limit=2")).body
    rest = (await api("GET", f"/api/v1/tracks?limit=2&cursor={page['next_cursor']}")).body

    assert [each["id"] for each in page["data"] + rest["data"]] == made[::-1]
    assert rest["next_cursor"] is None


async def test_an_unknown_track_is_not_found(api: Any) -> None:
    for track_id in (uuid4(), UUID(int=0), "x", "..%2f"):
        await api("GET", f"/api/v1/tracks/{track_id}", status=404)


async def test_waveforms_are_told_in_both_formats_at_any_zoom(
    api: Any, actors: Any, ada: Any
) -> None:
    address = f"/api/v1/tracks/{actors.add_track(ada.user).id}/waveform"
    binary = await api("GET", f"{address}.dat?samples_per_pixel=512")
    part = await api("GET", f"{address}.dat", headers={"Range": "bytes=0-2"}, status=206)
    told = await api("GET", f"{address}.json")
    known = {"If-None-Match": told.headers["ETag"]}

    assert (binary.raw, part.raw) == (b"dat 512", b"dat")
    assert (told.body["samples_per_pixel"], told.body["data"]) == (1, [-3, 3])
    await api("GET", f"{address}.json", headers=known, status=304)
    await api("GET", f"{address}.json?samples_per_pixel=0", status=422)
    young = actors.add_track(ada.user, has_waveform=False).id
    await api("GET", f"/api/v1/tracks/{young}/waveform.dat", status=409)
