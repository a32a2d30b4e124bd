"""Every view on a phone and on a desk, light and dark: nothing sticks out.

The pictures are kept in artifacts/looks for people to look at.
"""

from pathlib import Path

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).parents[3] / "artifacts" / "looks"
SIZES = ((360, 740), (1280, 800))
SCHEMES = ("light", "dark")
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
async def places(demo, person):
    """Where each view is, once the demo's tracks are published."""
    tide = await (await person(demo, "tide")).sign_in(demo.told("password"))
    for track in (await tide.get("/tracks"))["data"]:
        owner = await (await person(demo, track["owner"]["name"])).sign_in(demo.told("password"))
        await owner.ended(await owner.get(f"/tracks/{track['id']}/job"))
    (track, *_), (room, *_) = [(await tide.get(path))["data"] for path in ("/tracks", "/rooms")]
    return {
        "home": "/",
        "track": f"/tracks/{track['id']}",
        "upload": "/upload",
        "rooms": "/rooms",
        "room": f"/rooms/{room['id']}",
    }


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_each_view_fits_and_is_kept_to_look_at(
    width, height, scheme, visitor, demo, places, sound_file
):
    SHOTS.mkdir(parents=True, exist_ok=True)
    window = {"width": width, "height": height}
    tide = await visitor(demo.url, "tide", viewport=window, color_scheme=scheme)
    page = tide.page

    async def keep(name):
        if name in {"home", "track"}:
            await page.wait_for_load_state("networkidle")  # the waveforms are there
        await page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png", animations="disabled")
        assert await page.evaluate(SIDEWAYS) == 0, name

    await tide.open("/sign-in")
    await tide.sees(tide.button("Sign in"))
    await keep("sign-in")
    await tide.sign_in(demo.told("password"))
    await keep("home")
    await page.get_by_role("button", name="Play Harbour Lights").click()
    await tide.hears_past(0.5)
    await keep("home-playing")
    await tide.button("Pause").click()
    for name, path in places.items():
        await tide.open(path)
        await expect(page.locator(".skeleton")).to_have_count(0)
        if name == "room":
            await tide.sees(page.locator("[data-message]").first)
        if name == "upload":
            await tide.drop({"Second thoughts.wav": sound_file("wav", 44_100), "no.mp3": b"x" * 99})
            await tide.sees(page.get_by_text("Second thoughts.wav"))
        await keep(name)
