"""Insights: what the casebook says of the work as a whole, on both databases."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from casebook_cases import decision, reason
from underwing.casebook.cases.gather import SYSTEM
from underwing.casebook.cases.tables import cases, history, items
from underwing.casebook.cases.values import Flag, Priority
from underwing.casebook.database import Database
from underwing.casebook.insights import (
    Decided,
    Overturned,
    alarms,
    by_language,
    days,
    decided,
    early,
    overturned,
    prompt,
    share,
)
from underwing.casebook.insights.counts import EDGES, within
from underwing.model import encode

DAY = 86_400
NOW = 20_000 * DAY + 500


def put(
    database: Database, id: int, *, outcome: str | None = None, opened: int = NOW - 7_200, **more: object
) -> None:
    values = {
        "id": id, "state": "closed" if outcome else "open", "priority": 1, "due": opened + 3_600, "opened": opened,
        "updated": NOW, "version": 1, "origin": "policy", "holder": None, "regions": "", "why": "", "outcome": outcome,
        "reason": "", "closed": opened + 3_600 if outcome else None, "into": None, "acted": 0, "items": 1, "test": False,
    }  # fmt: skip
    database.run(insert(cases).values({**values, **more}))


def add(database: Database, case: int, event: str, at: int, flags: int, cues: str = "early") -> None:
    found = msgspec.json.encode({"event": event, "kind": "decision", "at": at, "flags": flags})
    made = decision(event, reasons=tuple(reason(cue, event) for cue in cues.split()))
    database.run(
        insert(items).values(
            event=event,
            case_id=case,
            added=at,
            at=at,
            found=found,
            because=b"[]",
            decision=encode(made),
            sealed=True,
        )
    )


def act(database: Database, case: int, what: str, at: int, who: str = "p1") -> None:
    database.run(insert(history).values(case_id=case, at=at, who=who, what=what, detail=b"{}"))


def test_days_without_anything_are_there_too(casebook_database: Database) -> None:
    put(casebook_database, 1, opened=NOW - 2 * DAY)
    put(casebook_database, 2, opened=NOW - 2 * DAY, outcome="harm", closed=NOW)
    put(casebook_database, 3, opened=NOW, test=True)
    put(casebook_database, 4, opened=NOW - 40 * DAY)
    found = days(casebook_database, NOW - 3 * DAY, NOW)
    assert [(d.day - 20_000, d.opened, d.closed) for d in found] == [
        (-3, 0, 0),
        (-2, 2, 0),
        (-1, 0, 0),
        (0, 0, 1),
    ]
    assert len(days(casebook_database, 0, NOW)) == 400


def test_decided_cases_come_with_what_their_alarms_were_made_of(casebook_database: Database) -> None:
    put(casebook_database, 1, outcome="harm")
    add(casebook_database, 1, "e1", NOW - 7_000, Flag.conversation, "early")
    add(casebook_database, 1, "e2", NOW - 5_000, Flag.threat, "threat early")
    act(casebook_database, 1, "opened", NOW - 7_200, SYSTEM)
    act(casebook_database, 1, "took", NOW - 6_000)
    act(casebook_database, 1, "took", NOW - 4_000)
    put(casebook_database, 2, outcome="no_harm", priority=3, closed=NOW - 10)
    put(casebook_database, 3)
    put(casebook_database, 4, outcome="test", test=True)
    put(casebook_database, 5, outcome="harm", opened=NOW - 90 * DAY)
    newest, one = decided(casebook_database, NOW - 30 * DAY, NOW)
    assert (newest.id, newest.taken, newest.first, newest.signals) == (2, None, None, frozenset())
    assert one == Decided(
        id=1, priority=Priority.extortion, outcome="harm", opened=NOW - 7_200, due=NOW - 3_600, closed=NOW - 3_600,
        taken=NOW - 6_000, first=NOW - 7_000, harm_at=NOW - 5_000,
        signals=frozenset({"en.isolate.secrecy", "en.threat.expose"}),
    )  # fmt: skip
    assert [c.id for c in decided(casebook_database, 0, NOW, most=1)] == [2]


def test_what_was_opened_again_is_counted_by_why(casebook_database: Database) -> None:
    put(casebook_database, 1)
    for what, who in (
        ("closed", "p1"),
        ("closed", "p2"),
        ("reopened", "p1"),
        ("reopened", SYSTEM),
        ("reopened", SYSTEM),
    ):
        act(casebook_database, 1, what, NOW - 5, who)
    act(casebook_database, 1, "closed", NOW - 90 * DAY)
    assert overturned(casebook_database, NOW - DAY, NOW) == Overturned(closed=2, by_people=1, by_news=2)


def case(id: int = 1, outcome: str = "harm", priority: int = 1, **more: object) -> Decided:
    values = {"opened": 0, "due": 1_000, "closed": 2_000, "first": 100}
    return Decided(id=id, priority=Priority(priority), outcome=outcome, **{**values, **more})  # type: ignore[arg-type]


def test_a_warning_is_early_when_no_sign_of_harm_came_before_it() -> None:
    found = early([
        case(harm_at=7_300), case(harm_at=100), case(harm_at=None), case(harm_at=3_700), case(outcome="no_harm", harm_at=9),
        case(first=None),
    ])  # fmt: skip
    assert (found.before, found.at_once, found.never) == (2, 1, 1)
    assert found.hours == 2.0
    assert early([]).hours is None


def test_alarms_count_once_a_case_and_language() -> None:
    told = [
        case(1, signals=frozenset({"en.threat.a", "en.isolate.b", "actor.breadth"})),
        case(2, "no_harm", signals=frozenset({"en.threat.a"})),
        case(3, "unclear", signals=frozenset({"de.threat.a"})),
    ]
    assert [(a.name, a.cases, a.told, a.harm) for a in alarms(told)] == [
        ("en.threat.a", 2, 2, 1), ("actor.breadth", 1, 1, 1), ("de.threat.a", 1, 0, 0), ("en.isolate.b", 1, 1, 1),
    ]  # fmt: skip
    assert [(a.name, a.cases, a.harm) for a in by_language(told, ("en", "de"))] == [
        ("en", 2, 1),
        ("", 1, 1),
        ("de", 1, 0),
    ]


def test_how_soon_is_told_by_priority() -> None:
    first, *rest = prompt(
        [case(priority=0, taken=200), case(2, priority=0, taken=1_500), case(3, priority=0)]
    )
    assert (first.cases, first.taken, first.in_time) == (3, 2, 1)
    assert (first.taken_half, first.taken_most, first.decided_half) == (300, 3_600, 3_600)
    assert [p.cases for p in rest] == [0, 0, 0, 0]
    assert rest[0].taken_half is None


@given(st.lists(st.integers(0, 2_000_000), min_size=1), st.sampled_from((0.5, 0.9)))
def test_the_edge_holds_the_part_and_the_one_before_does_not(seconds: list[int], part: float) -> None:
    edge = within(seconds, part)
    below = [e for e in EDGES if edge is None or e < edge]
    assert all(sum(s <= e for s in seconds) < part * len(seconds) for e in below)
    if edge is not None:
        assert sum(s <= edge for s in seconds) >= part * len(seconds) - 1e-9


@given(st.integers(0, 500), st.integers(1, 500))
def test_an_interval_holds_its_share(part: int, whole: int) -> None:
    part = min(part, whole)
    found = share(part, whole)
    assert found is not None
    percent, low, high = found
    assert 0 <= low <= percent + 1e-9
    assert percent - 1e-9 <= high <= 100
    assert share(0, 0) is None


def test_the_interval_is_wilson_s() -> None:
    found = share(8, 10)
    assert found is not None
    assert [round(v) for v in found] == [80, 49, 94]


@pytest.mark.parametrize("outcome", ["harm", "no_harm", "unclear"])
def test_an_outcome_says_whether_there_was_harm(outcome: str) -> None:
    assert case(outcome=outcome).harm is {"harm": True, "no_harm": False, "unclear": None}[outcome]
