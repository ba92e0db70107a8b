"""The casebook's one door: intake for the service, the queue and the acts for people.

Durability. The service calls `take_in` after the engine's transaction and before it answers: what was answered is in
both databases. A crash between the two leaves an event that was never answered; sent again, it gets the same decision and
is taken in then. What is never sent again is made good by `catch_up` at the next start, from the table of decisions.
All of it rests on taking nothing in twice.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, TypeVar
from uuid import uuid4

import msgspec
from msgspec import Struct

from underwing.casebook.cases import acts, correct, feedback, network, paging
from underwing.casebook.cases.findings import by_hand, findings
from underwing.casebook.cases.gather import Gathered, gather
from underwing.casebook.cases.rows import Rows
from underwing.casebook.cases.values import (
    Act,
    Case,
    CaseError,
    Edge,
    Findings,
    Item,
    Marks,
    Outcome,
    Person,
    Priority,
    Relation,
    Taken,
)
from underwing.casebook.context import ContextBuffer, ContextError, Line, Said, Sealed, count, share
from underwing.casebook.context.buffer import Waiting
from underwing.casebook.database import Database
from underwing.casebook.keys import Keys
from underwing.casebook.regions import WIDEST, Regions, Window, load_regions
from underwing.model import Decision, Event, Message, UserReport

P = ParamSpec("P")
R = TypeVar("R")
ASKS = ("open_case", "page")
"""The actions that bring a decision here."""
_ASKS = tuple(f'"{action}"'.encode() for action in ASKS)
_decode = msgspec.json.Decoder(Decision).decode
_alarm = msgspec.json.Decoder(paging.Alarm).decode
CAUGHT_UP = "decisions"
RING_SECONDS = 86_400
"""What is made good wakes nobody when it is older than this: a casebook that is new to an old database is no
emergency."""
Origin = Literal["policy", "report", "hand"]
Place = acts.Place


class Shown(Struct, frozen=True, kw_only=True):
    """A case with all that a page about it needs, but its items."""

    case: Case
    people: tuple[Person, ...]
    edges: tuple[Edge, ...]
    relations: tuple[Relation, ...]
    context: int
    """Sealed lines."""


class Casebook:
    """Cases in a database, or in one that it opens (a path or an address of PostgreSQL) and closes itself. Several
    processes may work on one; safe to call from several threads.

    `clock` gives epoch seconds, `reports` says whether a user's report opens a case by itself, `context` is the
    buffer whose messages are sealed into cases, `keys` hold the key that they are sealed with. `failed` is told where
    context could not be sealed; that never keeps a case from being taken in.

    Raises:
        CasebookError: it cannot be opened.
        CaseError: there is context, but no key to seal it.
    """

    def __init__(
        self,
        where: Database | Path | str,
        *,
        regions: Regions | None = None,
        context: ContextBuffer | None = None,
        keys: Keys | None = None,
        durability: Literal["full", "normal"] = "full",
        clock: Callable[[], float] = time.time,
        reports: bool = True,
        failed: Callable[[str], None] = lambda _: None,
    ) -> None:
        if context is not None and keys is None:
            raise CaseError("context needs a key that it can be sealed with", "no_vault")
        self.regions = regions or load_regions()
        self._clock, self._reports, self._failed = clock, reports, failed
        self._owns = not isinstance(where, Database)
        self.database = where if isinstance(where, Database) else Database(where, durability=durability)
        self.context = context
        self.sealed = Sealed(self.database, keys) if keys is not None else None
        self._rows = Rows(self.database)
        self.seal_pending()

    # -- intake -----------------------------------------------------------------------------------------

    def wants(self, event: Event, decision: bytes) -> bool:
        """Whether an answered event may belong here; cheap, and True at times for nothing."""
        return any(name in decision for name in _ASKS) or (self._reports and type(event) is UserReport)

    def take_in(
        self, event: Event, decision: Decision | bytes, marks: Marks | None = None
    ) -> Gathered | None:
        """Take one answered event in; None where nothing asks for a case."""
        body = decision if isinstance(decision, bytes) else msgspec.json.encode(decision)
        return self.take_in_all([Taken(event=event, decision=body, marks=marks or Marks())])[0]

    def take_in_all(self, taken: Sequence[Taken]) -> list[Gathered | None]:
        """Take several in, in one transaction: durable when this returns, and nothing of it when it raises."""
        with self.database.transaction():
            gathered = [self._take_in(one) for one in taken]
            if any(gathered):
                self.seal_pending()
            return gathered

    def _take_in(self, taken: Taken, ring_after: int = 0) -> Gathered | None:
        decision, event = _decode(taken.decision), taken.event
        report = self._reports and isinstance(event, UserReport)
        if not report and not any(action in ASKS for action in decision.actions):
            return None
        found = findings(event, decision, taken.marks)
        why = event.reason if isinstance(event, UserReport) else ""
        return self._gather(found, taken.decision, "report" if report else "policy", why, ring_after)

    def _gather(
        self, found: Findings, decision: bytes | None, origin: Origin, why: str, ring_after: int = 0
    ) -> Gathered:
        now = self._now()
        made = gather(self._rows, self.regions, found, decision, now, origin=origin, why=why)
        if made.alarm and found.at >= ring_after:
            self._ring(made.case, now)
        return made

    def catch_up(self, recent: Callable[[int, int], list[tuple[int, bytes]]], whose: str = CAUGHT_UP) -> int:
        """Take in the decisions that a crash kept from here; how many were missing. `recent` gives (number, decision)
        above a number, oldest first (`Runner.recent`); `whose` tells engines apart that share a casebook. The events
        are gone: conversation, media and marks are not known."""
        missing = 0
        while part := recent(self._rows.mark(whose), 1_000):
            with self.database.transaction():
                for _, body in part:
                    if any(name in body for name in _ASKS):
                        made = self._take_in(Taken(event=None, decision=body), self._now() - RING_SECONDS)
                        missing += made is not None and made.how != "known"
                self._rows.set_mark(whose, part[-1][0])
        return missing

    # -- context ----------------------------------------------------------------------------------------

    def keep(self, said: Sequence[tuple[Message, str]], most: Window = WIDEST) -> None:
        """Let messages wait as context; each with the country that its window goes by, `most` what the policy allows."""
        if self.context is not None and said:
            lines = []
            for event, country in said:
                window = self.regions.window(country).within(most)
                line = Line(
                    event=event.id, at=int(event.at.timestamp()), sender=event.sender, to=tuple(event.to[:16]),
                    text=event.text,
                )  # fmt: skip
                lines.append(Waiting(event.conversation, line, window.count, window.hours))
            self.context.keep(lines, self._now())

    def seal_pending(self) -> int:
        """Seal the context of items that wait for it; how many items that were. Done with each intake, and at the start for
        what could not be sealed before."""
        if self.context is None or self.sealed is None or not self._rows.unsealed(1):
            return 0
        done = 0
        with self.database.transaction():
            while pending := self._rows.unsealed():
                try:
                    for case, conversation in dict.fromkeys((c, said) for c, _, said in pending if said):
                        lines = self.context.lines(conversation, self._now())
                        self.sealed.seal(case, conversation, lines, "buffer")
                except ContextError as error:
                    self._failed(str(error))
                    break
                self._rows.set_sealed([event for _, event, _ in pending])
                done += len(pending)
        return done

    def supply(self, case: int, conversation: str, lines: Sequence[Line]) -> int:
        """Seal lines that the platform supplies into a case; how many were new."""
        if self.sealed is None:
            raise CaseError("there is no key that context could be sealed with; make a vault", "no_vault")
        with self.database.transaction():
            acts.find(self._rows, case)
            return self.sealed.seal(case, conversation, lines, "platform")

    def said(self, case: int) -> list[Said]:
        """The sealed context of a case, by time; nothing where there is no key."""
        return self.sealed.read(case) if self.sealed is not None else []

    # -- reading ----------------------------------------------------------------------------------------

    def queue(
        self,
        state: str | None = "open",
        *,
        holder: str | None = None,
        after: Place | None = None,
        limit: int = 50,
    ) -> list[Case]:
        """Cases in the order of the queue (priority, due, opened, number), behind the place `after`."""
        return self._rows.page(state, holder, after, max(1, min(limit, 1_000)))

    def case(self, id: int) -> Case | None:
        """The head of a case, also of one that was merged."""
        return self._rows.case(id)

    def show(self, id: int) -> Shown:
        """A case with people, edges and related cases.

        Raises:
            CaseError: there is no such case.
        """
        with self.database.snapshot():
            case = self._rows.case(id)
            if case is None:
                raise CaseError(f"there is no case {id}", "no_case", case=id)
            return Shown(
                case=case,
                people=tuple(self._rows.people(id, 1_000)),
                edges=tuple(self._rows.edges(id, 1_000)),
                relations=tuple(self._rows.relations(id)),
                context=count(self.database, id),
            )

    def items(self, id: int, after: tuple[int, str] = (-1, ""), limit: int = 1_000) -> list[Item]:
        """The events of a case by time, behind `after` (at, event)."""
        return self._rows.items(id, after, limit)

    def where(self, event: str) -> Item | None:
        """The item of an event, if it is in a case."""
        return self._rows.item(event)

    def history(self, id: int) -> list[Act]:
        """All that was done to a case, in order."""
        return self._rows.history(id)

    def network(self, *, case: int | None = None, actor: str | None = None) -> network.Network:
        """The network of a case or of an actor, bounded."""
        with self.database.snapshot():
            if actor is not None:
                return network.network_of_actor(self._rows, actor)
            if case is None:
                raise CaseError("name a case or an actor", "nobody_named")
            return network.network_of_case(self._rows, case)

    def labels(self, after: int = 0) -> Iterator[feedback.Label]:
        """What closed cases say of their decisions (`feedback.labels`)."""
        return feedback.labels(self._rows, after)

    def negatives(self, after: int = 0) -> Iterator[feedback.Negative]:
        """Bank entries that matched by mistake (`feedback.negatives`)."""
        return feedback.negatives(self._rows, after)

    # -- acting -----------------------------------------------------------------------------------------

    def open(
        self,
        who: str,
        why: str,
        *,
        actor: str | None = None,
        target: str | None = None,
        region: str = "",
        priority: Priority = Priority.early,
        key: str | None = None,
    ) -> Gathered:
        """Open a case by hand, or join the one it belongs to. The same `key` twice changes nothing."""
        if not (actor or target):
            raise CaseError("say whom it is about: an actor, a target or both", "nobody_named")
        event = f"hand:{key or uuid4().hex}"
        with self.database.transaction():
            found = by_hand(event, self._now(), actor, target, region, priority)
            made = self._gather(found, None, "hand", why)
            if made.how != "known":
                acts.note(self._rows, made.case, who, why, self._now())
            return made

    def take(self, id: int, who: str, version: int | None = None) -> Case:
        """Take a case (`acts.take`)."""
        return self._do(acts.take, id, who, self._now(), version)

    def take_next(self, who: str, offer: acts.Offer | None = None) -> Case | None:
        """Take the first open case that one is offered, or None (`acts.take_next`)."""
        return self._do(acts.take_next, who, self._now(), offer)

    def release(self, id: int, who: str, version: int | None = None) -> Case:
        """Give a case back (`acts.release`)."""
        return self._do(acts.release, id, who, self._now(), version)

    def hand_over(self, id: int, who: str, to: str, version: int | None = None) -> Case:
        """Hand a case over (`acts.hand_over`)."""
        return self._do(acts.hand_over, id, who, to, self._now(), version)

    def note(self, id: int, who: str, text: str) -> Case:
        """Note something (`acts.note`)."""
        return self._do(acts.note, id, who, text, self._now())

    def close(self, id: int, who: str, outcome: Outcome, reason: str, version: int | None = None) -> Case:
        """Close a case (`acts.close`)."""
        return self._do(acts.close, id, who, outcome, reason, self._now(), version)

    def correct(self, id: int, who: str, outcome: Outcome, reason: str) -> Case:
        """Give a closed case another outcome (`correct.correct`)."""
        return self._do(correct.correct, id, who, outcome, reason, self._now())

    def reopen(self, id: int, who: str, why: str) -> Case:
        """Open a case again (`acts.reopen`)."""
        return self._do(acts.reopen, self.regions, id, who, why, self._now())

    def merge(self, into: int, other: int, who: str, why: str) -> Case:
        """Merge two cases (`acts.merge`); the sealed context of both goes with them."""
        with self.database.transaction():
            case = self._do(acts.merge, self.regions, into, other, who, why, self._now())
            share(self.database, other, into)
            return case

    def split(self, id: int, events: Sequence[str], who: str, why: str) -> tuple[Case, Case]:
        """Split a case (`acts.split`); both parts keep the sealed context."""
        with self.database.transaction():
            old, new = self._do(acts.split, self.regions, id, events, who, why, self._now())
            share(self.database, id, new.id)
            return old, new

    def undo(self, id: int, who: str) -> Case:
        """Take back one's last act (`acts.undo`)."""
        return self._do(acts.undo, self.regions, id, who, self._now())

    def _do(self, function: Callable[Concatenate[Rows, P], R], *args: P.args, **more: P.kwargs) -> R:
        return function(self._rows, *args, **more)

    # -- alarms -----------------------------------------------------------------------------------------

    def _ring(self, id: int, now: int) -> None:
        case, body = self._rows.case(id), self._rows.alarm(id)
        assert case is not None
        alarm = paging.ring(_alarm(body) if body else None, case, now)
        self._rows.set_alarm(id, alarm.next, msgspec.json.encode(alarm))

    def due_alarms(self, plan: paging.Plan, now: int) -> list[tuple[paging.Alarm, tuple[paging.Notice, ...]]]:
        """The alarms to be sent at `now` with what to send; each is written as sent before it is handed out, so that
        two pagers do not ring twice. A pager that dies before sending loses one attempt; the next comes after the gap."""
        with self.database.transaction():
            made = []
            for body in self._rows.alarms(now + max(*plan.gaps, plan.retry)):
                alarm = _alarm(body)
                new, notices = paging.step(alarm, self._rows.case(alarm.case), now, plan)
                if new != alarm:
                    self._rows.set_alarm(new.case, new.next, msgspec.json.encode(new))
                if notices:
                    made.append((new, notices))
            return made

    def alarm_failed(self, alarm: paging.Alarm, plan: paging.Plan, now: int) -> None:
        """Note that a delivery failed: the next attempt comes sooner."""
        with self.database.transaction():
            body = self._rows.alarm(alarm.case)
            if body is not None:
                new = paging.failed(_alarm(body), now, plan)
                self._rows.set_alarm(new.case, new.next, msgspec.json.encode(new))

    def _now(self) -> int:
        return int(self._clock())

    def shut(self) -> None:
        """Close the database, if it was opened here. Nothing is lost if this is never called."""
        if self._owns:
            self.database.close()

    def __enter__(self) -> "Casebook":
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()
