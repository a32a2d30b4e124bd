"""A worker's life: what it sends, how it ends, and that nothing of it stays behind."""

import asyncio
import io
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import soundfile
import uvloop

from veza.actors.encoding.frames import (
    BrokenFrame,
    FailedFrame,
    FingerprintFrame,
    FinishedFrame,
    InitFrame,
    PeaksFrame,
    ProbedFrame,
    ProgressFrame,
    ReadyFrame,
    SegmentFrame,
)
from veza.actors.encoding.spawn import _environment
from veza.actors.encoding.worker import Channel
from veza.codecs.pipeline import InitReady, SegmentReady, encode
from veza.codecs.synthesis import PIECES, render

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def pipeline_events(data):
    return list(encode(io.BytesIO(data), ladder_kbps=(64, 128, 256), segment_seconds=2))


def output(events):
    return (
        [(e.rendition, e.data) for e in events if isinstance(e, InitReady)],
        [
            (e.rendition, e.number, e.first_sample, e.duration_samples, e.data)
            for e in events
            if isinstance(e, SegmentReady)
        ],
    )


def parts(frames):
    return (
        [(f.rendition, f.data) for f in frames if isinstance(f, InitFrame)],
        [
            (f.rendition, f.number, f.first_sample, f.duration_samples, f.data)
            for f in frames
            if isinstance(f, SegmentFrame)
        ],
    )


async def test_a_worker_sends_what_the_pipeline_makes_and_then_ends(run, song):
    events = pipeline_events(song)
    done = await run(song).end()
    assert parts(done.frames) == output(events)
    assert isinstance(done.frames[0], ReadyFrame)
    assert isinstance(done.frames[1], ProbedFrame)
    kinds = [type(frame) for frame in done.frames[-3:]]
    assert kinds == [PeaksFrame, FingerprintFrame, FinishedFrame]
    assert done.of(ProgressFrame)[-1].share == 1
    assert done.frames[-1].duration_samples == 9 * 44_100
    assert done.frames[-1].analysis == events[-1].analysis
    assert done.exits == [(0, None)]


def test_it_runs_on_uvloop_too(source_of, run, song):
    async def whole():
        return await run(song).end()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        done = runner.run(whole())
    assert isinstance(done.frames[-1], FinishedFrame)
    assert done.exits == [(0, None)]


@pytest.mark.parametrize("survived", [1, 3, 4, 8, 11])
async def test_a_killed_worker_is_resumed_to_the_same_bytes(survived, run, song):
    stored = []

    def store_some_then_kill(run, frame):
        if isinstance(frame, InitFrame):
            stored.append(frame)
        if isinstance(frame, SegmentFrame):
            stored.append(frame)
            if len([f for f in stored if isinstance(f, SegmentFrame)]) == survived:
                os.kill(run.process.pid, signal.SIGKILL)
                run.process.kill()

    killed = await run(song, on_frame=store_some_then_kill).end()
    assert killed.exits == [(-9, 9)]
    last = {frame.rendition: frame.number for frame in stored if isinstance(frame, SegmentFrame)}
    # The job keeps the inits of renditions that have segments; the others are sent again.
    kept = [f for f in stored if isinstance(f, SegmentFrame) or f.rendition in last]

    resumed = await run(song, stored=last).end()
    sent_twice = set(parts(kept)[1]) & set(parts(resumed.frames)[1])
    assert not sent_twice
    inits, segments = output(pipeline_events(song))
    assert sorted(parts(kept)[0] + parts(resumed.frames)[0]) == sorted(inits)
    assert sorted(parts(kept)[1] + parts(resumed.frames)[1]) == sorted(segments)


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
async def test_the_lossless_rung_is_the_same_behind_the_sandbox(subtype, run):
    file = io.BytesIO()
    soundfile.write(file, render(PIECES[0], seconds=3), 44_100, subtype, format="WAV")
    options = {"ladder_kbps": (64,), "lossless": True, "segment_seconds": 2}
    events = list(encode(io.BytesIO(file.getvalue()), **options))

    assert parts((await run(file.getvalue(), **options).end()).frames) == output(events)


