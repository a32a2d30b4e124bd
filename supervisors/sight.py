"""What the runtime keeps of one actor, of traces and of failures, in the words of operators' messages."""

from collections.abc import Mapping
from typing import Final

from veza.actors.base import SupervisedActor
from veza.actors.messages.operator import (
    ActorInspected,
    CrashesListed,
    CrashRead,
    DeadLettersListed,
    ListDeadLetters,
    TraceRead,
)
from veza.actors.messages.ops import (
    ActorExit,
    ActorNode,
    CrashGroup,
    CrashSeen,
    DeadLetterSeen,
    HandledMessage,
    HandlerAtWork,
    MessageTypeCount,
    TracedMessage,
    TraceSummary,
)
from veza.actors.runtime import (
    Cell,
    CrashCause,
    CrashRecord,
    DeadLetter,
    Letters,
    Observation,
    Trace,
    busy_handlers,
    exits_of,
    path_of,
)
from veza.supervisors.masking import described, shown_state

CHILDREN_SHOWN: Final = 200


def inspected(
    cell: Cell, actor: ActorNode, observed: Observation, traces: Mapping[str, Trace]
) -> ActorInspected:
    """Put together what there is to see of one actor."""
    return ActorInspected(
        actor=actor,
        state=declared_state(cell),
        recent=tuple(
            HandledMessage(
                message_type=each.class_name,
                at=each.at,
                wait_ms=each.wait_seconds * 1000,
                run_ms=each.run_seconds * 1000,
            )
            for each in observed.messages()
        ),
        recent_since=observed.since,
        message_types=tuple(
            MessageTypeCount(
                message_type=each.class_name, count=each.count, run_ms=each.run_seconds * 1000
            )
            for each in observed.counts()
        ),
        handlers=tuple(
            HandlerAtWork(
                message_type=each.message_type,
                running_ms=round(each.seconds * 1000),
                stack=each.stack,
            )
            for each in busy_handlers(cell)
        ),
        exits=tuple(
            ActorExit(
                at=each.at,
                kind=each.reason.kind,
                detail=each.reason.detail,
                traceback=each.reason.traceback,
            )
            for each in exits_of(cell)
        ),
        traces=tuple(
            trace_summary(trace_id, trace)
            for trace_id, trace in traces.items()
            if trace.path == actor.path
        ),
        watched_by=tuple(path_of(each) for each in (cell.rare.watchers if cell.rare else ())),
    )


def declared_state(cell: Cell) -> dict[str, str]:
    """Return what the actor declares of itself; a declaration that fails is no reason to show nothing."""
    if not isinstance(cell.instance, SupervisedActor):
        return {}
    try:
        return shown_state(cell.instance.inspect())
    except Exception as error:  # noqa: BLE001  # told to the operator, who looks for just such a thing
        return {"inspect": f"failed: {error!r}"}


def trace_summary(trace_id: str, trace: Trace) -> TraceSummary:
    return TraceSummary(
        trace_id=trace_id,
        path=trace.path,
        started_at=trace.started_at,
        ends_at=trace.ends_at,
        limit=trace.limit,
        seen=trace.seen,
        kept=len(trace.entries),
        why_ended=trace.why_ended,
    )


def trace_read(trace_id: str, trace: Trace, after: int) -> TraceRead:
    """Return a trace's messages past number `after`."""
    return TraceRead(
        summary=trace_summary(trace_id, trace),
        messages=tuple(
            TracedMessage(
                number=each.number,
                message_type=each.class_name,
                sender=each.sender,
                request_id=each.request_id,
                at=each.at,
                wait_ms=each.wait_seconds * 1000,
                run_ms=each.run_seconds * 1000,
                outcome=each.outcome,
                body=each.body,
            )
            for each in trace.entries
            if each.number > after
        ),
    )


def can_replay(letter: DeadLetter) -> bool:
    """Tell whether there is still somebody at the address."""
    return isinstance(letter.target, Cell) and letter.target.alive


def dead_letters(letters: Letters, command: ListDeadLetters) -> DeadLettersListed:
    """List dead letters, newest first."""
    before = command.before_id
    older = [
        letter
        for letter in reversed(letters.dead.values())
        if before is None or letter.letter_id < before
    ]
    page = older[: command.limit]
    return DeadLettersListed(
        letters=tuple(seen_letter(letter) for letter in page),
        next_before_id=page[-1].letter_id if len(older) > len(page) > 0 else None,
        total=letters.dead_count,
    )


def seen_letter(letter: DeadLetter) -> DeadLetterSeen:
    return DeadLetterSeen(
        letter_id=letter.letter_id,
        at=letter.at,
        target=path_of(letter.target),
        sender=path_of(letter.sender),
        message_type=type(letter.message).__name__,
        reason=letter.reason,
        request_id=letter.request_id,
        body=described(letter.message, with_texts=False),
        can_replay=can_replay(letter),
    )


def crashes(letters: Letters) -> CrashesListed:
    """List the causes of crashes, the latest first."""
    return CrashesListed(
        groups=tuple(crash_group(cause) for cause in reversed(letters.causes.values())),
        total=letters.crash_count,
    )


def crash(letters: Letters, fingerprint: str) -> CrashRead | None:
    """Show one cause with its newest crashes, newest first; None if it is not kept."""
    cause = letters.causes.get(fingerprint)
    if cause is None:
        return None
    return CrashRead(
        group=crash_group(cause), crashes=tuple(crash_seen(each) for each in reversed(cause.newest))
    )


def crash_group(cause: CrashCause) -> CrashGroup:
    last = cause.newest[-1]
    return CrashGroup(
        fingerprint=cause.fingerprint,
        class_name=last.class_name,
        error_type=last.error_type,
        error=last.error,
        command=last.command,
        count=cause.count,
        first_at=cause.first_at,
        last_at=last.at,
        last_path=last.path,
    )


def crash_seen(record: CrashRecord) -> CrashSeen:
    return CrashSeen(
        at=record.at,
        path=record.path,
        command=record.command,
        error=record.error,
        request_id=record.request_id,
        traceback=record.traceback,
    )
