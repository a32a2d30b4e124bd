"""The tree of a message: the table of cases that the page passes too, and laws that hold for any text."""

import json
from itertools import pairwise
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veza.actors.chat.markup import (
    MAX_DEPTH,
    Code,
    CodeBlock,
    Mention,
    Style,
    Styled,
    Text,
    TrackLink,
    parse,
    plain_text,
)
from veza.actors.chat.track_links import MAX_CARDS

CASES = json.loads((Path(__file__).parent / "markup_cases.json").read_text())
HOST = "veza.example:8080"
TRACK = "/tracks/0190a0a0-0000-7000-8000-000000000001"
PARTS = [
    *("*", "**", "***", "~~", "||", "`", "``", "```", "````", "\n", "> ", ">", " ", "\\", ".", "("),
    *("a", "b1", "é", "@ada", "@", "https://x.y/", TRACK, "?t=5", "py\n", "_", "🎧", "日"),
]
texts = st.lists(st.sampled_from(PARTS), max_size=30).map("".join) | st.text(max_size=60)


def shape(node):
    match node:
        case Text(text):
            return text
        case Code(text):
            return ["code", text]
        case CodeBlock(text, language):
            return ["block", language, text]
        case Mention(name):
            return ["mention", name]
        case TrackLink(card, text):
            return ["track", str(card.track_id), card.at_ms, text]
        case Styled(style, children):
            return [style.value, *map(shape, children)]


def depth(nodes) -> int:
    return 1 + max((depth(n.children) for n in nodes if isinstance(n, Styled)), default=0)


def walk(nodes, around=()):
    for node in nodes:
        yield node, around
        if isinstance(node, Styled):
            yield from walk(node.children, (*around, node.style))


@pytest.mark.parametrize("case", CASES, ids=[case["rule"] for case in CASES])
def test_the_table_of_cases(case) -> None:
    assert [shape(node) for node in parse(case["text"], HOST)] == case["tree"]


@settings(deadline=None)  # the machine may be busy
@given(texts)
def test_any_text_has_a_tree_of_bounded_depth_without_empty_parts(text) -> None:
    tree = parse(text, HOST)

    assert depth(tree) <= MAX_DEPTH
    for node, around in walk(tree):
        if isinstance(node, Styled):
            assert node.children
            assert node.style not in around
            assert node.style is not Style.QUOTE or not around
        elif not isinstance(node, Mention):
            assert node.text


@settings(deadline=None)  # the machine may be busy
@given(texts)
def test_two_texts_never_stand_side_by_side(text) -> None:
    def check(nodes) -> None:
        kinds = [type(node) for node in nodes]
        assert (Text, Text) not in pairwise(kinds)
        for node in nodes:
            if isinstance(node, Styled):
                check(node.children)

    check(parse(text, HOST))


@settings(deadline=None)  # the machine may be busy
@given(texts)
def test_plain_text_keeps_every_letter(text) -> None:
    def letters(words: str) -> list[str]:
        return [char for char in words if char.isalnum()]

    # Of a block, the name of its language is left out.
    assert letters(plain_text(text)) == letters(text) or "```" in text


@settings(deadline=None)  # the machine may be busy
@given(st.text(alphabet="abc é日 ,.!?-\n", max_size=60))
def test_text_without_signs_is_itself(text) -> None:
    assert plain_text(text) == text
    assert parse(text) == ((Text(text),) if text else ())


@settings(deadline=None)  # the machine may be busy
@given(texts)
def test_at_most_so_many_different_cards(text) -> None:
    cards = {node.card for node, _ in walk(parse(text * 3)) if isinstance(node, TrackLink)}

    assert len(cards) <= MAX_CARDS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("**a** ~~b~~ `c`", "a b c"),
        ("look:\n```py\nx = 1\n```\nnice", "look:\nx = 1\nnice"),
        ("look: ```x``` nice", "look: \nx\n nice"),
        ("> he said\nshe said", "he said\nshe said"),
        ("@ada hear " + TRACK + "?t=5", "@ada hear " + TRACK + "?t=5"),
        ("\\*a\\*", "*a*"),
        ("the killer is ||the **butler**||", "the killer is the butler"),
    ],
)
def test_plain_text_is_what_one_reads(text, words) -> None:
    assert plain_text(text) == words


def test_notifications_do_not_tell_what_a_spoiler_hides() -> None:
    text = "the killer is ||the **butler**||, > no ||@ada||"

    assert plain_text(text, hides_spoilers=True) == "the killer is [spoiler], > no [spoiler]"


UNITS = [
    *("*a ", "**a ", "***a ", "* ", "~~a ", "||a", "*a **b ~~c ||d ", "\\*", "\\"),
    *("`", "` ", "`a``b", "```", "```a\n", "> ", "> a\nb\n", "\n> ", "@", "@ab ", "@a.-"),
    *("https://", "https://.", "http://a*", TRACK + " ", "/tracks/", "a.", "\n", "((("),
]


def parse_seconds(text: str) -> float:
    began = process_time()
    plain_text(text)
    return process_time() - began


@pytest.mark.parametrize("unit", UNITS)
def test_time_grows_with_the_length_only(unit) -> None:
    short, long = ((unit * size)[:size] for size in (4_000, 32_000))
    least = min(parse_seconds(short) for _ in range(3))

    # Eight times the length; what is quadratic would take 64 times as long.
    assert min(parse_seconds(long) for _ in range(3)) < 24 * least + 0.01


def test_runs_of_backticks_of_every_length_are_looked_at_once() -> None:
    runs = " ".join("`" * length for length in range(1, 250))

    assert parse_seconds(runs) < 0.1
    assert parse_seconds("> " + runs) < 0.1
