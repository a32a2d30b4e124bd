"""What a lost instance leaves behind is taken down: its work, its watches, questions it had taken."""

from typing import TYPE_CHECKING

from veza.actors.messages.common import Crashed
from veza.actors.runtime.cell import Cell, Rare
from veza.actors.runtime.thespian_api import Actor

if TYPE_CHECKING:
    from veza.actors.runtime.system import AsyncioSystemBase


def tear_down(system: "AsyncioSystemBase", cell: Cell) -> None:
    """Stop the instance's work: hook, handlers, watches; its timers and answers turn stale."""
    cell.incarnation += 1
    cell.active = 0
    instance, cell.instance = cell.instance, None
    run_stop_hook(system, cell, instance)
    driver = system.scheduler.driver
    if driver is not None and driver.letter is not None and driver.letter[0] is cell:
        driver.cancel()
    if cell.rare is not None:
        release(system, cell, cell.rare)


def run_stop_hook(system: "AsyncioSystemBase", cell: Cell, instance: Actor | None) -> None:
    hook = getattr(instance, "on_stop", None)
    if hook is None:
        return
    try:
        hook()
    except BaseException as error:  # noqa: BLE001  # the end goes on whatever a hook does
        system.letters.record_crash(cell, cell.behaviour.name, "on_stop", error)


def release(system: "AsyncioSystemBase", cell: Cell, rare: Rare) -> None:
    """Cancel handlers that wait and the time to stop; give up watched files and actors."""
    if rare.grace is not None:
        rare.grace.cancel()
        rare.grace = None
    for runner in tuple(rare.in_flight):
        runner.cancel()
    rare.in_flight.clear()
    for number in rare.watched_files:
        system.loop.remove_reader(number)
    rare.watched_files = ()
    for target in rare.watching:
        target.more().watchers.pop(cell, None)
    rare.watching.clear()


def fail_taken(system: "AsyncioSystemBase", cell: Cell) -> None:
    """Answer `Crashed` to whom the lost instance owed an answer; who still waits goes on waiting."""
    if not cell.asked:
        return
    ready = (letter for letter in system.scheduler.ready if letter[0] is cell)
    held = cell.rare.held if cell.rare else None
    waiting = {id(letter[2]) for letter in (*ready, *(cell.mailbox or ()), *(held or ()))}
    for reply in tuple(cell.asked):
        if id(reply) not in waiting:
            reply.settle(Crashed(command=reply.command))
