"""A musician's first hour: an account, files dropped on the page, and the sound of them."""

import os
import signal
from pathlib import Path

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser

RATE_HZ = 44_100
KINDS = ("wav", "flac", "ogg", "mp3", "m4a")
# CC0 1.0, by gowers (freesound.org/people/gowers/sounds/202537), from `sonic-pi-samples`.
RECORDING = Path("/usr/share/sonic-pi/samples/loop_amen_full.flac")
SLOW_MS = 40_000


async def test_files_of_every_kind_are_dropped_published_and_heard(
    visitor, server, sound_file, missing
):
    if not RECORDING.exists():
        missing(f"{RECORDING} of the Debian package sonic-pi-samples")
    ada = await (await visitor(server.url)).register()
    page = ada.page
    files = {f"A piece in {kind}.{kind}": sound_file(kind, 10 * RATE_HZ) for kind in KINDS}
    files["Amen.flac"] = RECORDING.read_bytes()

    await page.get_by_role("link", name="Upload").first.click()
    await ada.drop(files)
    await ada.button("Upload 6 tracks").click()
    await ada.sees(page.get_by_role("progressbar").first)
    await expect(page.get_by_text("Published", exact=True)).to_have_count(6, timeout=SLOW_MS)

    await page.get_by_role("link", name="Tracks").first.click()
    for title in [Path(name).stem for name in files]:
        await page.get_by_role("button", name=f"Play {title}").click()
        await expect(page.get_by_test_id("dock")).to_contain_text(title)
        await ada.hears_past(0.3)
        sound = await ada.audio()
        assert sound["from"].startswith("blob:")  # hls.js feeds it
    await ada.button("Pause").click()
    await ada.sees(ada.button("Play"))


async def test_a_track_plays_while_the_rest_of_it_is_still_encoded(
    visitor, server, person, sound_file, tmp_path
):
    ada = await (await visitor(server.url)).register()
    page = ada.page
    api = await (await person(server, ada.name)).sign_in()
    wire = await api.connect()
    file = tmp_path / "Three minutes.flac"
    file.write_bytes(sound_file("flac", 180 * RATE_HZ))
    await ada.open("/upload")
    await page.get_by_label("Audio files").set_input_files(file)
    await ada.button("Upload 1 track").click()
    await wire.find(
        lambda frame: frame["t"] == "job.progress" and frame["d"]["track"]["state"] == "playable"
    )
    # Hold the encoder there: however fast the machine is, the rest is not done.
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)

    await page.get_by_role("button", name="Play Three minutes").click()
    await ada.hears_past(1)
    (track,) = (await api.get("/tracks?limit=1"))["data"]
    assert track["state"] == "playable"
    assert (await ada.audio())["length"] < 180

    os.kill(worker, signal.SIGCONT)
    await expect(page.get_by_text("Published", exact=True)).to_be_visible(timeout=SLOW_MS)
    await ada.hears_past(2)
    await page.wait_for_function(
        "() => Math.abs(document.querySelector('audio').duration - 180) < 0.05", timeout=SLOW_MS
    )
    await page.get_by_role("slider", name="Seek").press("End")
    await expect(ada.button("Play")).to_be_visible(timeout=SLOW_MS)
    assert (await ada.audio())["at"] == pytest.approx(180, abs=0.2)


async def test_the_browsers_own_hls_plays_too(visitor, server, person, sound_file):
    ada = await (await visitor(server.url)).register()
    api = await (await person(server, ada.name)).sign_in()
    track_id = await api.publish(sound_file("flac", 20 * RATE_HZ), "song.flac", "Native")

    await ada.open(f"/tracks/{track_id}?native=1")
    await ada.button("Play").first.click()
    await ada.hears_past(1)

    sound = await ada.audio()
    assert "/master.m3u8?" in sound["from"]
    assert sound["length"] == pytest.approx(20, abs=0.05)


async def test_a_reload_comes_back_to_the_place_and_the_music_never_stops_on_the_way(
    visitor, server, person, sound_file
):
    ada = await (await visitor(server.url)).register()
    page = ada.page
    api = await (await person(server, ada.name)).sign_in()
    track_id = await api.publish(sound_file("flac", 30 * RATE_HZ), "song.flac", "Journey")

    await ada.open(f"/tracks/{track_id}?t=10")
    await ada.button("Play").first.click()
    await ada.hears_past(10.2)
    for link in ("Rooms", "Upload", "Tracks"):
        await page.get_by_role("link", name=link).first.click()
        await ada.hears_past((await ada.audio())["at"] + 0.2)
    at = (await ada.audio())["at"]
    await page.reload()
    await expect(page.get_by_test_id("dock")).to_contain_text("Journey")
    await page.get_by_test_id("dock").get_by_role("button", name="Play", exact=True).click()
    await ada.hears_past(at - 1)
    assert (await ada.audio())["at"] < at + 3


async def test_a_title_left_empty_becomes_the_files_name(visitor, server, sound_file):
    ada = await (await visitor(server.url)).register()

    await ada.open("/upload")
    await ada.drop({"Untitled.wav": sound_file("wav", RATE_HZ)})
    await ada.page.get_by_role("textbox", name="Title").fill(" ")
    await ada.button("Upload 1 track").click()

    await ada.sees(ada.page.get_by_role("link", name="Untitled"))
    await ada.sees(ada.page.get_by_text("Published", exact=True))


async def test_a_file_that_is_no_music_is_refused_with_a_reason(visitor, server):
    ada = await (await visitor(server.url)).register()

    await ada.open("/upload")
    await ada.drop({"notes.mp3": b"these are no sounds\n" * 500})
    await ada.button("Upload 1 track").click()

    await ada.sees(ada.page.get_by_text("This is no audio file that can be read here"))
