"""A load scenario as people write it: YAML in, checked values out, every mistake named with its place."""

import re
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from veza.config.settings import Settings
from veza.gateway.load.quantities import Duration, Rate
from veza.gateway.load.thresholds import is_known, parse_limit

MAX_SECONDS: Final = 3600.0
MAX_IN_FLIGHT: Final = 20_000
MAX_ARRIVALS: Final = 5_000_000
BUILT_IN: Final = frozenset(
    {
        "room.send",
        "room.history",
        "rooms.list",
        "tracks.list",
        "track.playback",
        "login",
        "reconnect",
        "upload",
        "ops.tree",
    }
)
MEASURED: Final[dict[str, tuple[str, ...]]] = {
    "room.send": ("chat.delivery",),
    "upload": ("upload.first_segment", "upload.published"),
}
"""What an operation measures beside its own answer."""
SOUND: Final = {
    "lost": "==0",
    "duplicated": "==0",
    "reordered": "==0",
    "gaps": "==0",
    "dropped": "==0",
}
"""Thresholds of every run, unless the scenario says otherwise; what was dropped was not measured."""

TargetName = Literal["actors", "ws", "rest"]
Distribution = Literal["poisson", "even"]


class ScenarioError(Exception):
    """The scenario cannot be used; the message says where and why."""


class Part(BaseModel):
    """A part of a scenario: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Constant(Part):
    rate: Rate
    seconds: Annotated[Duration, Field(alias="for", gt=0)]
    distribution: Distribution = "poisson"


class Spike(Constant):
    """A constant phase that is meant to hurt; reports mark it."""


class Ramp(Part):
    begin: Annotated[Rate, Field(alias="from")]
    end: Annotated[Rate, Field(alias="to")]
    seconds: Annotated[Duration, Field(alias="for", gt=0)]
    distribution: Distribution = "poisson"


class Phase(Part):
    """One of three: a constant rate, a ramp from one to another, a spike."""

    constant: Constant | None = None
    ramp: Ramp | None = None
    spike: Spike | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.constant, self.ramp, self.spike)) != 1:
            raise ValueError("a phase is exactly one of constant, ramp and spike")
        return self

    @property
    def seconds(self) -> float:
        return self._given().seconds

    @property
    def distribution(self) -> Distribution:
        return self._given().distribution

    @property
    def rates(self) -> tuple[float, float]:
        """Return the rate at the phase's beginning and at its end."""
        if self.ramp is not None:
            return self.ramp.begin, self.ramp.end
        given = self._given()
        return (given.rate, given.rate) if isinstance(given, Constant) else (0.0, 0.0)

    def scaled(self, rate: float, time: float) -> "Phase":
        """Return the phase with its rates and its length multiplied."""
        given = self._given()
        fields = {"seconds": given.seconds * time}
        if isinstance(given, Ramp):
            changed: Part = given.model_copy(
                update={**fields, "begin": given.begin * rate, "end": given.end * rate}
            )
        else:
            changed = given.model_copy(update={**fields, "rate": given.rate * rate})
        return self.model_copy(update={type(given).__name__.lower(): changed})

    def _given(self) -> Constant | Ramp:
        found = self.constant or self.ramp or self.spike
        if found is None:
            raise ValueError("an empty phase")
        return found


class Fixtures(Part):
    """What is made before the first arrival. `zipf` 0: all rooms alike; 1: the n-th has 1/n."""

    users: Annotated[int, Field(ge=1, le=5000)] = 20
    rooms: Annotated[int, Field(ge=0, le=1000)] = 5
    rooms_per_user: Annotated[int, Field(ge=1, le=100)] = 2
    zipf: Annotated[float, Field(ge=0, le=5)] = 0.0
    tracks: Annotated[int, Field(ge=0, le=20)] = 0


class Fault(Part):
    """Kill the busiest actor whose path ends like this, so many times. `*` stands for any one name."""

    at: Duration
    kill: Annotated[str, Field(min_length=1)]
    times: Annotated[int, Field(ge=1, le=1000)] = 1
    every: Duration = 1.0

    def moments(self) -> Iterator[float]:
        """Yield when it strikes, in seconds from the start."""
        for number in range(self.times):
            yield self.at + number * self.every


class Generator(Part):
    """What is asked of the tester itself: later than this, its figures are not believed."""

    late_p99: Duration = 0.010
    late_after: Duration = 0.005


class Operation(Part):
    """An operation of the mix: a weight, and for one's own the class that carries it out."""

    weight: Annotated[float, Field(gt=0)]
    behaviour: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] | None = None


