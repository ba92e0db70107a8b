"""Watches and actions in a SQLite file beside the database: what was answered outlives the service.

Written seldom: when a watch begins or ends, and when an action is asked for or done. Safe to call from several threads.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from underwing.engine.store import connect
from underwing.model import Decision
from underwing.server.streams.answers import ActionAnswer, NewStream, Outcome

MOST_KEPT = 1_000
"""Ended streams that are remembered, and actions of one stream that are told."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS streams (
    id TEXT PRIMARY KEY, body BLOB NOT NULL, session TEXT NOT NULL, run INTEGER NOT NULL, started REAL NOT NULL,
    ended REAL, why TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS acts (
    number INTEGER PRIMARY KEY, stream TEXT NOT NULL, event TEXT NOT NULL, action TEXT NOT NULL, at REAL NOT NULL,
    decision BLOB NOT NULL, outcome TEXT NOT NULL, problem TEXT NOT NULL, tries INTEGER NOT NULL, due REAL NOT NULL,
    UNIQUE (stream, event, action)
);
CREATE INDEX IF NOT EXISTS acts_due ON acts (outcome, due);
CREATE INDEX IF NOT EXISTS acts_stream ON acts (stream, number);
"""


def streams_beside(database: Path) -> Path:
    """Where the watches of streams are kept: beside the service's own file."""
    return database.with_suffix(".streams.db")


class Ground(Decision, frozen=True, gc=False, kw_only=True):
    """What an action rests on: a decision of the engine, or what the member `by` asked for, for the reason `why`."""

    by: str = ""
    why: str = ""


_ground = msgspec.json.Decoder(Ground).decode


class Row(Struct, frozen=True, kw_only=True):
    """A stream as it is kept. `session` is the media server's own name for this publishing, `run` counts how often it was
    taken up by a service: ids of events are made with it."""

    asked: NewStream
    session: str
    run: int
    started: float
    ended: float | None
    why: str


class Act(Struct, frozen=True, kw_only=True):
    """An action that a decision about a stream, or a person, asked for, and what became of it; `due` is when it is tried
    (again)."""

    number: int
    stream: str
    event: str
    action: str
    at: float
    decision: Ground
    outcome: Outcome
    problem: str
    tries: int
    due: float

    def told(self) -> ActionAnswer:
        """As the API tells it."""
        made = self.decision
        return ActionAnswer(
            event=self.event, action=self.action, outcome=self.outcome, problem=self.problem, tries=self.tries,
            at=self.at, level=made.level, stage=made.stage, actor=made.actor,
            reasons=tuple(dict.fromkeys(reason.signal for reason in made.reasons)), person=bool(made.by),
        )  # fmt: skip


class StreamStore:
    """The file.

    Raises:
        StoreError: it cannot be opened.
    """

    def __init__(self, path: Path | str, durability: Literal["full", "normal"] = "full") -> None:
        self._db = connect(path, durability)
        self._db.executescript(_SCHEMA)
        self._turn = threading.Lock()

    def begun(self, asked: NewStream, session: str, now: float) -> Row:
        """Keep a watch that begins; its run is one more than that of any before it with this id."""
        with self._turn:
            before = self._db.execute("SELECT run FROM streams WHERE id = ?", (asked.id,)).fetchone()
            run = (before[0] if before else 0) + 1
            self._db.execute(
                "INSERT OR REPLACE INTO streams (id, body, session, run, started, ended, why) "
                "VALUES (?, ?, ?, ?, ?, NULL, '')",
                (asked.id, msgspec.msgpack.encode(asked), session, run, now),
            )
        return Row(asked=asked, session=session, run=run, started=now, ended=None, why="")

    def resumed(self, row: Row, session: str) -> Row:
        """Keep the media server's new name for a publishing that goes on."""
        with self._turn:
            self._db.execute("UPDATE streams SET session = ? WHERE id = ?", (session, row.asked.id))
        return replace(row, session=session)

    def take_up(self) -> list[Row]:
        """Every stream that is known, the oldest first. Those that have not ended are counted as one run more."""
        with self._turn:
            self._db.execute("UPDATE streams SET run = run + 1 WHERE ended IS NULL")
        return self.rows()

    def ended(self, stream: str, why: str, now: float) -> None:
        """A watch has ended; the oldest ended ones beyond `MOST_KEPT` are forgotten, with their actions."""
        with self._turn:
            self._db.execute("UPDATE streams SET ended = ?, why = ? WHERE id = ?", (now, why, stream))
            old = self._db.execute(
                "SELECT id FROM streams WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT -1 OFFSET ?",
                (MOST_KEPT,),
            ).fetchall()
            self._db.executemany("DELETE FROM acts WHERE stream = ?", old)
            self._db.executemany("DELETE FROM streams WHERE id = ?", old)

    def rows(self) -> list[Row]:
        """Every stream that is known, the oldest first."""
        with self._turn:
            rows = self._db.execute(
                "SELECT body, session, run, started, ended, why FROM streams ORDER BY started, id"
            ).fetchall()
        return [
            Row(
                asked=msgspec.msgpack.decode(body, type=NewStream), session=session, run=run, started=started,
                ended=ended, why=why,
            )
            for body, session, run, started, ended, why in rows
        ]  # fmt: skip

    def ask(self, wanted: Sequence[tuple[str, str, str, bytes]], now: float) -> list[Act]:
        """Keep actions that are to be done: (stream, event, action, the decision or `Ground`); those that are new."""
        made = []
        with self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for stream, event, action, body in wanted:
                    row = self._db.execute(
                        "INSERT INTO acts (stream, event, action, at, decision, outcome, problem, tries, due) "
                        "VALUES (?, ?, ?, ?, ?, 'waiting', '', 0, ?) ON CONFLICT DO NOTHING RETURNING number",
                        (stream, event, action, now, body, now),
                    ).fetchone()
                    if row is not None:
                        made.append(
                            Act(
                                number=row[0], stream=stream, event=event, action=action, at=now,
                                decision=_ground(body), outcome="waiting", problem="", tries=0, due=now,
                            )
                        )  # fmt: skip
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        return made

    def tried(self, act: Act) -> None:
        """Keep what became of an action."""
        with self._turn:
            self._db.execute(
                "UPDATE acts SET outcome = ?, problem = ?, tries = ?, due = ? WHERE number = ?",
                (act.outcome, act.problem, act.tries, act.due, act.number),
            )

    def acts(self, *, waiting: bool = False, stream: str = "", limit: int = MOST_KEPT) -> list[Act]:
        """The newest actions, oldest first: those that wait, those of one stream, or all."""
        where, given = [], []
        if waiting:
            where.append("outcome = 'waiting'")
        if stream:
            where.append("stream = ?")
            given.append(stream)
        with self._turn:
            rows = self._db.execute(
                "SELECT number, stream, event, action, at, decision, outcome, problem, tries, due FROM acts "
                f"{'WHERE ' + ' AND '.join(where) if where else ''} ORDER BY number DESC LIMIT ?",
                (*given, limit),
            ).fetchall()
        return [
            Act(
                number=number, stream=stream, event=event, action=action, at=at, decision=_ground(body),
                outcome=outcome, problem=problem, tries=tries, due=due,
            )
            for number, stream, event, action, at, body, outcome, problem, tries, due in reversed(rows)
        ]  # fmt: skip

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            self._db.close()
