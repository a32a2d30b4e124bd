"""What the page plays is reported: listeners go on where they stopped, makers see how they are heard."""

import re

import pytest

pytestmark = pytest.mark.browser


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
    await ada.open(f"/tracks/{track['id']}")
    await ada.sees(ada.page.get_by_role("heading", name=track["title"]))
    assert await ada.page.get_by_test_id("figures").count() == 0