async def test_a_job_with_everything_stored_only_finishes(run, song):
    stored = {"aac-64": 4, "aac-128": 4, "aac-256": 4}
    done = await run(song, stored=stored).end()
    assert parts(done.frames) == ([], [])
    assert isinstance(done.frames[-1], FinishedFrame)


@pytest.mark.parametrize("extension", ["flac", "ogg", "opus", "mp3", "pvf"])
async def test_decoders_work_behind_the_sandbox(extension, run):
    rate, (container, subtype) = (
        48_000,
        {
            "flac": ("FLAC", "PCM_24"),
            "ogg": ("OGG", "VORBIS"),
            "opus": ("OGG", "OPUS"),
            "mp3": ("MP3", "MPEG_LAYER_III"),
            "pvf": ("PVF", "PCM_16"),  # by libsndfile
        }[extension],
    )
    written = io.BytesIO()
    sound = np.random.default_rng(1).uniform(-0.2, 0.2, (3 * rate, 2))
    soundfile.write(written, sound, rate, format=container, subtype=subtype)
    done = await run(written.getvalue()).end()
    assert isinstance(done.frames[-1], FinishedFrame), done.frames[-1]
    assert not done.frames[0].sandbox_notes


@pytest.mark.parametrize(
    ("data", "fault"), [(b"", "empty"), (b"words " * 999, "not_audio"), (b"fLaC" * 9, "damaged")]
)
async def test_a_file_at_fault_is_told_and_no_crash(data, fault, run):
    done = await run(data).end()
    assert isinstance(done.frames[-1], FailedFrame)
    assert done.frames[-1].fault == fault
    assert done.exits == [(0, None)]


async def test_a_file_too_long_is_refused(run, song):
    done = await run(song, max_duration_seconds=5.0).end()
    assert done.of(FailedFrame)[0].fault == "too_long"


async def test_a_worker_that_burns_its_cpu_time_is_ended(run):
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros((30_000_000, 1)), 44_100, format="FLAC", subtype="PCM_16")
    done = await run(silence.getvalue(), max_cpu_seconds=1).end()
    assert done.exits[0][1] in {signal.SIGXCPU, signal.SIGKILL}


async def test_a_bug_in_the_worker_is_reported_with_its_traceback(run, song):
    done = await run(song, segment_seconds=0).end()
    assert isinstance(done.frames[-1], BrokenFrame)
    assert "Traceback" in done.frames[-1].traceback
    assert done.exits == [(os.EX_SOFTWARE, None)]


async def test_no_segment_is_sent_without_credit():
    ours, theirs = socket.socketpair()
    segment = SegmentFrame(
        rendition="aac-64", number=0, first_sample=0, duration_samples=1, data=b"x"
    )
    with ours, theirs:
        theirs.settimeout(0.05)
        channel = Channel(theirs)
        channel.grant(1)
        channel.send_on_credit(segment)
        with pytest.raises(TimeoutError):
            channel.send_on_credit(segment)


async def test_a_worker_that_sends_more_than_it_may_is_killed(run, song):
    greedy = run(song, window=6)
    greedy.process._credit = 0  # as if it had been allowed less than it was told
    await greedy.end()
    assert "credit" in str(greedy.process.protocol_error)
    assert greedy.exits == [(-9, 9)]


async def test_one_segment_ahead_is_enough_to_finish(run, song):
    done = await run(song, window=1).end()
    assert parts(done.frames) == output(pipeline_events(song))


async def test_a_paused_consumer_gets_nothing_until_it_resumes(run, song):
    paused = asyncio.Event()

    def pause_at_the_first_segment(run, frame):
        if isinstance(frame, SegmentFrame) and not paused.is_set():
            run.process.pause()
            paused.set()

    slow = run(song, on_frame=pause_at_the_first_segment)
    await paused.wait()
    so_far = list(slow.frames)
    for _ in range(50):
        await asyncio.sleep(0)
    assert slow.frames == so_far
    slow.process.resume()
    await slow.end()
    assert parts(slow.frames) == output(pipeline_events(song))
    assert slow.exits == [(0, None)]


