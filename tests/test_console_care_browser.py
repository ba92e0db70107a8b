"""Files and appeals in a real browser: shown only while held, by pointer or by key; the page without an account; axe."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from casebook_cases import decision
from console_cases import MEMBERS, VIEWS, Console, console, faults, tab
from test_console_media import bring, png
from underwing.casebook.appeals import Given, statement
from underwing.engine import Engine

HELD = "canvas[data-still]"


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[Console]:
    with console(engine, tmp_path) as made:
        yield made.with_banks()


@pytest.fixture
def path(service: Console) -> str:
    """The page of a file in a case that the reviewer holds."""
    case = service.book.open("anna", "by hand", actor="a").case
    service.book.take(case, MEMBERS["reviewer"].id)
    number = bring(service, case, png(5)).json()["file"]
    return f"/console/cases/{case}/files/{number}"


def until(true: Callable[[], bool]) -> None:
    ended = time.monotonic() + 30
    while not true():
        assert time.monotonic() < ended
        time.sleep(0.05)


def kinds(service: Console) -> list[str]:
    return [r.kind for r in service.home.custody.records() if r.kind in ("reveal-begun", "revealed-media")]


def colours(page: Page) -> int:
    """How many different shades the held still has."""
    found: int = page.evaluate(
        f"""() => {{ const c = document.querySelector("{HELD}");
        const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        return new Set(d.filter((_, n) => n % 4 === 0)).size; }}"""
    )
    return found


def test_it_is_shown_while_the_pointer_holds_and_no_longer(
    chromium: Browser, service: Console, path: str
) -> None:
    with tab(chromium, service, "reviewer") as page:
        page.goto(service.url + path)
        expect(page.locator(HELD)).to_be_hidden()
        button = page.get_by_role("button", name="Hold to see it plainly")
        button.hover()
        page.mouse.down()
        expect(page.locator(HELD)).to_be_visible()
        assert colours(page) > 20
        assert kinds(service) == ["reveal-begun"]
        page.mouse.up()
        expect(page.locator(HELD)).to_be_hidden()
        assert page.evaluate(f'document.querySelector("{HELD}").width') == 1
        until(lambda: kinds(service) == ["reveal-begun", "revealed-media"])


@pytest.mark.parametrize("key", ["Space", "Enter"])
def test_it_is_shown_while_a_key_holds_and_ends_when_the_page_is_left(
    chromium: Browser, service: Console, path: str, key: str
) -> None:
    with tab(chromium, service, "reviewer") as page:
        page.goto(service.url + path)
        page.get_by_role("button", name="Hold to see it plainly").focus()
        page.keyboard.down(key)
        expect(page.locator(HELD)).to_be_visible()
        page.keyboard.up(key)
        expect(page.locator(HELD)).to_be_hidden()
        until(lambda: kinds(service)[-1:] == ["revealed-media"])
        page.get_by_role("button", name="Hold to see it plainly").focus()
        page.keyboard.down(key)
        expect(page.locator(HELD)).to_be_visible()
        page.goto("about:blank")
        until(lambda: kinds(service) == ["reveal-begun", "revealed-media"] * 2)


def test_a_blurred_still_then_enough(chromium: Browser, service: Console, path: str) -> None:
    with tab(chromium, service, "reviewer") as page:
        page.goto(service.url + path.rpartition("/files")[0])
        assert page.locator("img").count() == 0
        page.get_by_role("link", name="File ").first.click()
        page.get_by_role("button", name="Show a blurred still").click()
        still = page.locator("figure img")
        expect(still).to_be_visible()
        assert page.evaluate("document.querySelector('figure img').naturalWidth") > 100
        page.get_by_role("button", name="Enough to decide").click()
        expect(page.get_by_text("Enough was seen to decide.")).to_be_visible()


@pytest.mark.parametrize("view", list(VIEWS))
def test_pages_have_no_serious_fault(chromium: Browser, service: Console, path: str, view: str) -> None:
    told = statement(decision("m1"), Given(clause="Rule 4"), decided=0, person=False)
    appeals = service.app.desk.appeals
    token, grant = appeals.grant("a", event="m1", statement=told)
    id = appeals.file(grant, "decision", "It was not me.").id
    appeals.take(id, MEMBERS["senior"].id)
    found = {}
    paths = {
        "senior": [
            path,
            f"{path}/ask",
            f"{path}/keeping",
            "/console/care",
            "/console/appeals",
            f"/console/appeals/{id}",
        ],
        None: [f"/appeal?token={token}", f"/appeal?token={token}&lang=de", "/appeal"],
    }
    for member, several in paths.items():
        with tab(chromium, service, member, view) as page:  # type: ignore[arg-type]
            for one in several:
                page.goto(service.url + one)
                if wrong := faults(page):
                    found[one] = wrong
                if page.evaluate(
                    "document.documentElement.scrollWidth > document.documentElement.clientWidth"
                ):
                    found[f"{one} is too wide"] = []
    assert not found


def test_an_account_holder_objects_without_a_mouse_or_an_account(chromium: Browser, service: Console) -> None:
    told = statement(decision("m1"), Given(measures=["account_suspended"]), decided=0, person=False)
    token, _ = service.app.desk.appeals.grant("a", event="m1", statement=told)
    with tab(chromium, service, None) as page:
        page.goto(f"{service.url}/appeal?token={token}")
        expect(page.get_by_text("Your account is suspended")).to_be_visible()
        page.locator("#text-decision").focus()
        page.keyboard.type("It was my brother.")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Your words have arrived")).to_be_visible()
        expect(page.get_by_text("It was my brother.")).to_be_visible()
    [appeal] = service.app.desk.appeals.queue()
    assert (appeal.text, appeal.account) == ("It was my brother.", "a")
