"""Runs Thespian's own test-suite, as installed, on our system base.

Only its tests that take an actor system are collected: the rest test Thespian itself. What does
not apply to one system in one process is listed, with reasons and counts, in LEFT_OUT.md, which
is read here: exactly those are skipped, and an entry that matches no test is an error.
"""

import importlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import thespian.test
from thespian.actors import ActorSystem

from veza.actors.runtime import AsyncioSystemBase

BASE_NAME = "asyncio"
LIST_NAME = "LEFT_OUT.md"
SLOWEST_FIRST = ("test_troupe::testSmallHive", "test_troupe", "test_threadedExternal")
WAIT_SECONDS = 60  # for threads: actors that sleep in turn on one loop need more than the suite's 5
SPREAD = 30  # pytest-xdist hands out about so many neighbours to a worker at once
SUITE = Path(thespian.test.__file__).parent

os.environ.pop("PYTHONUNBUFFERED", None)  # breaks Thespian's run command test on every base


def new_system(capabilities):
    system = ActorSystem(
        systemBase=AsyncioSystemBase(capabilities=capabilities), transientUnique=True
    )
    system.base_name = BASE_NAME
    system.port_num = None
    system.txonly = False
    return system


@pytest.fixture(params=[BASE_NAME])
def asys():
    system = new_system(
        {"Foo Allowed": True, "Cows Allowed": True, "Dogs Allowed": True, "dog": "food"}
    )
    yield system
    system.shutdown()


def similar_asys(asys, in_convention=True, start_wait=True, capabilities=None):
    return new_system(capabilities or {})


# The suite's modules take these names by `from thespian.test import *`.
thespian.test.asys = asys
thespian.test.similar_asys = similar_asys


class SuiteModule(pytest.Module):
    """One module of the suite, imported under its own name: its actors are created by name."""

    def _getobj(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module(f"thespian.test.{self.path.stem}")
        if hasattr(module, "THREAD_WAIT_TIME"):
            module.THREAD_WAIT_TIME = WAIT_SECONDS
        return module


class Suite(pytest.File):
    """All modules of the suite."""

    def collect(self) -> Iterator[SuiteModule]:
        for path in sorted(SUITE.glob("test_*.py")):
            yield SuiteModule.from_parent(self, path=path, nodeid=f"{self.nodeid}::{path.stem}")


def pytest_collect_file(file_path, parent):
    if file_path.name == LIST_NAME:
        return Suite.from_parent(parent, path=file_path)
    return None


def left_out():
    """Read {test name: reason} from the list; each heading ends with the number of its tests."""
    reasons = {}
    for section in re.split(
        r"^## ", (Path(__file__).parent / LIST_NAME).read_text(), flags=re.MULTILINE
    )[1:]:
        heading, _, body = section.partition("\n")
        reason, count = re.fullmatch(r"(.+) \((\d+)\)", heading).groups()
        names = re.findall(r"^- `(.+)`$", body, flags=re.MULTILINE)
        if len(names) != int(count):
            raise pytest.UsageError(f"{LIST_NAME}: {reason!r} lists {len(names)}, says {count}")
        reasons |= dict.fromkeys(names, reason)
    return reasons


def pytest_collection_modifyitems(config, items):
    mine = [item for item in items if item.getparent(Suite)]
    kept = [item for item in mine if "asys" in item.fixturenames]
    reasons = left_out()
    for item in kept:
        name = item.nodeid.partition("::")[2]
        item.add_marker(pytest.mark.thespian)
        item.add_marker(pytest.mark.filterwarnings("default"))
        reason = reasons.pop(name, None)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
    if mine and reasons and not any("::" in argument for argument in config.args):
        raise pytest.UsageError(f"{LIST_NAME} names tests that are not there: {sorted(reasons)}")
    others = set(items) - set(mine)
    items[:] = spread(kept) + [item for item in items if item in others]


def spread(items):
    """Put the slow tests early, apart from each other, so that parallel workers end together."""
    slow = sorted((item for item in items if slowness(item) is not None), key=slowness)
    spread_out = [item for item in items if slowness(item) is None]
    for number, item in enumerate(slow):
        spread_out.insert(number * SPREAD, item)
    return spread_out


def slowness(item):
    name = item.nodeid.partition("::")[2]
    ranks = (rank for rank, start in enumerate(SLOWEST_FIRST) if name.startswith(start))
    return next(ranks, None)
