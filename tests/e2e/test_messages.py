"""Messages over REST on a real node: by id, around one, pinned, in threads, and searched."""

import asyncio
import io
from urllib.parse import quote
from uuid import uuid4

import pytest
from aiohttp import FormData


async def call(person, method, path, body=None, status=204):
    async with person.request(method, path, json=body) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json() if await answer.read() else None


async def code_of(person, method, path, status, body=None):
    return (await call(person, method, path, body, status))["code"]


async def post(person, room, text, **more):
    return await person.post(f"/rooms/{room}/messages", {"text": text, **more})


async def join(person, room):
    return await call(person, "PUT", f"/rooms/{room}/members/me", status=200)


async def search(person, path, count):
    """What a search finds, once the index has come up to the log."""
    async with asyncio.timeout(30):
        while True:
            page = await person.get(path)
            if len(page["data"]) == count:
                return page
            await asyncio.sleep(0.05)


def texts(page):
    return [message["text"] for message in page["data"]]


@pytest.fixture
async def room(ada):
    return await ada.room()


async def hidden_room(person):
    made = await person.post("/rooms", {"name": "Cellar", "kind": "invite_only"})
    return made["id"]


async def test_a_message_is_shown_as_its_frame_tells_it(ada, bob, room):
    await join(bob, room)
    wire = await bob.connect()
    await wire.ask("room.join", room=room)
    first = await post(ada, room, f"hello @{bob.name}")
    reply = await post(ada, room, "in a thread", thread_id=first["message_id"])
    frame = await wire.find(lambda f: f.get("seq") == first["seq"] and f.get("room") == room)

    shown = await ada.get(f"/messages/{first['message_id']}")

    told = {**frame["d"], "room": room, "seq": frame["seq"], "at": frame["at"]}
    assert {name: shown[name] for name in told} == told
    assert shown["mentions"] == [bob.id]
    assert shown["replies"] == 1
    assert (await ada.get(f"/messages/{first['message_id']}/thread"))["data"] == [
        await ada.get(f"/messages/{reply['message_id']}")
    ]


async def test_a_file_may_be_all_that_a_message_says(ada, bob, room):
    await join(bob, room)
    wire = await bob.connect()
    await wire.ask("room.join", room=room)
    files = []
    for name in ("one.txt", "two.txt"):
        form = FormData()
        form.add_field("file", io.BytesIO(b"four bars"), filename=name)
        async with ada.request("POST", f"/rooms/{room}/attachments", data=form) as answer:
            assert answer.status == 201, await answer.text()
            files.append((await answer.json())["id"])
    path = f"/rooms/{room}/messages"

    first = await call(ada, "POST", path, {"attachments": files[:1]}, 201)
    sender = await ada.connect()
    await sender.ask("room.join", room=room)
    ack = await sender.ask(
        "message.send", room=room, message_id=str(uuid4()), text="", attachments=files[1:]
    )

    assert ack["t"] == "ack", ack
    for seq, name in ((first["seq"], "one.txt"), (ack["d"]["seq"], "two.txt")):
        told = await wire.find(lambda f, seq=seq: f.get("room") == room and f.get("seq") == seq)
        assert told["d"]["text"] == ""
        assert [file["filename"] for file in told["d"]["attachments"]] == [name]
    assert await code_of(ada, "POST", path, 422, {"attachments": []}) == "validation_failed"
    assert await code_of(ada, "POST", path, 422, {"text": " "}) == "validation_failed"


async def test_the_same_acts_over_rest_and_websocket_are_the_same_events(ada, bob, room):
    await join(bob, room)
    wire = await ada.connect()
    listener = await bob.connect()
    await listener.ask("room.join", room=room)
    one, other = [(await post(ada, room, "first"))["message_id"] for _ in range(2)]
    heart = quote("❤️")

    await call(ada, "PATCH", f"/messages/{one}", {"text": "second"}, 200)
    await call(ada, "PUT", f"/messages/{one}/reactions/{heart}")
    await call(ada, "PUT", f"/messages/{one}/reactions/{heart}")
    await call(ada, "DELETE", f"/messages/{one}/reactions/{heart}")
    await call(ada, "PUT", f"/messages/{one}/pin")
    await call(ada, "DELETE", f"/messages/{one}/pin")
    await call(ada, "DELETE", f"/messages/{one}", {"reason": "enough"})
    act = {"room": room, "message_id": other}
    await wire.ask("message.edit", **act, text="second")
    await wire.ask("message.react", **act, emoji="❤️")
    await wire.ask("message.unreact", **act, emoji="❤️")
    await wire.ask("message.pin", **act)
    await wire.ask("message.unpin", **act)
    last = await wire.ask("message.delete", **act, reason="enough")
    await listener.find(lambda f: f.get("room") == room and f.get("seq") == last["d"]["seq"])

    def said(message_id):
        events = [f for f in listener.frames if f.get("d", {}).get("message_id") == message_id]
        return [(f["t"], {**f["d"], "message_id": None}) for f in events]

    assert len(said(one)) == 7
    assert said(one) == said(other)


