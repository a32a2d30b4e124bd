"""Where a run took place: what somebody needs to know before comparing its figures with others."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import psutil

from veza.config.version import version as veza_version
from veza.gateway.load.scenario import Scenario

PACKAGES: Final = ("aiohttp", "asyncpg", "hdrhistogram", "thespian", "uvloop")


def environment(scenario: Scenario) -> dict[str, Any]:
    """Describe machine, software and scenario."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "cores": os.cpu_count() or 0,
        "memory_bytes": psutil.virtual_memory().total,
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "veza": veza_version(),
        "packages": {name: installed(name) for name in PACKAGES},
        "scenario_hash": scenario.hash(),
        "seed": scenario.seed,
    }


def cpu_model() -> str:
    """Return the processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def installed(name: str) -> str:
    """Return a package's version."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
