"""A file is music if sound comes out of it; one that breaks the decoder costs itself alone."""

import asyncio
import hashlib
import os
import signal
from multiprocessing import active_children

import numpy as np
import pytest
import soundfile

from veza.gateway.cli.import_examine import Examiner, examine
from veza.gateway.cli.import_run import in_album, settled
from veza.gateway.cli.import_walk import Found, Passed, walk


def sound(path, **tags):
    with soundfile.SoundFile(path, "w", 44_100, 2, format="FLAC") as file:
        for name, value in tags.items():
            setattr(file, name, value)
        file.write(np.random.default_rng(0).normal(0, 0.1, (44_100, 2)))
    return path


def found(path) -> Found:
    (one,) = walk(path)
    assert isinstance(one, Found)
    return one


def test_tags_and_hash_are_told_whatever_the_name_is(tmp_path):
    path = sound(tmp_path / "x.txt", title="Under\tpressure", album="Hot", tracknumber="3")

    music = examine(found(path))

    assert music.sound.title == "Under pressure"
    assert (music.sound.album, music.sound.number) == ("Hot", 3)
    assert music.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_without_a_title_has_its_name_cleaned(tmp_path):
    path = sound(tmp_path / ("odd\x1b\nname" + "e" * 220 + ".flac"))
    title = examine(found(path)).sound.title
    assert title.startswith("odd name")
    assert len(title) == 200


@pytest.mark.parametrize(
    ("data", "is_fault"), [(b"words\n" * 100, False), (b"fLaC" + bytes(500), True)]
)
def test_what_is_no_music_is_no_fault_but_what_is_damaged_is(tmp_path, data, is_fault):
    (tmp_path / "song.flac").write_bytes(data)
    passed = examine(found(tmp_path / "song.flac"))
    assert isinstance(passed, Passed)
    assert passed.is_fault is is_fault


def test_a_file_that_grew_since_is_left_for_later(tmp_path):
    before = found(sound(tmp_path / "song.flac"))
    with before.path.open("ab") as file:
        file.write(bytes(10))
    assert examine(before).reason == "it is being written"


def test_the_alarm_that_ends_a_hanging_decoder_is_put_away(tmp_path):
    examine(found(sound(tmp_path / "song.flac")))
    assert signal.alarm(0) == 0


async def test_a_decoder_that_dies_costs_one_file(tmp_path):
    one = found(sound(tmp_path / "song.flac"))
    async with Examiner() as examiner:
        assert (await examiner.examine(one)).sound.title == "song"
        (worker,) = active_children()
        os.kill(worker.pid, signal.SIGKILL)
        await asyncio.to_thread(worker.join)
        passed = await examiner.examine(one)
        assert (passed.reason, passed.is_fault) == ("it crashes the decoder", True)
        assert (await examiner.examine(one)).sound.title == "song"


def test_an_album_keeps_its_order(tmp_path):
    numbers = {"z": "1", "a": "10", "b": "2"}
    made = [*((name, {"tracknumber": number}) for name, number in numbers.items()), ("c", {})]
    music = [examine(found(sound(tmp_path / name, album="Hot", **number))) for name, number in made]
    assert [each.sound.title for each in sorted(music, key=in_album)] == ["z", "b", "a", "c"]


async def test_a_watched_file_comes_once_it_is_at_rest_and_again_when_it_changed(tmp_path):
    looks = settled([tmp_path], 0.0)

    async def look():
        return [each.path.name for each in await anext(looks)]

    assert await look() == []
    (tmp_path / "song").write_bytes(b"x")
    assert await look() == []
    (tmp_path / "song").write_bytes(b"xy")
    assert await look() == []
    assert await look() == ["song"]
    assert await look() == []
    (tmp_path / "song").write_bytes(b"xyz")
    assert await look() == []
    assert await look() == ["song"]
    await looks.aclose()