async def test_kill_ends_a_paused_worker_too_and_tells_it_once(run, song):
    stuck = run(song)
    stuck.process.pause()
    stuck.process.kill()
    stuck.process.kill()
    await stuck.end()
    assert stuck.exits == [(-9, 9)]


def open_descriptors():
    return set(Path("/proc/self/fd").iterdir())


def process_exists(pid):
    return (Path("/proc") / str(pid)).exists()


@linux_only
async def test_nothing_stays_behind(run, song):
    before = open_descriptors()
    done = await run(song).end()
    killed = run(song)
    killed.process.kill()
    await killed.end()
    for process in (done.process, killed.process):
        assert not process_exists(process.pid)
    # Two descriptors more: the two sources, which are the test's own.
    assert len(open_descriptors() - before) == 2


@linux_only
async def test_it_runs_without_privileges_and_without_the_nodes_files(run, song, tmp_path):
    seen = {}

    def look(run, frame):
        if isinstance(frame, ReadyFrame):
            place = Path("/proc") / str(run.process.pid)
            seen.update(
                line.split(":\t", 1)
                for line in (place / "status").read_text().splitlines()
                if ":\t" in line
            )
            if os.geteuid() == 0:
                seen["files"] = [str(link.readlink()) for link in (place / "fd").iterdir()]

    secret = tmp_path / "secret"
    secret.write_text("x")
    with secret.open() as inheritable:
        os.set_inheritable(inheritable.fileno(), True)
        await run(song, on_frame=look, window=1).end()
    assert seen["NoNewPrivs"] == "1"
    assert seen["Seccomp"] == "2"
    if os.geteuid() == 0:
        assert set(seen["Uid"].split()) == {"65534"}
        assert seen["CapEff"] == "0" * 16
        assert not [name for name in seen["files"] if "secret" in name]


def test_the_environment_holds_no_secret(monkeypatch):
    monkeypatch.setenv("VEZA_DATABASE_URL", "postgresql://user:secret@host/db")
    assert not any("secret" in value or "VEZA" in name for name, value in _environment().items())


@linux_only
def test_no_worker_outlives_a_killed_node(song, tmp_path):
    (tmp_path / "song.wav").write_bytes(song)
    node = textwrap.dedent(
        """
        import asyncio, os, sys
        from veza.actors.encoding.frames import SegmentFrame, StartFrame
        from veza.actors.encoding.process import EncoderProcess
        async def main():
            source = os.open(sys.argv[1], os.O_RDONLY)
            def tell(frame):
                if isinstance(frame, SegmentFrame):
                    print(process.pid, flush=True)  # never acknowledged: the worker waits for ever
            process = EncoderProcess(
                source, StartFrame(stored={}, window=1), on_frame=tell, on_exit=lambda *_: None
            )
            await process.wait_closed()
        asyncio.run(main())
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", node, str(tmp_path / "song.wav")],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    ) as parent:
        worker = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    ended, _, _ = select.select([worker], [], [], 20)
    os.close(worker)
    assert ended


async def test_the_end_is_noticed_without_a_pidfd_too(run, song, monkeypatch):
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    done = await run(song).end()
    assert isinstance(done.frames[-1], FinishedFrame)
    assert done.exits == [(0, None)]


async def test_a_worker_that_cannot_be_started_leaves_no_descriptor(run, song, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    before = len(open_descriptors())
    with pytest.raises(OSError):
        run(song)
    assert len(open_descriptors()) == before + 1  # the source, which is the test's own


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_worker_that_dies_with_unread_credit_is_noticed_on_any_loop(loop_factory, run, song):
    def grant_much_and_kill(run, frame):
        if isinstance(frame, SegmentFrame):
            run.process.acknowledge(100)
            os.kill(run.process.pid, signal.SIGKILL)

    async def whole():
        return await run(song, on_frame=grant_much_and_kill).end()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        for _ in range(5):
            assert runner.run(whole()).exits == [(-9, 9)]
