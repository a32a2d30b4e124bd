"""The ops page in states that a healthy node does not reach, told by a peer that makes them up."""

import re

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser

ROOT = "/veza/root"
FOCUSED = "() => document.activeElement.dataset.path ?? document.activeElement.textContent"
# Longest task of the page between two marks, in ms; what is over 50 is felt.
LONGEST_FRAME = """async (count) => {
  let longest = 0, last = performance.now();
  for (let at = 0; at < count; at += 1) {
    const now = await new Promise(requestAnimationFrame);
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
}"""


@pytest.fixture
async def olga(peer, visitor):
    """Somebody with the role, at the page."""
    olga = await (await visitor(peer.url, "olga")).open("/ops")
    await expect(row(olga, "directory")).to_be_visible()
    return olga


def grid(visitor):
    return visitor.page.get_by_role("treegrid", name="Supervision tree")


def row(visitor, path):
    return grid(visitor).locator(f"[data-path='{ROOT}/{path}']")


def rows(visitor):
    return grid(visitor).locator(".ops-rows [role=row]")


async def give_reason(visitor, label, reason):
    dialog = visitor.page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill(reason)
    await dialog.get_by_role("button", name=label, exact=True).click()


async def test_each_trouble_has_a_word_and_a_place_among_the_alarms(olga):
    words = {
        "mailer": "Hung",
        "roomlog": "Backlog",
        "streams": "Near limit",
        "relay": "Down",
        "jobs": "Suspended",
        "streams/job-70": "Restarted",
    }
    for path, word in words.items():
        await expect(row(olga, path)).to_contain_text(word)
    alarms = olga.page.get_by_role("region", name="Alarms")
    await expect(alarms).to_contain_text(f"{ROOT}/mailer hangs: SendMail has run for 1 min 34 s.")
    await expect(alarms).to_contain_text(f"{ROOT}/relay is down: gave up: 6 restarts in 60 s.")
    await expect(alarms.get_by_role("listitem").first).to_contain_text("mailer")


async def test_failing_checks_blocks_and_draining_are_told_in_words(peer, visitor):
    peer.checks["database"] = False
    peer.figures["phase"] = "draining"
    block = {"seconds": 1.42, "at_work": f"{ROOT}/accounts SignIn", "stack": "accounts.py:40"}
    peer.blocks = [{"at": peer.letters[0]["at"], **block}]
    olga = await (await visitor(peer.url, "olga")).open("/ops")
    alarms = olga.page.get_by_role("region", name="Alarms")
    await expect(alarms).to_contain_text("The check database fails.")
    await expect(alarms).to_contain_text("The node is draining")
    await expect(alarms).to_contain_text("The event loop stood still for 1.4 s")
    await expect(alarms.get_by_role("link", name=f"{ROOT}/accounts")).to_be_visible()


async def test_the_keyboard_alone_goes_through_the_tree_and_back(olga, peer):
    keyboard = olga.page.keyboard
    await row(olga, "directory").focus()
    await keyboard.press("Home")
    assert await olga.page.evaluate(FOCUSED) == ROOT
    await keyboard.press("ArrowRight")
    assert await olga.page.evaluate(FOCUSED) == f"{ROOT}/directory"
    await keyboard.press("ArrowLeft")
    assert await olga.page.evaluate(FOCUSED) == ROOT

    for _ in range(5):
        await keyboard.press("ArrowDown")
    await expect(row(olga, "rooms")).to_be_focused()
    await expect(row(olga, "rooms")).to_have_attribute("aria-expanded", "false")
    await keyboard.press("ArrowRight")
    await expect(row(olga, "rooms")).to_have_attribute("aria-expanded", "true")
    await expect(row(olga, "rooms")).to_be_focused()
    await keyboard.press("End")
    await expect(row(olga, "jobs")).to_be_focused()
    await keyboard.press("PageUp")
    await keyboard.press("Home")
    await expect(grid(olga).locator(f"[data-path='{ROOT}']")).to_be_focused()

    await keyboard.press("ArrowDown")
    await keyboard.press("Enter")
    await expect(olga.page).to_have_url(f"{peer.url}/ops/actors{ROOT}/directory")
    await expect(olga.page.get_by_role("heading", name="directory")).to_be_focused()
    await keyboard.press("Escape")
    await expect(olga.page).to_have_url(f"{peer.url}/ops")
    await expect(row(olga, "directory")).to_be_focused()


