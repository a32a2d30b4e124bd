"""Demo data: synthesised, licence-free tracks, a few people and rooms with something said in them.

Everything is done by the commands that clients' requests become, so a demo is also a first test of
the node. Done again it changes nothing.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import uuid5

from veza.actors.messages.accounts import ACCOUNTS, Author, RegisterAccount, SignedIn
from veza.actors.messages.rooms import ActInRoom, JoinRoom, PostMessage, RoomKind, RoomSettings
from veza.actors.messages.rooms_service import ROOMS, CreateRoom
from veza.actors.messages.tracks import CATALOGUE, MEDIA, PublishUpload, WriteChunk
from veza.codecs.synthesis import PIECES, Piece, render
from veza.codecs.wav import wav_bytes
from veza.config.ids import uuid7
from veza.supervisors.node import Node

PEOPLE: Final = ("demo", "ada", "tide")
SAMPLE_RATE_HZ: Final = 44_100
CHUNK_BYTES: Final = 1024 * 1024
TALKS: Final = {
    "Front porch": (
        ("ada", "Welcome! Put something on and say what you think."),
        ("tide", "Harbour Lights is up. The bass comes in at bar five."),
        ("demo", "That bass is lovely. Is the hat a bit loud?"),
        ("tide", "Half a dB. You have good ears."),
    ),
    "Mix feedback": (
        ("demo", "Which version of Copper Wire is the last one?"),
        ("ada", "The one in the list. I took 2 kHz out of the lead."),
    ),
}

logger = logging.getLogger(__name__)


async def fill(node: Node, data: Path) -> str:
    """Put the demo data in, unless it is there; return the password of all its people."""
    password = await asyncio.to_thread(demo_password, data / "secrets" / "demo-password")
    people = [await register(node, name, password) for name in PEOPLE]
    authors = {author.name: author for author in people if author is not None}
    if len(authors) == len(PEOPLE):
        for number, piece in enumerate(PIECES):
            await publish(node, people_of(authors)[number % len(PEOPLE)], piece)
        for name, lines in TALKS.items():
            await talk(node, authors, name, lines)
    return password


def people_of(authors: dict[str, Author]) -> Sequence[Author]:
    """Return the people in the order they were listed."""
    return [authors[name] for name in PEOPLE]


def demo_password(path: Path) -> str:
    """Return the demo's password, made at its first start: a known one would be everybody's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(9), "ascii")
    return path.read_text("ascii")


async def register(node: Node, name: str, password: str) -> Author | None:
    """Make one account; None if there is one of the name."""
    command = RegisterAccount(
        username=name, email=f"{name}@demo.invalid", password=password, user_agent="demo"
    )
    reply = await node.ask(ACCOUNTS, command)
    return Author(id=reply.user.id, name=name) if isinstance(reply, SignedIn) else None


async def publish(node: Node, owner: Author, piece: Piece) -> None:
    """Synthesise a piece, upload it and queue its encoding."""
    samples = await asyncio.to_thread(render, piece, sample_rate_hz=SAMPLE_RATE_HZ)
    data = await asyncio.to_thread(wav_bytes, samples, sample_rate_hz=SAMPLE_RATE_HZ)
    upload_id = uuid7()
    for offset in range(0, len(data), CHUNK_BYTES):
        chunk = WriteChunk(
            upload_id=upload_id, offset=offset, data=data[offset : offset + CHUNK_BYTES]
        )
        await node.ask(MEDIA, chunk)
    command = PublishUpload(
        track_id=uuid7(),
        upload_id=upload_id,
        owner=owner,
        title=piece.title,
        filename=f"{piece.title}.wav",
    )
    await node.ask(CATALOGUE, command)
    logger.info("demo track %s queued", piece.title)


async def talk(
    node: Node, authors: dict[str, Author], name: str, lines: Sequence[tuple[str, str]]
) -> None:
    """Make a room and say something in it."""
    room_id = uuid7()
    settings = RoomSettings(name=name, kind=RoomKind.PUBLIC)
    make = CreateRoom(room_id=room_id, creator=people_of(authors)[0], settings=settings)
    await node.ask(ROOMS, make)
    key = ("room", str(room_id))
    for author in authors.values():
        await node.ask(key, ActInRoom(by=author, act=JoinRoom()))
    for number, (author_name, text) in enumerate(lines):
        message_id = uuid5(room_id, str(number))
        post = PostMessage(message_id=message_id, text=text)
        await node.ask(key, ActInRoom(by=authors[author_name], act=post))
