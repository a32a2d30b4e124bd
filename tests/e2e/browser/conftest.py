"""A real Chromium, and people who use the page in it.

To start one takes a second of processor time: a test process has one, and its tests share the loop
that it talks on. Whoever opens a window has a profile of their own.
"""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from itertools import count
from typing import Any, Self

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

PASSWORD = "correct horse battery"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
ANSWER_MS = 20_000
numbers = count(1)

# The page asks who is signed in; that nobody is, browsers print as an error of the network.
NOBODY_YET = "/api/v1/me"

TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  tellViolation(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}`));
"""
MAKE_DROP = """([files]) => {
  const transfer = new DataTransfer();
  for (const [name, data] of files) {
    transfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name));
  }
  return transfer;
}"""
AUDIO = """() => {
  const audio = document.querySelector("audio");
  return audio && { at: audio.currentTime, length: audio.duration, from: audio.currentSrc };
}"""


class Visitor:
    """Somebody at a browser window of their own, and everything that went wrong in it."""

    def __init__(self, page: Page, url: str, name: str) -> None:
        self.page = page
        self.url = url
        self.name = name
        self.troubles: list[str] = []

    async def watch(self) -> Self:
        self.page.set_default_timeout(ANSWER_MS)
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("console", self._hear)
        await self.page.expose_function("tellViolation", self._violated)
        await self.page.add_init_script(TELL_VIOLATIONS)
        return self

    def _violated(self, what: str) -> None:
        self.troubles.append(what)

    def _hear(self, message: Any) -> None:
        is_known = message.location["url"].endswith(NOBODY_YET) and "401" in message.text
        if message.type in {"error", "warning"} and not is_known:
            self.troubles.append(f"{message.type}: {message.text} {message.location['url']}")

    def forgive(self, text: str) -> None:
        """Expect trouble with this text, and no longer count it."""
        left = [trouble for trouble in self.troubles if text not in trouble]
        assert left != self.troubles, f"{text} did not happen: {self.troubles}"
        self.troubles = left

    async def open(self, path: str = "/") -> Self:
        await self.page.goto(self.url + path)
        return self

    async def register(self) -> Self:
        """Make an account by the form."""
        await self.open()
        await self.button("Create an account").click()
        await self.fill(username=self.name, email=f"{self.name}@example.org", password=PASSWORD)
        await self.button("Create account").click()
        await self.sees(self.page.get_by_role("heading", name="Tracks", exact=True))
        return self

    async def sign_in(self, password: str) -> Self:
        await self.open("/sign-in")
        await self.try_password(password)
        await self.sees(self.page.get_by_role("heading", name="Tracks", exact=True))
        return self

    async def try_password(self, password: str) -> None:
        await self.fill(login=self.name, password=password)
        await self.button("Sign in").click()

    async def fill(self, **fields: str) -> None:
        for name, text in fields.items():
            await self.page.locator(f"input[name={name}]").fill(text)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def sees(self, what: Locator) -> None:
        await expect(what).to_be_visible(timeout=ANSWER_MS)

    async def drop(self, files: dict[str, bytes]) -> None:
        """Drop files onto the page's place for them, as from the desktop."""
        encoded = [[name, base64.b64encode(data).decode()] for name, data in files.items()]
        transfer = await self.page.evaluate_handle(MAKE_DROP, [encoded])
        zone = self.page.get_by_test_id("drop-zone")
        await zone.dispatch_event("dragover", {"dataTransfer": transfer})
        await zone.dispatch_event("drop", {"dataTransfer": transfer})

    async def audio(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.page.evaluate(AUDIO)
        return found

    async def hears_past(self, seconds: float) -> None:
        """Wait until the sound itself is further on than this."""
        await self.page.wait_for_function(
            "(at) => document.querySelector('audio')?.currentTime > at", arg=seconds
        )


@pytest.fixture
def _function_scoped_runner(_session_scoped_runner: asyncio.Runner) -> asyncio.Runner:
    """Give every test and fixture here the loop of the session; pytest-asyncio asks by this name."""
    return _session_scoped_runner


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(missing: Callable[[str], None]) -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        missing("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def visitor(chromium: Browser) -> AsyncIterator[Callable[..., Any]]:
    """Open windows; nothing may go wrong in any of them that a test did not expect."""
    made: list[Visitor] = []
    async with AsyncExitStack() as stack:

        async def open_window(url: str, name: str = "", **options: Any) -> Visitor:
            context = await chromium.new_context(**options)
            stack.push_async_callback(context.close)
            page = await context.new_page()
            made.append(Visitor(page, url, name or f"visitor-{next(numbers)}"))
            return await made[-1].watch()

        yield open_window
    assert {each.name: each.troubles for each in made if each.troubles} == {}
