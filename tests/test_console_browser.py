"""The console in a real browser: every page by axe, in light and dark and on a phone; a case decided by keyboard alone."""

import pytest
from playwright.sync_api import Browser, expect

from console_cases import BIDI, HOSTILE, Console, faults, pages, tab


@pytest.mark.parametrize("view", ["light", "dark", "phone"])
def test_no_page_has_a_serious_fault(chromium: Browser, filled: Console, view: str) -> None:
    found: dict[str, object] = {}
    members: dict[object, list[str]] = {}
    for path, member in pages(filled):
        members.setdefault(member, []).append(path)
    assert members
    for member, paths in members.items():
        with tab(chromium, filled, member, view) as page:
            for path in [*paths, "/console/cases/2"] if member and member.role == "senior" else paths:
                answer = page.goto(filled.url + path)
                if answer is None or answer.status != 200:
                    found[path] = answer and answer.status
                    continue
                if wrong := faults(page):
                    found[path] = wrong
                wide = page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                if wide > 0:
                    found[f"{path} (too wide)"] = wide
    assert not found


def test_a_case_is_taken_read_noted_closed_and_brought_back_without_a_mouse(
    chromium: Browser, filled: Console
) -> None:
    with tab(chromium, filled, "reviewer") as page:
        keys = page.keyboard
        keys.press("g")
        keys.press("q")
        page.wait_for_url("**/console/queue")
        keys.press("t")
        page.wait_for_url("**/console/cases/*")
        expect(page.get_by_role("status").first).to_contain_text("You hold case 1")
        keys.press("m")
        focused = page.evaluate("document.activeElement.hasAttribute('data-marked')")
        assert focused
        first = page.evaluate("document.activeElement.textContent")
        keys.press("m")
        assert page.evaluate("document.activeElement.textContent") != first
        keys.press("k")
        keys.press("n")
        expect(page.locator("#text")).to_be_focused()
        keys.type("nobody answers; the threat in m9 is real: t c u m j are only letters here")
        keys.press("Tab")
        keys.press("Enter")
        expect(page.get_by_text("The note is kept.")).to_be_visible()
        expect(page.locator(".history")).to_contain_text("the threat in m9 is real")
        keys.press("c")
        expect(page.locator("input[name=outcome]").first).to_be_focused()
        keys.press("Space")
        keys.press("Tab")
        keys.type("blackmail, reported to the police")
        keys.press("Tab")
        keys.press("Enter")
        page.wait_for_url("**/console/queue*")
        expect(page.get_by_text("Case 1 is closed.")).to_be_visible()
        closed = filled.book.case(1)
        assert closed
        assert (closed.state, closed.outcome, closed.reason) == (
            "closed",
            "harm",
            "blackmail, reported to the police",
        )
        keys.press("u")
        page.wait_for_url("**/console/cases/1*")
        expect(page.get_by_text("Taken back.")).to_be_visible()
    back = filled.book.case(1)
    assert back
    assert (back.state, back.holder) == ("taken", "id-reviewer")
    assert [what for by, what, _ in filled.records() if by == "id-reviewer"] == [
        "take", "note", "close", "undo",
    ]  # fmt: skip


def test_the_palette_goes_anywhere_and_tells_what_it_offers(chromium: Browser, filled: Console) -> None:
    with tab(chromium, filled, "senior") as page:
        page.goto(f"{filled.url}/console/queue")
        page.keyboard.press("Control+k")
        search = page.get_by_role("combobox", name="What do you want to do?")
        expect(search).to_be_focused()
        assert not faults(page)
        search.fill("next case")
        chosen = page.locator(f"#{search.get_attribute('aria-activedescendant')}")
        expect(chosen).to_have_attribute("aria-selected", "true")
        expect(chosen).to_contain_text("Take the next case")
        search.fill("zzz")
        expect(page.get_by_text("Nothing fits.")).to_be_visible()
        page.keyboard.press("Escape")
        expect(search).to_be_hidden()
        page.keyboard.press("Control+k")
        search.fill("2")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/cases/2")
        page.keyboard.press("Control+k")
        search.fill("quEUE")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/queue")


def test_keys_can_be_switched_off(chromium: Browser, filled: Console) -> None:
    with tab(chromium, filled, "senior") as page:
        page.goto(f"{filled.url}/console/keys")
        page.get_by_role("checkbox").check()
        page.keyboard.press("g")
        page.keyboard.press("q")
        page.wait_for_timeout(200)
        assert page.url.endswith("/console/keys")
        page.get_by_role("checkbox").uncheck()
        page.locator("h1").click()
        page.keyboard.press("g")
        page.keyboard.press("q")
        page.wait_for_url("**/console/queue")


