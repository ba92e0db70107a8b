"""The whole service is killed while a platform sends events and files and a person decides cases in the console."""

import io
import json
import random
import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import func, select, text

from kill_rounds import STARTING, Nursery, Round, fork_for_each_line
from server_cases import event, ndjson
from test_cases_model import check
from underwing.casebook.care import Care
from underwing.casebook.cases import Casebook
from underwing.casebook.cases.tables import history
from underwing.casebook.database import Database
from underwing.casebook.vault import Home
from underwing.engine import REVIEW_PHRASE
from underwing.media.test_picture import drawn
from underwing.server import run
from underwing.server.keys import Keys
from underwing.server.settings import Settings

CALM = "what did you get for question four"
SENT = {"at": "2026-01-01T12:00:00Z", "surface": "dm", "conversation": "c"}
TICKET = "a ticket that opens the console in this test"
WHO = "demo"
"""Who a ticket's session belongs to."""
SECONDS = (0.05, 2.5)
"""How long the service works before it is killed."""
WITH_FILES = 3
"""In every third round files are sent too, and the others wait for the first: whoever looks at files takes seconds to
load."""
_HIDDEN = re.compile(r'name="(csrf|version|acted)" value="(\w+)"')
_ACTS = {"take": "took", "close": "closed"}


class Platform:
    """Sends events, every third of which asks for a case; what was not answered is sent again."""

    def __init__(self, slot: int) -> None:
        self.slot, self.number = slot, 0
        self.waiting: list[dict[str, Any]] = []
        self.answered: dict[str, bool] = {}
        """Events that were answered since the last look, and whether each belongs to a case."""

    def work(self, client: httpx2.Client, chance: random.Random) -> None:
        """One body."""
        self.waiting += [self._made() for _ in range(chance.choice((1, 3, 20)))]
        body = ndjson(*self.waiting)
        with client.stream(
            "POST", "/v1/events", content=body, headers={"content-type": "application/x-ndjson"}
        ) as stream:
            for line in stream.iter_lines():
                told = json.loads(line)
                if "level" in told:
                    sent = next(one for one in self.waiting if one["id"] == told["event"])
                    self.answered[sent["id"]] = sent["text"] == REVIEW_PHRASE
                    self.waiting.remove(sent)

    def _made(self) -> dict[str, Any]:
        self.number += 1
        name = f"{self.slot}x{self.number}"
        said = REVIEW_PHRASE if self.number % 3 == 0 else CALM
        return event(name, said, **{"from": f"a{name}", "to": [f"k{name}"], "conversation": name})


class Files:
    """Sends files that match, so that each opens a case and is sealed into it, and brings others to cases that are there."""

    def __init__(self) -> None:
        self.number = self.answered = 0
        self.waiting: tuple[str, bytes] | None = None
        self.kept: dict[str, str] = {}
        """Event and SHA-256 of the files that were answered as kept since the last look."""
        self.brought: list[tuple[int, str]] = []
        self.cases: list[int] = []

    def work(self, client: httpx2.Client, chance: random.Random) -> None:
        """One file, or the one that was not answered."""
        if self.waiting is None:
            self.number += 1
            self.waiting = f"f{self.number}", _picture(self.number)
        name, data = self.waiting
        if self.cases and self.number % 3 == 0:
            case = chance.choice(self.cases)
            answer = client.post(f"/v1/cases/{case}/evidence", content=data)
            if answer.status_code == 201:
                self.brought.append((case, sha256(data).hexdigest()))
        else:
            about = {**SENT, "id": name, "from": f"a{name}", "to": f"k{name}"}
            answer = client.post("/v1/media", content=data, params=about)
            if answer.status_code == 200 and answer.json()["evidence"] == "kept":
                self.kept[name] = sha256(data).hexdigest()
        if answer.status_code == 503:  # the banks are still loaded
            time.sleep(0.05)
        else:
            assert answer.status_code < 300, answer.text
            self.waiting, self.answered = None, self.answered + 1


