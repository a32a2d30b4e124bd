"""A long listening: a track of half an hour in the real page, played at a multiple of its speed to its end.

    scripts/soak player [--minutes 30] [--rate 8]

A node of its own on loopback publishes a track of that length, headless Chromium opens its page and plays it
at `rate`. Every stall, error of the page and refused request is told. 1 as exit code if the sound did
not reach the track's end, or came there early or with an error on the way.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / ".links"))

import aiohttp
import numpy as np
from playwright.async_api import Page, async_playwright
from soak.world import Node

from veza.codecs.synthesis import PIECES, render
from veza.codecs.wav import wav_bytes

RATE_HZ = 22_050
SETTINGS = {"VEZA_LADDER_KBPS": "[64,96]", "VEZA_LADDER_LOSSLESS": "false", "VEZA_BCRYPT_COST": "4"}
PASSWORD = "correct horse battery"
LOOK_SECONDS = 2.0
LATE_FACTOR = 1.5
"""Of the time that it takes without a stall: longer, and it did not play."""
END_SECONDS = 0.1
HEAR = """(rate) => {
  const audio = document.querySelector("audio");
  if (!audio) return null;
  if (!audio.dataset.heard) {
    audio.dataset.heard = "yes";
    window.stalls = [];
    audio.addEventListener("waiting", () => window.stalls.push(audio.currentTime));
  }
  if (audio.playbackRate !== rate) audio.playbackRate = rate;
  return { at: audio.currentTime, length: audio.duration, ended: audio.ended, stalls: window.stalls,
    error: audio.error && audio.error.message };
}"""


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def sound(minutes: float) -> bytes:
    """A WAV file of the built-in pieces, over and over."""
    parts = [render(piece, sample_rate_hz=RATE_HZ) for piece in PIECES]
    once = np.concatenate(parts)
    length = round(minutes * 60 * RATE_HZ)
    return wav_bytes(np.resize(once, (length, once.shape[1])), sample_rate_hz=RATE_HZ)


async def publish(session: aiohttp.ClientSession, minutes: float) -> str:
    """Make an account, publish a track; return its id."""
    body = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
    async with session.post("/api/v1/auth/register", json=body) as answer:
        who = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
    form = aiohttp.FormData()
    form.add_field("title", "Long")
    form.add_field("file", await asyncio.to_thread(sound, minutes), filename="long.wav")
    async with session.post("/api/v1/tracks", data=form, headers=who) as answer:
        track = (await answer.json())["track"]
    while track["state"] != "published":
        if track["state"] == "failed":
            raise RuntimeError(f"the track failed: {track['error']}")
        await asyncio.sleep(0.5)
        async with session.get(f"/api/v1/tracks/{track['id']}", headers=who) as answer:
            track = await answer.json()
    return str(track["id"])


async def listen(page: Page, url: str, rate: float, seconds: float) -> dict[str, Any]:
    """Play a track's page to its end, or until it is late; return how the sound stands."""
    await page.goto(url.partition("/tracks/")[0] + "/sign-in")
    await page.locator("input[name=login]").fill("ada")
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", name="Tracks", exact=True).wait_for()
    await page.goto(url)
    await page.get_by_role("button", name="Play").first.click()
    deadline = time.monotonic() + seconds / rate * LATE_FACTOR + 30
    heard: dict[str, Any] = {}
    while time.monotonic() < deadline:
        heard = await page.evaluate(HEAR, rate) or heard
        if heard.get("ended") or heard.get("error"):
            break
        await asyncio.sleep(LOOK_SECONDS)
    return heard


async def run(minutes: float, rate: float, data: Path) -> bool:
    """Carry out one listening and tell of it; return whether it was whole."""
    browser_path = shutil.which("chromium")
    if browser_path is None:
        raise SystemExit("chromium is needed")
    node, troubles = Node(data, {**os.environ, **SETTINGS}), []
    await node.start()
    try:
        async with aiohttp.ClientSession(node.url) as session:
            track_id = await publish(session, minutes)
        say(f"{minutes:g} minutes are published")
        async with async_playwright() as play:
            browser = await play.chromium.launch(
                executable_path=browser_path,
                args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
            )
            page = await browser.new_page()
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.on(
                "response",
                lambda told: (
                    troubles.append(f"{told.status} {told.url.partition('?')[0]}")
                    if told.status >= 400 and not told.url.endswith("/me")
                    else None
                ),
            )
            started = time.monotonic()
            address = f"{node.url}/tracks/{track_id}"
            heard = await listen(page, address, rate, minutes * 60)
            took = time.monotonic() - started
            await browser.close()
    finally:
        await node.stop()
    for trouble in [*troubles, *filter(None, [heard.get("error")])]:
        say(f"trouble: {trouble}")
    away = abs(heard.get("at", 0.0) - minutes * 60)
    is_whole = bool(heard.get("ended")) and away < END_SECONDS and not troubles
    stalls = [f"{at:.1f}" for at in heard.get("stalls", [])[1:]]  # the first is the beginning
    say(
        f"heard to {heard.get('at', 0.0):.3f} of {minutes * 60:g} s at {rate:g} times its speed in"
        f" {took:.0f} s; stalls at {', '.join(stalls) or 'no point'};"
        f" {'whole' if is_whole else 'NOT WHOLE'}"
    )
    return is_whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="veza-player-") as data:
        return 0 if asyncio.run(run(given.minutes, given.rate, Path(data))) else 1


if __name__ == "__main__":
    sys.exit(main())
