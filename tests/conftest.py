"""Shared by all tests: a small pack of its own, an engine over it, and events by hand."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import sync_playwright

import postgres_server
from casebook_cases import Clock
from console_cases import Console, console, fill
from underwing.casebook.cases import Casebook
from underwing.casebook.database import Database
from underwing.engine import Engine
from underwing.model import Account, Message
from underwing.packs import Packs, load_packs
from underwing.policy import load_policy

hypothesis.settings.register_profile("ours", deadline=None)  # a test never asserts a time
hypothesis.settings.load_profile("ours")

START = datetime(2026, 1, 1, 12, tzinfo=UTC)

PACK = """
format = 1
lang = "xx"
version = "1"
[sources]
own = "a test"
[slots]
kin = ["mum", "dad", "parents"]
[claims]
age = ["(im|i am) <num> (years|yo|END)"]
place = ["i live in <word>", "im from <word>"]
"""

ENTRIES = {
    "isolate.secrecy": ("isolate", 1.2, "dont tell"),
    "risk_check.alone": ("risk_check", 1.0, "home alone"),
    "image_request.self": ("image_request", 1.0, "picture of you"),
    "threat.expose": ("threat", 2.2, "everyone will see"),
    "private_channel.add": ("private_channel", 0.4, "add me on"),
    "payment.demand": ("payment", 1.2, "pay me"),
    "go_live.obey": ("go_live", 1.8, "camera on now"),
    "pressure.insist": ("pressure", 0.7, "come on"),
    "refuse.no": ("refuse", 0.5, "no way"),
    "distress.plead": ("distress", 0.8, "im scared"),
    "protective.include": ("protective", -1.5, "bring your mum"),
}


def write_pack(directory: Path) -> Path:
    """A pack of plain phrases, so that a test says exactly which cues a message carries."""
    text = PACK
    for name, (stage, weight, phrase) in ENTRIES.items():
        direction = (
            "from_child"
            if stage in ("refuse", "distress")
            else "any"
            if stage == "protective"
            else "to_child"
        )
        text += f"""
[[entry]]
id = "{name}"
stage = "{stage}"
act = "tell"
direction = "{direction}"
weight = {weight}
source = "own"
match = ["{phrase}"]
examples = ["{phrase}", "so {phrase} ok"]
counter = ["hello", "good night"]
"""
    directory.mkdir(exist_ok=True)
    (directory / "xx.toml").write_text(text, encoding="utf-8")
    return directory


@pytest.fixture(scope="session")
def small_packs(tmp_path_factory: pytest.TempPathFactory) -> Packs:
    return load_packs(write_pack(tmp_path_factory.mktemp("packs")), builtin=False)


@pytest.fixture(scope="session")
def all_packs() -> Packs:
    return load_packs()


@pytest.fixture
def engine(small_packs: Packs) -> Engine:
    return Engine(small_packs, load_policy())


def message(
    number: int, sender: str, to: str | list[str], text: str, *, after: float = 0, **more: object
) -> Message:
    """Message `number`, `after` seconds past the start (default: a minute for each number)."""
    values: dict[str, object] = {
        "id": f"m{number}", "at": START + timedelta(seconds=after or 60 * number), "surface": "dm",
        "conversation": "c", "sender": sender, "to": [to] if isinstance(to, str) else to, "text": text,
    }  # fmt: skip
    return Message(**{**values, **more})  # type: ignore[arg-type]


def child(name: str, age: int = 13) -> Account:
    return Account(id=name, declared_age=age, minor=True)


def adult(name: str, age: int = 30) -> Account:
    return Account(id=name, declared_age=age, minor=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(casebook_database: Database, clock: Clock) -> Casebook:
    """Cases on each of the two databases."""
    return Casebook(casebook_database, clock=clock)


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    """One PostgreSQL for all tests; databases of their own come from `empty()` and `casebook()`."""
    with postgres_server.server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def casebook_address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where an empty casebook can be opened: a path, or a database of PostgreSQL."""
    if request.param == "sqlite":
        yield str(tmp_path / "casebook.db")
    else:
        with request.getfixturevalue("postgres").casebook() as url:
            yield url


@pytest.fixture
def casebook_database(casebook_address: str) -> Iterator[Database]:
    """An empty casebook on each of the two databases."""
    database = Database(casebook_address)
    yield database
    database.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """A real browser without a window: the machine's Chromium, or the one that Playwright brought."""
    with sync_playwright() as playwright:
        given = {"executable_path": found} if (found := shutil.which("chromium")) else {}
        browser = playwright.chromium.launch(args=["--no-sandbox"], **given)
        yield browser
        browser.close()


@pytest.fixture
def filled(engine: Engine, tmp_path: Path) -> Iterator[Console]:
    """A console with living cases."""
    with console(engine, tmp_path) as service:
        fill(service)
        yield service


@pytest.fixture
def filled_on_both(engine: Engine, tmp_path: Path, casebook_database: Database) -> Iterator[Console]:
    """A console with living cases, on each of the two databases."""
    with console(engine, tmp_path, casebook_database) as service:
        fill(service)
        yield service
