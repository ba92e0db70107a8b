"""What people do with cases. Each act is one transaction: the case changes under its version, and the history grows.

`version`, where it is given, is the one the person saw: a case that has changed since is left alone (`Stale`). Every
function takes `at` (epoch seconds) and returns the case as it is then.
"""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import structs, to_builtins

from underwing.casebook.cases.rows import Rows
from underwing.casebook.cases.triage import due_of
from underwing.casebook.cases.values import OUTCOMES, Case, CaseError, Outcome, Priority, Relation, Stale
from underwing.casebook.regions import Regions

LIVE = ("open", "taken")
Place = tuple[int, int, int, int]
"""A place in the queue: priority, due, opened, id."""
Offer = Callable[[Sequence[Case]], Sequence[Case]]
_LOOKED_AT = 50
MOST_NOTE = 10_000
"""Characters of a note or a reason."""


def find(rows: Rows, id: int, version: int | None = None) -> Case:
    """A case that can be acted on.

    Raises:
        CaseError: there is no such case, or it was merged into another.
        Stale: it no longer has `version`.
    """
    case = rows.case(id)
    if case is None:
        raise CaseError(f"there is no case {id}", "no_case", case=id)
    if case.state == "merged":
        raise CaseError(f"case {id} was merged into case {case.into}", "merged", case=id, into=case.into)
    if version is not None and case.version != version:
        raise Stale(
            f"case {id} has changed since it was shown (version {case.version}, not {version})",
            "changed",
            case=id,
        )
    return case


def take(rows: Rows, id: int, who: str, at: int, version: int | None = None) -> Case:
    """Take an open case; taking one's own again changes nothing.

    Raises:
        Stale: somebody else has it.
        CaseError: it is closed.
    """
    with rows.transaction():
        case = find(rows, id, version)
        if case.state == "taken":
            if case.holder == who:
                return case
            raise Stale(f"case {id} is taken by {case.holder}", "taken", case=id, who=case.holder)
        if case.state == "closed":
            raise CaseError(f"case {id} is closed; reopen it first", "closed", case=id)
        return _change(rows, case, who, "took", at, state="taken", holder=_named(who))


def take_next(rows: Rows, who: str, at: int, offer: Offer | None = None) -> Case | None:
    """Take the first case of the queue, or None when none is open. `offer` gives those of some cases that this person is
    offered (all of them, if it is None)."""
    after: Place | None = None
    with rows.transaction():
        while cases := rows.page("open", None, after, 1 if offer is None else _LOOKED_AT):
            offered = cases if offer is None else offer(cases)
            if offered:
                return take(rows, offered[0].id, who, at)
            last = cases[-1]
            after = (last.priority, last.due, last.opened, last.id)
        return None


def release(rows: Rows, id: int, who: str, at: int, version: int | None = None) -> Case:
    """Give a case back to the queue, where it keeps its place."""
    with rows.transaction():
        case = _own(find(rows, id, version), who)
        return _change(rows, case, who, "released", at, state="open", holder=None)


def hand_over(rows: Rows, id: int, who: str, to: str, at: int, version: int | None = None) -> Case:
    """Hand a case that one holds to somebody else."""
    with rows.transaction():
        case = _own(find(rows, id, version), who)
        return _change(rows, case, who, "handed_over", at, {"to": to}, holder=_named(to))


def note(rows: Rows, id: int, who: str, text: str, at: int) -> Case:
    """Write a note into the history."""
    with rows.transaction():
        case = find(rows, id)
        rows.write_act(id, at, _named(who), "noted", {"text": _words(text, "the note")})
        return case


def close(
    rows: Rows, id: int, who: str, outcome: Outcome, reason: str, at: int, version: int | None = None
) -> Case:
    """Close a case that nobody else holds, with what was found and why.

    Raises:
        CaseError: unknown outcome, no reason, or closed already.
        Stale: somebody else has it.
    """
    if outcome not in OUTCOMES:
        raise CaseError(f"unknown outcome {outcome!r}; known are {', '.join(OUTCOMES)}", "outcome")
    with rows.transaction():
        case = _free(find(rows, id, version), who)
        reason = _words(reason, "the reason")
        rows.set_live(id, False)
        return _change(
            rows, case, who, "closed", at, {"outcome": outcome, "reason": reason}, state="closed", holder=None,
            outcome=outcome, reason=reason, closed=at,
        )  # fmt: skip


