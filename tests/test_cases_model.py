"""Cases against a plain model: whatever happens in whatever order, nothing is lost, doubled or taken twice."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from sqlalchemy import Table, func, select

from casebook_cases import Clock, decision, said
from underwing.casebook.cases import Casebook, CaseError, Marks
from underwing.casebook.cases.rows import Rows
from underwing.casebook.cases.tables import edges, history, people, ties
from underwing.casebook.cases.tables import items as table
from underwing.model import encode

PEOPLE = st.sampled_from(["ann", "bob", "cem"])
ACTORS, TARGETS = st.sampled_from("abcd"), st.sampled_from("klmn")
CUES = st.sampled_from(["early", "image", "threat", "threat deadline", "known", "plead"])
LIVE = ("open", "taken")


def sums(rows: Rows) -> list[list[Any]]:
    """Everything that sums up items. The event that brought a tie first depends on the order, so it is left out."""
    return [
        [tuple(row) for row in rows.database.rows(query)]
        for query in (
            select(ties.c.kind, ties.c.key, ties.c.case_id, ties.c.live).order_by(*ties.primary_key),
            select(people).order_by(*people.primary_key),
            select(edges).order_by(*edges.primary_key),
        )
    ]


class Undone(Exception):
    """Takes a transaction back."""


def check(rows: Rows) -> None:
    """That sums, numbers and priorities are what the items say."""
    with suppress(Undone), rows.transaction():
        before = sums(rows)
        for case in rows.page(None, None, None, 10_000):
            items = list(rows.all_items(case.id))
            assert case.items == len(items), case
            assert rows.rebuild(case.id, live=case.state in LIVE) == len(items)
            assert (case.state == "merged") == (not items), case
            if items:
                said_by_hand = [i.found.said for i in items if i.found.said is not None]
                assert case.priority <= min([e.priority for e in rows.edges(case.id)] + said_by_hand)
        assert sums(rows) == before
        raise Undone


def size(book: Casebook, table: Table) -> int:
    """How many rows a table has."""
    return int(book.database.value(select(func.count()).select_from(table)))


class Cases(RuleBasedStateMachine):
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.book = Casebook(":memory:", clock=self.clock)
        self.where: dict[str, int] = {}
        self.ties: dict[str, set[tuple[str, object]]] = {}
        self.state: dict[int, tuple[str, str | None, str | None]] = {}
        self.last: dict[int, tuple[str, str, Any] | None] = {}
        self.acts = 0

    # -- the model's own idea of things -----------------------------------------------------------------

    def shared(self, ties: set[tuple[str, object]], live: bool) -> set[int]:
        return {
            self.where[e] for e, has in self.ties.items()
            if has & ties and (self.state[self.where[e]][0] in LIVE) == live
        }  # fmt: skip

    def did(
        self, case: int, who: str, what: str, state: tuple[str, str | None, str | None], extra: Any = None
    ) -> None:
        self.last[case] = (who, what, (self.state[case], extra))
        self.state[case] = state

    def free(self, case: int, who: str) -> bool:
        state, holder, _ = self.state[case]
        return state in LIVE and holder in (None, who)

    def attempt(self, allowed: bool, function: Any, *args: Any) -> Any:
        if allowed:
            return function(*args)
        with pytest.raises(CaseError):
            function(*args)
        return None

    # -- what happens -------------------------------------------------------------------------------------

    @rule(
        target=ids, number=st.integers(0, 60), actor=ACTORS, target_=TARGETS, cues=CUES,
        payment=st.sampled_from([0, 0, 0, 1, 2]), minutes=st.integers(0, 3000),
    )  # fmt: skip
    def comes(self, number: int, actor: str, target_: str, cues: str, payment: int, minutes: int) -> Any:
        self.clock.on(minutes=minutes)
        event = f"m{number}"
        marks = Marks(payments=(payment,) if payment else ())
        made = self.book.take_in(
            said(event, actor, target_), encode(decision(event, actor, target_, cues)), marks
        )
        assert made is not None
        if event in self.where:
            assert (made.how, made.case) == ("known", self.where[event])
            return multiple()
        ties: set[tuple[str, object]] = {("pair", (actor, target_)), ("actor", actor), ("target", target_)}
        ties |= {("payment", payment)} if payment else set()
        live, closed = self.shared(ties, True), self.shared({("pair", (actor, target_))}, False)
        if live:
            assert made.how == "joined"
            assert made.case in live
            strong = self.shared({("pair", (actor, target_))}, True)
            assert not strong or made.case in strong
        elif closed:
            assert made.case in closed
            assert made.how in ("kept", "reopened")
            if made.how == "reopened":
                self.state[made.case], self.last[made.case] = ("open", None, None), None
        else:
            assert made.how == "opened"
            assert made.case not in self.state
            self.state[made.case], self.last[made.case] = ("open", None, None), None
        self.where[event], self.ties[event] = made.case, ties
        return made.case if made.how == "opened" else multiple()

    @rule(case=ids, who=PEOPLE)
    def takes(self, case: int, who: str) -> None:
        free, mine = self.free(case, who), self.state[case][1] == who
        made = self.attempt(free, self.book.take, case, who)
        if made and not mine:
            self.did(case, who, "took", ("taken", who, None))

    @rule(case=ids, who=PEOPLE)
    def releases(self, case: int, who: str) -> None:
        if self.attempt(self.state[case][:2] == ("taken", who), self.book.release, case, who):
            self.did(case, who, "released", ("open", None, None))

    @rule(case=ids, who=PEOPLE, to=PEOPLE)
    def hands_over(self, case: int, who: str, to: str) -> None:
        if self.attempt(self.state[case][:2] == ("taken", who), self.book.hand_over, case, who, to):
            self.did(case, who, "handed_over", ("taken", to, None))

    @rule(case=ids, who=PEOPLE, outcome=st.sampled_from(["harm", "no_harm", "unclear"]))
    def closes(self, case: int, who: str, outcome: str) -> None:
        if self.attempt(self.free(case, who), self.book.close, case, who, outcome, "looked"):
            self.did(case, who, "closed", ("closed", None, outcome))

    @rule(case=ids, who=PEOPLE)
    def reopens(self, case: int, who: str) -> None:
        if self.attempt(self.state[case][0] == "closed", self.book.reopen, case, who, "again"):
            self.did(case, who, "reopened", ("open", None, None))

    @rule(into=ids, other=ids, who=PEOPLE)
    def merges(self, into: int, other: int, who: str) -> None:
        allowed = into != other and self.free(into, who) and self.free(other, who)
        if self.attempt(allowed, self.book.merge, into, other, who, "one matter"):
            events = [e for e, c in self.where.items() if c == other]
            self.did(into, who, "merged", self.state[into], (other, events, self.state[other]))
            self.state[other], self.last[other] = ("merged", None, None), None
            self.where |= dict.fromkeys(events, into)

    @rule(target=ids, case=ids, who=PEOPLE, chosen=st.sets(st.integers(0, 60), max_size=6))
    def splits(self, case: int, who: str, chosen: set[int]) -> Any:
        held = {e for e, c in self.where.items() if c == case}
        events = sorted(held & {f"m{n}" for n in chosen})
        allowed = self.free(case, who) and 0 < len(events) < len(held)
        made = self.attempt(allowed, self.book.split, case, events, who, "two matters")
        if not made:
            return multiple()
        new = made[1].id
        self.did(case, who, "split", self.state[case], new)
        self.state[new], self.last[new] = ("open", None, None), None
        self.where |= dict.fromkeys(events, new)
        return new

    @rule(case=ids, who=PEOPLE)
    def undoes(self, case: int, who: str) -> None:
        last = self.last[case]
        allowed = self.state[case][0] != "merged" and last is not None and last[0] == who
        extra = last[2][1] if last is not None else None
        if allowed and last is not None and last[1] == "split":
            allowed = (
                self.last[extra] is None and self.state[extra][0] == "open" and extra not in self.touched
            )
        if not self.attempt(allowed, self.book.undo, case, who):
            return
        assert last is not None
        self.state[case], self.last[case] = last[2][0], None
        if last[1] == "merged":
            other, events, before = extra
            self.state[other], self.last[other] = before, None
            self.where |= dict.fromkeys(events, other)
        if last[1] == "split":
            self.where |= {e: case for e, c in self.where.items() if c == extra}
            self.state[extra] = ("merged", None, None)

    @property
    def touched(self) -> set[int]:
        """Cases that something was done to after they were split off."""
        own = select(history.c.case_id).where(history.c.what == "split_off")
        done = self.book.database.rows(
            select(history.c.case_id).where(
                history.c.case_id.in_(own), history.c.what.not_in(["split_off", "raised"])
            )
        )
        return {row.case_id for row in done}

    @rule(case=consumes(ids))
    def forgets(self, case: int) -> None:
        pass

    # -- what always holds --------------------------------------------------------------------------------

    @invariant()
    def every_event_is_in_one_case(self) -> None:
        found = {
            item.found.event: case
            for case in self.state
            for item in self.book.items(case)
            if item.case == case
        }
        assert found == self.where
        assert size(self.book, table) == len(self.where)

    @invariant()
    def cases_are_as_the_model_has_them(self) -> None:
        for id, expected in self.state.items():
            case = self.book.case(id)
            assert case is not None
            assert (case.state, case.holder, case.outcome) == expected

    @invariant()
    def sums_are_right(self) -> None:
        check(self.book._rows)

    @invariant()
    def the_queue_holds_what_is_open_in_order(self) -> None:
        queue = self.book.queue(limit=1000)
        assert {c.id for c in queue} == {i for i, s in self.state.items() if s[0] == "open"}
        places = [(c.priority, c.due, c.opened, c.id) for c in queue]
        assert places == sorted(places)

    @invariant()
    def the_history_only_grows(self) -> None:
        count = size(self.book, history)
        assert count >= self.acts
        self.acts = count

    def teardown(self) -> None:
        self.book.shut()


TestCases = Cases.TestCase
TestCases.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
