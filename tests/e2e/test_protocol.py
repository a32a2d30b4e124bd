"""The WebSocket protocol over a real network: what a client may rely on."""

import asyncio
from uuid import uuid4

import orjson


async def say(wire, room, text):
    """Post a message; return what acknowledges it."""
    sent = await wire.ask("message.send", room=room, message_id=str(uuid4()), text=text)
    assert sent["t"] == "ack", sent
    return sent["d"]


async def heard(wire, room, last_seq):
    """All durable events of a room that came, once the one numbered `last_seq` is there."""
    await wire.find(lambda frame: frame.get("room") == room and frame.get("seq") == last_seq)
    return [frame for frame in wire.frames if frame.get("room") == room and "seq" in frame]


async def joined(person, room, **since):
    wire = await person.connect()
    ack = await wire.ask("room.join", room=room, **since)
    assert ack["t"] == "ack", ack
    return wire, ack["d"]


async def test_a_connection_is_greeted_signed_in_and_told_its_limits(ada):
    wire = await ada.open()
    hello = await wire.find(lambda frame: frame["t"] == "hello")
    ready = await wire.ask("auth", token=ada.token, batch=True)

    assert hello["d"] == {"heartbeat_ms": 25_000, "max_frame": 65_536, "api_level": 1}
    assert ready["t"] == "ready"
    assert ready["d"]["user"]["id"] == ada.id
    assert ready["d"]["rooms"] == []
    assert ready["d"]["limits"]["message_chars"] == 4000


async def test_a_ping_is_answered(ada):
    wire = await ada.connect()

    assert (await wire.ask("ping"))["t"] == "pong"


async def test_two_hundred_messages_by_all_ways_reach_everybody_once_in_one_order(ada, bob):
    room = await ada.room()
    (one, _), (other, _) = await joined(ada, room), await joined(bob, room)

    async def talk(wire, name):
        return [(await say(wire, room, f"{name} {n}"))["seq"] for n in range(80)]

    async def post():
        posts = [await ada.post(f"/rooms/{room}/messages", {"text": f"R {n}"}) for n in range(40)]
        return [each["seq"] for each in posts]

    acked = await asyncio.gather(talk(one, "A"), talk(other, "B"), post())
    last = max(max(seqs) for seqs in acked)
    events = [await heard(wire, room, last) for wire in (one, other)]

    posted = [[e for e in each if e["t"] == "message.posted"] for each in events]
    assert posted[0] == posted[1]
    assert {e["seq"] for e in posted[0]} == {seq for seqs in acked for seq in seqs}
    for each in events:
        seqs = [event["seq"] for event in each]
        assert seqs == list(range(seqs[0], seqs[-1] + 1))
    for name, count in (("A", 80), ("B", 80), ("R", 40)):
        texts = [e["d"]["text"] for e in posted[0] if e["d"]["text"].startswith(name)]
        assert texts == [f"{name} {n}" for n in range(count)]


async def test_who_comes_back_gets_all_that_was_missed_before_anything_new(ada, bob):
    room = await ada.room()
    one, _ = await joined(ada, room)
    other, position = await joined(bob, room)
    position["seq"] += 1  # that he is a member now
    await heard(other, room, position["seq"])
    await other.socket.close()
    for n in range(30):
        await say(one, room, f"missed {n}")

    talking = asyncio.create_task(asyncio.wait_for(talk_on(one, room), 20))
    since = {"epoch": position["epoch"], "seq": position["seq"]}
    again, ack = await joined(bob, room, since=since)
    last = await talking
    events = await heard(again, room, last)

    assert ack["recovered"] is True
    assert [event["seq"] for event in events] == list(range(position["seq"] + 1, last + 1))
    texts = [event["d"]["text"] for event in events if event["t"] == "message.posted"]
    assert texts == [*(f"missed {n}" for n in range(30)), *(f"meanwhile {n}" for n in range(40))]
    assert again.frames.index(events[0]) > again.frames.index(await again.answer("2"))


async def talk_on(wire, room):
    for n in range(40):
        last = await say(wire, room, f"meanwhile {n}")
    return last["seq"]


async def test_a_position_of_another_log_is_not_recovered(ada):
    room = await ada.room()
    wire, ack = await joined(ada, room)
    await say(wire, room, "one")

    _, other_log = await joined(ada, room, since={"epoch": str(uuid4()), "seq": ack["seq"]})
    _, future = await joined(ada, room, since={"epoch": ack["epoch"], "seq": 9999})

    assert other_log["recovered"] is False
    assert future["recovered"] is False


