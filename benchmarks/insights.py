"""Insights over a casebook of a million cases: what a page costs.

Method: for each size N, N cases are written into a casebook (SQLite in a temporary directory, or a PostgreSQL given by
`--database`), all of them decided within the last 365 days, each with one event, an act of taking and one of closing.
Then what the page asks for is asked `ROUNDS` times for spans of 30 and 365 days, and the processor time (process_time) and
the wall time are told as medians. Sizes are measured in one run; the last column is the time against the smallest size. On
PostgreSQL the work is another process's: read the wall time there.
"""

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import insert, text

from underwing.casebook.cases.tables import cases, history, items
from underwing.casebook.database import Database
from underwing.casebook.insights import alarms, days, decided, early, overturned, prompt
from underwing.model import Decision, Reason, Versions, encode

DAY, NOW, ROUNDS, STEP = 86_400, 20_400 * 86_400, 5, 20_000
OUTCOMES = ("harm", "no_harm", "false_match", "unclear")


def decision(event: str, chance: random.Random) -> bytes:
    """A decision with five reasons, as intake keeps it."""
    reasons = tuple(
        Reason(
            signal=f"{chance.choice(('en', 'de', 'fr'))}.threat.entry-{chance.randrange(200)}", stage="threat",
            span=(0, 10), weight=1.2, at="2026-01-01T12:00:00Z", event=event, source="a published source",
        )
        for _ in range(5)
    )  # fmt: skip
    return encode(
        Decision(
            event=event, level="review", actor="a", target="k", stage="threat", actions=("open_case",), reasons=reasons,
            versions=Versions(engine="1", packs="p", policy="q"),
        )
    )  # fmt: skip


def fill(database: Database, first: int, count: int, chance: random.Random) -> None:
    """Write decided cases numbered `first` to `count`."""
    made = [decision(f"d{n}", chance) for n in range(100)]
    for start in range(first, count + 1, STEP):
        heads: list[dict[str, Any]] = []
        events: list[dict[str, Any]] = []
        acts: list[dict[str, Any]] = []
        for id in range(start, min(start + STEP, count + 1)):
            opened = NOW - chance.randrange(365 * DAY)
            taken = opened + chance.randrange(1, 20_000)
            closed = min(NOW, taken + chance.randrange(1, 90_000))
            heads.append({
                "id": id, "state": "closed", "priority": chance.randrange(5), "due": opened + 3_600, "opened": opened,
                "updated": closed, "version": 3, "origin": "policy", "holder": None, "regions": "GB", "why": "",
                "outcome": chance.choice(OUTCOMES), "reason": "looked at", "closed": closed, "into": None, "acted": 0,
                "items": 1, "test": False,
            })  # fmt: skip
            found = b'{"event":"m","kind":"decision","at":0,"flags":%d}' % chance.choice((256, 257, 128))
            events.append({
                "event": f"m{id}", "case_id": id, "added": opened, "at": opened, "found": found, "because": b"[]",
                "decision": chance.choice(made), "sealed": True,
            })  # fmt: skip
            acts += [
                {"case_id": id, "at": at, "who": "p1", "what": what, "detail": b"{}"}
                for what, at in (("took", taken), ("closed", closed))
            ]
        with database.transaction():
            for table, rows in ((cases, heads), (items, events), (history, acts)):
                database.run(insert(table), rows)


def page(database: Database, span: int) -> None:
    """Everything that the page asks for and counts."""
    since = NOW - span * DAY
    days(database, since, NOW)
    overturned(database, since, NOW)
    found = decided(database, since, NOW)
    prompt(found), early(found), alarms(found)


def measured(database: Database, span: int) -> tuple[float, float]:
    """(processor, wall) in milliseconds, medians; asked once before, so that what was just written counts for nobody."""
    if database.kind == "sqlite":
        database.rows(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    page(database, span)
    cpu, wall = [], []
    for _ in range(ROUNDS):
        began, clock = time.process_time(), time.perf_counter()
        page(database, span)
        cpu.append((time.process_time() - began) * 1_000)
        wall.append((time.perf_counter() - clock) * 1_000)
    return statistics.median(cpu), statistics.median(wall)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--database", default="", help="postgresql://… of an empty database")
    given = parser.parse_args()
    out, chance = Console(width=110), random.Random(7)
    out.print(__doc__, highlight=False, style="dim")
    table = Table(title="insights: one page, milliseconds")
    for column in ("cases", "days", "cpu", "wall", "against smallest"):
        table.add_column(column, justify="right")
    least: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        where = given.database or str(Path(folder) / "casebook.db")
        database = Database(where, durability="normal", migrate=True)
        have = 0
        for size in sorted(given.sizes):
            fill(database, have + 1, size, chance)
            have = size
            told = {span: measured(database, span) for span in (30, 365)}
            for span, (cpu, wall) in told.items():
                base = least.setdefault(span, wall)
                table.add_row(f"{size:,}", str(span), f"{cpu:.0f}", f"{wall:.0f}", f"{wall / base:.1f} ×")
        database.close()
    out.print(table)


if __name__ == "__main__":
    main()
