"""The names of fan-out topics: what is told about a room, and what is told to one user."""

from uuid import UUID


def room_topic(room_id: UUID) -> str:
    """Return the topic that carries a room's events."""
    return f"room:{room_id}"


def room_of_topic(topic: str) -> UUID | None:
    """Return the room whose events a topic carries; None for other topics."""
    kind, _, name = topic.partition(":")
    return UUID(name) if kind == "room" else None


def is_user_topic(topic: str) -> bool:
    """Tell whether a topic carries one user's news."""
    return topic.startswith("user:")


def user_topic(user_id: UUID) -> str:
    """Return the topic of volatile news for one user's connections."""
    return f"user:{user_id}"