class Scenario(Part):
    """Everything a run is made of; the same scenario and seed give the same arrivals."""

    scenario: Annotated[str, Field(pattern=r"^[\w-]{1,40}$")]
    about: str = ""
    seed: int = 1
    target: TargetName = "actors"
    fixtures: Fixtures = Fixtures()
    arrivals: Annotated[tuple[Phase, ...], Field(min_length=1)]
    mix: Annotated[dict[str, Operation], Field(min_length=1)]
    faults: tuple[Fault, ...] = ()
    warmup: Duration = 0.0
    timeout: Annotated[Duration, Field(gt=0, le=120)] = 10.0
    settle: Annotated[Duration, Field(le=300)] = 15.0
    max_in_flight: Annotated[int, Field(ge=1, le=MAX_IN_FLIGHT)] = 2000
    connections: Annotated[int, Field(ge=1, le=1000)] = 64
    history_limit: Annotated[int, Field(ge=1, le=200)] = 50
    text_bytes: Annotated[int, Field(ge=80, le=4000)] = 120
    track_seconds: Annotated[Duration, Field(gt=0, le=600)] = 8.0
    generator: Generator = Generator()
    thresholds: dict[str, str] = {}
    abort_on: dict[str, str] = {}
    settings: dict[str, Any] = {}

    @field_validator("mix", mode="before")
    @classmethod
    def _weights(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name: {"weight": each} if isinstance(each, int | float) else each
            for name, each in value.items()
        }

    @field_validator("thresholds", "abort_on")
    @classmethod
    def _limits(cls, value: dict[str, str]) -> dict[str, str]:
        for text in value.values():
            parse_limit(text)
        return value

    @field_validator("settings")
    @classmethod
    def _known_settings(cls, value: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(value.keys() - Settings.model_fields.keys())
        if unknown:
            raise ValueError(f"no such setting: {', '.join(unknown)}")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self._check_mix()
        self._check_size()
        for name in (*self.thresholds, *self.abort_on):
            if not is_known(name, self.measured()):
                raise ValueError(f"threshold {name!r}: nothing of this scenario is called so")
        return self

    def _check_mix(self) -> None:
        unknown = [
            name
            for name, each in self.mix.items()
            if name not in BUILT_IN and each.behaviour is None
        ]
        if unknown:
            raise ValueError(
                f"mix: no operation {', '.join(unknown)}; there are {', '.join(sorted(BUILT_IN))},"
                " or give it a behaviour: module:Class"
            )
        if any(name.startswith("room.") for name in self.mix) and not self.fixtures.rooms:
            raise ValueError("fixtures: the mix needs rooms")
        if "track.playback" in self.mix and not self.fixtures.tracks:
            raise ValueError("fixtures: track.playback needs tracks")

    def _check_size(self) -> None:
        if self.seconds > MAX_SECONDS:
            raise ValueError("arrivals: a run takes an hour at most")
        expected = sum(sum(phase.rates) / 2 * phase.seconds for phase in self.arrivals)
        if expected > MAX_ARRIVALS:
            raise ValueError(f"arrivals: {expected:,.0f} are too many ({MAX_ARRIVALS:,} at most)")
        if self.warmup >= self.seconds:
            raise ValueError("warmup: it must end before the run does")
        for fault in self.faults:
            if max(fault.moments()) >= self.seconds:
                raise ValueError(f"faults: {fault.kill} would strike after the end")

    @property
    def seconds(self) -> float:
        """How long arrivals come."""
        return sum(phase.seconds for phase in self.arrivals)

    @property
    def highest_rate(self) -> float:
        """The highest rate of any phase, per second."""
        return max(max(phase.rates) for phase in self.arrivals)

    @property
    def limits(self) -> dict[str, str]:
        """The thresholds that hold, those of every run first."""
        return {**SOUND, **self.thresholds}

    def measured(self) -> frozenset[str]:
        """Return every name under which this scenario measures times."""
        beside = (MEASURED.get(name, ()) for name in self.mix)
        return frozenset({*self.mix, *(name for each in beside for name in each)})

    def changed(
        self,
        *,
        target: TargetName | None,
        rate: float | None,
        seconds: float | None,
        seed: int | None,
    ) -> "Scenario":
        """Apply what the command line says: the highest rate and the length, all else in proportion."""
        by_rate = 1.0 if rate is None else rate / (self.highest_rate or 1.0)
        by_time = 1.0 if seconds is None else seconds / self.seconds
        changed = self.model_copy(
            update={
                "target": target or self.target,
                "seed": self.seed if seed is None else seed,
                "arrivals": tuple(phase.scaled(by_rate, by_time) for phase in self.arrivals),
                "warmup": self.warmup * by_time,
                "faults": tuple(
                    fault.model_copy(
                        update={"at": fault.at * by_time, "every": fault.every * by_time}
                    )
                    for fault in self.faults
                ),
            }
        )
        return parsed(changed.model_dump(by_alias=True, exclude_none=True), "the changed scenario")

    def hash(self) -> str:
        """Name the scenario by its content, wherever it is run."""
        return sha256(self.model_dump_json(exclude={"target"}).encode()).hexdigest()[:16]


def ready_ones() -> dict[str, Path]:
    """Return the scenarios that come with Veza, by name."""
    folder = Path(str(files("veza.config"))) / "load"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load(name: str) -> Scenario:
    """Read a scenario from a file, or a ready one by name. Raises `ScenarioError`."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else ready_ones().get(name)
    if path is None:
        raise ScenarioError(f"no scenario {name!r}; ready ones: {', '.join(ready_ones())}")
    try:
        return parsed(yaml.safe_load(path.read_text("utf-8")), str(path))
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path} is not YAML: {error}") from error


def parsed(document: Any, where: str) -> Scenario:
    """Check a document. Raises `ScenarioError` with every mistake, a line each."""
    if not isinstance(document, dict):
        raise ScenarioError(f"{where}: a scenario is a mapping of keys to values")
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        raise ScenarioError(f"{where}:\n" + "\n".join(mistakes(error))) from error


def mistakes(error: ValidationError) -> list[str]:
    """Say a mistake a line; what only follows from a mistake further inside is left out."""
    found = error.errors()
    places = [each["loc"] for each in found]
    return [
        f"  {mistake(each)}"
        for each in found
        if not any(
            len(p) > len(each["loc"]) and p[: len(each["loc"])] == each["loc"] for p in places
        )
    ]


def mistake(error: Any) -> str:
    """Say in a line where a mistake is and what it is."""
    place = ".".join(str(part) for part in error["loc"])
    text = re.sub(r"^Value error, ", "", error["msg"])
    if error["type"] == "extra_forbidden":
        text = "there is no such key"
    return f"{place}: {text}" if place else text
