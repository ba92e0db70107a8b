"""One night of work in a real browser, from signing in to an appeal, on each of the two databases.

A reviewer signs in with a second factor, takes the case that comes first, reads why, sees a file while holding it, decides,
takes it back, and asks to close it as harmless, which takes a second person. The account holder objects, and that person
decides on it.
"""

import re

import pyotp
from playwright.sync_api import Browser, Page, expect

from casebook_cases import decision
from console_cases import Console, tab
from people_cases import PHRASE
from test_console_care_browser import HELD
from test_console_media import bring, png
from underwing.casebook.appeals import Given, statement

NAME = "rena"


def signed_in(page: Page, service: Console) -> None:
    """Join by an invitation with a second factor, sign out, and come in again by the front door."""
    _, secret = service.app.desk.people.add(NAME, "Rena", "reviewer", "test")
    page.goto(f"{service.url}/console/join?invitation={secret}")
    page.locator("#phrase").fill(PHRASE)
    page.keyboard.press("Tab")
    page.keyboard.type(PHRASE)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/enrol")
    key = page.locator("code").first.inner_text()
    page.locator("#code").fill(pyotp.TOTP(key).at(service.clock.now))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    code = re.findall(r"(?:[A-Z2-7]{4}-){5}[A-Z2-7]{4}", page.locator("main").inner_text())[0]
    page.get_by_role("link", name="I have kept them").press("Enter")
    page.get_by_role("button", name="Sign out").press("Enter")
    page.goto(f"{service.url}/console/sign-in")
    page.locator("#name").focus()
    for typed in (NAME, PHRASE, code):
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Hello, Rena")).to_be_visible()


def close(page: Page, outcome: str, reason: str) -> None:
    page.keyboard.press("c")
    page.locator(f"input[name=outcome][value={outcome}]").check()
    page.keyboard.press("Tab")
    page.locator("#reason").fill(reason)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")


def test_from_signing_in_to_an_appeal(chromium: Browser, filled_on_both: Console) -> None:
    service = filled_on_both.with_banks()
    with tab(chromium, service, None) as page:
        signed_in(page, service)
        page.goto(f"{service.url}/console/queue")
        page.keyboard.press("t")
        page.wait_for_url("**/console/cases/1*")
        page.locator("a[href*='/console/cases/1/why/']").last.press("Enter")
        page.wait_for_url("**/console/cases/1/why/*")
        expect(page.locator("main")).to_contain_text("threat")

        bring(service, 1, png(5)).raise_for_status()
        page.goto(f"{service.url}/console/cases/1")
        page.get_by_role("link", name="File ").first.press("Enter")
        page.get_by_role("button", name="Hold to see it plainly").focus()
        page.keyboard.down("Space")
        expect(page.locator(HELD)).to_be_visible()
        page.keyboard.up("Space")
        expect(page.locator(HELD)).to_be_hidden()

        page.goto(f"{service.url}/console/cases/1")
        close(page, "harm", "blackmail")
        expect(page.get_by_text("Case 1 is closed.")).to_be_visible()
        page.keyboard.press("u")
        expect(page.get_by_text("Taken back.")).to_be_visible()
        close(page, "no_harm", "two friends and a song")
        expect(page.get_by_text("takes a second person").first).to_be_visible()
    case = service.book.case(1)
    assert case
    assert case.state == "taken"

    with tab(chromium, service, "senior") as page:
        page.goto(f"{service.url}/console/requests")
        page.get_by_role("button", name="Confirm").press("Enter")
        expect(page.get_by_text("Confirmed and done.")).to_be_visible()
    case = service.book.case(1)
    assert case
    assert (case.state, case.outcome) == ("closed", "no_harm")

    told = statement(decision("m1"), Given(measures=["account_suspended"]), decided=0, person=False)
    token, _ = service.app.desk.appeals.grant("a", event="m1", statement=told)
    with tab(chromium, service, None) as page:
        page.goto(f"{service.url}/appeal?token={token}")
        page.locator("#text-decision").fill("It was a song.")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Your words have arrived")).to_be_visible()
    [appeal] = service.app.desk.appeals.queue()
    with tab(chromium, service, "senior") as page:
        page.goto(f"{service.url}/console/appeals/{appeal.id}")
        page.keyboard.press("t")
        page.locator("input[name=verdict][value=reversed]").check()
        page.locator("#reason").fill("the words of a song")
        page.locator("#answer").fill("You were right. The measure is lifted.")
        page.locator("form[action$='/decide'] button").press("Enter")
        page.wait_for_url("**/console/appeals?did=*")
    assert service.app.desk.appeals.get(appeal.id).state == "reversed"
    done = [record.facts.get("what") for record in service.home.custody.records() if record.kind == "acted"]
    assert [what for what in done if what in ("take", "close", "undo")] == ["take", "close", "undo", "close"]
