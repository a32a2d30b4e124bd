"""What a user keeps when something dies: everything that was acknowledged, and every track whole."""

import asyncio
import os
import signal
from uuid import uuid4

RATE_HZ = 44_100
MINUTE = 60 * RATE_HZ
LEASE = {"VEZA_JOB_LEASE_SECONDS": "2"}


async def begun(node, person, data):
    """Upload a file; return its track once the first of it plays, with the encoder held there.

    However fast the machine is, the rest of the track is not done.
    """
    wire = await person.connect()
    accepted = await person.upload(data, "song.flac")
    told = await wire.find(
        lambda frame: (
            frame["t"] == "job.progress"
            and frame["d"]["track"]["id"] == accepted["track"]["id"]
            and frame["d"]["track"]["state"] == "playable"
        )
    )
    (worker,) = node.workers()
    os.kill(worker, signal.SIGSTOP)
    assert told["d"]["job"]["state"] == "encoding"
    return accepted, wire


async def assert_same_stream(person, track_id, other_id):
    one, other = await person.stream(track_id), await person.stream(other_id)
    assert one.files.keys() == other.files.keys()
    for name, files in one.files.items():
        is_same = files == other.files[name]
        assert is_same, name
        assert one.renditions[name].playlist.is_endlist


async def test_a_stream_whose_encoder_was_killed_is_the_same_stream(ada, server, sound_file):
    source = sound_file("flac", MINUTE)
    accepted, _ = await begun(server, ada, source)
    (worker,) = server.workers()

    os.kill(worker, signal.SIGKILL)
    job = await ada.ended(accepted["job"])

    assert job["state"] == "published", job
    assert server.workers_left_after(10) == []
    await assert_same_stream(ada, accepted["track"]["id"], await ada.publish(source, "song.flac"))


async def test_a_killed_node_goes_on_with_its_jobs_when_it_is_back(new_node, person, sound_file):
    node = new_node(**LEASE).start()
    ada = await (await person(node)).register()
    source = sound_file("flac", MINUTE)
    accepted, _ = await begun(node, ada, source)
    early = await ada.stream(accepted["track"]["id"])
    assert early.playback["live"] is True

    node.kill()
    ada.url = node.start().url
    job = await ada.ended(accepted["job"])

    assert job["state"] == "published", job
    track_id = accepted["track"]["id"]
    for name, files in (await ada.stream(track_id)).files.items():
        was_kept = files[: len(early.files[name])] == early.files[name]
        assert was_kept, name
    await assert_same_stream(ada, track_id, await ada.publish(source, "song.flac"))
    node.stop()


async def test_a_killed_node_has_kept_every_acknowledged_message(new_node, person):
    node = new_node().start()
    ada, bob = [await (await person(node)).register() for _ in range(2)]
    room = await ada.room()
    said, acked = {}, {}
    enough = asyncio.Event()

    async def talk(who):
        wire = await who.connect()
        await wire.ask("room.join", room=room)
        while True:
            message_id = str(uuid4())
            said[message_id] = who
            answer = await wire.ask(
                "message.send", room=room, message_id=message_id, text=f"{who.name} {len(said)}"
            )
            if answer["t"] == "ack":
                acked[message_id] = answer["d"]["seq"]
            if len(acked) >= 100:
                enough.set()

    talking = [asyncio.create_task(talk(who)) for who in (ada, bob) for _ in range(2)]
    await enough.wait()
    node.kill()
    for end in await asyncio.gather(*talking, return_exceptions=True):
        assert isinstance(end, ConnectionError), end
    ada.url = bob.url = node.start().url

    kept = {m["message_id"]: m["seq"] for m in await messages(ada, room)}
    assert acked.items() <= kept.items()
    for who in (ada, bob):
        wire = await who.connect()
        for message_id in [each for each, author in said.items() if author is who]:
            again = await wire.ask(
                "message.send", room=room, message_id=message_id, text="said again"
            )
            assert again["t"] == "ack", again
    seqs = [message["seq"] for message in await messages(ada, room)]
    assert len(seqs) == len(said)
    assert seqs == sorted(set(seqs))
    node.stop()


async def messages(person, room):
    found, cursor = [], ""
    while cursor is not None:
        page = await person.get(f"/rooms/{room}/messages?limit=200{cursor}")
        found = [*page["data"], *found]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    return found


async def test_a_stopped_node_sends_clients_away_and_hands_jobs_back(new_node, person, sound_file):
    node = new_node(VEZA_DRAIN_TIMEOUT_SECONDS="4", VEZA_JOB_LEASE_SECONDS="300").start()
    ada = await (await person(node)).register()
    accepted, wire = await begun(node, ada, sound_file("flac", MINUTE))
    other = await ada.connect()
    stopping = asyncio.create_task(asyncio.to_thread(node.stop))

    closed = [await each.closed() for each in (wire, other)]
    await stopping

    assert closed == [4001, 4001]
    for each in (wire, other):
        last = each.frames[-1]
        assert last["t"] == "server.draining"
        assert last["d"]["retry_after_ms"] > 0
    ada.url = node.start().url
    job = await ada.get(f"/jobs/{accepted['job']['id']}")
    assert job["state"] in {"queued", "probing", "encoding"}
    assert job["error"] is None
    # No lease to wait for: it was handed back.
    async with asyncio.timeout(60):
        assert (await ada.ended(accepted["job"]))["state"] == "published"
    node.stop()


async def test_ctrl_c_ends_a_node_well(new_node):
    node = new_node().start()

    node.signal(signal.SIGINT)

    assert node.wait() == 0
