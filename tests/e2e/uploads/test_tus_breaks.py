"""What goes wrong on the way takes no byte back and adds none: clients that leave, nodes that are killed."""

import asyncio
import hashlib
import os
import resource
from contextlib import contextmanager, suppress

import aiohttp

MIB = 1024 * 1024


@contextmanager
def little_room(node, size_bytes):
    """As where the disk is full: the kernel lets no file of the node grow past that."""
    soft, hard = resource.prlimit(node.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (soft, hard))


async def test_what_arrived_of_a_client_that_left_is_kept(node, client, sources):
    data = os.urandom(5 * MIB)
    await client.create(len(data))
    _, writer = await client.halfway(data, 3 * MIB + 12_345)
    await client.reached(3 * MIB)

    writer.transport.abort()

    assert await client.reached(3 * MIB + 12_345) == 3 * MIB + 12_345
    await client.upload(data)
    assert sources(node)[(await client.told())["track"]["id"]] == data


async def test_of_two_clients_at_once_one_is_told_where_the_upload_is(node, client, sources):
    data = os.urandom(6 * MIB)
    await client.create(len(data))
    reader, writer = await client.halfway(data, 2 * MIB)
    await client.reached(2 * MIB)

    # The second goes on, though the first one's connection is still there.
    await client.upload(data)
    writer.write(data[2 * MIB :])
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 20)
    writer.close()

    assert answer.split()[1] in {b"409", b"413", b"423"}
    assert sources(node)[(await client.told())["track"]["id"]] == data


async def test_many_at_once_write_each_byte_once(node, client, sources):
    data = os.urandom(8 * MIB)
    await client.create(len(data))

    async def push():
        mine, statuses = client.again(), []
        while (at := await mine.offset()) < len(data):
            piece = data[at : at + MIB // 2]
            status, _ = await mine.send("PATCH", data=piece, Upload_Offset=str(at))
            statuses.append(status)
        return statuses

    statuses = [each for told in await asyncio.gather(*(push() for _ in range(4))) for each in told]

    assert set(statuses) <= {204, 409, 413, 423}
    assert statuses.count(204) == 16
    told = await client.told()
    assert sources(node)[told["track"]["id"]] == data
    made = [each["id"] for each in (await client.person.get("/tracks"))["data"]]
    assert made.count(told["track"]["id"]) == 1


async def test_a_killed_node_goes_on_where_its_disk_is(doomed, client_at, sources):
    client = await client_at(doomed)
    data = os.urandom(20 * MIB)
    await client.create(len(data))
    kills = 0

    async def sending(end):
        with suppress(aiohttp.ClientError):
            await client.upload(data[:end], step=len(data))

    at = 0
    while at < len(data) // 2:
        watcher = client.again()
        going = asyncio.create_task(sending(at + 9 * MIB))
        await watcher.reached(at + 4 * MIB)
        doomed.kill()
        kills += 1
        await going
        client.person.url = doomed.start().url
        at = await client.offset()
    await client.upload(data)

    told = await client.told()
    assert kills >= 2
    assert told["sha256"] == hashlib.sha256(data).hexdigest()
    assert sources(doomed)[told["track"]["id"]] == data


async def test_an_upload_that_was_whole_when_its_node_was_killed_becomes_one_track(
    doomed, client_at, sources
):
    client = await client_at(doomed)
    data = os.urandom(40 * MIB)
    await client.create(len(data))
    await client.upload(data[:-1])
    going = asyncio.create_task(client.patch(len(data) - 1, data[-1:]))
    upload = doomed.data / "media" / "uploads" / client.location.rpartition("/")[2]
    while not going.done() and upload.exists():
        await asyncio.sleep(0.001)
    doomed.kill()
    await asyncio.gather(going, return_exceptions=True)
    client.person.url = doomed.start().url
    if await client.offset() < len(data):
        await client.upload(data)

    told = await client.told()
    assert told["state"] == "published"
    assert [each["id"] for each in (await client.person.get("/tracks"))["data"]] == [
        told["track"]["id"]
    ]
    assert sources(doomed)[told["track"]["id"]] == data


async def test_a_full_disk_is_told_and_the_upload_goes_on_when_there_is_room(node, client, sources):
    data = os.urandom(6 * MIB)
    await client.create(len(data))
    await client.patch(0, data[:MIB])
    before = sources(node)

    with little_room(node, 2 * MIB):
        problem = await client.patch(MIB, data[MIB:], 507)
        assert await client.offset() == MIB

    assert (problem["code"], problem["retryable"]) == ("storage_full", True)
    assert sources(node) == before
    assert (await client.told())["state"] == "open"
    await client.upload(data)
    assert sources(node) == {**before, (await client.told())["track"]["id"]: data}


async def test_uploads_go_on_at_a_node_that_was_stopped_well(doomed, client_at, sources):
    client = await client_at(doomed)
    data = os.urandom(4 * MIB)
    await client.create(len(data))
    _, writer = await client.halfway(data, 2 * MIB)
    await client.reached(2 * MIB)

    await asyncio.to_thread(doomed.stop)
    writer.close()
    client.person.url = doomed.start().url
    assert await client.offset() >= 2 * MIB
    await client.upload(data)

    assert sources(doomed)[(await client.told())["track"]["id"]] == data
