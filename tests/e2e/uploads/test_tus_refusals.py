"""What an upload by tus is refused for, with a code each, and without a trace."""

import asyncio

import aiohttp
import pytest

MIB = 1024 * 1024
LIMIT = 64 * MIB
UNFINISHED = 5


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
        {"Upload_Length": "4", "Upload_Metadata": "title " + "eHh4" * 67},  # 201 letters
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


async def test_a_body_of_another_type_begins_no_upload(client):
    problem = await client.ask(
        "POST", "/uploads", status=415, data=b"0123", Content_Type="text/plain", Upload_Length="4"
    )
    assert problem["code"] == "unsupported_media_type"
    await client.ask("POST", "/uploads", status=413, data=b"01234", Upload_Length="4")
    wrong = client.checksum(b"other")
    await client.ask("POST", "/uploads", status=460, data=b"0123", Upload_Length="4", **wrong)
    for _ in range(UNFINISHED):
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

    problem = await client.ask("PATCH", status=status, data=data, **headers)

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
    other, stranger = client.again(), client.again()
    other.person = await (await person(node)).register()
    stranger.person = await person(node)

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
    begun = [await client.again().create(LIMIT) for _ in range(4)]

    problem = await client.ask("POST", "/uploads", status=413, Upload_Length="1")
    assert problem["code"] == "quota_exceeded"
    form = aiohttp.FormData()
    form.add_field("title", "x")
    form.add_field("file", b"x", filename="x")
    async with client.person.request("POST", "/tracks", data=form) as answer:
        assert (answer.status, (await answer.json())["code"]) == (413, "quota_exceeded")

    await begun[0].ask("DELETE", status=204)
    for _ in range(2):
        await client.again().create(1)
    problem = await client.ask("POST", "/uploads", status=409, Upload_Length="1")
    assert problem["code"] == "too_many_uploads"


async def test_a_broken_chunked_body_is_refused_at_once(client):
    await client.create(4)
    reader, writer = await client.begun("Transfer-Encoding: chunked", b"2\r\n01\r\n")
    await client.reached(2)
    writer.write(b"nonsense\r\n")

    answer = await asyncio.wait_for(reader.read(), 20)  # it waits 30 s for a body that is late
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert await client.offset() == 2