def reopen(rows: Rows, clocks: Regions, id: int, who: str, why: str, at: int) -> Case:
    """Put a closed case back into the queue; its clock starts again."""
    with rows.transaction():
        case = find(rows, id)
        if case.state != "closed":
            raise CaseError(f"case {id} is not closed", "not_closed", case=id)
        rows.set_live(id, True)
        return _change(
            rows, case, who, "reopened", at, {"why": _words(why, "the reason")}, state="open", holder=None, outcome=None,
            reason="", closed=None, due=due_of(case.priority, at, case.regions, clocks),
        )  # fmt: skip


def merge(rows: Rows, clocks: Regions, into: int, other: int, who: str, why: str, at: int) -> Case:
    """Put all of case `other` into case `into`. Neither may be closed or in somebody else's hands."""
    with rows.transaction():
        if into == other:
            raise CaseError("a case cannot be merged into itself", "itself")
        case, gone = _free(find(rows, into), who), _free(find(rows, other), who)
        if case.test != gone.test:
            raise CaseError("a test case and a real one do not belong together", "test_and_real")
        events = [item.found.event for item in rows.all_items(other)]
        rows.move(events, into)
        detail = {"why": _words(why, "the reason"), "other": other, "events": events, "gone": _before(gone)}
        _change(
            rows,
            gone,
            who,
            "merged_into",
            at,
            {"into": into, "why": why},
            state="merged",
            holder=None,
            into=into,
            items=0,
        )
        rows.rebuild(other, live=False)
        for relation in rows.relations(other):
            rows.relate(structs.replace(relation, case=into))
        changes = _reckoned(rows, clocks, case, at) | {"due": min(case.due, gone.due)}
        return _change(rows, case, who, "merged", at, detail, **changes)


def split(
    rows: Rows, clocks: Regions, id: int, events: Sequence[str], who: str, why: str, at: int
) -> tuple[Case, Case]:
    """Put some events of a case into a new one, which is open; (the old case, the new one).

    Raises:
        CaseError: an event that is not in the case, none, or all of them.
        Stale: somebody else has the case.
    """
    with rows.transaction():
        case = _free(find(rows, id), who)
        held = {item.found.event for item in rows.all_items(id)}
        chosen = list(dict.fromkeys(events))
        missing = [event for event in chosen if event not in held]
        if missing:
            raise CaseError(f"event {missing[0]} is not in case {id}", "no_event", event=missing[0], case=id)
        if not chosen or len(chosen) == len(held):
            raise CaseError("choose some of the events, not none and not all", "some_events")
        why = _words(why, "the reason")
        new = Case(
            id=0, state="open", priority=case.priority, due=case.due, opened=case.opened, updated=at, version=1,
            origin="split", why=why, test=case.test,
        )  # fmt: skip
        new = structs.replace(new, id=rows.insert_case(new))
        rows.move(chosen, new.id)
        number = rows.write_act(new.id, at, who, "split_off", {"from": id, "why": why})
        reckoned = structs.replace(
            new, version=2, acted=number, **(_reckoned(rows, clocks, new, at) | {"due": case.due})
        )
        rows.update_case(reckoned, 1)
        rows.relate(Relation(case=id, other=new.id, kind="split", strength=0.0, event=chosen[0], at=at))
        detail = {"why": why, "other": new.id, "events": chosen, "acted": number}
        return _change(rows, case, who, "split", at, detail, **_reckoned(rows, clocks, case, at)), reckoned


def undo(rows: Rows, clocks: Regions, id: int, who: str, at: int) -> Case:
    """Take back the last thing done to a case, by whoever did it.

    Raises:
        CaseError: there is nothing to take back, somebody else did it, or what it touched has moved on since.
    """
    with rows.transaction():
        case = find(rows, id)
        last = rows.act(case.acted) if case.acted else None
        if last is None or "before" not in last.detail:
            raise CaseError(f"there is nothing to undo in case {id}", "nothing_to_undo", case=id)
        if last.who != who:
            raise CaseError(
                f"the last act on case {id} is {last.who}'s; only they can undo it",
                "undo_theirs",
                case=id,
                who=last.who,
            )
        before: dict[str, Any] = last.detail["before"]
        changes = {name: before[name] for name in ("state", "holder", "outcome", "reason", "closed")}
        if last.what in ("merged", "split"):
            _part(rows, clocks, last.what, id, last.detail, who, at)
            changes |= _reckoned(rows, clocks, case, at)
        if last.what in ("reopened", "merged"):
            changes.setdefault("due", before["due"])
        rows.set_live(id, changes["state"] in LIVE)
        return _change(
            rows,
            case,
            who,
            "undid",
            at,
            {"number": last.number, "what": last.what},
            undoable=False,
            **changes,
        )


