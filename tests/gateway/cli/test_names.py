"""An actor is named by its path or the end of it; nobody acts on a guess."""

import pytest


def inspected(veza, name: str):
    told = veza("inspect", name, "--json")
    return told.json["actor"]["path"] if told.code == 0 else told


@pytest.mark.parametrize(
    "name",
    [
        "/veza/root/services/catalogue",
        "veza/root/services/catalogue",
        "services/catalogue",
        "catalogue",
        "catal",
        "services/cat…",
    ],
)
def test_the_end_of_a_path_is_enough(veza, peer, name) -> None:
    assert inspected(veza, name) == "/veza/root/services/catalogue"


def test_a_name_cut_short_finds_the_room(veza, peer, names) -> None:
    assert inspected(veza, "rooms/0198c2f0-1") == f"/veza/root/rooms/{names['room']}"


@pytest.mark.parametrize("name", ["rooms", "rooms/0198c2f0"])
def test_what_may_be_several_is_refused_with_all_of_them(veza, peer, name) -> None:
    told = inspected(veza, name)

    assert told.code == 2
    assert told.err.count("/veza/root/") == 2


def test_a_whole_name_goes_before_one_cut_short(veza, peer) -> None:
    assert inspected(veza, "services") == "/veza/root/services"


def test_a_name_nobody_has_is_told(veza, peer) -> None:
    told = inspected(veza, "nobody")

    assert told.code == 2
    assert "no actor is called nobody" in told.err


def test_an_actor_that_is_not_shown_is_found_by_its_whole_name(veza, peer, names) -> None:
    path = f"/veza/root/rooms/{names['hidden']}"
    peer.hidden.add(path)
    peer.tree["children"][1]["child_count"] = 5000

    assert inspected(veza, names["hidden"]) == path
    assert inspected(veza, f"rooms/{names['hidden']}") == path


def test_where_not_all_are_shown_a_short_name_is_no_name(veza, peer) -> None:
    peer.tree["children"][1]["child_count"] = 5000

    told = inspected(veza, "rooms/0198c2f0-1")

    assert told.code == 2
    assert "write the whole name" in told.err


def test_names_that_hide_in_two_families_are_several(veza, peer) -> None:
    peer.hidden |= {"/veza/root/rooms/x", "/veza/root/pipelines/x"}
    for family in peer.tree["children"][1:]:
        family["child_count"] = 5000

    told = inspected(veza, "x")

    assert told.code == 2
    assert "/veza/root/pipelines/x" in told.err


def test_a_name_travels_as_it_is(veza, peer) -> None:
    peer.hidden.add("/veza/root/odd name?#%2F")

    assert inspected(veza, "/veza/root/odd name?#%2F") == "/veza/root/odd name?#%2F"
