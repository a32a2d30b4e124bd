"""`veza import` at a real server: everything once, on from where it was cut off, nothing in silence."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "correct horse battery"
VEZA = (sys.executable, "-m", "veza.gateway.cli")
ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60


@dataclass
class Importer:
    """The command, at somebody's own machine."""

    home: Path
    music: Path

    def arguments(self, client, *options) -> dict[str, Any]:
        person = client.person
        command = [*VEZA, "import", self.music, "--url", person.url, "--login", person.name]
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / ".links"),
            "XDG_STATE_HOME": str(self.home),
        }
        return {"args": [*map(str, command), "--json", *options], "env": env, "text": True}

    def __call__(self, client, *options, password=PASSWORD):
        """Run it; return how it ended, and what became of each file."""
        done = subprocess.run(
            **self.arguments(client, *options),
            input=f"{password}\n",
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.errors = done.stderr
        return done.returncode, {
            os.path.relpath(line["path"], self.music): (line["outcome"], line.get("reason"))
            for line in lines
        }

    def watch(self, client):
        arguments = self.arguments(client, "--watch", "--every", "0.1")
        return subprocess.Popen(**arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def remembered(self) -> dict[str, str]:
        return json.loads((self.home / "veza" / "imports.json").read_bytes())


@pytest.fixture
def importer(tmp_path):
    music = tmp_path / "music"
    music.mkdir()
    return Importer(tmp_path / "state", music)


def padded(wav: bytes, size_bytes: int) -> bytes:
    """A long file with a short sound: a chunk before it that means nothing."""
    at = wav.index(b"data")
    junk = b"JUNK" + size_bytes.to_bytes(4, "little") + bytes(size_bytes)
    length = len(wav) + len(junk) - 8
    return wav[:4] + length.to_bytes(4, "little") + wav[8:at] + junk + wav[at:]


async def test_a_folder_is_imported_once(node, client, sources, importer, sound_file):
    sound = sound_file("flac", 44_100)
    (importer.music / "Album").mkdir()
    (importer.music / "Album" / "One.flac").write_bytes(sound)
    (importer.music / "Album" / "the same.bin").write_bytes(sound)
    (importer.music / "notes.txt").write_text("no music\n" * 100)
    (importer.music / "broken.flac").write_bytes(sound[:100])
    (importer.music / "out").symlink_to(importer.home.parent)
    passed = {
        "broken.flac": ("failed", "nothing in it decodes"),
        "notes.txt": ("skipped", "no known audio format"),
        "out": ("skipped", "a link"),
    }
    names = ["Album/One.flac", "Album/the same.bin"]

    would = dict.fromkeys(names, ("would upload", None))
    run = asyncio.to_thread
    assert await run(importer, client, "--dry-run") == (1, {**passed, **would})
    assert await client.tracks() == []

    code, told = await run(importer, client)
    assert (code, told) == (1, {**passed, names[0]: ("uploaded", None), names[1]: ("known", None)})
    (track_id,) = await client.tracks()
    assert sources(node)[track_id] == sound

    (importer.music / "broken.flac").unlink()
    known = dict.fromkeys(names, ("known", None))
    passed.pop("broken.flac")
    assert await run(importer, client) == (0, {**passed, **known})


async def test_an_import_goes_on_with_what_was_cut_off(
    node, client, importer, sound_file, little_room
):
    sound = padded(sound_file("wav", 44_100), 10_000_000)
    (importer.music / "Long.wav").write_bytes(sound)
    with little_room(node, 8_000_000):
        code, told = await asyncio.to_thread(importer, client)
    assert (code, told) == (1, {"Long.wav": ("failed", "The server's disk is full.")})
    (client.location,) = importer.remembered().values()
    assert 0 < await client.offset() < len(sound)

    assert await asyncio.to_thread(importer, client) == (0, {"Long.wav": ("uploaded", None)})

    assert (await client.told())["state"] == "published"
    assert importer.remembered() == {}


async def test_who_is_not_let_in_imports_nothing(client, importer):
    assert await asyncio.to_thread(importer, client, password="wrong") == (1, {})
    assert "The name or the password is wrong." in importer.errors


async def test_a_watched_folder_is_followed_over_a_restart_of_the_server(
    doomed, client_at, importer, sound_file
):
    client = await client_at(doomed)
    (importer.music / "first.flac").write_bytes(sound_file("flac", 1000))
    watching = importer.watch(client)

    async def next_line():
        async with asyncio.timeout(PATIENCE_SECONDS):
            told = json.loads(await asyncio.to_thread(watching.stdout.readline))
        return Path(told["path"]).name, told["outcome"]

    try:
        watching.stdin.write(f"{PASSWORD}\n")
        watching.stdin.flush()
        assert await next_line() == ("first.flac", "uploaded")

        doomed.kill()
        (importer.music / "second.flac").write_bytes(sound_file("flac", 2000))
        doomed.start(port=int(client.person.url.rpartition(":")[2]))

        assert await next_line() == ("second.flac", "uploaded")
        watching.terminate()
        assert await asyncio.to_thread(watching.wait, PATIENCE_SECONDS) == 0
    finally:
        watching.kill()
        watching.communicate()
