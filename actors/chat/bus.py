"""What rooms tell their namesakes on other nodes, on a node that has none."""

from uuid import UUID

from veza.persistence.room_rows import RoomEvent


class Alone:
    """The only node: nobody else is there to be told (a `Bus` of the room)."""

    def join(self, room_id: UUID) -> None:
        """Nobody tells anything."""

    def leave(self, room_id: UUID) -> None:
        """Nobody told anything."""

    def announce(self, room_id: UUID, events: tuple[RoomEvent, ...]) -> None:
        """Nobody listens."""
