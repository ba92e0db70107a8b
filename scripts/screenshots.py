"""Takes the pictures of the console that the README shows. Run: `make screenshots`, or `python scripts/screenshots.py`.

The demo's service runs in this process, with its clock standing still between events (time-machine), so that a picture
changes only when a page does. Before the demo's evening come four weeks of decided cases from `corpus/tuning.jsonl`, so that
insights have something to show. Chromium is Playwright's own (`playwright install chromium`) or the system's.
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from underwing.casebook.cases import Outcome
from underwing.cli.demo import replay
from underwing.cli.demo_cases import Colleague, furnish, team
from underwing.cli.demo_platform import Platform
from underwing.cli.demo_stage import Stage, staged
from underwing.evaluation import Conversation, read
from underwing.server.logs import set_up

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
CORPUS = ROOT / "corpus" / "tuning.jsonl"
EVENING = datetime(2026, 5, 12, 19, 40, tzinfo=UTC)
DAYS, A_DAY = 28, 2
"""Days before the evening, and conversations with risk on each other day of them."""
LANGUAGES = ("en", "de", "es", "fr", "pt", "pl")
COLOURS = 128
MOST_BYTES = 150_000
PAGES = {
    "queue": "/console/queue",
    "case": "/console/cases/{fiddle}",
    "account": "/console/accounts/demo-1:ue38603",
    "insights": "/console/insights",
}
DESK = {"viewport": {"width": 1200, "height": 860}}
PHONE = {"viewport": {"width": 360, "height": 720}, "device_scale_factor": 2, "has_touch": True}


def main() -> int:
    """Take them all; the exit code says whether one is too large."""
    set_up("error")
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        time_machine.travel(EVENING - timedelta(days=DAYS), tick=False) as clock,
    ):
        with staged(Path(folder)) as stage, stage.platform() as platform:
            fiddle = _lived(stage, platform, clock)
            with _chromium() as chromium:
                sizes = dict(_taken(chromium, stage, fiddle))
    for name, size in sizes.items():
        print(f"{size:>8} bytes  docs/pictures/{name}.png")
    return int(any(size > MOST_BYTES for size in sizes.values()))


def _lived(stage: Stage, platform: Platform, clock: time_machine.Traveller) -> int:
    """Four weeks, then the demo's evening; the number of the case with a file."""
    desk = stage.service.app.desk
    robin, merle = team(desk)
    for number, conversations in enumerate(_evenings()):
        clock.move_to(EVENING - timedelta(days=DAYS - 2 * number, minutes=47 * (number % 5)))
        _decided(platform, clock, conversations, (robin, merle)[number % 2], safe=number % 4 == 3)
    clock.move_to(EVENING)
    for _ in replay(platform):
        clock.shift(2)
    furnish(platform, desk, robin, merle)
    item = desk.book.where("demo-3/9")
    assert item is not None
    return item.case


def _evenings() -> list[list[Conversation]]:
    """The first conversations with risk of the corpus, the languages by turns, some for each evening."""
    found: dict[str, list[Conversation]] = {language: [] for language in LANGUAGES}
    for one in read(CORPUS):
        language = one.lang.partition("-")[0]
        if one.label == "risk" and language in found:
            found[language].append(one)
    turns = [found[LANGUAGES[n % len(LANGUAGES)]][n // len(LANGUAGES)] for n in range(DAYS // 2 * A_DAY)]
    return [turns[n : n + A_DAY] for n in range(0, len(turns), A_DAY)]


def _decided(
    platform: Platform,
    clock: time_machine.Traveller,
    conversations: list[Conversation],
    who: Colleague,
    *,
    safe: bool,
) -> None:
    """What comes of some conversations is closed within the hour, once in a while as no harm."""
    events = [event for event, _ in replay(platform, conversations=conversations)]
    for number, case in enumerate(who.waiting(events)):
        clock.shift(60 * (7 + 9 * number))
        outcome: Outcome = "no_harm" if safe and not number else "harm"
        who.close(case, "Read from the first message to the last.", outcome, "As the notes say.")


# -- pictures -------------------------------------------------------------------------------------------


@contextmanager
def _chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        path = own if Path(own).exists() else shutil.which("chromium")
        if path is None:
            sys.exit(
                "no Chromium is here: run `playwright install chromium`, or on Debian `apt install chromium`"
            )
        browser = playwright.chromium.launch(args=["--no-sandbox"], executable_path=path)
        yield browser
        browser.close()


def _taken(chromium: Browser, stage: Stage, fiddle: int) -> Iterator[tuple[str, int]]:
    """(name, bytes) of each picture that was written."""
    for scheme in ("light", "dark"):
        with _signed_in(chromium, stage, {**DESK, "color_scheme": scheme}) as page:
            for name, path in PAGES.items():
                page.goto(stage.address + path.format(fiddle=fiddle))
                yield f"{name}-{scheme}", _kept(page, f"{name}-{scheme}")
    with _signed_in(chromium, stage, {**PHONE, "color_scheme": "light"}) as page:
        page.goto(stage.address + PAGES["queue"])
        yield "phone-light", _kept(page, "phone-light")


@contextmanager
def _signed_in(chromium: Browser, stage: Stage, view: dict[str, object]) -> Iterator[Page]:
    with chromium.new_context(**view, locale="en-GB", timezone_id="UTC", reduced_motion="reduce") as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(stage.invited())
        page.wait_for_url("**/console/**")
        yield page


def _kept(page: Page, name: str) -> int:
    """Write what a page shows, in few colours; its size in bytes."""
    page.wait_for_load_state("networkidle")
    shown = page.screenshot(animations="disabled", caret="hide")
    picture = Image.open(io.BytesIO(shown)).convert("RGB")
    path = PICTURES / f"{name}.png"
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, "PNG", optimize=True)
    return path.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
