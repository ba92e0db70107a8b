"""The console's server part: the first page of a queue of a million cases, any page of it, a case with 10,000 messages.

Method: N open cases are written into a casebook as `benchmarks/cases.py` does, in a SQLite file and in PostgreSQL; one
more case gets 10,000 messages of 100 characters as context and 1,000 decisions with five reasons each. Then pages are
asked for through the console itself, without a socket: session, permission, reading, template, all bytes of the answer.
Told are the median and the 95th percentile of CPU time (`process_time`, this process's only) and of wall time over
`ROUNDS` requests each. Sizes are measured in one run; the last column is wall time against the smallest size. What is
read was just written: its pages are in the system's cache. The collector of garbage is set as the service sets it.
"""

import argparse
import asyncio
import gc
import random
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from cases import NOW, Told, fill, measured, stores
from underwing.casebook.cases import Casebook, Taken
from underwing.casebook.context import ContextBuffer, Line
from underwing.casebook.keys import KeyFile
from underwing.model import Decision, Message, Reason, Versions, encode
from underwing.server.console import Desk, Site, console
from underwing.server.http import Request
from underwing.server.settings import Settings

ROUNDS = 60
Tell = Callable[[str, int, int, Told], None]
MESSAGES, DECISIONS = 10_000, 1_000
_TEXT = (
    "are you home alone tonight or is somebody there who could look at your phone while we talk, my friend"
)


def busy(book: Casebook) -> int:
    """A case with 10,000 messages, a tenth of which opened it further; its number."""
    lines = [
        Line(event=f"b{n:05}", at=NOW + n, sender="busy", text=_TEXT, to=("kid",)) for n in range(MESSAGES)
    ]
    taken = []
    for n in range(0, MESSAGES, MESSAGES // DECISIONS):
        said = msgspec.convert(
            {"type": "message", "id": f"b{n:05}", "at": "2026-01-01T12:00:00Z", "surface": "dm", "conversation": "talk",
             "from": "busy", "to": ["kid"], "text": _TEXT},
            Message,
        )  # fmt: skip
        reasons = tuple(
            Reason(
                signal=f"en.risk_check.alone{k}", stage="risk_check", span=(8, 18), weight=1.0,
                at="2026-01-01T12:00:00Z", event=f"b{max(0, n - k):05}", source="a source of some length",
            )
            for k in range(5)
        )  # fmt: skip
        made = Decision(
            event=said.id, level="review", actor="busy", target="kid", stage="risk_check", actions=("open_case",),
            reasons=reasons, versions=Versions(engine="1", packs="p", policy="q"),
        )  # fmt: skip
        taken.append(Taken(event=said, decision=encode(made)))
    book.take_in_all(taken)
    item = book.where("b00000")
    assert item is not None
    book.supply(item.case, "talk", lines)
    return item.case


class Visitor:
    """Asks for pages as a signed-in browser would."""

    def __init__(self, site: Site, loop: asyncio.AbstractEventLoop) -> None:
        self._site, self._loop = site, loop
        self.sign_in()

    def sign_in(self) -> None:
        """Begin a new session: each has so many pages a second, and this asks as fast as it can."""
        guests = self._site.desk.guests
        self._cookie = f"underwing_console={guests.redeem(guests.invite())}".encode()

    def get(self, path: str) -> bytes:
        """The page at a path, all of it."""
        where, _, query = path.partition("?")
        scope = {
            "type": "http", "method": "GET", "path": where, "raw_path": where.encode(), "query_string": query.encode(),
            "headers": [(b"cookie", self._cookie), (b"accept-language", b"en")],
        }  # fmt: skip
        answer = self._loop.run_until_complete(self._site.answer(Request(scope, None, None)))  # type: ignore[arg-type]
        assert answer.status == 200, answer.status
        return answer.body


def measure(book: Casebook, desk: Desk, visitor: Visitor, sizes: list[int], tell: Tell) -> None:
    """All pages over one casebook, at each of the sizes."""
    chance = random.Random(1)
    for size in sizes:
        fill(book, size, chance)
        pages = {
            "queue, first page": lambda: "/console/queue",
            "queue, one priority": lambda: "/console/queue?priority=early",
            "queue, a page from anywhere": lambda: (
                f"/console/queue?after={chance.randrange(5)}-{NOW + chance.randrange(10**6)}-0-0"
            ),
            "a case of one event": lambda size=size: f"/console/cases/{chance.randrange(size) + 1}",
        }
        for name, path in pages.items():
            visitor.sign_in()
            length = len(visitor.get(path()))
            tell(name, size, length, measured(lambda path=path: visitor.get(path()), ROUNDS))
    number = busy(book)
    for name, path in (("at its first alarm", ""), ("in the middle", f"?from={MESSAGES // 2}")):
        where = f"/console/cases/{number}{path}"
        visitor.sign_in()
        length = len(visitor.get(where))
        told = measured(lambda where=where: visitor.get(where), ROUNDS)
        tell(f"{MESSAGES:,} messages, {name}", sizes[-1], length, told)


def main() -> None:
    """Fill, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, nargs="+", default=[1_000, 1_000_000])
    parser.add_argument(
        "--postgresql", default="start", help='an empty database, "start" for a server of its own, or ""'
    )
    given = parser.parse_args()
    out, table = Console(width=130), Table(title="milliseconds")
    for column in (
        "page",
        "store",
        "cases",
        "kB",
        "CPU median",
        "CPU p95",
        "wall median",
        "wall p95",
        "wall, times",
    ):
        table.add_column(column, justify="left" if column in ("page", "store") else "right")
    out.print(__doc__)
    first: dict[str, float] = {}

    def tell(page: str, size: int, length: int, told: Told, store: str = "") -> None:
        first.setdefault(store + page, told[2] or 1e-9)
        times = f"{told[2] / first[store + page]:.2f}"
        table.add_row(page, store, f"{size:,}", f"{length / 1000:.0f}", *(f"{v:.1f}" for v in told), times)

    with (
        tempfile.TemporaryDirectory() as folder,
        stores(Path(folder), given.postgresql) as found,
        asyncio.Runner() as runner,
    ):
        keys = KeyFile.make(Path(folder) / "vault.key")
        context = ContextBuffer(Path(folder) / "x.db", bytes(32))
        for name, where in found:
            with Casebook(where, durability="normal", clock=lambda: NOW, keys=keys, context=context) as book:
                desk = Desk(Settings(), clock=lambda: NOW)
                desk.attach(book=book, database=book.database)
                visitor = Visitor(console(desk), runner.get_loop())
                gc.collect()
                gc.freeze()  # as the service does once it is loaded
                gc.set_threshold(20_000, 50, 100)
                measure(book, desk, visitor, sorted(given.cases), partial(tell, store=name))
    out.print(table)


if __name__ == "__main__":
    main()