class Reviewer:
    """Takes the next case in the console and closes it."""

    def __init__(self) -> None:
        self.number = 0
        self.csrf = ""
        self.decided: list[tuple[int, str]] = []
        """Case and reason of what was answered as closed since the last look."""

    def work(self, client: httpx2.Client, chance: random.Random) -> None:
        """One case, or a look at an empty queue."""
        if "underwing_console" not in client.cookies:
            client.get("/console/enter", params={"key": TICKET})
            self.csrf = _hidden(client.get("/console/queue"))["csrf"]
        taken = client.post("/console/queue/next", data={"csrf": self.csrf})
        assert taken.status_code == 303, taken.text
        path = urlsplit(taken.headers["location"]).path
        if not path.startswith("/console/cases/"):
            time.sleep(0.02)
            return
        self.number += 1
        outcome, reason = chance.choice(("harm", "unclear", "test")), f"looked at {self.number}"
        fields = {**_hidden(client.get(path)), "outcome": outcome, "reason": reason}
        closed = client.post(f"{path}/close", data=fields)
        assert closed.status_code in (303, 409), closed.text
        if parse_qs(urlsplit(closed.headers.get("location", "")).query).get("did") == ["case.closed"]:
            self.decided.append((int(path.rsplit("/", 1)[1]), reason))