def test_new_cases_appear_by_themselves_and_focus_stays(chromium: Browser, filled: Console) -> None:
    with tab(chromium, filled, "senior") as page:
        page.goto(f"{filled.url}/console/queue")
        page.evaluate("document.getElementById('list').dataset.live")
        page.locator("#case-2").focus()
        filled.book.open("somebody", "a call", actor="other", target="new")
        expect(page.locator("#list tbody tr")).to_have_count(3, timeout=40_000)
        expect(page.locator("#case-2")).to_be_focused()
        expect(page.locator("#list-state")).to_have_text("3 cases shown")


def test_what_strangers_write_is_inert(chromium: Browser, filled: Console) -> None:
    with tab(chromium, filled, "senior") as page:  # a dialog or an error on any of these fails the test
        for path in ("/console/cases/1", "/console/cases/2", "/console/cases/2/split", "/console/queue"):
            page.goto(filled.url + path)
            page.wait_for_timeout(100)
            assert page.locator("main script, main img, main iframe").count() == 0
            text = page.evaluate("document.documentElement.innerText")
            assert not set(text) & set("\u202e\u202c\u2066\u2069\u200b")
        page.goto(f"{filled.url}/console/cases/2")
        expect(page.locator("main")).to_contain_text(HOSTILE)
        expect(page.locator("main")).to_contain_text("⟨U+202E⟩gnp.exe⟨U+202C⟩")
        assert "home alone" in BIDI
        expect(page.locator("mark", has_text="home alone").first).to_be_visible()
        assert len(page.content()) < 300_000


def test_without_script_everything_is_there(chromium: Browser, filled: Console) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(filled.url + filled.app.welcome())
        page.get_by_role("link", name="Queue").first.click()
        page.get_by_role("button", name="Take the next case").click()
        expect(page.get_by_text("You hold case 1.")).to_be_visible()
        page.get_by_text("Write a note").click()
        page.get_by_role("textbox", name="Note").fill("without script")
        page.get_by_role("button", name="Keep the note").click()
        expect(page.get_by_text("without script")).to_be_visible()
        page.get_by_role("button", name="Give back").click()
        expect(page.get_by_text("Case 1 is back in the queue.")).to_be_visible()


def test_a_case_can_be_printed(chromium: Browser, filled: Console) -> None:
    with tab(chromium, filled, "senior") as page:
        page.goto(f"{filled.url}/console/cases/1")
        page.emulate_media(media="print")
        expect(page.locator(".menu")).to_be_hidden()
        expect(page.locator(".acts-forms form").first).to_be_hidden()
        expect(page.locator(".timeline")).to_be_visible()


WATCH = """() => {
  window.seen = new Set(); window.unmarked = [];
  document.addEventListener('focusin', (event) => {
    window.seen.add(event.target);
    const style = getComputedStyle(event.target);
    const shown = style.outlineStyle !== 'none' || style.boxShadow !== 'none';
    if (!shown) window.unmarked.push(event.target.outerHTML.slice(0, 120));
  });
  const all = document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]');
  return all.length + 3 * document.querySelectorAll('input[type=date]').length;
}"""
MISSED = """() => {
  const all = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')];
  const groups = new Set([...window.seen].filter((e) => e.type === 'radio').map((e) => e.name));
  const wanted = all.filter((e) => e.checkVisibility() && !e.disabled && e.type !== 'hidden' && e.tabIndex >= 0);
  const missed = wanted.filter((e) => !window.seen.has(e) && !(e.type === 'radio' && groups.has(e.name)));
  return [missed.map((e) => e.outerHTML.slice(0, 120)), window.unmarked];
}"""
"""What Tab did not reach, and what did not show that it has the focus. Of a group of radio buttons Tab reaches one, as it
should; arrows go on from there. A date has a stop for each of its parts."""


def test_every_page_can_be_used_without_a_mouse(chromium: Browser, filled: Console) -> None:
    found: dict[str, object] = {}
    members: dict[object, list[str]] = {}
    for path, member in pages(filled):
        members.setdefault(member, []).append(path)
    for member, paths in members.items():
        with tab(chromium, filled, member) as page:
            for path in paths:
                page.goto(filled.url + path)
                for _ in range(page.evaluate(WATCH) + 1):
                    page.keyboard.press("Tab")
                missed, unmarked = page.evaluate(MISSED)
                if missed or unmarked:
                    found[path] = (missed[:3], unmarked[:3])
    assert not found
