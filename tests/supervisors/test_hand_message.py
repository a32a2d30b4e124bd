"""A message written by hand is one that exists, with fields that fit; all else is refused."""

from uuid import UUID

import pytest

from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.rooms import ReadEvents, TypingChanged
from veza.supervisors.hand_message import hand_message

ID = "01900000-0000-7000-8000-000000000001"


def test_plain_json_becomes_the_message_it_names() -> None:
    assert hand_message("ReadEvents", {"room_id": ID, "limit": 5}) == ReadEvents(
        room_id=UUID(ID), limit=5
    )
    made = hand_message(
        "TypingChanged", {"room_id": ID, "user": {"id": ID, "name": "ada"}, "is_typing": True}
    )
    assert isinstance(made, TypingChanged)
    assert made.user.name == "ada"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("NoSuchMessage", {}),
        ("RefusedError", {}),
        ("ReadEvents", {"room_id": "no id", "limit": 5}),
        ("ReadEvents", {"room_id": ID}),
        ("ReadEvents", {"room_id": ID, "limit": 5, "drop": "table"}),
        ("RecordAct", {}),
        ("ActOnActor", {"path": "/veza/root", "action": "drain", "reason": "somebody else's"}),
        ("OpenSession", {"user": {"id": ID, "name": "ada"}, "outbox": {}}),
    ],
)
def test_what_does_not_fit_is_refused(name: str, fields: dict[str, object]) -> None:
    with pytest.raises(RefusedError) as refused:
        hand_message(name, fields)

    assert refused.value.code is RejectCode.VALIDATION_FAILED
