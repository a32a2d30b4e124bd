"""What a text means to the server: its safe form, mentions, links, and tracks."""

import unicodedata
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veza.actors.chat.markup import Mention, Styled, TrackLink, parse
from veza.actors.chat.text import MAX_DIACRITICS, normalised, read_text
from veza.actors.chat.track_links import MAX_CARDS, TrackCard

HOST = "veza.example"
ID = "0190a0a0-0000-7000-8000-000000000001"
TRACK = UUID(ID)
ODD = "\x00\t\n\r\x85\xad\u034f\u200b\u200d\u202e\u2028\u2066\ufe0f\ufeff\u0301\u0338\u0489\u0958"
ODD += "\ud800\U0001f3f4\U000e0067\U000e007f\U000e0101"
BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"
odd_texts = st.text(alphabet=st.sampled_from(ODD + "ae\u00e9 \u1100\u1161\u05d0"), max_size=40)


class TestSafeForm:
    @settings(deadline=None)  # the machine may be busy
    @given(odd_texts | st.text(max_size=40))
    def test_doing_it_again_changes_nothing(self, text) -> None:
        once = normalised(text)

        assert normalised(once) == once
        assert unicodedata.is_normalized("NFC", once)
        once.encode()

    @settings(deadline=None)  # the machine may be busy
    @given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), max_size=40))
    def test_what_can_be_seen_stays(self, text) -> None:
        kept = "".join(char for char in text if char not in BLANK_LETTERS)

        assert normalised(kept) == unicodedata.normalize("NFC", kept)

    @pytest.mark.parametrize(
        ("text", "safe"),
        [
            ("cafe\u0301", "caf\u00e9"),
            ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
            ("\n\na\n\n\n\n\n\nb \n", "a\n\n\nb"),
            ("a\tb\x07\x1b[31mc\x85", "a\tb[31mc"),
            ("\u202egpj.exe\u202c", "gpj.exe"),
            ("\u2066a\u2069", "a"),
            ("a\u200b\u200b\u200b\u200bb", "a\u200b\u200bb"),
            ("\u200f\u05d0!", "\u200f\u05d0!"),
            ("👩\u200d👩\u200d👧 ❤\ufe0f\u200d🔥", "👩\u200d👩\u200d👧 ❤\ufe0f\u200d🔥"),
            ("\u0645\u200c\u062e", "\u0645\u200c\u062e"),
            ("\ufeffa\ud800b\ufff9", "ab"),
            (
                "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
                "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
            ),
            ("hi\U000e0068\U000e0069\U000e007f", "hi"),
            ("x" + "\u0338" * 50 + "y", "x" + "\u0338" * MAX_DIACRITICS + "y"),
            ("x" + "\u0338\u200d" * 50 + "y", "x" + "\u0338\u200d" * MAX_DIACRITICS + "y"),
        ],
    )
    def test_what_hides_turns_or_piles_up_is_taken_out(self, text, safe) -> None:
        assert normalised(text) == safe

    @pytest.mark.parametrize(
        "text", ["", " \n\t", "\u200b", "\u3164 \u2800", "\ufe0f", "\x00", "\u00a0"]
    )
    def test_what_shows_nothing_is_empty(self, text) -> None:
        assert read_text(text).is_empty

    @pytest.mark.parametrize("text", ["a", ".", "👍", "\u200b!", "日", "> "])
    def test_what_shows_anything_is_not_empty(self, text) -> None:
        assert not read_text(text).is_empty


