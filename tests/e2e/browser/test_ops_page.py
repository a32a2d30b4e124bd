"""The ops page on a real node: who looks after it sees it live, finds what ails, and acts with a reason."""

import re

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
ROOMS = "/veza/root/rooms"
# PostgreSQL keeps no such character in a text: the handler that is given it fails.
UNSTORABLE = "a\x00b"


@pytest.fixture(scope="module")
def node(new_node):
    """A node of these tests alone: they make it ill."""
    node = new_node().start()
    yield node
    node.end()


@pytest.fixture
async def root(node, person):
    """The administrator at an API client."""
    root = await person(node, "root")
    account = {"username": "root", "email": "root@example.org", "password": PASSWORD}
    _, _, token = node.told("First admin").partition("#")
    # The link makes one administrator, for the first of the tests.
    async with root.request("POST", "/setup", json={**account, "token": token}) as answer:
        assert answer.status in {201, 401}, await answer.text()
    return await root.sign_in()


@pytest.fixture
async def keeper(root, node, visitor):
    """The administrator at the page."""
    keeper = await (await visitor(node.url, root.name)).sign_in(PASSWORD)
    await keeper.page.get_by_role("link", name="Ops").click()
    await keeper.sees(row(keeper, "/veza/root/directory"))
    return keeper


@pytest.fixture
async def porch(root):
    """A room with somebody in it, and the connection of theirs."""
    room = await root.room("Porch")
    wire = await root.connect()
    await wire.ask("room.join", room=room)
    yield room, wire
    await wire.socket.close()


def grid(visitor):
    return visitor.page.get_by_role("treegrid", name="Supervision tree")


def row(visitor, path):
    return grid(visitor).locator(f"[data-path='{path}']")


def alarms(visitor):
    return visitor.page.get_by_role("region", name="Alarms")


async def act(visitor, label, reason):
    """Do something to the actor whose details are open, and wait until it is done."""
    await visitor.button(label).click()
    dialog = visitor.page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill(reason)
    await dialog.get_by_role("button", name=label, exact=True).click()
    await expect(dialog).to_have_count(0)
    await visitor.sees(visitor.page.get_by_text(f"{label}: "))


async def tab(visitor, name):
    tabs = visitor.page.get_by_role("navigation", name="Ops")
    await tabs.get_by_role("link", name=name).click()


async def opened(visitor, path):
    """Open an actor by its address."""
    await visitor.open(f"/ops/actors{path}")
    detail = visitor.page.get_by_role("region", name=f"Actor {path.rpartition('/')[2]}")
    await visitor.sees(detail.get_by_role("group", name="Actions"))
    return detail


async def test_the_page_shows_this_node(keeper):
    about = keeper.page.get_by_role("main")
    await expect(about).to_contain_text("Ready")
    await expect(about).to_contain_text("Live")
    figures = keeper.page.locator(".ops-strip")
    await expect(figures).to_contain_text(re.compile(r"Actors[1-9]\d*"))
    await expect(figures).to_contain_text(re.compile(r"Memory\d+"))
    figure = keeper.page.get_by_role("figure").filter(has_text="Messages a second")
    await expect(figure).to_contain_text(re.compile(r"min [\d.]+ · max [\d.]+"))
    await expect(figure.locator("canvas")).to_have_count(1)


async def test_the_keyboard_goes_through_the_tree_into_an_actor_and_back(keeper, node):
    keyboard = keeper.page.keyboard
    await row(keeper, "/veza/root/directory").focus()
    await keyboard.press("Home")
    await expect(row(keeper, "/veza/root")).to_be_focused()
    await keyboard.press("ArrowLeft")
    await expect(row(keeper, "/veza/root")).to_have_attribute("aria-expanded", "false")
    await expect(row(keeper, "/veza/root/directory")).to_have_count(0)
    await keyboard.press("ArrowRight")
    await keyboard.press("ArrowRight")
    await expect(row(keeper, "/veza/root/directory")).to_be_focused()
    await keyboard.press("End")
    await expect(row(keeper, "/veza/root/dispatcher")).to_be_focused()
    await keyboard.press("Enter")
    await expect(keeper.page).to_have_url(f"{node.url}/ops/actors/veza/root/dispatcher")
    await expect(keeper.page.get_by_role("heading", name="dispatcher")).to_be_focused()
    await keyboard.press("Escape")
    await expect(row(keeper, "/veza/root/dispatcher")).to_be_focused()


async def test_a_room_that_opens_appears_by_itself_and_counts_its_messages(keeper, porch):
    room, wire = porch  # opened behind the page's back
    actor = row(keeper, f"{ROOMS}/{room}")
    await keeper.sees(actor)
    await actor.click()
    handled = keeper.page.locator(".ops-figures div").filter(has_text="Handled").locator("dd")
    before = int(await handled.inner_text())
    await wire.ask("message.send", room=room, message_id=room, text="Salut")
    await expect(handled).not_to_have_text(str(before), timeout=10_000)
    recent = keeper.page.get_by_role("region", name="Last messages", exact=True)
    await expect(recent.get_by_text("ActInRoom").first).to_be_visible()


async def test_a_search_leaves_what_matches_and_what_is_above_it(keeper):
    await keeper.page.get_by_role("searchbox").fill("CatalogueActor")
    rows = grid(keeper).locator(".ops-rows [role=row]")
    await expect(rows).to_have_count(3)
    await expect(rows.last).to_contain_text("catalogue")