async def test_to_those_who_may_not_read_it_there_is_no_such_message(ada, bob):
    cellar = await hidden_room(ada)
    message = (await post(ada, cellar, "secret"))["message_id"]

    for method, path, body in [
        ("GET", "", None),
        ("PATCH", "", {"text": "x"}),
        ("DELETE", "", None),
        ("GET", "/history", None),
        ("GET", "/thread", None),
        ("GET", "/reactions", None),
        ("PUT", "/reactions/%F0%9F%91%8D", None),
        ("DELETE", "/reactions/%F0%9F%91%8D", None),
        ("PUT", "/pin", None),
        ("DELETE", "/pin", None),
    ]:
        known, unknown = f"/messages/{message}{path}", f"/messages/{uuid4()}{path}"
        assert await code_of(bob, method, known, 404, body) == "unknown_message"
        assert await code_of(bob, method, unknown, 404, body) == "unknown_message"
    assert await code_of(bob, "GET", f"/rooms/{cellar}/pins", 404) == "not_found"
    assert await code_of(bob, "GET", f"/rooms/{cellar}/messages?q=secret", 404) == "not_found"


async def test_of_two_messages_with_one_id_each_sees_the_one_they_may_read(ada, bob):
    message_id = str(uuid4())
    hers, his = await hidden_room(ada), await hidden_room(bob)
    await post(ada, hers, "hers", message_id=message_id)
    await post(bob, his, "his", message_id=message_id)

    assert (await ada.get(f"/messages/{message_id}"))["text"] == "hers"
    assert (await bob.get(f"/messages/{message_id}"))["text"] == "his"


async def test_the_room_decides_who_changes_what_and_says_why_not(ada, bob, room):
    await join(bob, room)
    message = (await post(ada, room, "mine"))["message_id"]

    assert await code_of(bob, "PATCH", f"/messages/{message}", 403, {"text": "x"}) == "forbidden"
    assert await code_of(bob, "DELETE", f"/messages/{message}", 403) == "forbidden"
    assert await code_of(bob, "PUT", f"/messages/{message}/pin", 403) == "forbidden"
    path = f"/messages/{message}/reactions/x"
    assert await code_of(bob, "PUT", path, 422) == "validation_failed"
    assert await code_of(ada, "PATCH", f"/messages/{message}", 422, {"text": " "})
    assert await code_of(ada, "PATCH", f"/messages/{message}", 422, {"body": "x"})


async def test_whoever_may_read_a_message_sees_what_it_said_before(ada, bob, room):
    message = (await post(ada, room, "one"))["message_id"]
    for text in ("two", "three"):
        edited = await call(ada, "PATCH", f"/messages/{message}", {"text": text}, 200)
        assert edited["text"] == text
        assert edited["edited_at"] is not None

    history = await bob.get(f"/messages/{message}/history")
    assert texts(history) == ["one", "two", "three"]
    assert {each["user"]["id"] for each in history["data"]} == {ada.id}

    await call(ada, "DELETE", f"/messages/{message}")
    assert set(texts(await bob.get(f"/messages/{message}/history"))) == {""}
    shown = await bob.get(f"/messages/{message}")
    assert (shown["text"], shown["deleted_at"] is None) == ("", False)
    assert await code_of(ada, "PATCH", f"/messages/{message}", 404, {"text": "x"})


async def test_who_reacted_is_listed_in_pages(ada, bob, room):
    await join(bob, room)
    message = (await post(ada, room, "nice?"))["message_id"]
    for person in (ada, bob):
        for emoji in ("👍", "#️⃣"):
            await call(person, "PUT", f"/messages/{message}/reactions/{quote(emoji)}")

    found, cursor = [], ""
    while cursor is not None:
        page = await ada.get(f"/messages/{message}/reactions?limit=3&cursor={cursor}")
        found += [(each["emoji"], each["user"]["id"]) for each in page["data"]]
        cursor = page["next_cursor"]

    everything = [(emoji, person.id) for emoji in ("👍", "#️⃣") for person in (ada, bob)]
    assert sorted(found) == sorted(everything)
    shown = await ada.get(f"/messages/{message}")
    assert {(r["emoji"], r["count"], r["mine"]) for r in shown["reactions"]} == {
        *(("👍", 2, True), ("#️⃣", 2, True))
    }


async def test_pins_and_threads_come_in_pages(ada, room):
    root = (await post(ada, room, "root"))["message_id"]
    replies = [await post(ada, room, f"reply {n}", thread_id=root) for n in range(3)]
    for each in replies:
        await call(ada, "PUT", f"/messages/{each['message_id']}/pin")

    async def all_of(path):
        first = await ada.get(f"{path}?limit=2")
        second = await ada.get(f"{path}?limit=2&cursor={first['next_cursor']}")
        assert second["next_cursor"] is None
        return texts(first) + texts(second)

    assert await all_of(f"/messages/{root}/thread") == ["reply 0", "reply 1", "reply 2"]
    assert await all_of(f"/rooms/{room}/pins") == ["reply 2", "reply 1", "reply 0"]