class TestMentions:
    def test_names_are_told_once_and_in_lower_case(self) -> None:
        content = read_text("@Ada and @ada, @Bob.B!")

        assert content.mentions == {"ada", "bob.b"}
        assert content.mention_count == 2
        assert not content.mentions_room

    def test_the_room_is_no_name(self) -> None:
        content = read_text("@Room listen, @ada")

        assert content.mentions_room
        assert content.mentions == {"ada"}
        assert content.mention_count == 2

    @pytest.mark.parametrize(
        "text",
        ["ada@example.org", "`@ada`", "```\n@ada\n```", "\\@ada", "https://x.y/@ada", "@ada@x.org"],
    )
    def test_not_every_at_sign_mentions(self, text) -> None:
        assert read_text(text).mentions == frozenset()

    @settings(deadline=None)  # the machine may be busy
    @given(
        st.lists(
            st.sampled_from(
                ["@ada", "@bob", "@room", "`", "``", "```", "\n", "> ", " ", "**", "x"]
            ),
            max_size=25,
        )
    )
    def test_it_mentions_whom_the_page_marks(self, parts) -> None:
        def marked(nodes):
            for node in nodes:
                if isinstance(node, Mention):
                    yield node.name
                elif isinstance(node, Styled):
                    yield from marked(node.children)

        content = read_text("".join(parts))
        shown = set(marked(parse(content.text)))

        assert content.mentions == shown - {"room"}
        assert content.mentions_room == ("room" in shown)


class TestLinks:
    def test_links_are_told_as_written_and_in_order(self) -> None:
        content = read_text("see https://b.example/x?y=1, **HTTP://a.example** `http://c.example`")

        assert content.links == ("https://b.example/x?y=1", "HTTP://a.example", "http://c.example")
        assert content.has_link

    @pytest.mark.parametrize(
        "text",
        [
            "discord.gg/abc",
            "go to example.com!",
            "EXAMPLE.CO.UK",
            "t.me/x",
            "x.unheard/of",
            "`a.com`",
        ],
    )
    def test_a_bare_domain_is_a_link_too(self, text) -> None:
        assert read_text(text).has_link
        assert read_text(text).links == ()

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "kick.wav",
                "e.g. this",
                "v1.2/3",
                "end.So",
                "a@example.com",
                "3.5 dB",
                "…",
                "node.js",
            ),
            f"/tracks/{ID}",
            f"https://{HOST}/tracks/{ID}?t=3",
        ],
    )
    def test_what_leads_nowhere_else_is_no_link(self, text) -> None:
        assert not read_text(text, HOST).has_link


class TestTracks:
    @pytest.mark.parametrize(
        ("link", "at_ms"),
        [
            (f"/tracks/{ID}", 0),
            (f"/tracks/{ID}?t=83", 83_000),
            (f"/tracks/{ID}#t=1:23", 83_000),
            (f"/tracks/{ID}?t=1:02:03.25", 3_723_250),
            (f"/tracks/{ID}?t=1h2m", 3_720_000),
            (f"/tracks/{ID}?x=1&t=9.5s", 9_500),
            (f"/tracks/{ID}?t=1e9", 0),
            (f"/tracks/{ID}?t=86400", 0),
            (f"https://{HOST}/tracks/{ID.upper()}?t=2", 2_000),
            (f"http://{HOST.upper()}:80/tracks/{ID}?t=2", 2_000),
        ],
    )
    def test_a_link_to_a_track_is_a_card(self, link, at_ms) -> None:
        assert read_text(f"hear {link}.", HOST).tracks == (TrackCard(track_id=TRACK, at_ms=at_ms),)

    @pytest.mark.parametrize(
        "link",
        [
            f"https://other.example/tracks/{ID}",
            f"https://{HOST}@other.example/tracks/{ID}",
            f"https://other.example#{HOST}/tracks/{ID}",
            f"https://{HOST}:81/tracks/{ID}",
            f"https://{HOST}/tracks/{ID}/waveform",
            f"/tracks/{ID}0",
            "/tracks/1",
            f"`/tracks/{ID}`",
        ],
    )
    def test_no_other_link_is(self, link) -> None:
        assert read_text(link, HOST).tracks == ()

    def test_without_a_host_of_its_own_no_address_with_a_host_is_trusted(self) -> None:
        assert read_text(f"https:///tracks/{ID} https://x/tracks/{ID}").tracks == ()

    @settings(deadline=None)  # the machine may be busy
    @given(st.lists(st.integers(0, 9), max_size=30))
    def test_the_cards_are_those_that_the_page_shows(self, seconds) -> None:
        text = " ".join(f"/tracks/{ID}?t={at}" for at in seconds)
        shown = [node.card for node in parse(text) if isinstance(node, TrackLink)]

        assert read_text(text).tracks == tuple(dict.fromkeys(shown))
        assert len(read_text(text).tracks) == min(MAX_CARDS, len(set(seconds)))
