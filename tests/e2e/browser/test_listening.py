"""What the page plays is reported: listeners go on where they stopped, makers see how they are heard."""

import re

import pytest

pytestmark = pytest.mark.browser
RATE_HZ = 44_100


KNOWS_BETTER = """id => fetch(`/api/v1/tracks/${id}`, {
    method: "PATCH", body: '{"bpm": 99}',
    headers: {"Content-Type": "application/json", "If-Match": "*"},
})"""


async def test_one_goes_on_where_one_stopped_and_its_maker_sees_the_listening(
    visitor, demo, person
):
    password = demo.told("password")
    tide = await (await person(demo, "tide")).sign_in(password)
    track = next(
        each for each in (await tide.get("/tracks"))["data"] if each["owner"]["name"] == "tide"
    )
    await tide.ended(await tide.get(f"/tracks/{track['id']}/job"))
    ada = await (await visitor(demo.url, "ada")).sign_in(password)
    reported = re.compile(f"/api/v1/tracks/{track['id']}/plays")

    async with ada.page.expect_response(reported) as first:
        await ada.open(f"/tracks/{track['id']}?t=12")
        await ada.button("Play").first.click()
        await ada.hears_past(12.5)
    assert (await (await first.value).json()) == {"is_play": False}
    async with ada.page.expect_response(reported):
        await ada.button("Pause").first.click()
    await ada.open()

    go_on = ada.page.get_by_role("button", name=re.compile(f"Continue {track['title']} at 0:[12]"))
    await go_on.click()
    await ada.hears_past(12.7)

    maker = await (await visitor(demo.url, "tide")).sign_in(password)
    await maker.open(f"/tracks/{track['id']}")
    await maker.sees(maker.page.get_by_role("heading", name="How it is heard"))
    await maker.sees(maker.page.get_by_text(re.compile(r"^\d{2,3} BPM$")))
    await maker.sees(maker.page.get_by_text(re.compile(r"^[A-G][♯♭#b]? (major|minor)$")))
    await maker.page.evaluate(KNOWS_BETTER, track["id"])
    await ada.open(f"/tracks/{track['id']}")
    await ada.sees(ada.page.get_by_role("heading", name=track["title"]))
    await ada.sees(ada.page.get_by_text("99 BPM"))
    assert await ada.page.get_by_test_id("figures").count() == 0


async def test_what_is_kept_for_followers_is_there_for_them_alone(
    visitor, server, person, sound_file
):
    ada = await (await visitor(server.url)).register()
    api = await (await person(server, ada.name)).sign_in()
    track_id = await api.publish(sound_file("ogg", 2 * RATE_HZ), "song.ogg", "Kept")
    bob = await (await visitor(server.url)).register()
    await bob.open(f"/tracks/{track_id}")
    await bob.button(f"Follow {ada.name}").click()
    await bob.sees(bob.button(f"Following {ada.name}"))

    await ada.open(f"/tracks/{track_id}")
    await ada.button("Edit").click()
    await ada.page.get_by_label("Title").fill("Kept close")
    await ada.page.get_by_label("Who may hear it").select_option("followers")
    await ada.button("Save").click()

    await ada.sees(ada.page.get_by_role("heading", name="Kept close"))
    await bob.open(f"/tracks/{track_id}")
    await bob.sees(bob.page.get_by_text("For followers"))
    await bob.button("Play").first.click()
    await bob.hears_past(0.5)
    await bob.button(f"Following {ada.name}").click()
    await bob.open(f"/tracks/{track_id}")
    await bob.sees(bob.page.get_by_text("There is no such track."))
    bob.forgive("404 (Not Found)")
