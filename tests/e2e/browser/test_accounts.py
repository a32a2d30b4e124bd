"""Getting in and out: the set-up link, a wrong password, and leaving."""

import pyotp
import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"


async def test_the_set_up_link_makes_the_first_administrator_and_only_that(visitor, new_node):
    node = new_node().start()
    link = node.told("First admin").removeprefix(node.url)
    root, late = [await visitor(node.url, name) for name in ("root", "late")]

    for who in (root, late):
        await who.open(link)
        await expect(who.page).to_have_url(f"{node.url}/setup")  # the token is in no history
        await who.fill(username=who.name, email=f"{who.name}@example.org", password=PASSWORD)
        await who.button("Create administrator").click()
        if who is root:
            await who.sees(who.page.get_by_role("heading", name="Tracks", exact=True))
    await late.sees(late.page.get_by_role("alert"))
    late.forgive("/api/v1/setup")

    roles = await root.page.evaluate("async () => (await (await fetch('/api/v1/me')).json()).roles")
    assert "admin" in roles
    for who in (root, late):
        await who.page.close()  # it would knock again once the node has ended
    node.stop()


async def test_the_set_up_page_without_its_link_says_how_to_get_one(visitor, server):
    person = await (await visitor(server.url)).open("/setup")

    await person.sees(person.page.get_by_text("when it is started again"))
    await expect(person.page.locator("input")).to_have_count(0)


async def test_a_wrong_password_is_said_to_be_wrong_and_what_was_typed_stays(visitor, server, ada):
    person = await visitor(server.url, ada.name)

    await person.open("/sign-in")
    await person.try_password("not my password")
    await person.sees(person.page.get_by_role("alert"))
    await expect(person.page.locator("input[name=login]")).to_have_value(ada.name)
    await person.try_password(PASSWORD)

    await person.sees(person.page.get_by_role("heading", name="Tracks", exact=True))
    person.forgive("/api/v1/auth/login")


async def test_who_has_a_second_factor_is_asked_for_its_code(visitor, server, ada):
    setup = await ada.post("/auth/totp/setup", {"password": PASSWORD})
    app = pyotp.TOTP(setup["secret"])
    codes = (await ada.post("/auth/totp/enable", {"code": app.now()}))["recovery_codes"]
    person = await visitor(server.url, ada.name)

    await person.open("/sign-in")
    await person.try_password(PASSWORD)
    await expect(person.page.get_by_label("Code")).to_be_focused()
    await expect(person.page.get_by_role("alert")).to_have_count(0)
    await person.fill(totp="000000")
    await person.button("Sign in").click()
    await person.sees(person.page.get_by_role("alert"))
    await person.fill(totp=codes[0])
    await person.button("Sign in").click()

    await person.sees(person.page.get_by_role("heading", name="Tracks", exact=True))
    person.forgive("/api/v1/auth/login")


async def test_who_signs_out_leaves_nothing_for_the_next_one(visitor, server, ada, sound_file):
    await ada.publish(sound_file("flac", 88_200), "song.flac", "Mine")
    person = await (await visitor(server.url, ada.name)).sign_in(PASSWORD)
    page = person.page
    await page.get_by_role("button", name="Play Mine").first.click()
    await person.hears_past(0.1)

    await person.button(f"Account: {ada.name}").click()
    await person.button("Sign out").click()
    await person.sees(person.button("Sign in"))

    cookies = await page.context.cookies()
    assert [cookie["name"] for cookie in cookies if cookie["value"]] == []
    assert await page.evaluate("() => localStorage.getItem('veza.player')") is None
    await person.open("/rooms")
    await person.sees(person.button("Sign in"))
