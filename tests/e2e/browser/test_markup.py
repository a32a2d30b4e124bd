"""The page draws a message's text by the same grammar as the server reads it."""

import json
import random
from pathlib import Path

import pytest
from playwright.async_api import expect

from veza.actors.chat.markup import Code, CodeBlock, Mention, Styled, Text, TrackLink, parse

pytestmark = pytest.mark.browser

HOST = "veza.example:8080"
TABLE = Path(__file__).parents[2] / "actors" / "chat" / "markup_cases.json"
TRACK = "/tracks/0190a0a0-0000-7000-8000-000000000001"
PARTS = [
    *("*", "**", "***", "~~", "||", "`", "``", "```", "````", "\n", "> ", ">", " ", "\\", ".", "("),
    *(
        "a",
        "b1",
        "é",
        "@ada",
        "@",
        "https://x.y/",
        TRACK,
        "?t=5",
        "py\n",
        "_",
        "🎧",
        "日",
        ")",
        "-",
    ),
]
RANDOM_TEXTS = 5_000
SEED = 20_261_123

TREES = """async ([texts, host]) => {
  const main = document.querySelector("script[type=module]").src;
  const { parse } = await import(new URL("markup.js", main));
  const shape = (node) => {
    if ("children" in node) return [node.kind, ...node.children.map(shape)];
    if (node.kind === "text") return node.text;
    if (node.kind === "block") return [node.kind, node.language, node.text];
    if (node.kind === "track") return [node.kind, node.trackId, node.atMs, node.text];
    return [node.kind, node.name ?? node.text];
  };
  return texts.map((text) => parse(text, host).map(shape));
}"""
SECONDS = """async (texts) => {
  const main = document.querySelector("script[type=module]").src;
  const { parse } = await import(new URL("markup.js", main));
  return texts.map((text) => {
    const times = [1, 2, 3].map(() => {
      const began = performance.now();
      parse(text, "");
      return performance.now() - began;
    });
    return Math.min(...times) / 1000;
  });
}"""


def shape(node):
    """The server's tree as the page's is told."""
    match node:
        case Styled(style, children):
            return [style.value, *map(shape, children)]
        case Text(text):
            return text
        case CodeBlock(text, language):
            return ["block", language, text]
        case TrackLink(card, text):
            return ["track", str(card.track_id), card.at_ms, text]
        case Mention(name):
            return ["mention", name]
        case Code(text):
            return ["code", text]


async def test_the_page_passes_the_table_of_cases(visitor, server):
    page = (await (await visitor(server.url)).open("/sign-in")).page
    cases = json.loads(TABLE.read_text())

    trees = await page.evaluate(TREES, [[case["text"] for case in cases], HOST])

    for case, tree in zip(cases, trees, strict=True):
        assert tree == case["tree"], case["rule"]


async def test_the_page_and_the_server_read_the_same_in_any_text(visitor, server):
    page = (await (await visitor(server.url)).open("/sign-in")).page
    chance = random.Random(SEED)
    texts = [
        "".join(chance.choice(PARTS) for _ in range(chance.randint(1, 24)))
        for _ in range(RANDOM_TEXTS)
    ]

    trees = await page.evaluate(TREES, [texts, ""])

    for text, tree in zip(texts, trees, strict=True):
        assert tree == [shape(node) for node in parse(text)], text


async def test_no_text_keeps_the_page_busy(visitor, server):
    page = (await (await visitor(server.url)).open("/sign-in")).page
    units = ["*a ", "***a ", "||a", "`", "` ", "`a``b", "```a\n", "> a\nb\n", "@a.-", "https://."]

    seconds = await page.evaluate(SECONDS, [(unit * 32_000)[:32_000] for unit in units])

    # Measured: 3 to 20 ms. What is quadratic takes seconds.
    assert max(seconds) < 0.5, dict(zip(units, seconds, strict=True))


async def test_a_message_is_drawn_and_plays_a_track_at_its_time(
    visitor, server, person, sound_file
):
    ada = await (await visitor(server.url)).register()
    page = ada.page
    await page.get_by_role("link", name="Upload").first.click()
    await ada.drop({"Long.flac": sound_file("flac", 30 * 44_100)})
    await ada.button("Upload 1 track").click()
    await expect(page.get_by_text("Published", exact=True)).to_be_visible(timeout=40_000)
    api = await (await person(server, ada.name)).sign_in()
    track = (await api.get("/tracks"))["data"][0]["id"]
    bob = await (await person(server)).register()
    room = await bob.room("Text")
    await ada.open(f"/rooms/{room}")

    composer = page.get_by_role("textbox", name="Message")
    await composer.fill(
        f"**bold** `x*y*` @{ada.name} @somebody ||the **end**|| https://example.org/a "
        f"{server.url}/tracks/{track}?t=12 <img src=x>\n> said\n```py\nprint(1)\n```"
    )
    await composer.press("Enter")

    message = page.locator(".message-text")
    await expect(page.locator(".is-pending")).to_have_count(0)
    await expect(message.locator("strong")).to_have_text("bold")
    await expect(message.locator(".message-code")).to_have_text("x*y*")
    await expect(message.locator(".mention")).to_have_text([f"@{ada.name}", "@somebody"])
    await expect(message.locator(".mention.is-mine")).to_have_text(f"@{ada.name}")
    await expect(message.locator("blockquote")).to_have_text("said")
    await expect(message.locator("pre")).to_have_text("print(1)")
    await expect(message).to_contain_text("https://example.org/a")
    await expect(message).to_contain_text("<img src=x>")
    assert await message.locator("a").count() == 1
    assert await message.locator("img").count() == 0

    await ada.button("Show spoiler").click()
    await expect(message.locator(".spoiler strong")).to_have_text("end")
    await ada.button("Play Long at 0:12").click()
    await ada.hears_past(12.1)
    await message.get_by_role("link", name="Long").click()
    await page.wait_for_url(f"**/tracks/{track}?t=12")
