"""What becomes of an actor that an operator ends, and whom it takes along."""

from veza.actors.messages.operator import ActorAction
from veza.actors.runtime import Cell, ExitReason
from veza.actors.runtime.exits import ExitKind
from veza.supervisors.child_spec import Restart, affected, is_restarted
from veza.supervisors.directory import Directory
from veza.supervisors.family import FamilySupervisor
from veza.supervisors.supervisor import Supervisor
from veza.supervisors.survey import restart_type


def can_drain(cell: Cell) -> bool:
    return hasattr(cell.behaviour.actor_class, "receiveMsg_Drain")


def is_made_anew(cell: Cell) -> bool:
    """Tell who is not restarted in place, as after a crash: a supervisor has nothing to keep.

    And a directory knows only what others told it when they started: in place it would know nobody.
    """
    return issubclass(cell.behaviour.actor_class, (Supervisor, Directory))


def end_of(cell: Cell, action: ActorAction) -> ExitKind | None:
    """Return how an act ends an actor; None if it does not end it for its supervisor."""
    match action:
        case ActorAction.KILL:
            return "killed"
        case ActorAction.RESTART if is_made_anew(cell):
            return "killed"
        case ActorAction.STOP:
            return "shutdown"
        case ActorAction.DRAIN if not can_drain(cell):
            return "shutdown"
        case _:
            return None


def is_started_again(cell: Cell, kind: ExitKind) -> bool:
    """Tell whether its supervisor starts an actor again after an end of this kind."""
    restart = restart_type(cell)
    return bool(restart) and is_restarted(Restart(restart), ExitReason(kind=kind))


def is_last_straw(cell: Cell, kind: ExitKind) -> bool:
    """Tell whether one more restart is one too many for an actor's supervisor."""
    match cell.parent.instance if cell.parent else None:
        case Supervisor(restarts=log) | FamilySupervisor(restarts=log):
            return is_started_again(cell, kind) and log.used() >= log.intensity.restarts
        case _:
            return False


def restarted_along(cell: Cell) -> tuple[str, ...]:
    """Name the siblings that are restarted with an actor if its supervisor starts it again."""
    match cell.parent.instance if cell.parent else None:
        case Supervisor(spec=spec, children=children) if is_started_again(cell, "killed"):
            failed = next(n for n, child in enumerate(children) if child.cell is cell)
            group = affected(spec.strategy, failed, len(children))
            return tuple(children[number].spec.name for number in group if number != failed)
        case _:
            return ()


def fate(cell: Cell, kind: ExitKind) -> str:
    """Say what becomes of an actor after an end of this kind."""
    if is_started_again(cell, kind):
        along = ", ".join(restarted_along(cell))
        return f"Its supervisor starts it again{f', and with it {along}' if along else ''}."
    if restart_type(cell) == Restart.TRANSIENT and is_of_family(cell):
        return "It is started again when it is needed."
    return "Nobody starts it again."


def is_of_family(cell: Cell) -> bool:
    return cell.parent is not None and isinstance(cell.parent.instance, FamilySupervisor)
