"""Uploads by tus 1.0 become one track each, of the same bytes."""

import base64
import hashlib
import os
from uuid import uuid4

import pytest

MIB = 1024 * 1024


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def waiting(node) -> list[str]:
    return sorted(path.name for path in (node.data / "media" / "uploads").iterdir())


async def test_the_options_tell_what_the_server_does(client):
    for path in ("/uploads", f"/uploads/{uuid4()}"):
        await client.ask("OPTIONS", path, status=204)
        assert client.headers["Tus-Version"] == "1.0.0"
        assert client.headers["Tus-Max-Size"] == str(64 * MIB)
        assert set(client.headers["Tus-Extension"].split(",")) == {
            *("creation", "creation-with-upload", "creation-defer-length"),
            *("checksum", "expiration", "termination"),
        }
        assert "sha1" in client.headers["Tus-Checksum-Algorithm"].split(",")


async def test_an_upload_in_parts_becomes_the_track_of_the_same_bytes(
    node, client, sources, sound_file
):
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


async def test_an_upload_may_come_with_its_creation(node, client, sources):
    await client.create(5, data=b"01")
    assert client.headers["Upload-Offset"] == "2"
    await client.patch(2, b"234")
    assert sources(node)[(await client.told())["track"]["id"]] == b"01234"

    await client.create(5, data=b"01234", **client.checksum(b"01234"))
    assert client.headers["Upload-Offset"] == "5"
    assert "Veza-Track" in client.headers


async def test_the_length_may_be_told_later_once(node, client, sources):
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
async def test_bytes_that_are_not_those_of_the_checksum_are_not_kept(
    node, client, sources, algorithm
):
    data = os.urandom(3 * MIB)
    await client.create(len(data))

    await client.patch(0, data[:10], 460, **client.checksum(b"other", algorithm))
    await client.patch(0, data, 460, **client.checksum(b"other", algorithm))
    assert await client.offset() == 0
    await client.patch(0, data[:10], **client.checksum(data[:10], algorithm))
    await client.patch(10, data[10:], **client.checksum(data[10:], algorithm))

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
    )
    await client.ask("POST", status=200, X_HTTP_Method_Override="HEAD")
    assert client.headers["Upload-Offset"] == "2"
    for method in ("", "PUT"):
        await client.ask("POST", status=405, X_HTTP_Method_Override=method)
    await client.ask("POST", status=204, X_HTTP_Method_Override="DELETE")
    await client.ask("HEAD", status=404)


async def test_what_is_terminated_is_gone_with_its_bytes(node, client, sources):
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
