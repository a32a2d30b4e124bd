"""What the server told a client, as records: pure functions of a frame."""

from collections.abc import Iterator, Sequence

from soak.records import Counted, PointerShown, PresenceShown, Shown
from soak.views import Frame


def shown_of(client: int, at: float, event: Frame) -> Shown:
    """Return that a client displays an event of a room."""
    d = event["d"]
    person = d.get("author") or d.get("by") or d.get("user") or {}
    return Shown(
        at=at,
        client=client,
        room=event["room"],
        seq=event["seq"],
        kind=event["t"],
        person=person.get("id", ""),
        message_id=d.get("message_id"),
        text=d.get("text", ""),
        subject=(d.get("user") or {}).get("id"),
        measure=d.get("measure"),
    )


def presence_of(client: int, at: float, frame: Frame) -> PresenceShown:
    """Return who is there and who is not, by a frame of presence."""
    changes = [(each["user"], each["status"] != "offline") for each in frame["d"]["changes"]]
    return PresenceShown(
        at=at,
        client=client,
        room=frame["room"],
        is_full=frame["d"]["full"],
        there=tuple(user for user, is_there in changes if is_there),
        gone=tuple(user for user, is_there in changes if not is_there),
    )


def pointers_of(client: int, at: float, frame: Frame) -> Iterator[PointerShown]:
    """Return how far others have read, by a frame of receipts."""
    for each in frame["d"]["receipts"]:
        yield PointerShown(
            at=at, client=client, room=frame["room"], user=each["user"], seq=each["seq"]
        )


def counted_of(client: int, at: float, rooms: Sequence[Frame]) -> Iterator[Counted]:
    """Return what `ready` says of each room."""
    for each in rooms:
        yield Counted(
            at=at,
            client=client,
            room=each["room"],
            seq=each["seq"],
            read_seq=each["read_seq"],
            unread=each["unread"],
        )
