"""What comes out of the player's end is the file that went in, sample for sample, over plain HTTP.

The recordings are loops of Sonic Pi (Debian package `sonic-pi-samples`), taken from freesound.org and
in the public domain by CC0 1.0: loop_amen_full (gowers, sounds/202537), loop_garzul (Garzul,
sounds/213524), loop_tabla (lezaarth, sounds/242591) and guit_em9 (Sub-d, sounds/46992).
"""

import asyncio
import io
import shutil
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import av
import pytest
import soundfile

from veza.codecs.loudness import LoudnessMeter
from veza.config.paths import keys_file
from veza.config.secrets import load_keys
from veza.gateway.tokens import PlaybackUrls, SigningKeys

RATE_HZ = 44_100
LENGTH = 14 * RATE_HZ + 321
KINDS = ("wav", "flac", "ogg", "mp3", "m4a")
LOSSLESS = ("wav", "flac")
RECORDINGS = ("loop_amen_full", "loop_garzul", "loop_tabla", "guit_em9")
SAMPLES = Path("/usr/share/sonic-pi/samples")


def decoded_length(data: bytes) -> int:
    """Samples in the presentation of an fMP4 stream, by bare libav."""
    total, first, last = 0, None, None
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(container.streams.audio[0]):
            first = frame if first is None else first
            total, last = total + frame.samples, frame
    # What lies before zero is the encoder's priming; the last frame's duration ends at the sound.
    return total + first.pts - last.samples + last.duration


async def assert_exact(stream, length: int, rate_hz: int) -> None:
    """Every rendition has so many samples, and its playlist says so."""
    assert stream.master.is_variant
    assert stream.master.is_independent_segments
    assert set(stream.renditions) <= {"aac-64", "aac-128", "aac-256", "flac"}
    for rendition in stream.renditions.values():
        playlist = rendition.playlist
        assert playlist.is_endlist
        assert playlist.playlist_type == "vod"
        seconds = sum(segment.duration for segment in playlist.segments)
        assert seconds == pytest.approx(length / rate_hz, abs=1.1e-6)
        assert max(round(s.duration) for s in playlist.segments) <= playlist.target_duration
        heard = decoded_length(b"".join(rendition.files))
        assert heard == length


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_file_is_heard_to_the_sample(kind, ada, sound_file):
    track_id = await ada.publish(sound_file(kind, LENGTH), f"song.{kind}")

    stream = await ada.stream(track_id)

    assert stream.playback["duration_ms"] == round(LENGTH / RATE_HZ * 1000)
    assert stream.playback["live"] is False
    lossless = {"flac"} & set(stream.renditions)
    assert len(stream.renditions) == 3 + len(lossless)
    assert bool(lossless) == (kind in LOSSLESS)
    await assert_exact(stream, LENGTH, RATE_HZ)


@pytest.mark.parametrize("name", RECORDINGS)
async def test_each_recording_is_heard_to_the_sample(name, ada, missing):
    path = SAMPLES / f"{name}.flac"
    if not path.exists():
        missing(f"{path} of the Debian package sonic-pi-samples")
    info = soundfile.info(path)

    track_id = await ada.publish(path.read_bytes(), path.name)

    await assert_exact(await ada.stream(track_id), info.frames, info.samplerate)
    meter = LoudnessMeter(info.samplerate, (1.0,) * info.channels)
    meter.add(soundfile.read(path, dtype="float32", always_2d=True)[0])
    measured = asdict(meter.finish())
    track = await ada.get(f"/tracks/{track_id}")
    assert track["analysis"]["loudness"] == pytest.approx(measured, abs=0.011)


async def test_ffmpeg_hears_the_same_without_complaint(ada, sound_file, missing, tmp_path):
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        missing("ffmpeg and ffprobe")
    track_id = await ada.publish(sound_file("mp3", LENGTH), "song.mp3")

    for name, files in (await ada.stream(track_id)).files.items():
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(b"".join(files))
        decoded = run("ffmpeg", "-v", "warning", "-xerror", "-i", path, "-f", "null", "-")
        shown = "stream=codec_name,profile,sample_rate,channels,start_pts,duration_ts"
        probed = run("ffprobe", "-v", "error", "-show_entries", shown, "-of", "csv=p=0", path)
        *kind, first, samples = probed.stdout.strip().split(",")
        assert decoded.stderr == ""
        assert kind == ["aac", "LC", "44100", "2"]
        assert int(first) + int(samples) == LENGTH  # priming lies before the beginning


def run(*command):
    parts = [str(part) for part in command]
    return subprocess.run(parts, capture_output=True, text=True, check=True, timeout=60)


@pytest.fixture
async def published(ada, sound_file):
    return await ada.publish(sound_file("flac", 8 * RATE_HZ), "song.flac")


