"""The queue with a million cases: first page, next case, intake; a case with ten thousand events; what context costs.

Method: for each size N, N open cases (drawn priorities, due times, two accounts each) are written into a casebook, in a
SQLite file and in PostgreSQL (a server of its own on loopback, `fsync=off`, or the one that is named); then each act is
done `ROUNDS` times, at random places, and its CPU time (process_time, this process's only) and wall time are told as
median and 95th percentile. Sizes are measured in one run, so the last column, wall time against the smallest size, tells
how an act grows. What is read was just written: its pages are in the system's cache. `durability` is normal, so that the
disk's commits do not hide the work; a commit to disk comes on top of each act that writes.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select, text

from underwing.casebook.cases import Casebook, Marks, Taken
from underwing.casebook.cases.tables import cases
from underwing.casebook.context import ContextBuffer, Line
from underwing.casebook.database import METADATA
from underwing.casebook.keys import KeyFile
from underwing.model import Decision, Message, Reason, Versions, encode

ROUNDS = 200
NOW = 1_767_268_800
_VERSIONS = Versions(engine="1", packs="p", policy="q")
Told = tuple[float, float, float, float]


def rows_of(numbers: range, chance: random.Random) -> dict[str, Iterator[tuple[object, ...]]]:
    """The rows of each table that intake would have left for cases of these numbers."""
    found = b'{"event":"","kind":"decision","at":0}'

    def case(number: int) -> tuple[object, ...]:
        priority, opened = chance.choices(range(5), (1, 4, 15, 60, 20))[0], NOW - chance.randrange(10**6)
        due = NOW + chance.randrange(10**6)
        return (number, "open", priority, due, opened, opened, 1, "policy", None, "GB", "", None, "", None, None, 0, 1,
                False)  # fmt: skip

    tied = (("actor", "a"), ("target", "k"), ("pair", "p"))
    return {
        "cases": map(case, numbers),
        "case_ties": ((kind, f"{key}{n}", n, f"m{n}", True) for n in numbers for kind, key in tied),
        "case_people": ((n, f"a{n}", "suspect", False) for n in numbers),
        "case_edges": ((n, f"a{n}", f"k{n}", 256, 1, 0, 0) for n in numbers),
        "case_items": ((f"m{n}", n, 0, 0, found, b"[]", None, True) for n in numbers),
    }


def fill(book: Casebook, count: int, chance: random.Random) -> None:
    """Write cases straight into the tables, up to `count`."""
    have = book.database.value(select(func.count()).select_from(cases))
    with book.database.transaction(), book.database.connection() as connection:
        raw: Any = connection.connection.driver_connection
        for table, rows in rows_of(range(have + 1, count + 1), chance).items():
            if book.database.kind == "sqlite":
                marks = ", ".join("?" * len(METADATA.tables[table].columns))
                raw.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
                continue
            with raw.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
    if book.database.kind == "postgresql":
        book.database.run(text("SELECT setval('cases_id_seq', (SELECT max(id) FROM cases))"))
    book.database.run(text("ANALYZE"))


def measured(act: Callable[[], object], rounds: int = ROUNDS) -> Told:
    """(median CPU, 95th percentile of CPU, median wall, 95th percentile of wall) in milliseconds."""
    cpu, wall = [], []
    for _ in range(rounds):
        started, clock = time.process_time(), time.perf_counter()
        act()
        cpu.append((time.process_time() - started) * 1000)
        wall.append((time.perf_counter() - clock) * 1000)
    return (*_told(cpu), *_told(wall))


def _told(values: list[float]) -> tuple[float, float]:
    return statistics.median(values), statistics.quantiles(values, n=20)[-1]


def decided(number: int, actor: str, target: str) -> Taken:
    """A decision that asks for a case."""
    at = "2026-01-01T12:00:00Z"
    reason = Reason(
        signal="en.isolate.secrecy", stage="isolate", span=None, weight=1.0, at=at, event="", source=""
    )
    made = Decision(
        event=f"x{number}", level="review", actor=actor, target=target, stage="isolate", actions=("open_case",),
        reasons=(reason,) * 6, versions=_VERSIONS,
    )  # fmt: skip
    marks = Marks(script=number * 0x9E3779B97F4A7C15 % 2**64)
    return Taken(event=message(number, actor, target), decision=encode(made), marks=marks)


def message(number: int, actor: str, target: str) -> Message:
    """A message of ordinary length."""
    return msgspec.convert(
        {"type": "message", "id": f"x{number}", "at": "2026-01-01T12:00:00Z", "surface": "dm", "conversation": actor +
        target,
         "from": actor, "to": [target], "text": "see you tomorrow at training, bring the ball"},
        Message,
    )  # fmt: skip


def measure(book: Casebook, sizes: list[int], tell: Callable[[str, int, Told], None]) -> None:
    """All acts over one casebook, at each of the sizes."""
    chance, number = random.Random(1), 0

    def anywhere(places: list[tuple[int, int, int, int]]) -> None:
        book.queue(limit=50, after=places.pop())

    def turn() -> None:
        case = book.take_next("ann")
        assert case is not None
        book.release(case.id, "ann")

    def come(known: int) -> None:
        nonlocal number
        number += 1
        actor = f"a{chance.randrange(known) + 1}" if known else f"new{number}"
        book.take_in_all([decided(number, actor, f"z{number}")])

    for size in sizes:
        fill(book, size, chance)
        places = [(chance.randrange(5), NOW + chance.randrange(10**6), 0, 0) for _ in range(ROUNDS)]
        tell("first page of 50", size, measured(lambda: book.queue(limit=50)))
        tell("page of 50 from anywhere", size, measured(partial(anywhere, places)))
        tell("take the next, give it back", size, measured(turn))
        tell("take in, known actor", size, measured(partial(come, size)))
        tell("take in, new case", size, measured(partial(come, 0)))
    book.take_in_all([decided(10**7 + n, "busy", f"q{n % 50}") for n in range(10_000)])
    item = book.where(f"x{10**7}")
    assert item is not None
    busy = item.case
    both = measured(lambda: (book.show(busy), book.items(busy)), 20)
    tell("show a case of 10,000 events, 1,000 of them", sizes[-1], both)
    lines = [
        Line(event=f"x{10**7 + n}", at=NOW + n, sender="busy", text="see you at training " * 4)
        for n in range(10_000)
    ]
    book.supply(busy, "busy", lines)
    tell("read its 10,000 sealed messages", sizes[-1], measured(lambda: book.said(busy), 20))


@contextmanager
def stores(folder: Path, postgresql: str) -> Iterator[list[tuple[str, str]]]:
    """(name, address) of the stores: a file, and PostgreSQL at an address or, with "start", a server of its own."""
    with ExitStack() as stack:
        found = [("SQLite", str(folder / "c.db"))]
        if postgresql == "start":
            sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
            import postgres_server

            found.append(
                ("PostgreSQL", stack.enter_context(stack.enter_context(postgres_server.server()).empty()))
            )
        elif postgresql:
            found.append(("PostgreSQL", postgresql))
        yield found


def main() -> None:
    """Fill, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, nargs="+", default=[1_000, 1_000_000])
    parser.add_argument(
        "--postgresql", default="start", help='an empty database, "start" for a server of its own, or ""'
    )
    given = parser.parse_args()
    sizes = sorted(given.cases)
    console, table = Console(width=130), Table(title="milliseconds")
    for column in (
        "act",
        "store",
        "cases",
        "CPU median",
        "CPU p95",
        "wall median",
        "wall p95",
        "wall, times the smallest",
    ):
        table.add_column(column, justify="left" if column in ("act", "store") else "right")
    console.print(__doc__)
    first: dict[str, float] = {}

    def tell(act: str, size: int, told: Told, store: str = "") -> None:
        first.setdefault(store + act, told[2] or 1e-9)
        table.add_row(
            act, store, f"{size:,}", *(f"{v:.2f}" for v in told), f"{told[2] / first[store + act]:.2f}"
        )

    with tempfile.TemporaryDirectory() as folder, stores(Path(folder), given.postgresql) as found:
        keys = KeyFile.make(Path(folder) / "vault.key")
        for name, where in found:
            with Casebook(where, durability="normal", clock=lambda: NOW, keys=keys) as book:
                measure(book, sizes, partial(tell, store=name))
        context = ContextBuffer(Path(folder) / "x.db", bytes(32))
        book, number = Casebook(":memory:", context=context, keys=keys), 0

        def keep() -> None:
            nonlocal number
            book.keep([(message((number := number + 1), f"s{number % 50_000}", "r"), "") for _ in range(100)])

        tell("context, 100 messages in one batch", 0, measured(keep))
    console.print(table)


if __name__ == "__main__":
    main()