async def test_rows_say_their_place_in_the_tree(olga):
    room = row(olga, "rooms")
    await room.focus()
    await olga.page.keyboard.press("ArrowRight")
    first = row(olga, "rooms/room-000")
    await expect(first).to_have_attribute("aria-level", "3")
    await expect(first).to_have_attribute("aria-posinset", "1")
    await expect(first).to_have_attribute("aria-setsize", "51")
    await olga.page.get_by_role("searchbox").fill("room-04")
    await expect(rows(olga)).to_have_count(12)
    await olga.page.get_by_role("searchbox").fill("")
    await grid(olga).evaluate("(grid) => { grid.scrollTop = 52 * 30; }")
    await expect(grid(olga).get_by_text("262 more, quieter ones: details of rooms")).to_be_visible()


async def test_what_changes_is_drawn_and_rates_come_from_two_frames(olga, peer):
    await expect(row(olga, "directory").locator(".ops-c-rate")).to_have_text("0")
    peer.rows[f"{ROOT}/directory"].update(messages=48_211 + 640, mailbox=12, busy_ms=2600)
    await peer.beat(f"{ROOT}/directory")
    await expect(row(olga, "directory").locator(".ops-c-mailbox")).to_have_text("12/1,000")
    rate = row(olga, "directory").locator(".ops-c-rate")
    await expect(rate).to_have_text("640")
    await expect(row(olga, "directory").locator(".ops-c-busy")).to_have_text("50 %")
    await peer.beat()
    await expect(rate).to_have_text("0")
    await peer.beat(gone=(f"{ROOT}/jobs",))
    await expect(row(olga, "jobs")).to_have_count(0)


async def test_a_gap_in_the_revisions_asks_for_everything_anew(olga, peer):
    watched = peer.times("ops.watch")
    peer.rows[f"{ROOT}/directory"]["mailbox"] = 5
    await peer.beat(skip=3)
    await peer.until(lambda: peer.times("ops.watch") == watched + 1)
    await expect(row(olga, "directory").locator(".ops-c-mailbox")).to_contain_text("5/")


async def test_a_lost_connection_is_watched_again(olga, peer):
    watched = peer.times("ops.watch")
    await peer.hang_up()
    await peer.until(lambda: peer.times("ops.watch") == watched + 1)
    await expect(olga.page.get_by_text("Live", exact=True)).to_be_visible()


async def test_leaving_the_page_ends_the_watch(olga, peer):
    await olga.page.get_by_role("link", name="Tracks").click()
    await expect(olga.page.get_by_text("No tracks yet")).to_be_visible()
    await peer.until(lambda: peer.times("ops.unwatch") == 1)
    assert not peer.watchers