def _part(rows: Rows, clocks: Regions, what: str, id: int, detail: dict[str, Any], who: str, at: int) -> None:
    """Bring the other case of a merge back, or fetch the one split off home."""
    other = rows.case(detail["other"])
    assert other is not None
    if what == "merged":
        gone = detail["gone"]
        rows.move(detail["events"], other.id)
        changes = {n: gone[n] for n in ("state", "holder", "outcome", "reason", "closed")} | {"into": None}
        changes |= _reckoned(rows, clocks, other, at) | {"due": gone["due"]}
    else:
        if other.acted != detail["acted"] or other.state != "open":
            raise CaseError(
                f"case {other.id}, which was split off, has moved on; merge it instead",
                "moved_on",
                case=other.id,
            )
        rows.move([item.found.event for item in rows.all_items(other.id)], id)
        rows.rebuild(other.id, live=False)
        changes = {"state": "merged", "into": id, "items": 0}
    _change(rows, other, who, "undid", at, {"what": what, "case": id}, undoable=False, **changes)


def _reckoned(rows: Rows, clocks: Regions, case: Case, at: int) -> dict[str, Any]:
    """What follows from a case's items, made again after they moved: sums, priority, regions and number."""
    count = rows.rebuild(case.id, live=True)
    said: list[int] = []
    regions: dict[str, None] = {}
    for item in rows.all_items(case.id):
        regions |= {item.found.region: None} if item.found.region else {}
        said += [] if item.found.said is None else [item.found.said]
    seen = [edge.priority for edge in rows.edges(case.id)]
    priority = min([*seen, *map(Priority, said)], default=case.priority)
    changes: dict[str, Any] = {"priority": priority, "regions": tuple(regions), "items": count}
    if priority < case.priority:
        changes["due"] = min(case.due, due_of(priority, at, tuple(regions), clocks))
    return changes


def _change(
    rows: Rows,
    case: Case,
    who: str,
    what: str,
    at: int,
    detail: dict[str, Any] | None = None,
    *,
    undoable: bool = True,
    **changes: Any,
) -> Case:
    """Write the changed case and one line of history."""
    told = dict(detail or {})
    if undoable:
        told["before"] = _before(case)
    number = rows.write_act(case.id, at, _named(who), what, told)
    new = structs.replace(case, **changes, version=case.version + 1, updated=at, acted=number)
    if not rows.update_case(new, case.version):
        raise Stale(f"case {case.id} has changed meanwhile", "changed", case=case.id)
    return new


def _before(case: Case) -> dict[str, Any]:
    kept: dict[str, Any] = to_builtins(case)
    return {name: kept[name] for name in ("state", "holder", "outcome", "reason", "closed", "due")}


def _own(case: Case, who: str) -> Case:
    if case.state != "taken":
        raise CaseError(f"case {case.id} is not taken", "not_taken", case=case.id)
    if case.holder != who:
        raise Stale(f"case {case.id} is taken by {case.holder}", "taken", case=case.id, who=case.holder)
    return case


def _free(case: Case, who: str) -> Case:
    if case.state == "closed":
        raise CaseError(f"case {case.id} is closed; reopen it first", "closed", case=case.id)
    if case.holder is not None and case.holder != who:
        raise Stale(f"case {case.id} is taken by {case.holder}", "taken", case=case.id, who=case.holder)
    return case


def _named(who: str) -> str:
    if not who.strip() or len(who) > 200:
        raise CaseError("say who acts (at most 200 characters)", "who_acts")
    return who


def _words(text: str, what: str) -> str:
    if not text.strip():
        raise CaseError(f"{what} is missing", "say_why", most=MOST_NOTE)
    if len(text) > MOST_NOTE:
        raise CaseError(f"{what} may have at most {MOST_NOTE} characters", "say_why", most=MOST_NOTE)
    return text
