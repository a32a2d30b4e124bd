"""The names of fan-out topics: what is told about a room, and what is told to one user."""

from uuid import UUID


def room_topic(room_id: UUID) -> str:
    """Return the topic that carries a room's events."""
    return f"room:{room_id}"


def user_topic(user_id: UUID) -> str:
    """Return the topic of volatile news for one user's connections."""
    return f"user:{user_id}"
