"""What people do with cases, from the browser: each act under the version that they saw, and recorded with it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from underwing.casebook.cases import OUTCOMES, Act, Case, Outcome, Stale
from underwing.casebook.people import May, Request
from underwing.server.console.case import MOST_SPLIT, all_items
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import Response

MOST_MISSED = 20
MOST_WHY = 500
"""Characters of a reason that the second person is shown; all of it is kept with the case."""
WHOLE = ("close", "merge", "split", "reopen")
"""What is decided about all that a case holds needs the version that was seen; the rest only that no person acted meanwhile,
since messages may go on coming in."""
DID = {
    "take": "case.took", "release": "case.released", "hand_over": "case.handed_over", "note": "case.noted",
    "close": "case.closed", "undo": "case.undid", "merge": "case.merged", "split": "case.divided",
    "reopen": "case.reopened",
}  # fmt: skip
"""What the next page says was done."""


def lay(site: Site, desk: Desk) -> None:
    """Lay the acts."""
    desk.carry("close", partial(close_confirmed, desk))
    acts = (
        ("take", take, May.take_case),
        ("release", release, May.act_on_case),
        ("hand_over", hand_over, May.act_on_case),
        ("note", note, May.act_on_case),
        ("close", close, May.act_on_case),
        ("undo", undo, May.take_case),
        ("merge", merge, May.shape_case),
        ("reopen", reopen, May.shape_case),
    )
    for name, how, permission in acts:
        view = View(f"case_{name}", partial(act, desk, name, how), permission, "case")
        site.add(f"/console/cases/{{case}}/{name}", POST=view)
    site.add(
        "/console/cases/{case}/split",
        GET=View("case_split_form", partial(split_form, desk), May.shape_case, "case"),
        POST=View("case_split", partial(act, desk, "split", split), May.shape_case, "case"),
    )


How = Callable[[Desk, Visit, Case], Case]


async def act(desk: Desk, name: str, how: How, visit: Visit, number: str) -> Response:
    """Do one act if the case is as the page showed it; else a page says who did what meanwhile."""
    case = visit.case
    assert case is not None
    try:
        done = await visit.work(_do, desk, name, how, visit)
    except Stale:
        return await faster(desk, visit, name)
    sees = visit.may(May.see_case, visit.stands(done))
    did = DID[name] if name != "close" or done.state == "closed" else "case.asked"
    return visit.redirect(f"/console/cases/{done.id}" if sees else "/console/queue", did, done.id)


def _do(desk: Desk, name: str, how: How, visit: Visit) -> Case:
    assert visit.case is not None
    number, version, acted = (
        visit.case.id,
        _number(visit.form.get("version", "")),
        _number(visit.form.get("acted", "")),
    )
    with desk.transaction():
        now = desk.book.case(number)
        if now is None:
            raise Problem(404, "problem.no_case")
        if (name in WHOLE and now.version != version) or (name != "note" and now.acted != acted):
            raise Stale(f"case {number} has changed since it was shown", "changed", case=number)
        done = how(desk, visit, now)
        if name != "close" or done.state == "closed":
            desk.audit(visit.member, name, f"case:{number}")
        return done


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Problem(400)
    return int(text)


async def faster(desk: Desk, visit: Visit, name: str) -> Response:
    """Who did what since the page was shown; what was typed is kept on it."""
    assert visit.case is not None
    number, after = visit.case.id, _number(visit.form.get("seen") or visit.form.get("acted", ""))

    def look() -> tuple[Case | None, list[Act], dict[str, str]]:
        history = desk.book.history(number)
        missed = [line for line in history if line.number > after]
        return desk.book.case(number), missed[-MOST_MISSED:], desk.names()

    case, missed, names = await visit.work(look)
    typed = next((visit.form[field] for field in ("reason", "text", "why") if visit.form.get(field)), "")
    return render(
        visit, "faster.html.j2", 409, case=case, missed=missed, names=names, typed=typed[:10_000], tried=name,
        outcome=visit.form.get("outcome", ""), outcomes=tuple(OUTCOMES), seen=missed[-1].number if missed else after,
    )  # fmt: skip


def take(desk: Desk, visit: Visit, case: Case) -> Case:
    """Take an open case."""
    return desk.book.take(case.id, visit.member.id)


def release(desk: Desk, visit: Visit, case: Case) -> Case:
    """Give it back to the queue."""
    return desk.book.release(case.id, visit.member.id)


def hand_over(desk: Desk, visit: Visit, case: Case) -> Case:
    """Hand it to a colleague."""
    to = visit.form.get("to", "")
    if to not in {member.id for member in desk.colleagues(visit.member)}:
        raise Problem(400, "case.wrong_to")
    return desk.book.hand_over(case.id, visit.member.id, to)


def note(desk: Desk, visit: Visit, case: Case) -> Case:
    """Write a note into the history."""
    return desk.book.note(case.id, visit.member.id, visit.form.get("text", ""))


def close(desk: Desk, visit: Visit, case: Case) -> Case:
    """Close it with an outcome and a reason; where that takes two, ask for the second person and leave it as it is."""
    given: Any = visit.form.get("outcome", "")
    if given not in OUTCOMES:
        raise Problem(400, "case.wrong_outcome")
    outcome: Outcome = given
    reason, who = visit.form.get("reason", ""), visit.member.id
    facts = {"priority": case.priority.name, "outcome": outcome}
    if desk.people is None or not desk.second.needs("close", facts):
        return desk.book.close(case.id, who, outcome, reason)
    if case.state not in ("open", "taken") or case.holder not in (None, who):
        raise Stale(f"case {case.id} is no longer there to be closed", "changed", case=case.id)
    body = {"case": str(case.id), "version": str(case.version), "outcome": outcome, "reason": reason}
    desk.second.ask("close", f"case:{case.id}", who, reason[:MOST_WHY], body)
    return case


def close_confirmed(desk: Desk, request: Request) -> None:
    """Close a case that a second person looked at too, if it is still the one that both saw.

    Raises:
        Stale: it has changed since it was asked for.
    """
    given, number = request.body, int(request.body["case"])
    outcome: Any = given["outcome"]
    desk.book.close(number, request.asked_by, outcome, given["reason"], int(given["version"]))
    desk.people.audit(request.asked_by, "close", f"case:{number}", {"request": request.id})


def undo(desk: Desk, visit: Visit, case: Case) -> Case:
    """Take one's last act back."""
    return desk.book.undo(case.id, visit.member.id)


def reopen(desk: Desk, visit: Visit, case: Case) -> Case:
    """Put it back into the queue."""
    return desk.book.reopen(case.id, visit.member.id, visit.form.get("why", ""))


def merge(desk: Desk, visit: Visit, case: Case) -> Case:
    """Put another case into this one."""
    other = _number(visit.form.get("other", "").strip())
    found = desk.book.case(other)
    if found is None:
        raise Problem(404, "problem.no_case")
    if not visit.may(May.shape_case, visit.stands(found)):
        raise Problem(403, "problem.not_allowed")
    return desk.book.merge(case.id, other, visit.member.id, visit.form.get("why", ""))


async def split_form(desk: Desk, visit: Visit, number: str) -> Response:
    """The events of a case, to be ticked."""
    items = await visit.work(all_items, desk, int(number), MOST_SPLIT)
    return render(visit, "split.html.j2", items=items, case=visit.case, most=MOST_SPLIT)


def split(desk: Desk, visit: Visit, case: Case) -> Case:
    """Put the ticked events into a new case."""
    return desk.book.split(case.id, visit.many("event"), visit.member.id, visit.form.get("why", ""))[1]
