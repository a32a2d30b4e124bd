"""`veza media` says what would be done, asks for a reason, and goes on until all is queued."""

TRACK = "0198c2f0-1111-7000-8000-000000000001"
REASON = ("--reason", "A new ladder.")


def test_outdated_tracks_are_queued_part_by_part(veza, peer) -> None:
    told = veza("media", "reprocess", *REASON)

    assert told.code == 0
    body = {"which": "outdated", "reason": "A new ladder."}
    assert [asked for _, asked in peer.asked] == [
        body,
        {**body, "after": "t-500"},
        {**body, "after": "t-700"},
    ]
    assert "700 of 701 queued; the others are being worked on, or are gone." in told.out


def test_one_track_or_all_may_be_meant_but_not_both(veza, peer) -> None:
    assert veza("media", "reprocess", TRACK, *REASON).code == 0
    assert veza("media", "reprocess", "--all", *REASON).code == 0
    assert veza("media", "reprocess", TRACK, "--all", *REASON).code == 2
    assert peer.asked[0][1] == {"track_id": TRACK, "reason": "A new ladder."}
    assert peer.asked[1][1]["which"] == "all"


def test_a_dry_run_only_counts(veza, peer) -> None:
    told = veza("media", "reprocess", "--dry-run")

    assert (told.code, peer.asked) == (0, [])
    assert "701 of 9 tracks were made by other settings" in told.out


def test_nothing_outdated_needs_no_reason(veza, peer) -> None:
    peer.outdated = 0

    told = veza("media", "reprocess", "--json")

    assert (told.code, told.json["queued"], peer.asked) == (0, 0, [])


def test_a_reason_is_wanted(veza, peer) -> None:
    assert veza("media", "reprocess").code == 2
    assert peer.asked == []