async def test_the_same_message_again_is_the_same_ack_and_told_nobody(ada, bob):
    room = await ada.room()
    (one, _), (other, _) = await joined(ada, room), await joined(bob, room)
    message = {"room": room, "message_id": str(uuid4()), "text": "once"}

    acks = await asyncio.gather(*(one.ask("message.send", **message) for _ in range(5)))
    elsewhere, _ = await joined(ada, room)
    acks.append(await elsewhere.ask("message.send", **message))
    last = await say(one, room, "the end")

    assert {orjson.dumps(ack["d"]) for ack in acks} == {orjson.dumps(acks[0]["d"])}
    events = await heard(other, room, last["seq"])
    texts = [event["d"]["text"] for event in events if event["t"] == "message.posted"]
    assert texts == ["once", "the end"]


async def test_history_reads_the_same_log_page_by_page(ada, bob):
    room = await ada.room()
    one, _ = await joined(ada, room)
    for n in range(25):
        await say(one, room, f"message {n}")
    other, ack = await joined(bob, room)
    last = ack["seq"] + 1  # that he is a member now

    pages, before = [], None
    while not pages or pages[-1]:
        limits = {} if before is None else {"before_seq": before}
        page = await other.ask("room.history", room=room, limit=10, **limits)
        pages.append(page["d"]["events"])
        before = pages[-1][0]["seq"] if pages[-1] else None
    events = [event for page in reversed(pages) for event in page]

    assert [event["seq"] for event in events] == list(range(1, last + 1))
    await heard(one, room, last)
    live = one.events("message.posted", room)
    assert [event for event in events if event["t"] == "message.posted"] == live


async def test_three_bad_frames_in_a_minute_are_the_end(ada):
    wire = await ada.connect()

    for text in ("{", "[]", '{"t": 7}'):
        await wire.socket.send_str(text)

    assert await wire.closed() == 4502
    codes = [frame["d"]["code"] for frame in wire.frames if frame["t"] == "error"]
    assert codes == ["bad_frame"] * 3


async def test_an_unknown_frame_is_refused_and_the_connection_lives(ada):
    wire = await ada.connect()

    refused = await wire.ask("room.paint", colour="red")

    assert (refused["t"], refused["d"]["code"]) == ("error", "unknown_type")
    assert (await wire.ask("ping"))["t"] == "pong"


async def test_a_frame_over_the_limit_is_too_big(ada):
    wire = await ada.connect()

    await wire.send("ping", padding="x" * 70_000)

    assert await wire.closed() == 1009


async def test_a_wrong_token_ends_the_connection_for_good(ada):
    wire = await ada.open()

    await wire.send("auth", token="not.a.token")

    assert await wire.closed() == 4500


async def test_a_ticket_signs_in_once_and_neither_it_nor_a_token_is_logged(ada, server):
    ticket = (await ada.post("/realtime/ticket"))["ticket"]
    wire, replayed = await ada.open(), await ada.open()

    ready = await wire.ask("auth", token=ticket)
    refused = await replayed.ask("auth", token=ticket)
    refreshed = await wire.ask("auth.refresh", token=ada.token)

    assert ready["d"]["user"]["id"] == ada.id
    assert refused["d"]["code"] == "invalid_token"
    assert await replayed.closed() == 4500
    assert (refreshed["t"], refreshed["d"]) == ("ack", {})
    log = server.errors.read_text()
    assert "/api/v1/realtime/ticket" in log
    assert ticket not in log
    assert ada.token not in log


async def test_signing_out_ends_the_connections_of_that_session_only(ada, server, person):
    wire = await ada.connect()
    elsewhere = await (await person(server, ada.name)).sign_in()
    other = await elsewhere.connect()

    async with ada.request("POST", "/auth/logout") as answer:
        assert answer.status == 204

    assert await wire.closed() == 4506
    assert (await other.ask("ping"))["t"] == "pong"


async def test_who_enters_hears_who_is_there_and_what_they_do(ada, bob):
    room = await ada.room()
    one, _ = await joined(ada, room)
    other, _ = await joined(bob, room)
    await other.ask("presence.set", status="dnd", activity={"type": "listening", "title": "Aube"})

    def names_bob(frame):
        if frame["t"] != "presence" or frame["room"] != room:
            return False
        return any(seen["status"] == "dnd" for seen in frame["d"]["changes"])

    told = await one.find(names_bob)
    (seen,) = [each for each in told["d"]["changes"] if each["status"] == "dnd"]
    assert seen["activity"] == {"type": "listening", "track": None, "title": "Aube"}
    own = await other.find(lambda frame: frame["t"] == "presence.self")
    assert own["d"]["status"] == "dnd"
