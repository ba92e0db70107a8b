"""The console's server part: the first page of a queue of a million cases, any page of it, a case with 10,000 messages.

Method: N open cases are written into a casebook as `benchmarks/cases.py` does; one more case gets 10,000 messages of 100
characters as context and 1,000 decisions with five reasons each. Then pages are asked for through the console itself,
without a socket: session, permission, reading, template, all bytes of the answer. Told are the median and the 95th
percentile of CPU time (`process_time`) and of wall time over `ROUNDS` requests each. The smallest queue stands beside in
the same run; the last column is CPU against it. The file was just written: its pages are in the system's cache.
"""

import argparse
import asyncio
import random
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from cases import NOW, Told, fill, measured
from underwing.casebook.cases import Casebook, Taken
from underwing.casebook.context import ContextBuffer, Line
from underwing.model import Decision, Message, Reason, Versions, encode
from underwing.server.console import Desk, Site, console
from underwing.server.http import Request
from underwing.server.settings import Settings

ROUNDS = 60
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
        guests = site.desk.guests
        self._cookie = f"underwing_console={guests.redeem(guests.invite())}".encode()
        self._site, self._loop = site, loop

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


def main() -> None:
    """Fill, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, nargs="+", default=[1_000, 1_000_000])
    sizes = sorted(parser.parse_args().cases)
    out, table = Console(width=120), Table(title="milliseconds")
    for name in (
        "page",
        "cases",
        "kB",
        "CPU median",
        "CPU p95",
        "wall median",
        "wall p95",
        "CPU, times the smallest",
    ):
        table.add_column(name, justify="left" if name == "page" else "right")
    out.print(__doc__)
    first: dict[str, float] = {}

    def tell(page: str, size: int, bytes: int, told: Told) -> None:
        first.setdefault(page, told[0] or 1e-9)
        table.add_row(
            page,
            f"{size:,}",
            f"{bytes / 1000:.0f}",
            *(f"{v:.1f}" for v in told),
            f"{told[0] / first[page]:.2f}",
        )

    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        context = ContextBuffer(Path(folder) / "x.db", bytes(32))
        book = Casebook(Path(folder) / "c.db", durability="normal", clock=lambda: NOW, context=context)
        desk = Desk(Settings(), clock=lambda: NOW)
        desk.attach(book=book)
        visitor, chance = Visitor(console(desk), runner.get_loop()), random.Random(1)
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
                length = len(visitor.get(path()))
                tell(name, size, length, measured(lambda path=path: visitor.get(path()), ROUNDS))
        number = busy(book)
        for name, path in (("at its first alarm", ""), ("in the middle", f"?from={MESSAGES // 2}")):
            where = f"/console/cases/{number}{path}"
            length = len(visitor.get(where))
            tell(f"a case of {MESSAGES:,} messages, {name}", sizes[-1], length,
                 measured(lambda where=where: visitor.get(where), ROUNDS))  # fmt: skip
    out.print(table)


if __name__ == "__main__":
    main()
