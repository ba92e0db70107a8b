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
from underwing.cli.demo_cases import WITH_FILE, Colleague, furnish, item_of, team
from underwing.cli.demo_platform import Platform
from underwing.cli.demo_stage import Stage, staged
from underwing.evaluation import Conversation, read
from underwing.server.logs import set_up

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
CORPUS = ROOT / "corpus" / "tuning.jsonl"
EVENING = datetime(2026, 5, 12, 19, 40, tzinfo=UTC)
DAYS_BEFORE = (
    27,
    27,
    25,
    24,
    24,
    24,
    22,
    20,
    20,
    19,
    17,
    17,
    17,
    15,
    13,
    13,
    12,
    10,
    10,
    9,
    8,
    6,
    6,
    5,
    3,
    3,
    3,
    2,
    1,
)
"""How many days before the evening each conversation of the weeks before was."""
LANGUAGES = ("en", "de", "es", "fr", "pt", "pl")
COLOURS = 256
MOST_BYTES = 150_000
PAGES = {
    "queue": "/console/queue",
    "case": "/console/cases/{case}?from=4",
    "account": "/console/accounts/demo-1:ue38603",
    "insights": "/console/insights",
}
DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 720}, "device_scale_factor": 2, "has_touch": True}


def main() -> int:
    """Take them all; the exit code says whether one is too large."""
    set_up("error")
    PICTURES.mkdir(exist_ok=True)
    began = EVENING - timedelta(days=max(DAYS_BEFORE))
    with tempfile.TemporaryDirectory() as folder, time_machine.travel(began, tick=False) as clock:  # noqa: SIM117
        with staged(Path(folder)) as stage, stage.platform() as platform:
            case = _lived(stage, platform, clock)
            with _chromium() as chromium:
                sizes = dict(_taken(chromium, stage, case))
    for name, size in sizes.items():
        print(f"{size:>8} bytes  docs/pictures/{name}.png")
    return int(any(size > MOST_BYTES for size in sizes.values()))


def _lived(stage: Stage, platform: Platform, clock: time_machine.Traveller) -> int:
    """Four weeks, then the demo's evening; the number of the case with a file."""
    desk = stage.service.app.desk
    robin, merle = team(desk)
    for number, (days, conversation) in enumerate(zip(DAYS_BEFORE, _before(), strict=True)):
        clock.move_to(EVENING - timedelta(days=days, minutes=47 * (number % 5)))
        who, minutes = (robin, merle)[number % 2], 7 + 13 * (number % 4)
        _decided(platform, clock, conversation, who, minutes, "no_harm" if number % 6 == 5 else "harm")
    clock.move_to(EVENING)
    for _ in replay(platform):
        clock.shift(2)
    furnish(platform, desk, robin, merle)
    return item_of(desk.book, WITH_FILE).case


def _before() -> list[Conversation]:
    """Conversations with risk of the corpus, the first ones of each language by turns."""
    found: dict[str, list[Conversation]] = {language: [] for language in LANGUAGES}
    for one in read(CORPUS):
        language = one.lang.partition("-")[0]
        if one.label == "risk" and language in found:
            found[language].append(one)
    return [found[LANGUAGES[n % len(LANGUAGES)]][n // len(LANGUAGES)] for n in range(len(DAYS_BEFORE))]


def _decided(
    platform: Platform,
    clock: time_machine.Traveller,
    conversation: Conversation,
    who: Colleague,
    minutes: int,
    outcome: Outcome,
) -> None:
    """What comes of a conversation is closed some minutes later."""
    events = [event for event, _ in replay(platform, conversations=[conversation])]
    clock.shift(60 * minutes)
    for event in who.waiting(events):
        who.close(event, "Read from the first message to the last.", outcome, "As the notes say.")


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


def _taken(chromium: Browser, stage: Stage, case: int) -> Iterator[tuple[str, int]]:
    """(name, bytes) of each picture that was written."""
    for scheme in ("light", "dark"):
        with _signed_in(chromium, stage, {**DESK, "color_scheme": scheme}) as page:
            for name, path in PAGES.items():
                page.goto(stage.address + path.format(case=case))
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
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        path, "PNG", optimize=True
    )
    return path.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
