"""Two people in a room: both write, both read, and nothing is lost or doubled on the way."""

import io

import pytest
from aiohttp import FormData
from playwright.async_api import expect

pytestmark = pytest.mark.browser


def texts(visitor):
    return visitor.page.locator(".message-text")


async def write(visitor, *lines):
    composer = visitor.page.get_by_role("textbox", name="Message")
    for line in lines:
        await composer.fill(line)
        await composer.press("Enter")


async def test_two_people_talk_and_find_it_all_after_a_reload(visitor, server):
    ada, bob = [await (await visitor(server.url)).register() for _ in range(2)]
    await ada.open("/rooms")
    await ada.button("New room").click()
    await ada.page.get_by_label("Name").fill("Porch")
    await ada.button("Create room").click()
    await ada.sees(ada.page.get_by_role("textbox", name="Message Porch"))

    await bob.page.get_by_role("link", name="Rooms").first.click()
    await bob.page.get_by_test_id("room-list").get_by_role("link", name="Porch").click()
    await expect(ada.page.get_by_test_id("member-count")).to_contain_text("2")
    await write(ada, "Salut Bob!", "Do you hear the hat?")
    await expect(texts(bob)).to_have_text(["Salut Bob!", "Do you hear the hat?"])
    await write(bob, "<b>Loud</b> & clear")
    said = ["Salut Bob!", "Do you hear the hat?", "<b>Loud</b> & clear"]

    for who in (ada, bob):
        await expect(texts(who)).to_have_text(said)
        await expect(who.page.locator(".is-pending")).to_have_count(0)
        await who.page.reload()
        await expect(texts(who)).to_have_text(said)
    await expect(ada.page.get_by_test_id("member-count")).to_contain_text("2")


async def test_what_is_written_while_the_server_is_away_arrives_once(visitor, new_node, person):
    node = new_node().start()
    port = int(node.url.rpartition(":")[2])
    ada = await (await visitor(node.url)).register()
    bob = await (await person(node)).register()
    room = await bob.room("Harbour")
    await ada.open(f"/rooms/{room}")
    await write(ada, "before")
    await expect(texts(ada)).to_have_text(["before"])

    node.kill()
    await write(ada, "meanwhile", "and more")
    await expect(texts(ada)).to_have_text(["before", "meanwhile", "and more"])
    banner = ada.page.get_by_test_id("connection-banner")
    await ada.sees(banner)
    node.start(port)

    await expect(ada.page.locator(".is-pending")).to_have_count(0, timeout=20_000)
    await expect(banner).to_be_hidden()
    page = await bob.get(f"/rooms/{room}/messages")
    assert [m["text"] for m in page["data"]] == ["before", "meanwhile", "and more"]
    await ada.page.close()  # it would knock again once the node has stopped
    ada.forgive("WebSocket connection")
    node.stop()


async def test_a_room_that_is_not_there_is_asked_for_once_a_visit(visitor, server):
    ada = await (await visitor(server.url)).register()
    asked = []
    ada.page.on("request", lambda request: asked.append(request.url))

    await ada.open("/rooms/nowhere")
    await ada.sees(ada.button("Retry"))
    await ada.page.get_by_role("link", name="Tracks").first.click()
    await ada.sees(ada.page.get_by_role("heading", name="Tracks", exact=True))

    assert [url for url in asked if url.endswith("/rooms/nowhere")][1:] == [
        f"{server.url}/api/v1/rooms/nowhere"
    ]
    ada.forgive("/api/v1/rooms/nowhere")


async def test_the_field_to_write_in_is_one_line_high_whatever_the_room_is_called(visitor, server):
    ada = await (await visitor(server.url)).register()
    await ada.page.set_viewport_size({"width": 360, "height": 720})
    heights = []
    for name in ("Porch", "A porch with a very long name " * 3):
        await ada.open("/rooms")
        await ada.button("New room").click()
        await ada.page.get_by_label("Name").fill(name)
        await ada.button("Create room").click()
        field = ada.page.get_by_role("textbox", name=f"Message {name.strip()}")
        await ada.sees(field)
        heights.append((await field.bounding_box())["height"])

    assert heights[0] == heights[1]


async def test_a_conversation_of_two_is_kept_up_to_date_while_it_is_open(visitor, server, person):
    ada = await (await visitor(server.url)).register()
    bob = await (await person(server)).register()
    her = await (await person(server, ada.name)).sign_in()
    room = (await bob.post("/dms", {"user_ids": [her.id]}))["id"]

    await ada.open("/rooms")
    await ada.page.get_by_test_id("room-list").get_by_role("link", name=bob.name).click()
    await ada.sees(ada.page.get_by_role("textbox", name=f"Message {bob.name}"))
    said = [
        await bob.post(f"/rooms/{room}/messages", {"text": text}) for text in ("one", "two", "Fin")
    ]
    await expect(texts(ada)).to_have_text(["one", "two", "Fin"])
    first, second = (f"/messages/{message['message_id']}" for message in said[:2])
    for method, path, body in (
        ("PUT", f"{first}/reactions/🔥", None),
        ("PATCH", first, {"text": "one and a half"}),
        ("DELETE", second, None),
    ):
        async with bob.request(method, path, json=body) as answer:
            assert answer.status < 300, await answer.text()

    await expect(texts(ada)).to_have_text(["one and a half", "Fin"])
    await expect(ada.page.locator(".message-edited")).to_have_count(1)
    await expect(ada.page.locator(".message-gone")).to_have_count(1)
    await expect(ada.page.get_by_text("loaded again")).to_have_count(0)

    form = FormData()
    form.add_field("file", io.BytesIO(b"four bars"), filename="bars.txt")
    async with bob.request("POST", f"/rooms/{room}/attachments", data=form) as answer:
        uploaded = await answer.json()
    await bob.post(f"/rooms/{room}/messages", {"attachments": [uploaded["id"]]})
    link = ada.page.get_by_role("link", name="bars.txt")
    await ada.sees(link)
    opened = await ada.page.request.get(f"{server.url}{await link.get_attribute('href')}")
    assert await opened.body() == b"four bars"

    await bob.post(f"/rooms/{room}/messages", {"text": "Still here"})
    await expect(texts(ada)).to_have_text(["one and a half", "Fin", "Still here"])
    await expect(ada.page.get_by_text("loaded again")).to_have_count(0)
