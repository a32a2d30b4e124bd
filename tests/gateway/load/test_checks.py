"""Each way a server can break its promise is found, and a server that keeps it is not blamed."""

import pytest

KINDS = ("lost", "duplicated", "reordered", "gaps")


async def test_a_server_that_keeps_its_promise_is_not_blamed(drive, targets) -> None:
    result = await drive(lambda run: targets.chat(run, ""))

    checks = result["checks"]
    assert {kind: checks[kind] for kind in KINDS} == dict.fromkeys(KINDS, 0)
    assert checks["acked"] == checks["sent"] == 200
    assert checks["delivered"] == 200 * 6
    assert result["operations"]["chat.delivery"]["count"] == 200
    assert result["verdict"] == "passed"


@pytest.mark.parametrize(
    ("flaw", "kind"),
    [
        ("loses", "lost"),
        ("forgets", "lost"),
        ("skips a member", "lost"),
        ("skips a member", "gaps"),
        ("tells twice", "duplicated"),
        ("stores twice", "duplicated"),
        ("reorders", "reordered"),
    ],
)
async def test_a_broken_promise_is_found(drive, targets, flaw, kind) -> None:
    result = await drive(lambda run: targets.chat(run, flaw))

    assert result["checks"][kind] >= 10
    assert result["verdict"] == "broken"
    assert result["exit_code"] == 99
    assert any(each.startswith(f"{kind} ==0") for each in result["why"])
    assert result["checks"]["examples"][kind]


async def test_a_reordered_message_is_neither_lost_nor_duplicated(drive, targets) -> None:
    checks = (await drive(lambda run: targets.chat(run, "reorders")))["checks"]

    assert checks["lost_from_history"] == 0
    assert checks["duplicated"] == 0
    # At most the last one held back in each room is still held at the end.
    assert checks["lost"] <= 2


async def test_what_the_server_says_to_reload_is_no_loss(drive, targets) -> None:
    class Reloads(targets.chat):
        def tell(self, room: int, seq: int, text: str, flaw: str) -> None:
            first, *others = self.readers[room]
            if seq % 7 == 0:
                self.run.ledger.reload(first, seq)
            else:
                self.run.ledger.delivered(first, seq, text)
            for reader in others:
                self.run.ledger.delivered(reader, seq, text)

    result = await drive(lambda run: Reloads(run, ""))

    assert result["checks"]["reloads"] > 20
    assert result["checks"]["lost"] == result["checks"]["gaps"] == 0
