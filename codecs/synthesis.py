"""Short pieces of music from numpy alone: licence-free sound for the demo and for tests.

A piece is its numbers (key, tempo, chords, seed): the same piece gives the same samples
everywhere. Each has pad, bass, plucked melody and drums, so that an encoder meets tones,
transients, noise and width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from veza.codecs.source import Samples

Mono = npt.NDArray[np.float64]
A4_HZ, A4_NOTE = 440.0, 69
BEATS_PER_BAR = 4
HEADROOM = 0.89  # -1 dBFS
MINOR_PENTATONIC = (0, 3, 5, 7, 10)
MAJOR_PENTATONIC = (0, 2, 4, 7, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A score. `chords` are semitones above the root, one chord a bar, repeated to fill `bars`."""

    title: str
    artist: str
    genre: str
    tempo_bpm: float
    root_note: int  # MIDI number of the bass's root
    chords: tuple[tuple[int, ...], ...]
    scale: tuple[int, ...]
    bars: int
    seed: int
    drums: tuple[str, str, str]  # kick, snare, hat: sixteen steps a bar each, x is a hit

    @property
    def seconds(self) -> float:
        return self.bars * BEATS_PER_BAR * 60 / self.tempo_bpm


NO_DRUMS = "." * 16
PIECES = (
    Piece(
        title="Harbour Lights",
        artist="Low Tide Quartet",
        genre="Downtempo",
        tempo_bpm=84,
        root_note=45,
        chords=((0, 3, 7, 10), (-4, 0, 3, 7), (3, 7, 10, 14), (-2, 2, 5, 9)),
        scale=MINOR_PENTATONIC,
        bars=14,
        seed=11,
        drums=("x.......x.x.....", "....x.......x...", "..x...x...x...x."),
    ),
    Piece(
        title="Copper Wire",
        artist="Ada Voltage",
        genre="Techno",
        tempo_bpm=128,
        root_note=41,
        chords=((0, 7, 12, 15), (0, 7, 12, 15), (-2, 5, 10, 14), (-4, 3, 8, 12)),
        scale=MINOR_PENTATONIC,
        bars=20,
        seed=23,
        drums=("x...x...x...x...", "....x.......x..x", "..x...x...x...x."),
    ),
    Piece(
        title="Morning Pages",
        artist="Ines Clair",
        genre="Ambient",
        tempo_bpm=66,
        root_note=48,
        chords=((0, 4, 7, 11), (5, 9, 12, 16), (-3, 0, 4, 7), (7, 11, 14, 17)),
        scale=MAJOR_PENTATONIC,
        bars=9,
        seed=37,
        drums=(NO_DRUMS, NO_DRUMS, "....x.......x..."),
    ),
    Piece(
        title="Paper Rockets",
        artist="The Tuesday Club",
        genre="Indie",
        tempo_bpm=112,
        root_note=43,
        chords=((0, 4, 7, 12), (7, 11, 14, 19), (-3, 0, 4, 9), (5, 9, 12, 17)),
        scale=MAJOR_PENTATONIC,
        bars=24,
        seed=53,
        drums=("x.....x.x.......", "....x.......x...", "x.x.x.x.x.x.x.xx"),
    ),
)


def render(piece: Piece, *, sample_rate_hz: int = 44_100, seconds: float | None = None) -> Samples:
    """Play `piece`: (samples, 2), peak at -1 dBFS; `seconds` cuts it or adds silence."""
    stage = _Stage(piece, sample_rate_hz)
    stage.play_pad()
    stage.play_bass()
    stage.play_melody()
    stage.play_drums()
    mix = stage.mixed()
    if seconds is not None:
        length = round(seconds * sample_rate_hz)
        mix = np.pad(mix[:length], ((0, max(0, length - len(mix))), (0, 0)))
    return mix