async def test_a_page_that_nobody_sees_is_told_nothing(olga, peer):
    watched = peer.times("ops.watch")
    hide = """(isHidden) => {
      Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await olga.page.evaluate(hide, arg=True)
    await peer.until(lambda: peer.times("ops.unwatch") == 1)
    await olga.page.evaluate(hide, arg=False)
    await peer.until(lambda: peer.times("ops.watch") == watched + 1)


async def test_only_unhealthy_and_search_leave_the_ancestors(olga):
    await olga.button("Only unhealthy").click()
    await expect(row(olga, "streams/job-70")).to_be_visible()
    await expect(row(olga, "streams")).to_be_visible()
    await expect(row(olga, "directory")).to_have_count(0)
    await olga.page.get_by_role("searchbox").fill("streamjob")
    await expect(rows(olga)).to_have_count(3)
    await olga.page.get_by_role("columnheader", name="Restarts").get_by_role("button").click()
    await expect(rows(olga)).to_have_count(1)  # sorted, it is a flat list of matches
    await expect(rows(olga).first).to_contain_text(f"{ROOT}/streams/job-70")


async def test_an_id_that_is_not_shown_is_looked_for_in_the_big_families(olga):
    unseen = "0198c1f2-7a00-7abc-8def-001122334455"
    await olga.page.get_by_role("searchbox").fill(unseen)
    link = olga.page.get_by_role("link", name=f"{ROOT}/rooms/{unseen}")
    await link.click()
    await expect(olga.page.get_by_text("There is no actor at this path.")).to_be_visible()
    olga.forgive("404")


async def test_columns_sort_among_siblings(olga):
    header = olga.page.get_by_role("columnheader", name="Mailbox")
    await header.get_by_role("button").click()
    await expect(header).to_have_attribute("aria-sort", "descending")
    await expect(rows(olga).nth(1)).to_contain_text("mailer")
    await expect(rows(olga).nth(2)).to_contain_text("roomlog")
    await header.get_by_role("button").click()
    await header.get_by_role("button").click()
    await expect(header).to_have_attribute("aria-sort", "none")
    await expect(rows(olga).nth(1)).to_contain_text("directory")


async def test_a_frozen_tree_stands_still_while_the_figures_go_on(olga, peer):
    await olga.button("Freeze").click()
    peer.rows[f"{ROOT}/directory"]["mailbox"] = 9
    peer.figures["connections"] = 4242
    await peer.beat(f"{ROOT}/directory")
    await expect(olga.page.get_by_text("4,242")).to_be_visible()
    await expect(row(olga, "directory").locator(".ops-c-mailbox")).to_contain_text("0/")
    await olga.button("Freeze").click()
    await expect(row(olga, "directory").locator(".ops-c-mailbox")).to_contain_text("9/")


async def test_the_tree_is_copied_as_text(olga):
    await olga.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await olga.button("Copy").click()
    await expect(olga.page.get_by_text("lines copied")).to_be_visible()
    text = await olga.page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"^ {2}mailer +Hung +MailerActor +1000/1000", text, re.MULTILINE)


async def test_the_details_show_what_hangs_and_why_it_ended_before(olga, peer):
    await row(olga, "mailer").click()
    detail = olga.page.get_by_role("region", name="Actor mailer")
    await expect(detail).to_contain_text("receiveMsg_SendMail")
    await expect(detail.get_by_role("region", name="State")).to_contain_text("4711")
    recent = detail.get_by_role("table").first.locator("tbody tr")
    await expect(recent).to_have_count(50)
    await olga.open(f"/ops/actors{ROOT}/streams/job-70")
    detail = olga.page.get_by_role("region", name="Actor job-70")
    await detail.get_by_text("crashed", exact=True).click()
    await expect(detail.get_by_text("cannot reshape array of size")).to_be_visible()
    await detail.get_by_role("link", name="streams").click()
    await expect(olga.page).to_have_url(f"{peer.url}/ops/actors{ROOT}/streams")
    await olga.page.get_by_role("region", name="Children").get_by_text("job-71").click()
    await expect(olga.page).to_have_url(f"{peer.url}/ops/actors{ROOT}/streams/job-71")
    detail = olga.page.get_by_role("region", name="Actor job-71")
    await expect(detail).to_contain_text("Mailbox")  # else it ends before it was seen at all
    del peer.rows[f"{ROOT}/streams/job-71"]
    await expect(olga.page.get_by_text("This actor has ended.")).to_be_visible()
    olga.forgive("404")


async def test_an_act_needs_a_reason_and_tells_what_came_of_it(olga, peer):
    await olga.open(f"/ops/actors{ROOT}/mailer")
    restart = olga.button("Restart")
    await restart.click()
    dialog = olga.page.get_by_role("dialog", name="Restart mailer?")
    await expect(dialog.get_by_label("Reason")).to_be_focused()
    await dialog.get_by_role("button", name="Restart").click()
    await expect(dialog).to_be_visible()
    assert peer.acts == []
    await give_reason(olga, "Restart", "hung on the relay")
    await expect(dialog).to_have_count(0)
    await expect(olga.page.get_by_text("Restart: It starts again at once.")).to_be_visible()
    await expect(restart).to_be_focused()
    assert peer.acts == [(f"ops/actors{ROOT}/mailer/restart", {"reason": "hung on the relay"})]


async def test_a_refusal_stays_in_the_dialog_with_what_was_typed(olga):
    await olga.open(f"/ops/actors{ROOT}/directory")
    await olga.button("Suspend").click()
    await give_reason(olga, "Suspend", "maintenance")
    dialog = olga.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Nothing could be mended any more.")
    await expect(dialog.get_by_label("Reason")).to_have_value("maintenance")
    olga.forgive("409")


async def test_a_trace_shows_its_messages_and_why_it_ended(olga, peer):
    await olga.open(f"/ops/actors{ROOT}/directory")
    await olga.button("Trace").click()
    await olga.page.get_by_label("At most (messages)").fill("3")
    await give_reason(olga, "Start trace", "who asks so often?")
    trace = olga.page.get_by_test_id("trace")
    await expect(trace).to_contain_text("Ended: limit reached")
    await expect(trace.locator("tbody")).to_have_count(3)
    (path, body), *_ = peer.acts
    assert path == f"ops/actors{ROOT}/directory/trace"
    assert body == {
        "reason": "who asks so often?",
        "limit": 3,
        "seconds": 30,
        "type": "",
        "with_bodies": False,
    }


async def test_dead_letters_are_replayed_and_discarded_with_a_reason(olga, peer):
    await olga.page.get_by_role("link", name="Dead letters").click()
    letters = olga.page.get_by_role("list", name="Dead letters").locator("> li")
    await expect(letters).to_have_count(3)
    await expect(letters.nth(2).get_by_role("button", name="Replay PostMessage")).to_be_disabled()
    await letters.nth(1).get_by_role("button", name="Replay LeaveRoom").click()
    await give_reason(olga, "Replay", "the room is back")
    await expect(olga.page.get_by_text("LeaveRoom was sent again.")).to_be_visible()
    await expect(letters).to_have_count(2)
    await olga.button("Discard all").click()
    await give_reason(olga, "Discard all", "of a test")
    await expect(olga.page.get_by_text("No message went unseen.")).to_be_visible()
    assert [path for path, _ in peer.acts] == [
        "ops/dead-letters/1002/replay",
        "ops/dead-letters/discard",
    ]


@pytest.mark.parametrize("width", [1280, 390])
async def test_a_trace_fits_its_pane_however_long_its_names_are(olga, peer, width):
    await olga.page.set_viewport_size({"width": width, "height": 900})
    await olga.page.goto(f"{peer.url}/ops/actors{ROOT}/directory")
    await olga.button("Trace").click()
    await give_reason(olga, "Start trace", "who asks so often?")
    messages = olga.page.get_by_role("region", name="Traced messages")
    await expect(messages.locator("tbody").first).to_contain_text("request")
    assert await messages.evaluate("(region) => region.scrollWidth === region.clientWidth")


async def test_a_crash_group_leads_to_its_tracebacks(olga, peer):
    await olga.page.get_by_role("link", name="Crashes").click()
    groups = olga.page.get_by_role("list", name="Crash groups")
    await expect(groups).to_contain_text("7 times")
    await groups.get_by_role("link", name="ValueError in StreamJobActor").click()
    await expect(olga.page).to_have_url(f"{peer.url}/ops/crashes/f00d")
    await expect(olga.page.get_by_text("samples.reshape(-1, self.block)")).to_be_visible()


@pytest.mark.parametrize(("tab", "text"), [("Connections", "192.0.2.0/24"), ("Audit", "hung on")])
async def test_a_list_is_shown_behind_its_tab(tab, text, olga):
    await olga.page.get_by_role("navigation", name="Ops").get_by_role("link", name=tab).click()
    await expect(olga.page.get_by_role("table")).to_contain_text(text)


async def test_who_has_no_role_is_told_and_sees_no_entry(peer, visitor):
    peer.roles = []
    plain = await (await visitor(peer.url, "plain")).open("/ops")
    await expect(plain.page.get_by_role("heading", name="You need the role ops")).to_be_visible()
    await expect(plain.page.get_by_role("link", name="Ops")).to_have_count(0)
    assert peer.times("ops.watch") == 0


async def test_the_charts_say_in_text_what_they_draw(olga, peer):
    peer.figures["messages"] = 50_300
    await peer.beat()
    figure = olga.page.get_by_role("figure").filter(has_text="Messages a second")
    await expect(figure).to_contain_text(re.compile(r"Messages a second\d+min \d+ · max \d+"))
    await expect(figure.locator("canvas")).to_have_count(1)


async def test_ten_thousand_actors_scroll_and_update_without_a_stall(crowded, visitor):
    olga = await (await visitor(crowded.url, "olga")).open("/ops")
    crowd = row(olga, "crowd")
    await crowd.focus()
    await olga.page.keyboard.press("ArrowRight")
    await expect(row(olga, "crowd/member-00000")).to_be_visible()
    assert await rows(olga).count() < 80
    await olga.page.keyboard.press("End")
    await expect(row(olga, "crowd/member-09999")).to_be_focused()

    for number in range(0, 10_000, 20):
        crowded.rows[f"{ROOT}/crowd/member-{number:05}"]["messages"] += number
    changed = [f"{ROOT}/crowd/member-{number:05}" for number in range(0, 10_000, 20)]
    await olga.page.evaluate(LONGEST_FRAME, 5)  # what came before has settled
    scrolling = olga.page.evaluate(LONGEST_FRAME, 60)
    for top in range(0, 300_000, 10_000):
        await grid(olga).evaluate("(grid, top) => { grid.scrollTop = top; }", top)
    await crowded.beat(*changed)
    longest = await scrolling
    # 200 ms is what a person begins to call slow; a shared runner takes its part of it.
    assert longest < 200


async def test_tab_reaches_one_row_of_the_tree_and_everything_has_a_name(olga):
    assert await grid(olga).locator("[role=row][tabindex='0']").count() == 1
    nameless = await olga.page.evaluate(
        """() => [...document.querySelectorAll("main button, main a[href], main input")]
          .filter((each) => !(each.ariaLabel || each.textContent.trim() || each.labels?.length))
          .map((each) => each.outerHTML)"""
    )
    assert nameless == []
    headings = await olga.page.get_by_role("heading", level=1).count()
    assert headings == 1


@pytest.mark.parametrize("path", ["/ops", f"/ops/actors{ROOT}/mailer", "/ops/dead-letters"])
async def test_a_phone_shows_it_without_scrolling_sideways(path, peer, visitor):
    window = {"width": 360, "height": 740}
    olga = await (await visitor(peer.url, "olga", viewport=window)).open(path)
    await expect(olga.page.get_by_role("heading", name="Ops")).to_be_visible()
    await olga.page.wait_for_load_state("networkidle")
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await olga.page.evaluate(wide) == 0
    main = "(() => { const m = document.getElementById('main'); return m.scrollWidth - m.clientWidth; })()"
    assert await olga.page.evaluate(main) == 0