async def test_a_player_of_dash_hears_what_one_of_hls_hears(ada, published, missing):
    if shutil.which("ffmpeg") is None:
        missing("ffmpeg")
    playback = await ada.get(f"/tracks/{published}/playback")

    async def heard(url):
        """The samples of all segments; ffmpeg leaves the encoder's priming in, whichever list it reads."""
        command = ("-v", "error", "-xerror", "-i", ada.url + url, "-map", "0:a:0")
        played = await asyncio.to_thread(
            subprocess.run,
            ("ffmpeg", *command, "-f", "s16le", "-"),
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert played.stderr == b""
        return played.stdout

    by_dash, by_hls = [await heard(playback[name]) for name in ("dash_url", "hls_url")]
    is_same = by_dash == by_hls
    assert is_same
    assert len(by_dash) // 4 >= 8 * RATE_HZ


# Each writes what it plays as 16 bit stereo without a header, as fast as it can.
PLAYERS = {
    "gst-launch-1.0": (
        *("-q", "playbin", "flags=audio", "uri={url}"),
        "audio-sink=audioconvert ! audio/x-raw,format=S16LE,channels=2 ! filesink sync=false location={out}",
    ),
    "mpv": (
        *("--no-config", "--really-quiet", "--no-video", "--ao=pcm", "--ao-pcm-file={out}"),
        *("--ao-pcm-waveheader=no", "--audio-format=s16", "--audio-channels=stereo", "{url}"),
    ),
}
FRAME_SAMPLES = 1024


@pytest.mark.parametrize("player", PLAYERS)
async def test_a_player_that_is_installed_plays_to_the_exact_end(ada, published, player, tmp_path):
    if shutil.which(player) is None:
        pytest.skip(f"{player} is not installed")
    playback = await ada.get(f"/tracks/{published}/playback")
    out = tmp_path / "played"
    words = [word.format(url=ada.url + playback["hls_url"], out=out) for word in PLAYERS[player]]

    await asyncio.to_thread(run, player, *words)

    # Neither reads the edit list: the encoder's first frame and the rest of its last one are heard as well.
    frames = -(-(8 * RATE_HZ + FRAME_SAMPLES) // FRAME_SAMPLES)
    assert out.stat().st_size == 4 * frames * FRAME_SAMPLES


async def test_segments_are_kept_for_ever_and_playlists_for_a_while(ada, published):
    stream = await ada.stream(published)
    segment = stream.renditions["aac-128"].addresses[1]

    for url, kind, cache in (
        (stream.master_url, "application/vnd.apple.mpegurl", "private, max-age=300"),
        (segment, "audio/mp4", "private, max-age=31536000, immutable"),
    ):
        async with ada.session.get(url) as first:
            assert first.headers["Content-Type"] == kind
            assert first.headers["Cache-Control"] == cache
            etag = first.headers["ETag"]
        async with ada.session.get(url, headers={"If-None-Match": etag}) as known:
            assert (known.status, await known.read()) == (304, b"")
            assert known.headers["ETag"] == etag


@pytest.mark.parametrize(
    ("field", "first", "last"),
    [("bytes=0-99", 0, 99), ("bytes=100-", 100, -1), ("bytes=-50", -50, -1), ("bytes=7-7", 7, 7)],
)
async def test_a_part_of_a_segment_is_served(field, first, last, ada, published):
    rendition = (await ada.stream(published)).renditions["aac-64"]
    url, whole = rendition.addresses[1], rendition.files[1]

    async with ada.session.get(url, headers={"Range": field}) as answer:
        part, told = await answer.read(), answer.headers["Content-Range"]
        status = answer.status

    size = len(whole)
    first, last = first % size, last % size
    assert status == 206
    is_right = part == whole[first : last + 1]
    assert is_right
    assert told == f"bytes {first}-{last}/{size}"


async def test_a_part_beyond_the_end_or_of_another_version_is_not_served(ada, published):
    rendition = (await ada.stream(published)).renditions["aac-64"]
    url, whole = rendition.addresses[1], rendition.files[1]

    async with ada.session.get(url, headers={"Range": f"bytes={len(whole)}-"}) as beyond:
        assert beyond.status == 416
        assert beyond.headers["Content-Range"] == f"bytes */{len(whole)}"
    other = {"Range": "bytes=0-9", "If-Range": '"another"'}
    async with ada.session.get(url, headers=other) as changed:
        is_whole = await changed.read() == whole
        assert (changed.status, is_whole) == (200, True)


async def test_only_a_valid_signature_of_this_track_opens_it(ada, published, server):
    stream = await ada.stream(published)
    segment = stream.renditions["aac-64"].addresses[1]
    place, _, query = segment.partition("?")
    keys = load_keys(keys_file(server.data))
    urls = PlaybackUrls(SigningKeys(keys.current, keys.by_id))
    prefix = f"/api/v1/media/{published}/"
    now = int(time.time())
    refused = {
        f"{place}?{query[:-1]}{'A' if query[-1] != 'A' else 'B'}": "playback_url_invalid",
        f"{place}?{query.replace('exp=', 'exp=1')}": "playback_url_invalid",
        place: "playback_url_invalid",
        segment.replace(published, str(uuid4())): "playback_url_invalid",
        f"{place}?{urls.sign(prefix, now - 1)}": "playback_url_expired",
    }

    for url, code in refused.items():
        async with ada.session.get(url) as answer:
            assert (answer.status, (await answer.json())["code"]) == (403, code), url
    opened = await ada.bytes(f"{place}?{urls.sign(prefix, now + 60)}")
    is_right = opened == stream.files["aac-64"][1]
    assert is_right
