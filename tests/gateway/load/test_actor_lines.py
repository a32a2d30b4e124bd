"""A simulated user's connection inside the node: what comes once it was dropped is not read."""

from typing import Any

import orjson

from veza.gateway.load.actor_lines import Line


class Reader:
    """A seat that drops its connection at a chosen frame, as a user does who wants another at once."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.line: Any = None

    def take(self, frame: dict[str, Any]) -> None:
        self.taken.append(frame["t"])
        if frame["t"] == "ack":
            self.line.is_open = False


def test_nothing_is_read_past_the_frame_that_made_the_user_drop_the_connection() -> None:
    reader = Reader()
    reader.line = Line(reader, lambda _code: None)
    frames = [orjson.dumps({"t": kind}) for kind in ("hello", "ack", "message.posted")]

    reader.line.write(b"".join(bytes((0x81, len(each))) + each for each in frames))

    assert reader.taken == ["hello", "ack"]
