import pytest
from playwright.sync_api import Browser
from console_cases import Console, faults, pages, tab
MINE = ("live","accounts","policies","packs","insights","custody","banks","bank-entries","exchanges","service")
@pytest.mark.parametrize("view", ["light", "dark", "phone"])
def test_mine(chromium: Browser, filled: Console, view: str) -> None:
    filled.with_banks()
    for n, case in enumerate(filled.book.queue()):
        filled.book.take(case.id, "id-senior"); filled.clock.on(minutes=5)
        filled.book.close(case.id, "id-senior", "harm", "x")
    found = {}
    members = {}
    for path, member in pages(filled):
        if path.split("/")[2].split("?")[0] in MINE:
            members.setdefault(member, []).append(path)
    print(members)
    for member, paths in members.items():
        with tab(chromium, filled, member, view) as page:
            for path in paths:
                answer = page.goto(filled.url + path)
                assert answer.status == 200, path
                for d in page.locator("details").all():
                    d.evaluate("e => e.open = true")
                if wrong := faults(page):
                    found[path] = wrong
                wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                if wide > 0:
                    found[path + " (too wide)"] = wide
                if view == "light" and path.split("?")[0].split("/")[2] in ("insights","accounts","custody","live","banks"):
                    page.screenshot(path="/tmp/shot_" + path.replace("/","_").replace("?","_") + ".png", full_page=False)
    assert not found, "\n".join(f"{k}: {v}" for k, v in found.items())
