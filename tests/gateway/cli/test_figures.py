"""Rates are what grew between two looks; a counter that began anew is no negative rate."""

from dataclasses import replace

import pytest

from veza.gateway.cli.figures import (
    Look,
    Order,
    View,
    actor_rates,
    after_key,
    chosen,
    node_rates,
)


def looked(peer, at_seconds: float, **catalogue) -> Look:
    root = {**peer.tree}
    services = {**root["children"][0]}
    services["children"] = [{**services["children"][0], **catalogue}, *services["children"][1:]]
    root["children"] = [services, *root["children"][1:]]
    return Look(at_seconds=at_seconds, node=dict(peer.node), root=root)


def catalogue_of(busy):
    return next(each for each in busy if each.actor["name"] == "catalogue")


def test_rates_are_what_grew_in_a_second(peer) -> None:
    before = looked(peer, 10.0, messages=100, busy_ms=1000, errors=0)
    now = looked(peer, 12.0, messages=150, busy_ms=1500, errors=1)

    busy = catalogue_of(actor_rates(before, now))

    assert (busy.messages_per_second, busy.busy_percent, busy.errors_per_second) == (25, 25, 0.5)


@pytest.mark.parametrize("changes", [{"messages": 3}, {"messages": 3, "started_at": "later"}])
def test_an_actor_that_began_anew_has_no_rate_yet(peer, changes) -> None:
    before, now = looked(peer, 10.0, messages=100), looked(peer, 11.0, **changes)

    assert catalogue_of(actor_rates(before, now)).messages_per_second == 0


def test_the_first_look_knows_no_rates(peer) -> None:
    now = looked(peer, 10.0)

    assert {each.messages_per_second for each in actor_rates(None, now)} == {0}
    assert node_rates(None, now).messages_per_second == 0


def test_another_node_on_the_same_socket_is_no_jump(peer) -> None:
    before = looked(peer, 10.0)
    now = replace(before, at_seconds=11.0, node={**before.node, "node_id": "new", "messages": 9999})

    assert node_rates(before, now).messages_per_second == 0


def test_cpu_is_percent_of_a_core(peer) -> None:
    before = looked(peer, 10.0)
    now = replace(before, at_seconds=12.0, node={**before.node, "cpu_seconds": 31.0})

    assert node_rates(before, now).cpu_percent == 50


@pytest.mark.parametrize(
    ("order", "first"),
    [(Order.MAILBOX, "catalogue"), (Order.RESTARTS, "0198c2f0-1111"), (Order.NAME, "root")],
)
def test_actors_are_sorted_by_what_is_asked_for(peer, order, first) -> None:
    shown = chosen(actor_rates(None, looked(peer, 0.0)), View(order=order))

    assert shown[0].actor["name"].startswith(first)


def test_only_the_unhealthy_are_left_if_so_asked(peer, names) -> None:
    shown = chosen(actor_rates(None, looked(peer, 0.0)), View(is_only_unhealthy=True))

    assert [each.actor["name"] for each in shown] == [names["room"]]


def test_keys_change_the_view_and_others_do_not() -> None:
    view = View()

    assert after_key(view, "m").order is Order.MAILBOX
    assert after_key(after_key(view, "u"), "u") == view
    assert after_key(view, "p").is_paused
    assert after_key(view, "z") == view
