"""Uploads by tus 1.0 survive clients that leave and nodes that are killed, and become one track each."""

import asyncio
import base64
import hashlib
import io
import os
import resource
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import aiohttp
import pytest

VERSION = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"
MIB = 1024 * 1024
LIMIT = 64 * MIB
SETTINGS = {
    "VEZA_TRACKS_PER_10_MIN": "100000",
    "VEZA_MAX_UPLOAD_BYTES": str(LIMIT),
    "VEZA_USER_QUOTA_BYTES": str(4 * LIMIT),
    "VEZA_UNFINISHED_UPLOADS": "5",
}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def checksum(data: bytes, algorithm: str = "sha1") -> dict[str, str]:
    digest = hashlib.new(algorithm, data).digest()
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


@dataclass
class Tus:
    """A client of the protocol and of nothing else: what it knows, it was told by headers."""

    person: Any
    location: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, method: str, path: str = "", *, status: int, data: Any = None, **headers: str
    ) -> Any:
        """One request; the headers of its answer are kept, its body is returned."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(data, bytes):
            data = io.BytesIO(data)
        async with self.person.request(
            method, path or self.location, data=data, headers={**VERSION, **named}
        ) as answer:
            assert answer.status == status, (answer.status, await answer.text())
            assert answer.headers["Tus-Resumable"] == "1.0.0"
            self.headers = dict(answer.headers)
            return await answer.json() if answer.content_type.endswith("json") else None

    async def create(self, length: int | None, *, data: bytes | None = None, **more: str) -> Self:
        size = {"Upload_Defer_Length": "1"} if length is None else {"Upload_Length": str(length)}
        kind = {} if data is None else {"Content_Type": BYTES}
        await self.ask("POST", "/uploads", status=201, data=data, **size, **kind, **more)
        self.location = self.headers["Location"]
        return self

    async def patch(self, offset: int, data: Any, status: int = 204, **more: str) -> Any:
        headers = {"Upload_Offset": str(offset), "Content_Type": BYTES, **more}
        return await self.ask("PATCH", status=status, data=data, **headers)

    async def offset(self) -> int:
        await self.ask("HEAD", status=200)
        assert self.headers["Cache-Control"] == "no-store"
        return int(self.headers["Upload-Offset"])

    async def upload(self, data: bytes, step: int = 8 * MIB) -> None:
        """Go on from wherever the server is until everything is there."""
        at = await self.offset()
        while at < len(data):
            await self.patch(at, data[at : at + step])
            at = int(self.headers["Upload-Offset"])

    async def told(self) -> dict[str, Any]:
        """What the resource is for whoever speaks no tus."""
        return await self.ask("GET", status=200)


@pytest.fixture(scope="module")
def node(new_node):
    node = new_node(**SETTINGS).start()
    yield node
    node.stop()


@pytest.fixture
async def somebody(node, person):
    return await (await person(node)).register()


@pytest.fixture
def client(somebody):
    return Tus(somebody)


def sources(node) -> dict[str, bytes]:
    """What was uploaded, by track, as it is on disk."""
    folder = node.data / "media" / "sources"
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def waiting(node) -> list[str]:
    return sorted(path.name for path in (node.data / "media" / "uploads").iterdir())


# --- the way it goes ---


async def test_the_options_tell_what_the_server_does(client):
    for path in ("/uploads", f"/uploads/{uuid4()}"):
        await client.ask("OPTIONS", path, status=204)
        assert client.headers["Tus-Version"] == "1.0.0"
        assert client.headers["Tus-Max-Size"] == str(LIMIT)
        assert set(client.headers["Tus-Extension"].split(",")) == {
            *("creation", "creation-with-upload", "creation-defer-length"),
            *("checksum", "expiration", "termination"),
        }
        assert "sha1" in client.headers["Tus-Checksum-Algorithm"].split(",")


async def test_an_upload_in_parts_becomes_the_track_of_the_same_bytes(node, client, sound_file):
    sound = sound_file("flac", 44_100)
    about = f"filename {encoded('../../etc/Ünder pressure.flac')},title {encoded('Under')},mine"
    await client.create(len(sound), Upload_Metadata=about)
    assert "Upload-Expires" in client.headers

    await client.patch(0, sound[:1000])
    assert await client.offset() == 1000
    assert client.headers["Upload-Length"] == str(len(sound))
    assert client.headers["Upload-Metadata"] == about
    told = await client.told()
    assert (told["offset"], told["length"], told["state"]) == (1000, len(sound), "open")
    assert (told["filename"], told["track"]) == ("Ünder pressure.flac", None)
    await client.patch(1000, sound[1000:])

    told = await client.told()
    assert told["state"] == "published"
    assert told["sha256"] == hashlib.sha256(sound).hexdigest()
    assert told["track"]["title"] == "Under"
    assert told["duplicate_of"] is None
    assert await client.offset() == len(sound)
    assert client.headers["Veza-Track"] == told["track"]["id"]
    assert client.headers["Veza-Job"] == told["job"]["id"]
    assert sources(node)[told["track"]["id"]] == sound
    assert (await client.person.ended(told["job"]))["state"] == "published"


async def test_an_upload_may_come_with_its_creation(node, client):
    await client.create(5, data=b"01")
    assert client.headers["Upload-Offset"] == "2"
    await client.patch(2, b"234")
    assert sources(node)[(await client.told())["track"]["id"]] == b"01234"

    await client.create(5, data=b"01234", **checksum(b"01234"))
    assert client.headers["Upload-Offset"] == "5"
    assert "Veza-Track" in client.headers


async def test_the_length_may_be_told_later_once(node, client):
    await client.create(None)
    await client.patch(0, b"0123")
    assert await client.offset() == 4
    assert client.headers["Upload-Defer-Length"] == "1"
    assert "Upload-Length" not in client.headers

    assert (await client.patch(4, b"", 409, Upload_Length="3"))["code"] == "invalid_state"
    await client.patch(4, b"45", Upload_Length="8")
    assert (await client.patch(6, b"", 409, Upload_Length="9"))["code"] == "invalid_state"
    assert await client.offset() == 6
    assert client.headers["Upload-Length"] == "8"
    await client.patch(6, b"67")

    assert sources(node)[(await client.told())["track"]["id"]] == b"01234567"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
async def test_bytes_that_are_not_those_of_the_checksum_are_not_kept(node, client, algorithm):
    data = os.urandom(3 * MIB)
    await client.create(len(data))

    await client.patch(0, data[:10], 460, **checksum(b"other", algorithm))
    await client.patch(0, data, 460, **checksum(b"other", algorithm))
    assert await client.offset() == 0
    await client.patch(0, data[:10], **checksum(data[:10], algorithm))
    await client.patch(10, data[10:], **checksum(data[10:], algorithm))

    assert sources(node)[(await client.told())["track"]["id"]] == data
    assert waiting(node) == []


async def test_other_methods_may_come_as_a_post(client):
    await client.create(4)
    await client.ask(
        "POST",
        status=204,
        data=b"01",
        X_HTTP_Method_Override="PATCH",
        Upload_Offset="0",
        Content_Type=BYTES,
    )
    await client.ask("POST", status=200, X_HTTP_Method_Override="HEAD")
    assert client.headers["Upload-Offset"] == "2"
    for method in ("", "PUT"):
        await client.ask("POST", status=405, X_HTTP_Method_Override=method)
    await client.ask("POST", status=204, X_HTTP_Method_Override="DELETE")
    await client.ask("HEAD", status=404)


async def test_what_is_terminated_is_gone_with_its_bytes(node, client):
    await client.create(4)
    await client.patch(0, b"01")
    assert waiting(node) == [client.location.rpartition("/")[2]]

    await client.ask("DELETE", status=204)

    assert waiting(node) == []
    for method in ("GET", "DELETE"):
        assert (await client.ask(method, status=404))["code"] == "not_found"
    await client.patch(2, b"23", 404)


async def test_the_same_bytes_again_are_told_and_taken(client):
    data = os.urandom(100)
    await client.create(len(data), data=data)
    first = client.headers["Veza-Track"]

    await client.create(len(data), data=data)
    again = await client.told()
    single = await client.person.upload(data, "same.wav")

    assert again["duplicate_of"] == first
    assert client.headers["Veza-Duplicate-Of"] == first
    assert again["track"]["id"] != first
    assert single["duplicate_of"] == first


# --- what is refused ---

CREATIONS = {
    "no length": ({}, 400),
    "a length and none": ({"Upload_Length": "4", "Upload_Defer_Length": "1"}, 400),
    "a deferral that is not 1": ({"Upload_Defer_Length": "yes"}, 400),
    "a negative length": ({"Upload_Length": "-1"}, 400),
    "no number": ({"Upload_Length": "4.0"}, 400),
    "digits of another script": ({"Upload_Length": "\u0664"}, 400),
    "an empty file": ({"Upload_Length": "0"}, 400),
    "more than is allowed": ({"Upload_Length": str(LIMIT + 1)}, 413),
    "more than there is": ({"Upload_Length": "9" * 40}, 413),
    "no base64": ({"Upload_Length": "4", "Upload_Metadata": "filename ä"}, 400),
    "base64 of something else": ({"Upload_Length": "4", "Upload_Metadata": "filename a.b-"}, 400),
    "a key twice": ({"Upload_Length": "4", "Upload_Metadata": "a YQ==,a YQ=="}, 400),
    "no key": ({"Upload_Length": "4", "Upload_Metadata": "a YQ==,, b YQ=="}, 400),
    "a name that is no text": ({"Upload_Length": "4", "Upload_Metadata": "filename /w=="}, 400),
    "a title that is blank": ({"Upload_Length": "4", "Upload_Metadata": "title ICA="}, 422),
    "a title too long": (
        {"Upload_Length": "4", "Upload_Metadata": f"title {encoded('x' * 201)}"},
        422,
    ),
    "another version": ({"Upload_Length": "4", "Tus_Resumable": "0.2.2"}, 412),
    "an unknown checksum": ({"Upload_Length": "4", "Upload_Checksum": "crc9 AAAA"}, 400),
    "half a checksum": ({"Upload_Length": "4", "Upload_Checksum": "sha1 AAAA"}, 400),
}


@pytest.mark.parametrize("what", CREATIONS)
async def test_no_upload_begins_with(client, what):
    headers, status = CREATIONS[what]
    problem = await client.ask("POST", "/uploads", status=status, **headers)
    assert problem["status"] == status
    if status == 412:
        assert client.headers["Tus-Version"] == "1.0.0"


async def test_a_body_of_another_type_begins_no_upload(node, client):
    problem = await client.ask(
        "POST", "/uploads", status=415, data=b"0123", Content_Type="text/plain", Upload_Length="4"
    )
    assert problem["code"] == "unsupported_media_type"
    await client.ask(
        "POST", "/uploads", status=413, data=b"01234", Content_Type=BYTES, Upload_Length="4"
    )
    wrong = checksum(b"other")
    await client.ask(
        "POST", "/uploads", status=460, data=b"0123", Content_Type=BYTES, Upload_Length="4", **wrong
    )
    for _ in range(int(SETTINGS["VEZA_UNFINISHED_UPLOADS"])):
        await client.create(4)  # none of those above counts


PARTS = {
    "a wrong offset": ({"Upload_Offset": "1"}, b"23", 409, "upload_offset"),
    "bytes it has": ({"Upload_Offset": "0"}, b"23", 409, "upload_offset"),
    "no offset": ({}, b"23", 400, "bad_request"),
    "a negative offset": ({"Upload_Offset": "-2"}, b"23", 400, "bad_request"),
    "no whole number": ({"Upload_Offset": "2.0"}, b"23", 400, "bad_request"),
    "an offset beyond everything": (
        {"Upload_Offset": "9" * 30},
        b"23",
        413,
        "payload_too_large",
    ),
    "more than its length": ({"Upload_Offset": "2"}, b"234", 413, "payload_too_large"),
    "another type": (
        {"Upload_Offset": "2", "Content_Type": "application/octet-stream"},
        b"23",
        415,
        "unsupported_media_type",
    ),
    "another version": (
        {"Upload_Offset": "2", "Tus_Resumable": "2.0.0"},
        b"23",
        412,
        "unsupported_version",
    ),
    "an unknown checksum": (
        {"Upload_Offset": "2", "Upload_Checksum": "md4 AAAA"},
        b"23",
        400,
        "bad_request",
    ),
    "another length": ({"Upload_Offset": "2", "Upload_Length": "5"}, b"23", 409, "invalid_state"),
}


@pytest.mark.parametrize("what", PARTS)
async def test_no_bytes_are_taken_with(client, what):
    headers, data, status, code = PARTS[what]
    await client.create(4, data=b"01")

    problem = await client.ask(
        "PATCH", status=status, data=data, **{"Content_Type": BYTES, **headers}
    )

    assert problem["code"] == code
    assert await client.offset() == 2


async def test_more_than_its_length_is_noticed_in_a_body_of_unknown_length(client):
    async def endless():
        for _ in range(1000):
            yield bytes(10_000)

    await client.create(50_000)
    problem = await client.patch(0, endless(), 413)
    assert problem["code"] == "payload_too_large"
    assert await client.offset() <= 50_000


async def test_a_finished_upload_takes_no_more(client):
    await client.create(4, data=b"0123")
    assert (await client.patch(4, b"4", 413))["code"] == "payload_too_large"
    assert (await client.patch(0, b"0123", 409))["code"] == "upload_offset"
    await client.patch(4, b"")


async def test_somebody_elses_upload_is_not_there(node, client, person):
    await client.create(4, data=b"01")
    other = Tus(await (await person(node)).register(), client.location)
    stranger = Tus(await person(node), client.location)

    for method in ("GET", "DELETE"):
        assert (await other.ask(method, status=404))["code"] == "not_found"
        assert (await stranger.ask(method, status=401))["code"] == "unauthenticated"
    await other.patch(2, b"23", 404)
    assert await client.offset() == 2


async def test_a_client_without_the_version_is_refused(client):
    await client.create(4)
    for method, path in (("POST", "/uploads"), ("HEAD", ""), ("PATCH", ""), ("DELETE", "")):
        async with client.person.request(method, path or client.location) as answer:
            assert answer.status == 412
            assert answer.headers["Tus-Version"] == "1.0.0"


async def test_an_account_may_begin_so_many_uploads_and_so_many_bytes(client):
    begun = [await Tus(client.person).create(LIMIT) for _ in range(4)]

    problem = await client.ask("POST", "/uploads", status=413, Upload_Length="1")
    assert problem["code"] == "quota_exceeded"
    form = aiohttp.FormData()
    form.add_field("title", "x")
    form.add_field("file", b"x", filename="x")
    async with client.person.request("POST", "/tracks", data=form) as answer:
        assert (answer.status, (await answer.json())["code"]) == (413, "quota_exceeded")

    await begun[0].ask("DELETE", status=204)
    for _ in range(2):
        await Tus(client.person).create(1)
    problem = await client.ask("POST", "/uploads", status=409, Upload_Length="1")
    assert problem["code"] == "too_many_uploads"


# --- what goes wrong on the way ---


async def halfway(client, data, at):
    """Send a request whose body stops halfway; return its connection, still open."""
    host, port = client.person.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = [
        f"PATCH {client.location} HTTP/1.1",
        f"Host: {host}:{port}",
        f"Authorization: Bearer {client.person.token}",
        "Tus-Resumable: 1.0.0",
        f"Content-Type: {BYTES}",
        f"Content-Length: {len(data)}",
        "Upload-Offset: 0",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode() + data[:at])
    await writer.drain()
    return reader, writer


async def reached(client, at):
    """Wait until the server has so many bytes."""
    async with asyncio.timeout(20):
        while (there := await client.offset()) < at:
            pass
    return there


async def test_what_arrived_of_a_client_that_left_is_kept(node, client):
    data = os.urandom(5 * MIB)
    await client.create(len(data))
    _, writer = await halfway(client, data, 3 * MIB + 12_345)
    await reached(client, 3 * MIB)

    writer.transport.abort()

    assert await reached(client, 3 * MIB + 12_345) == 3 * MIB + 12_345
    await client.upload(data)
    assert sources(node)[(await client.told())["track"]["id"]] == data


async def test_of_two_clients_at_once_one_is_told_where_the_upload_is(node, client):
    data = os.urandom(6 * MIB)
    await client.create(len(data))
    reader, writer = await halfway(client, data, 2 * MIB)
    await reached(client, 2 * MIB)

    # The second goes on, though the first one's connection is still there.
    await client.upload(data)
    writer.write(data[2 * MIB :])
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 20)
    writer.close()

    assert answer.split()[1] in {b"409", b"413", b"423"}
    assert sources(node)[(await client.told())["track"]["id"]] == data


async def test_many_at_once_write_each_byte_once(node, client):
    data = os.urandom(8 * MIB)
    await client.create(len(data))

    async def push():
        mine, statuses = Tus(client.person, client.location), []
        while (at := await mine.offset()) < len(data):
            headers = {"Upload-Offset": str(at), "Content-Type": BYTES, **VERSION}
            piece = io.BytesIO(data[at : at + MIB // 2])
            async with client.person.request(
                "PATCH", client.location, data=piece, headers=headers
            ) as answer:
                statuses.append(answer.status)
        return statuses

    statuses = [each for told in await asyncio.gather(*(push() for _ in range(4))) for each in told]

    assert set(statuses) <= {204, 409, 413, 423}
    assert statuses.count(204) == 16
    told = await client.told()
    assert sources(node)[told["track"]["id"]] == data
    mine = [
        each
        for each in (await client.person.get("/tracks"))["data"]
        if each["id"] == told["track"]["id"]
    ]
    assert len(mine) == 1


async def test_a_killed_node_goes_on_where_its_disk_is(new_node, person):
    node = new_node(**SETTINGS).start()
    client = Tus(await (await person(node)).register())
    data = os.urandom(20 * MIB)
    await client.create(len(data))
    kills = 0

    async def sending(end):
        with suppress(aiohttp.ClientError):
            await client.upload(data[:end], step=len(data))

    at = 0
    while at < len(data) // 2:
        watcher = Tus(client.person, client.location)
        going = asyncio.create_task(sending(at + 9 * MIB))
        await reached(watcher, at + 4 * MIB)
        node.kill()
        kills += 1
        await going
        client.person.url = node.start().url
        at = await client.offset()
    await client.upload(data)

    told = await client.told()
    assert kills >= 2
    assert told["sha256"] == hashlib.sha256(data).hexdigest()
    assert sources(node) == {told["track"]["id"]: data}
    node.stop()


async def test_an_upload_that_was_whole_when_its_node_was_killed_becomes_one_track(
    new_node, person
):
    node = new_node(**SETTINGS).start()
    client = Tus(await (await person(node)).register())
    data = os.urandom(40 * MIB)
    await client.create(len(data))
    await client.upload(data[:-1])
    going = asyncio.create_task(client.patch(len(data) - 1, data[-1:]))
    source = node.data / "media" / "sources"
    while not going.done() and not (source.exists() and list(source.iterdir())):
        await asyncio.sleep(0)
    node.kill()
    await asyncio.wait([going])
    client.person.url = node.start().url
    if await client.offset() < len(data):
        await client.upload(data)

    told = await client.told()
    assert told["state"] == "published"
    assert [each["id"] for each in (await client.person.get("/tracks"))["data"]] == [
        told["track"]["id"]
    ]
    assert sources(node) == {told["track"]["id"]: data}
    node.stop()


async def test_a_full_disk_is_told_and_the_upload_goes_on_when_there_is_room(new_node, person):
    node = new_node(**SETTINGS).start()
    client = Tus(await (await person(node)).register())
    data = os.urandom(6 * MIB)
    await client.create(len(data))
    await client.patch(0, data[:MIB])
    # As where the disk is full: the kernel lets no file of the node grow past that.
    soft, hard = resource.prlimit(node.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (2 * MIB, hard))

    problem = await client.patch(MIB, data[MIB:], 507)

    assert (problem["code"], problem["retryable"]) == ("storage_full", True)
    assert await client.offset() == MIB
    assert sources(node) == {}
    assert (await client.person.get("/tracks"))["data"] == []
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (soft, hard))
    await client.upload(data)
    assert sources(node) == {(await client.told())["track"]["id"]: data}
    node.stop()


async def test_what_nobody_went_on_with_expires(new_node, person):
    node = new_node(**SETTINGS, VEZA_UPLOAD_LIFETIME_SECONDS="1").start()
    client = Tus(await (await person(node)).register())
    await client.create(4, data=b"01")

    async with asyncio.timeout(10):
        while True:
            async with client.person.request("HEAD", client.location, headers=VERSION) as answer:
                if answer.status != 200:
                    break

    assert answer.status == 410
    assert (await client.ask("GET", status=410))["code"] == "upload_expired"
    assert (await client.patch(2, b"23", 410))["code"] == "upload_expired"
    node.stop()


async def test_uploads_go_on_at_a_node_that_was_stopped_well(new_node, person):
    node = new_node(**SETTINGS, VEZA_DRAIN_TIMEOUT_SECONDS="2").start()
    client = Tus(await (await person(node)).register())
    data = os.urandom(4 * MIB)
    await client.create(len(data))
    _, writer = await halfway(client, data, 2 * MIB)
    await reached(client, 2 * MIB)

    await asyncio.to_thread(node.stop)
    writer.close()
    client.person.url = node.start().url
    assert await client.offset() >= 2 * MIB
    await client.upload(data)

    assert sources(node)[(await client.told())["track"]["id"]] == data
    node.signal(signal.SIGTERM)
    assert node.wait() == 0
