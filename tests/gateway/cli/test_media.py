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


def test_check_goes_through_everything_and_says_that_all_is_there(veza, peer) -> None:
    told = veza("media", "check", "--fast")

    assert told.code == 0
    shelves = [asked["shelf"] for _, asked in peer.asked]
    assert shelves == ["tracks", "tracks", "attachments", "attachments"]
    assert {asked["fast"] for _, asked in peer.asked} == {"true"}
    assert "14 objects of 4.0 kB checked. All are there, and whole." in told.out


def test_what_is_missing_is_listed_and_is_a_problem(veza, peer) -> None:
    peer.bad = [{"key": "media/x/0.mp4", "fate": "missing"}]

    told = veza("media", "check")

    assert told.code == 1
    assert "missing" in told.out
    assert "media/x/0.mp4" in told.out


def test_gc_counts_and_deletes_only_if_asked_for_a_reason(veza, peer) -> None:
    told = veza("media", "gc")

    assert told.code == 0
    assert "6 objects of 3.0 kB that no table names." in told.out
    assert {asked["deletes"] for _, asked in peer.asked} == {False}
    assert veza("media", "gc", "--delete").code == 2
    deleted = veza("media", "gc", "--delete", "--older-than-hours", "2", "--reason", "tidy")
    assert "6 objects of 3.0 kB deleted." in deleted.out
    assert peer.asked[-1][1]["older_than_seconds"] == 7200
    assert veza("media", "gc", "--older-than-hours", "0.5").code == 2
