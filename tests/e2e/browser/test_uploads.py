"""A file on its way to the server, seen in the page: it pauses, and goes on after a reload and a restart."""

import hashlib

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser

RATE_HZ = 44_100
SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}
UNTHROTTLED = {**SLOW, "uploadThroughput": -1}
ENOUGH_MS = 60_000


async def test_an_upload_goes_on_after_a_pause_a_reload_and_a_killed_server(
    visitor, new_node, person, sound_file, tmp_path
):
    data = sound_file("wav", 30 * RATE_HZ)  # 5 MB, most of a minute on that line
    file = tmp_path / "A slow piece.wav"
    file.write_bytes(data)
    node = new_node(VEZA_USER_QUOTA_BYTES=str(len(data) + 1000)).start()
    ada = await (await visitor(node.url)).register()
    page = ada.page
    line = await page.context.new_cdp_session(page)
    await line.send("Network.emulateNetworkConditions", SLOW)
    await ada.open("/upload")

    await page.get_by_label("Audio files").set_input_files(file)
    await ada.button("Upload 1 track").click()
    bar = page.get_by_role("progressbar", name="Uploading A slow piece")
    await expect(bar).not_to_have_attribute("aria-valuenow", "0", timeout=ENOUGH_MS)
    await ada.button("Pause A slow piece").click()
    await expect(page.get_by_test_id("upload-news")).to_have_text("A slow piece is paused")
    await ada.button("Resume A slow piece").click()
    await ada.sees(page.get_by_text("Uploading ·"))

    await page.reload()
    await ada.sees(page.get_by_text("Choose A slow piece.wav again and it goes on from here."))
    await page.get_by_label("The file A slow piece.wav again").set_input_files(file)
    await ada.sees(page.get_by_text("Uploading ·"))

    node.kill()
    await ada.sees(page.get_by_text("It goes on by itself."))
    await line.send("Network.emulateNetworkConditions", UNTHROTTLED)
    node.start(port=int(node.url.rpartition(":")[2]))
    await expect(page.get_by_text("Published", exact=True)).to_be_visible(timeout=ENOUGH_MS)

    api = await (await person(node, ada.name)).sign_in()
    (track,) = (await api.get("/tracks"))["data"]
    source = node.data / "media" / "sources" / track["id"]
    assert hashlib.sha256(source.read_bytes()).digest() == hashlib.sha256(data).digest()

    (tmp_path / "One more.wav").write_bytes(data)
    await page.get_by_label("Audio files").set_input_files(tmp_path / "One more.wav")
    await ada.button("Upload 1 track").click()
    await ada.sees(page.get_by_text("Your account has no room for this file."))
    await page.close()  # it would knock again once the node has ended
    ada.forgive("413")
    ada.forgive("net::ERR_")  # while nobody was there
    node.end()
