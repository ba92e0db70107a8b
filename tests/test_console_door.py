"""The door of the console in a real browser: from an invitation to one's own account, by keyboard, every page by axe."""

import re

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from console_cases import Console, faults, tab
from people_cases import PHRASE


def sound(page: Page) -> None:
    """Nothing on the page that axe calls serious, and nothing wider than the window."""
    assert not faults(page), page.url
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, page.url


@pytest.mark.parametrize("view", ["light", "phone"])
def test_from_an_invitation_to_ones_own_account(chromium: Browser, filled: Console, view: str) -> None:
    people = filled.app.desk.people
    _, secret = people.add("nora", "Nora", "administrator", "test")
    with tab(chromium, filled, None, view) as page:
        keys = page.keyboard
        page.goto(f"{filled.url}/console/join?invitation={secret}")
        sound(page)
        page.locator("#phrase").focus()
        keys.type(PHRASE)
        keys.press("Tab")
        keys.type(PHRASE)
        keys.press("Enter")
        page.wait_for_url("**/console/enrol")
        sound(page)
        expect(page.get_by_role("img", name="QR code")).to_be_visible()
        shown = page.locator("code").first.inner_text()
        page.locator("#code").focus()
        keys.type(pyotp.TOTP(shown).at(filled.clock.now))
        keys.press("Enter")
        expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
        sound(page)
        codes = re.findall(r"(?:[A-Z2-7]{4}-){5}[A-Z2-7]{4}", page.locator("main").inner_text())
        page.get_by_role("link", name="I have kept them").press("Enter")
        expect(page.get_by_role("heading", name="Hello, Nora")).to_be_visible()

        page.goto(f"{filled.url}/console/me")
        sound(page)
        page.locator("#language").select_option("de")
        page.get_by_role("button", name="Save").press("Enter")
        expect(page.get_by_text("Ihre Sprache ist gespeichert.")).to_be_visible()
        page.locator("#language").select_option("en")
        page.get_by_role("button", name="Speichern").press("Enter")

        page.goto(f"{filled.url}/console/people")
        page.locator("#name").fill("ola")
        page.locator("#shown").fill("Ola")
        page.get_by_label("auditor").check()
        page.get_by_role("button", name="Make the account").press("Enter")
        expect(page.get_by_label("Link")).to_have_value(re.compile(r"/console/join\?invitation=.{43}$"))
        sound(page)
        page.goto(f"{filled.url}/console/people/{people.named('ola').id}")
        sound(page)
        page.get_by_role("button", name="Sign out").press("Enter")

        page.goto(f"{filled.url}/console/sign-in")
        sound(page)
        page.locator("#name").focus()
        for typed in ("nora", PHRASE, codes[0]):
            keys.type(typed)
            keys.press("Tab")
        keys.press("Enter")
        expect(page.get_by_role("heading", name="Hello, Nora")).to_be_visible()


def test_a_role_takes_two_people_in_two_browsers(chromium: Browser, filled: Console) -> None:
    with tab(chromium, filled, "administrator") as page:
        page.goto(f"{filled.url}/console/people/id-reviewer")
        page.get_by_label("senior reviewer").check()
        page.locator("#why").fill("leads the night shift")
        page.get_by_role("button", name="Give this role").press("Enter")
        expect(page.get_by_text("it waits under Second person")).to_be_visible()
    with tab(chromium, filled, "senior") as page:
        page.goto(f"{filled.url}/console/requests")
        sound(page)
        expect(page.get_by_text("leads the night shift")).to_be_visible()
        page.get_by_role("button", name="Confirm").press("Enter")
        expect(page.get_by_text("Confirmed and done.")).to_be_visible()
    assert filled.app.desk.people.member("id-reviewer").role == "senior"
