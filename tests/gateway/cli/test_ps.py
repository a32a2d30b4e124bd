"""`veza ps` shows the tree, finds what is looked for, and hands scripts the node's own JSON."""

import re


def test_children_are_indented_under_their_supervisors(veza, peer, names) -> None:
    told = veza("ps")

    assert told.code == 0
    assert re.search(r"^root +Supervisor ", told.out, re.MULTILINE)
    assert re.search(rf"^    {names['room']} +RoomActor ", told.out, re.MULTILINE)


def test_without_the_tree_it_is_a_plain_list_of_paths(veza, peer, names) -> None:
    told = veza("ps", "--no-tree")

    assert re.search(rf"^/veza/root/rooms/{names['room']} +RoomActor ", told.out, re.MULTILINE)


def test_sorted_those_with_the_most_come_first(veza, peer) -> None:
    def first(by: str) -> str:
        return veza("ps", "--sort", by).out.splitlines()[1].split()[0].rpartition("/")[2]

    assert first("mailbox") == "catalogue"
    assert first("messages") == "rooms"
    assert first("cpu") == first("rss") == "p1"


def test_unhealthy_actors_are_a_problem_that_scripts_see(veza, peer, names) -> None:
    found = veza("ps", "--unhealthy", "--no-tree")
    peer.tree["children"][1]["children"][0]["unhealthy"] = []
    mended = veza("ps", "--unhealthy", "--no-tree")

    assert found.code == 1
    assert found.out.count("/veza/") == 1
    # A mark and words, not a colour only.
    assert "! crashed, restarted" in found.out
    assert mended.code == 0


def test_supervisors_of_what_is_found_are_shown_with_it(veza, peer, names) -> None:
    told = veza("ps", "--search", "roomactor")

    shown = [line.split()[0] for line in told.out.splitlines()[1:]]
    assert shown == ["root", "rooms", names["room"], names["other"]]


def test_under_shows_a_part_of_the_tree(veza, peer) -> None:
    told = veza("ps", "--under", "services")

    shown = [line.split()[0] for line in told.out.splitlines()[1:]]
    assert shown == ["services", "catalogue", "rooms"]


def test_json_is_exactly_what_the_node_says(veza, peer) -> None:
    told = veza("ps", "--json")

    assert told.json == {"node": "studio", "root": peer.tree}


def test_json_of_a_search_is_a_list_of_actors(veza, peer, names) -> None:
    told = veza("ps", "--json", "--unhealthy")

    assert told.code == 1
    assert [each["name"] for each in told.json] == [names["room"]]
    assert "children" not in told.json[0]


def test_what_is_left_out_of_large_families_is_told(veza, peer) -> None:
    rooms = peer.tree["children"][1]
    rooms["child_count"] = 5000
    peer.tree["below"]["actors"] = 5007

    assert "… 4,998 more" in veza("ps").out
    assert "actors are not shown" in veza("ps", "--no-tree").err


def test_no_node_is_unreachable(veza) -> None:
    told = veza("ps")

    assert told.code == 3
    assert "No node answers" in told.err


def test_wrong_settings_are_a_usage_error(veza, monkeypatch) -> None:
    monkeypatch.setenv("VEZA_PROT", "1")

    told = veza("ps")

    assert told.code == 2
    assert "VEZA_PORT" in told.err


def test_an_option_nobody_knows_is_a_usage_error(veza) -> None:
    assert veza("ps", "--nonsense").code == 2