async def test_a_suspended_actor_is_an_alarm_until_it_is_resumed(keeper, porch):
    room, _ = porch
    path = f"{ROOMS}/{room}"
    await opened(keeper, path)
    await act(keeper, "Suspend", "to look at its mailbox")
    await expect(row(keeper, path)).to_contain_text("Suspended")
    await expect(alarms(keeper)).to_contain_text(f"{path} is suspended")
    await keeper.button("Only unhealthy").click()
    await keeper.sees(row(keeper, path))
    await expect(row(keeper, "/veza/root/directory")).to_have_count(0)
    await act(keeper, "Resume", "seen enough")
    await expect(alarms(keeper)).to_have_count(0)
    await keeper.sees(keeper.page.get_by_text("All actors are well."))


async def test_a_restart_is_counted_and_written_down_with_its_reason(keeper, porch):
    room, _ = porch
    await opened(keeper, f"{ROOMS}/{room}")
    await act(keeper, "Restart", "it felt slow")
    restarts = keeper.page.locator(".ops-figures div").filter(has_text="Restarts").locator("dd")
    await expect(restarts).to_have_text("1")
    await tab(keeper, "Audit")
    line = keeper.page.get_by_role("row").filter(has_text="it felt slow")
    await expect(line).to_contain_text("root")
    await expect(line).to_contain_text("restart")
    await expect(line).to_contain_text(room)


async def test_what_the_server_refuses_is_told_in_the_dialog(keeper):
    await opened(keeper, "/veza/root/directory")
    await keeper.button("Suspend").click()
    dialog = keeper.page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill("to see")
    await dialog.get_by_role("button", name="Suspend", exact=True).click()
    await keeper.sees(dialog.get_by_role("alert"))
    await expect(dialog.get_by_label("Reason")).to_have_value("to see")
    keeper.forgive("409")


async def test_a_trace_shows_messages_as_they_come_and_ends_at_its_limit(keeper, porch):
    room, wire = porch
    await opened(keeper, f"{ROOMS}/{room}")
    await keeper.button("Trace").click()
    dialog = keeper.page.get_by_role("dialog")
    await dialog.get_by_label("At most (messages)").fill("1")
    await dialog.get_by_label("Reason").fill("what does it get?")
    await dialog.get_by_role("button", name="Start trace").click()
    trace = keeper.page.get_by_test_id("trace")
    await expect(trace).to_contain_text("Tracing")
    await wire.ask("message.send", room=room, message_id=room, text="Salut")
    await expect(trace).to_contain_text("Ended:")
    await expect(trace.locator("tbody")).to_have_count(1)


async def test_a_crash_is_grouped_and_shows_where_it_happened(keeper, root):
    fields = {"username": UNSTORABLE, "email": "x@y", "password": "x", "user_agent": "x"}
    path = "/veza/root/services/accounts"
    told = {"path": path, "type": "RegisterAccount", "fields": fields, "reason": "to see it crash"}
    for _ in range(2):
        await root.post("/ops/tell", told)
    await tab(keeper, "Crashes")
    groups = keeper.page.get_by_role("list", name="Crash groups").locator(
        "> li", has_text="Accounts"
    )
    await expect(groups).to_have_count(1)
    await expect(groups).to_contain_text("2 times")
    await groups.get_by_role("link", name="in AccountsActor").click()
    await keeper.sees(keeper.page.get_by_text("Traceback (most recent call last)").first)


async def test_dead_letters_are_listed_and_discarded_with_a_reason(keeper, porch):
    room, wire = porch
    await opened(keeper, f"{ROOMS}/{room}")
    await act(keeper, "Suspend", "so that something waits")
    await wire.send("message.send", room=room, message_id=room, text="Salut")
    mailbox = keeper.page.locator(".ops-figures div").filter(has_text="Mailbox").locator("dd")
    await expect(mailbox).to_have_text(re.compile(r"^1 /"))
    await keeper.button("Kill").click()
    dialog = keeper.page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill("so that it is lost")
    await dialog.get_by_role("button", name="Kill", exact=True).click()
    await keeper.sees(keeper.page.get_by_text("Its supervisor starts it again."))

    await tab(keeper, "Dead letters")
    letter = keeper.page.get_by_role("list", name="Dead letters").locator("> li", has_text=room)
    await expect(letter).to_contain_text("ActInRoom")
    await letter.get_by_role("button", name="Discard ActInRoom").click()
    dialog = keeper.page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill("of a test")
    await dialog.get_by_role("button", name="Discard", exact=True).click()
    await keeper.sees(keeper.page.get_by_text("ActInRoom was discarded."))
    await expect(letter).to_have_count(0)


async def test_who_is_connected_is_listed_with_a_masked_address(keeper):
    await tab(keeper, "Connections")
    line = keeper.page.get_by_role("row").filter(has_text="root").first
    await expect(line).to_contain_text(re.compile(r"127\.0\.0\.0|::"))


async def test_who_has_no_role_sees_no_entry_and_is_told_so(node, visitor):
    plain = await (await visitor(node.url)).register()
    await expect(plain.page.get_by_role("link", name="Ops")).to_have_count(0)
    await plain.open("/ops")
    await plain.sees(plain.page.get_by_role("heading", name="You need the role ops"))
