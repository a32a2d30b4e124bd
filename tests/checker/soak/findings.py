"""What a judge finds: which promise was broken, and where."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

RULES: Final = {
    "A": "no acked message is lost",
    "B": "nothing is stored twice",
    "C": "the seq of a room is 1 to n, without gap or reuse",
    "D": "all members display the same order",
    "E": "nobody displays past a hole",
    "F": "what was acked before something else was sent has the smaller seq",
    "G": "in the end everything is acked and all views are the history",
    "H": "an ack is stable",
    "I": "nobody displays anything twice",
    "J": "read pointers and edits go forward only",
    "K": "who is gone is shown as gone in time, and who is there is not shown as gone",
    "L": "a counter of unread events is what counting gives",
    "M": "each measure has its row of the audit log, of the same commit",
    "N": "who is banned gets and stores nothing past the ban",
    "O": "of two writers of a room one waits, and none stores what an earlier event forbids",
    "S": "what is kept beside the log is what the log adds up to",
    "Z": "a run in which nothing happened proves nothing",
}
EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class Violation:
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule} ({RULES[self.rule]}): {self.text}"


def broken(violations: Iterable[Violation]) -> str:
    """Return how often each rule was broken, on one line."""
    counts = Counter(each.rule for each in violations)
    return " ".join(f"{rule}:{counts[rule]}" for rule in sorted(counts))


def examples(violations: Sequence[Violation]) -> list[str]:
    """Return the first few violations of each rule."""
    found: list[str] = []
    for rule in RULES:
        found += [str(each) for each in violations if each.rule == rule][:EXAMPLES]
    return found


def spans(numbers: Iterable[int]) -> str:
    """Write sorted numbers as 1-3, 7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in parts[:EXAMPLES]]
    return ", ".join([*shown, *(["…"] if len(parts) > EXAMPLES else [])])
