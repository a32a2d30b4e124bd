"""What people do beside writing: edit, delete, react, read.

A server that does not know a type of frame says `unknown_type`: that act is then left out for the rest of
the run, and noted.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Final

from soak.records import Acted, History, MarkedRead, Unknown
from soak.views import Frame

READ: Final = "receipt.read"
OWN: Final = ("message.edit", "message.delete")
ANY: Final = ("message.react", "message.unreact")
WEIGHTS: Final = {
    "message.edit": 4,
    "message.delete": 1,
    "message.react": 3,
    "message.unreact": 1,
    READ: 4,
}
KEPT: Final = 50


@dataclass(slots=True)
class Acts:
    """What one member may still do something to. `rate` acts a second; 0 is none."""

    rate: float
    dice: Random
    next_at: float = 0.0
    unknown: set[str] = field(default_factory=set)
    mine: list[tuple[str, str]] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)

    def note(self, kept: list[tuple[str, str]], room: str, message_id: str) -> None:
        """Remember a message, and forget the oldest one."""
        kept.append((room, message_id))
        del kept[:-KEPT]

    def choose(self, now: float, positions: dict[str, int]) -> tuple[str, Frame] | None:
        """Return the next act, if it is time for one: the type of its frame, and what it says."""
        kinds = [kind for kind in WEIGHTS if kind not in self.unknown]
        if not self.rate or not kinds or now < self.next_at:
            return None
        self.next_at = now + self.dice.expovariate(self.rate)
        kind = self.dice.choices(kinds, [WEIGHTS[each] for each in kinds])[0]
        if kind == READ:
            return self._read(positions)
        about = [each for each in (self.mine if kind in OWN else self.seen) if each[0] in positions]
        if not about:
            return None
        room, message_id = self.dice.choice(about)
        d: Frame = {"room": room, "message_id": message_id}
        if kind == "message.edit":
            d["text"] = f"{message_id} edited {self.dice.randrange(1000)}"
        elif kind in ANY:
            d["emoji"] = self.dice.choice("👍🎧🔥")
        return kind, d

    def _read(self, positions: dict[str, int]) -> tuple[str, Frame] | None:
        if not positions:
            return None
        room = self.dice.choice(sorted(positions))
        return READ, {"room": room, "seq": positions[room]}

    def answered(
        self,
        kind: str,
        about: tuple[str, int],
        frame: Frame,
        history: History,
        at: float,
        client: int,
    ) -> None:
        """Write down what became of an act; one that was refused for a reason is over."""
        room, read_seq = about
        if frame["t"] == "error":
            if frame["d"]["code"] == "unknown_type" and kind not in self.unknown:
                self.unknown.add(kind)
                history.add(Unknown(at=at, client=client, kind=kind))
        elif kind == READ:
            history.add(MarkedRead(at=at, client=client, room=room, seq=read_seq))
        else:
            seq = frame["d"].get("seq") or 0
            history.add(Acted(at=at, client=client, room=room, kind=kind, seq=seq))