async def test_around_a_message_pages_lead_both_ways(ada, room):
    posted = [await post(ada, room, str(number)) for number in range(9)]
    middle = await ada.get(f"/rooms/{room}/messages?around={posted[4]['seq']}&limit=3")
    older = await ada.get(f"/rooms/{room}/messages?limit=9&cursor={middle['prev_cursor']}")
    newer = await ada.get(f"/rooms/{room}/messages?limit=9&cursor={middle['next_cursor']}")
    first = await ada.get(f"/rooms/{room}/messages?around=0&limit=3")

    assert texts(middle) == ["3", "4", "5"]
    assert texts(older) + texts(middle) + texts(newer) == [str(number) for number in range(9)]
    assert texts(first) == ["0", "1", "2"]
    assert first["prev_cursor"] is None
    bad = f"/rooms/{room}/messages?around=1&after_seq=1"
    assert await code_of(ada, "GET", bad, 422) == "validation_failed"


async def test_what_was_read_over_rest_is_read_everywhere(ada, bob, room):
    await join(bob, room)
    seq = [(await post(ada, room, "news"))["seq"] for _ in range(3)][1]

    await call(bob, "PUT", f"/rooms/{room}/read", {"seq": seq})

    wire = await bob.open()
    ready = await wire.ask("auth", token=bob.token)
    (mine,) = [each for each in ready["d"]["rooms"] if each["room"] == room]
    assert (mine["read_seq"], mine["unread"]) == (seq, 1)
    assert await code_of(bob, "PUT", f"/rooms/{room}/read", 422, {"seq": -1})


async def test_search_finds_words_without_accents_and_shows_where_they_stand(ada, room):
    await post(ada, room, "Un bel **été** en ville")
    await post(ada, room, "L'hiver")
    await post(ada, room, "All my summers")

    page = await search(ada, f"/rooms/{room}/messages?q=ETE", 1)
    match = page["data"][0]["match"]
    assert match["snippet"] == "Un bel été en ville"
    assert [match["snippet"][a:b] for a, b in match["marks"]] == ["été"]
    assert texts(await search(ada, f"/rooms/{room}/messages?q=summer", 1)) == ["All my summers"]
    assert texts(await search(ada, f"/rooms/{room}/messages?q={quote('été or hiver')}", 2)) == [
        "L'hiver",
        "Un bel **été** en ville",
    ]
    for query in ("-x", "%3F", "", "a" * 201):
        path = f"/rooms/{room}/messages?q={query}"
        assert await code_of(ada, "GET", path, 422) == "validation_failed"
    for more in ("after_seq=1", "around=1"):
        path = f"/rooms/{room}/messages?q=x&{more}"
        assert await code_of(ada, "GET", path, 422) == "validation_failed"


async def test_a_search_follows_edits_and_forgets_what_is_deleted(ada, room):
    message = (await post(ada, room, "pomme"))["message_id"]
    await search(ada, f"/rooms/{room}/messages?q=pommes", 1)

    await call(ada, "PATCH", f"/messages/{message}", {"text": "poire"}, 200)
    await search(ada, f"/rooms/{room}/messages?q=poires", 1)
    await search(ada, f"/rooms/{room}/messages?q=pomme", 0)

    await call(ada, "DELETE", f"/messages/{message}")
    assert texts(await ada.get(f"/rooms/{room}/messages?q=poire")) == []


async def test_a_search_is_over_all_rooms_one_is_in_and_over_no_other(ada, bob):
    word = f"mot{uuid4().hex}"
    rooms = [await ada.room(), await ada.room()]
    cellar = await hidden_room(ada)
    for number, room in enumerate([*rooms, cellar]):
        await post(ada, room, f"{word} {number}")
    await join(bob, rooms[0])

    assert texts(await search(ada, f"/search/messages?q={word}", 3)) == [
        f"{word} {number}" for number in (2, 1, 0)
    ]
    assert texts(await bob.get(f"/search/messages?q={word}")) == [f"{word} 0"]
    first = await ada.get(f"/search/messages?q={word}&limit=2")
    rest = await ada.get(f"/search/messages?q={word}&limit=2&cursor={first['next_cursor']}")
    assert texts(first) + texts(rest) == [f"{word} {number}" for number in (2, 1, 0)]
    assert rest["next_cursor"] is None


async def test_a_cursor_of_one_search_is_none_of_another(ada, room):
    for number in range(2):
        await post(ada, room, f"salut {number}")
    page = await search(ada, f"/rooms/{room}/messages?q=salut", 2)
    page = await ada.get(f"/rooms/{room}/messages?q=salut&limit=1")

    path = f"/rooms/{room}/messages?q=autre&cursor={page['next_cursor']}"
    assert await code_of(ada, "GET", path, 422) == "invalid_cursor"
    assert await code_of(ada, "GET", f"/search/messages?q=salut&cursor={'x' * 40}", 422)