class _Stage:
    """Two channels on which notes are placed by bar and step."""

    def __init__(self, piece: Piece, sample_rate_hz: int) -> None:
        self._piece = piece
        self._rate = sample_rate_hz
        self._random = np.random.default_rng(piece.seed)
        self._step_seconds = 60 / piece.tempo_bpm / 4
        self._mix = np.zeros((round(piece.seconds * sample_rate_hz), 2))

    def play_pad(self) -> None:
        for bar in range(self._piece.bars):
            length = self._step_seconds * 16 * 1.1
            for number, interval in enumerate(self._chord(bar)):
                note = self._piece.root_note + 12 + interval
                self._place(self._pad(note, length), bar * 16, gain=0.10, pan=number / 3)

    def play_bass(self) -> None:
        for bar in range(self._piece.bars):
            for step, drop in ((0, 0), (6, 0), (8, 0), (14, 12)):
                note = self._piece.root_note + self._chord(bar)[0] - drop
                self._place(self._bass(note), bar * 16 + step, gain=0.34, pan=0.5)

    def play_melody(self) -> None:
        degree = 4
        for step in range(0, self._piece.bars * 16, 2):
            degree = int(np.clip(degree + self._random.integers(-2, 3), 0, 9))
            rests = self._random.random() < 0.35  # noqa: PLR2004  # a third of the steps breathe
            if rests:
                continue
            octave, index = divmod(degree, len(self._piece.scale))
            note = self._piece.root_note + 24 + 12 * octave + self._piece.scale[index]
            pan = 0.5 + 0.35 * np.sin(step / 5)
            self._place(self._pluck(note), step, gain=0.16, pan=float(pan))

    def play_drums(self) -> None:
        kick, snare, hat = self._piece.drums
        self._play_pattern(kick, self._kick, gain=0.60, pan=0.5)
        self._play_pattern(snare, self._snare, gain=0.24, pan=0.45)
        self._play_pattern(hat, self._hat, gain=0.08, pan=0.65)

    def mixed(self) -> Samples:
        fade = np.ones(len(self._mix))
        edge = min(len(fade) // 4, self._rate)
        fade[:edge] = np.linspace(0, 1, edge) ** 0.25
        fade[-edge:] *= np.linspace(1, 0, edge) ** 2
        delay = round(3 * self._step_seconds * self._rate)
        wet = self._mix.copy()
        wet[delay:] += 0.28 * self._mix[:-delay, ::-1]  # a dotted echo from the other side
        wet *= fade[:, None]
        wet *= HEADROOM / np.abs(wet).max()
        return wet.astype(np.float32)

    def _chord(self, bar: int) -> Sequence[int]:
        return self._piece.chords[bar % len(self._piece.chords)]

    def _play_pattern(
        self, pattern: str, sound: Callable[[], Mono], *, gain: float, pan: float
    ) -> None:
        for step in range(self._piece.bars * 16):
            if pattern[step % 16] == "x":
                self._place(sound(), step, gain=gain, pan=pan)

    def _place(self, sound: Mono, step: int, *, gain: float, pan: float) -> None:
        start = round(step * self._step_seconds * self._rate)
        part = sound[: len(self._mix) - start, None]
        sides = np.array([np.cos(pan * np.pi / 2), np.sin(pan * np.pi / 2)])
        self._mix[start : start + len(part)] += gain * part * sides

    def _time(self, seconds: float) -> Mono:
        return np.arange(round(seconds * self._rate)) / self._rate

    def _pad(self, note: int, seconds: float) -> Mono:
        time, base = self._time(seconds), 2 * np.pi * _hertz(note)
        voices = [np.sin(base * detune * time) for detune in (0.997, 1.0, 1.003)]
        voices.append(0.3 * np.sin(2 * base * time))
        swell = np.clip(np.minimum(time, seconds - time) / 0.4, 0, 1)
        tone: Mono = np.sum(voices, axis=0) / 3 * swell
        return tone

    def _bass(self, note: int) -> Mono:
        time = self._time(self._step_seconds * 3)
        phase = 2 * np.pi * _hertz(note - 12) * time
        tone = np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.15 * np.sin(3 * phase)
        return tone * np.exp(-3 * time) * np.minimum(1, time / 0.005)

    def _pluck(self, note: int) -> Mono:
        time = self._time(0.9)
        partials = range(1, 7)
        base = 2 * np.pi * _hertz(note) * time
        waves = [np.sin(n * base) * np.exp(-(3 + 2 * n) * time) / n for n in partials]
        tone: Mono = np.sum(waves, axis=0) * np.minimum(1, time / 0.002)
        return tone

    def _kick(self) -> Mono:
        time = self._time(0.3)
        phase = 2 * np.pi * (48 * time + 9 * (1 - np.exp(-30 * time)))
        tone: Mono = np.sin(phase) * np.exp(-9 * time)
        return tone

    def _snare(self) -> Mono:
        time = self._time(0.2)
        noise = self._random.uniform(-1, 1, len(time))
        return (0.8 * noise + 0.5 * np.sin(2 * np.pi * 185 * time)) * np.exp(-18 * time)

    def _hat(self) -> Mono:
        time = self._time(0.06)
        noise = self._random.uniform(-1, 1, len(time) + 1)
        high_end: Mono = np.diff(noise)
        return high_end * np.exp(-60 * time)


def _hertz(note: int) -> float:
    return float(A4_HZ * 2 ** ((note - A4_NOTE) / 12))
