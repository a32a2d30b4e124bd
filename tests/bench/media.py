"""What a track costs: to encode, beside the ffmpeg command; to measure; to serve, beside nginx.

    scripts/bench media [FILE] [--runs N] [--only encoding|analysis|serving]

Compare CPU seconds: wall times on a shared machine say little. Without FILE the track is 3.5
minutes of the built-in pieces. ffmpeg makes the same rungs and segments, with its default coder and
with ours.
"""

import argparse
import asyncio
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import av
import media_analysis
import media_serving
import numpy as np
from node import Server, segments

from veza.actors.encoding.frames import Frame, PeaksFrame, SegmentFrame, StartFrame
from veza.actors.encoding.process import EncoderProcess
from veza.actors.encoding.reserve import EncoderReserve
from veza.codecs.decode import open_source
from veza.codecs.source import Limits
from veza.codecs.synthesis import PIECES, render
from veza.codecs.wav import wav_bytes

LADDER_KBPS = (64, 128, 256)
TRACK_SECONDS = 210
UPLOAD_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one way of encoding took."""

    name: str
    wall_seconds: float
    cpu_seconds: float
    first_segments_seconds: float
    peak_megabytes: float
    megabytes_out: float


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


async def by_worker(path: Path, copies: int, *, threads: int = 2, ahead: bool = False) -> Cost:
    """Run `copies` workers at once on the same file; times are of the last to get there.

    `ahead`: the first is started while the file is coming in, as uploads do.
    """
    cpu = children_cpu_seconds()
    reserve = EncoderReserve()
    if ahead:
        reserve.expect()
        await asyncio.sleep(UPLOAD_SECONDS)
    started = time.perf_counter()
    firsts: list[float] = []
    peaks: list[float] = []
    sizes: list[int] = []

    def listener(process: list[EncoderProcess]) -> None:
        pending = set(LADDER_KBPS)

        def on_frame(frame: Frame) -> None:
            if isinstance(frame, SegmentFrame):
                process[0].acknowledge()
                sizes.append(len(frame.data))
                if frame.number == 0:
                    pending.discard(int(frame.rendition.removeprefix("aac-")))
                    if not pending:
                        firsts.append(time.perf_counter() - started)
            elif isinstance(frame, PeaksFrame):
                peaks.append(peak_megabytes(process[0].pid))

        process.append(
            EncoderProcess(
                source,
                StartFrame(stored={}, threads=threads),
                on_frame=on_frame,
                on_exit=lambda *_: None,
                worker=reserve.take(),
            )
        )

    started_processes: list[list[EncoderProcess]] = [[] for _ in range(copies)]
    for slot in started_processes:
        source = os.open(path, os.O_RDONLY)
        listener(slot)
        os.close(source)
    await asyncio.gather(*(slot[0].wait_closed() for slot in started_processes))
    return Cost(
        name=f"x{copies}, {threads} threads" + (", ahead" if ahead else ""),
        wall_seconds=time.perf_counter() - started,
        cpu_seconds=children_cpu_seconds() - cpu,
        first_segments_seconds=max(firsts),
        peak_megabytes=max(peaks),
        megabytes_out=sum(sizes) / copies / 1e6,
    )


def peak_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0  # it ended between two looks


def by_ffmpeg(path: Path, coder: str) -> Cost:
    """Run one ffmpeg command that decodes once and writes all rungs."""
    with tempfile.TemporaryDirectory() as place:
        command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(path)]
        for kbps in LADDER_KBPS:
            command += ["-map", "0:a", "-c:a", "aac", "-aac_coder", coder, "-b:a", f"{kbps}k"]
            command += ["-f", "hls", "-hls_time", "6", "-hls_playlist_type", "vod"]
            command += ["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", f"{kbps}-init.mp4"]
            command += ["-hls_segment_filename", f"{place}/{kbps}-%d.m4s", f"{place}/{kbps}.m3u8"]
        started = time.perf_counter()
        process = subprocess.Popen(command)
        # A segment is whole when the next one is begun.
        signs = [Path(place) / f"{kbps}-1.m4s" for kbps in LADDER_KBPS]
        first = peak = 0.0
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            peak = max(peak, peak_megabytes(process.pid))
            if not first and all(sign.exists() for sign in signs):
                first = time.perf_counter() - started
            time.sleep(0.005)
        wall, usage = time.perf_counter() - started, ended[2]
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        out = sum(file.stat().st_size for file in Path(place).glob("*.m4s"))
    return Cost(
        name=f"ffmpeg, {coder}",
        wall_seconds=wall,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        first_segments_seconds=first,
        peak_megabytes=peak,
        megabytes_out=out / 1e6,
    )


def track_seconds(path: Path) -> float:
    with av.open(str(path)) as container:
        return (container.duration or 0) / av.time_base


def built_in_track(place: Path) -> Path:
    parts = [render(piece) for piece in PIECES]
    music = np.concatenate(parts * 2)[: TRACK_SECONDS * 44_100]
    path = place / "track.wav"
    path.write_bytes(wav_bytes(music, sample_rate_hz=44_100))
    return path


def show(cost: Cost, minutes: float) -> None:
    say(
        f"{cost.name:20} {cost.cpu_seconds / minutes:7.2f} {60 * minutes / cost.wall_seconds:9.0f}x"
        f" {cost.first_segments_seconds:9.2f} s {cost.peak_megabytes:7.0f} MB"
        f" {cost.megabytes_out:8.1f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("encoding", "analysis", "serving"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        path = options.file or built_in_track(Path(place))
        if options.only in {None, "encoding"}:
            encoding(path, options.runs)
        if options.only in {None, "analysis"}:
            source = open_source(path.open("rb"), Limits())
            samples = np.concatenate(list(source.blocks()))
            media_analysis.compare(samples, source.info.sample_rate_hz, say)
        if options.only in {None, "serving"}:
            asyncio.run(serving(Path(place)))


def encoding(path: Path, runs: int) -> None:
    minutes = track_seconds(path) / 60
    say(f"{path.name}: {minutes:.1f} minutes, {os.cpu_count()} cores, ladder {LADDER_KBPS}")
    say(f"{'':20} {'CPU s/min':>9} {'real time':>8} {'first segm.':>10} {'peak':>9} {'out':>10}")
    for _ in range(runs):
        show(asyncio.run(by_worker(path, 1, threads=1)), minutes)
        show(asyncio.run(by_worker(path, 1, ahead=True)), minutes)
        show(asyncio.run(by_worker(path, 2)), 2 * minutes)
        if shutil.which("ffmpeg"):
            show(by_ffmpeg(path, "fast"), minutes)
            show(by_ffmpeg(path, "twoloop"), minutes)


async def serving(place: Path) -> None:
    async with Server(place / "node") as server:
        for target in await segments(server, LADDER_KBPS):
            await asyncio.to_thread(
                media_serving.compare, server.address, server.process.pid, target, place, say
            )


if __name__ == "__main__":
    main()