class ServiceKills:
    """Rounds of killing over one service's files; `where` is its casebook in PostgreSQL, or a file."""

    def __init__(self, folder: Path, where: str, nursery: Nursery) -> None:
        self.folder, self.nursery, self.round = folder, nursery, 0
        self.settings = Settings(
            database=str(folder / "u.db"),
            casebook=where,
            port=0,
            ticket=TICKET,
            media_workers=1,
            meaning=False,
        )
        with Keys(folder / "u.db") as keys:
            self.token = keys.create("operator")
        self.platforms, self.files, self.reviewer = [Platform(0), Platform(1)], Files(), Reviewer()
        self.records, self.acts = 0, dict.fromkeys(_ACTS, 0)

    def kill_once(self, chance: random.Random) -> Round:
        """One service, one kill, one look."""
        seconds, log, before = chance.uniform(*SECONDS), self.folder / "log", self.files.answered
        self.nursery.start(self.folder / "out", log, msgspec.structs.asdict(self.settings))
        told = _ready(log)
        url = f"http://127.0.0.1:{told['listening']['port']}"
        caught = told.get("casebook_caught_up", {}).get("decisions", 0)
        wrong: list[BaseException] = []
        clients = [
            threading.Thread(target=self._until_it_dies, args=(one.work, url, chance.random(), wrong))
            for one in (self.files, *self.platforms, self.reviewer)[self.round % WITH_FILES != 0 :]
        ]
        clients[0].start()
        while self.round % WITH_FILES == 0 and self.files.answered == before and clients[0].is_alive():
            time.sleep(0.01)
        for client in clients[1:]:
            client.start()
        time.sleep(seconds)
        self.nursery.kill()
        for client in clients:
            client.join(300)
            assert not client.is_alive()
        assert not wrong, wrong
        assert CALM.encode() not in log.read_bytes()
        self.round += 1
        events = sum(len(platform.answered) for platform in self.platforms)
        files = len(self.files.kept) + len(self.files.brought)
        answered = f"{events} events, {files} files sealed, {len(self.reviewer.decided)} cases closed"
        found = self.look(whole=self.round % 10 == 0)
        return Round(seconds, answered, f"{caught} decisions made good at its start; {found}")

    def _until_it_dies(
        self,
        work: Callable[[httpx2.Client, random.Random], None],
        url: str,
        seed: float,
        wrong: list[BaseException],
    ) -> None:
        chance, headers = random.Random(seed), {"authorization": f"Bearer {self.token}"}
        try:
            with httpx2.Client(base_url=url, headers=headers, timeout=60) as client:
                while True:
                    work(client, chance)
        except httpx2.HTTPError:
            return
        except BaseException as error:
            wrong.append(error)

    def look(self, whole: bool = False) -> str:
        """Everything answered since the last look is there, and nothing stands half; with `whole` all sums, seals and
        records are proven as well. What was unfinished."""
        address = self.settings.casebook_address
        assert address is not None
        database = Database(address)
        try:
            home = Home(self.settings.vault_directory, database, resume=False)
            unfinished = len(home.vault.index.intakes()) + len(list(home.vault.index.objects(settled=False)))
            home.vault.resume()
            home.vault.sweep(timedelta(0))
            book, care = Casebook(database), Care(database, home.vault, home.custody)
            now = int(time.time()) + 1
            sealing = len(care.exhibits.unsettled(now))
            lost = len(care.mend(now))
            assert not care.exhibits.unsettled(now)
            self._events(book)
            self._evidence(book, care)
            self._decisions(book, home)
            if whole:
                self._everything(database, book, home)
            return f"{unfinished} intakes unfinished, {sealing} files not yet noted ({lost} of them named as lost)"
        finally:
            database.close()

    def _events(self, book: Casebook) -> None:
        for platform in self.platforms:
            for name, asks in platform.answered.items():
                assert (book.where(name) is not None) == asks, name
            platform.answered.clear()

    def _evidence(self, book: Casebook, care: Care) -> None:
        for name, sum in self.files.kept.items():
            item = book.where(name)
            assert item is not None
            assert (name, sum) in {
                (one.event, self._opened(care, one.address)) for one in care.exhibits.of_case(item.case)
            }
        for case, sum in self.files.brought:
            assert sum in {
                self._opened(care, one.address) for one in care.exhibits.of_case(case) if one.sha256 == sum
            }
        self.files.kept.clear()
        self.files.brought.clear()
        self.files.cases = [case.id for case in book.queue(None, limit=50)]

    def _opened(self, care: Care, address: str) -> str:
        """The SHA-256 of the bytes at an address, as they come out of the vault."""
        assert care.vault is not None
        return (
            sha256(b"".join(care.vault.unsealed(care.vault.index.get(address)))).hexdigest()
            if address
            else ""
        )

    def _decisions(self, book: Casebook, home: Home) -> None:
        """What was answered as closed is closed; each act of a person has its record, and each record its act."""
        for number, reason in self.reviewer.decided:
            case = book.case(number)
            assert case is not None
            assert (case.state, case.reason) == ("closed", reason)
        self.reviewer.decided.clear()
        for record in home.custody.records(self.records):
            self.records = record.number
            if record.kind == "acted" and record.by == WHO and record.facts["what"] in self.acts:
                self.acts[str(record.facts["what"])] += 1
        for what, acted in _ACTS.items():
            done = (
                select(func.count()).select_from(history).where(history.c.who == WHO, history.c.what == acted)
            )
            assert book.database.value(done) == self.acts[what], what

    def _everything(self, database: Database, book: Casebook, home: Home) -> None:
        check(book._rows)
        proof, problems = home.verify()
        assert not proof.problems
        assert not problems
        kept = {stored.locator for stored in home.vault.index.objects() if stored.state != "destroyed"}
        assert {name.split("/")[1] for name in home.vault.store.names("objects")} == kept
        if database.kind == "sqlite":
            assert database.value(text("PRAGMA integrity_check")) == "ok"


def _ready(log: Path) -> dict[str, dict[str, Any]]:
    """The lines of a service's log by their event, once it says that it is ready."""
    end = time.monotonic() + STARTING
    while True:
        whole = [line for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        told = {line["event"]: line for line in map(json.loads, whole)}
        if "ready" in told:
            return told
        assert "cannot_serve" not in told, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.01)


def _hidden(page: httpx2.Response) -> dict[str, str]:
    """The hidden fields that a page's forms have."""
    return dict(_HIDDEN.findall(page.text))


def _picture(number: int) -> bytes:
    """The test picture, which is in the bank `test`, in bytes of its own."""
    said, out = PngInfo(), io.BytesIO()
    said.add_text("number", str(number))
    Image.open(io.BytesIO(drawn())).save(out, "PNG", pnginfo=said)
    return out.getvalue()


def work(settings: dict[str, Any]) -> None:
    """Serve with packs that are loaded already."""
    run.serve(Settings(**settings))


if __name__ == "__main__":
    packs = run.load_packs()
    run.load_packs = lambda *_: packs
    fork_for_each_line(work)
