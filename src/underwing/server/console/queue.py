"""The queue: heads of cases in their order, nothing of what is in them; taking the next one; opening one by hand."""

import re
from functools import partial
from typing import Literal, get_args

from msgspec import Struct

from underwing.casebook.cases import Case, Priority
from underwing.casebook.cases.book import Place
from underwing.casebook.people import May
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import Response

SHOWN = 50
Show = Literal["open", "mine", "taken", "closed"]
SHOWS: tuple[Show, ...] = get_args(Show)
UNDOABLE = ("case.did.closed", "case.did.released", "case.did.reopened")
"""Notices with which the queue offers to take the act back."""
_PLACE = re.compile(r"(\d)-(\d{1,15})-(\d{1,15})-(\d{1,15})")
_COUNTRY = re.compile(r"[A-Z]{2}")


class Page(Struct, frozen=True, kw_only=True):
    """One page of the queue. `more` is the place behind its last case, or None."""

    show: Show
    priority: Priority | None
    cases: tuple[Case, ...]
    more: str | None
    first: bool
    names: dict[str, str]
    undo: Case | None


def lay(site: Site, desk: Desk) -> None:
    """Lay the queue's pages."""
    site.add("/console/queue", GET=View("queue", partial(queue, desk), May.see_queue))
    site.add("/console/queue/next", POST=View("take_next", partial(take_next, desk), May.take_case, "free"))
    site.add(
        "/console/open",
        GET=View("open_form", open_form, May.shape_case),
        POST=View("open", partial(open_by_hand, desk), May.shape_case),
    )
    site.nav("work", "/console/queue", "queue.title", May.see_queue, "q")
    site.nav("work", "/console/open", "queue.open_title", May.shape_case, "o")


def place(case: Case) -> str:
    """Where a case stands, for a link to what is behind it."""
    return f"{case.priority:d}-{case.due}-{case.opened}-{case.id}"


def read_place(text: str) -> Place | None:
    """The place that a link names, or None.

    Raises:
        Problem: 400, it is not one.
    """
    if not text:
        return None
    found = _PLACE.fullmatch(text)
    if not found:
        raise Problem(400)
    one, two, three, four = map(int, found.groups())
    return one, two, three, four


def page(desk: Desk, visit: Visit, show: Show, priority: Priority | None, after: Place | None) -> Page:
    """Read one page. A priority's cases lie together in the queue's order, so they need no index of their own."""
    begin = after or (None if priority is None else (int(priority), -1, -1, -1))
    state, holder = (None, visit.member.id) if show == "mine" else (show, None)
    cases = desk.book.queue(state, holder=holder, after=begin, limit=SHOWN + 1)
    if priority is not None:
        cases = [case for case in cases if case.priority == priority]
    shown = cases[:SHOWN]
    return Page(
        show=show, priority=priority, cases=tuple(shown), more=place(shown[-1]) if len(cases) > SHOWN else None,
        first=after is None, names=desk.names(), undo=_undoable(desk, visit),
    )  # fmt: skip


def _undoable(desk: Desk, visit: Visit) -> Case | None:
    """The case whose last act was this member's and stands in the notice, so that it can be taken back from here."""
    notice = visit.notice
    if notice is None or notice[0] not in UNDOABLE or not (notice[1].isascii() and notice[1].isdigit()):
        return None
    found = desk.book.case(int(notice[1][:15]))
    if found is None:
        return None
    mine = any(
        act.number == found.acted and act.who == visit.member.id for act in desk.book.history(found.id)[-20:]
    )
    return found if mine and visit.may(May.take_case, visit.stands(found)) else None


async def queue(desk: Desk, visit: Visit) -> Response:
    """Cases in the order of the queue."""
    show = visit.query.get("show", "open")
    named = visit.query.get("priority", "")
    if show not in SHOWS or (named and named not in Priority.__members__):
        raise Problem(400)
    after = read_place(visit.query.get("after", ""))
    found = await visit.work(page, desk, visit, show, Priority[named] if named else None, after)
    return render(visit, "queue.html.j2", page=found, shows=SHOWS, priorities=tuple(Priority), opens=_opens)


def _opens(case: Case, visit: Visit) -> bool:
    """Whether this member may open the page of a case."""
    return visit.may(May.see_case, visit.stands(case))


async def take_next(desk: Desk, visit: Visit) -> Response:
    """Take the first open case."""

    def take() -> Case | None:
        with desk.transaction():
            offer = None if desk.care is None else desk.care.offer(visit.member.id)
            case = desk.book.take_next(visit.member.id, offer)
            if case is not None:
                desk.audit(visit.member, "take", f"case:{case.id}")
            return case

    case = await visit.work(take)
    if case is None:
        return visit.redirect("/console/queue", "queue.empty")
    return visit.redirect(f"/console/cases/{case.id}", "case.took", case.id)


async def open_form(visit: Visit) -> Response:
    """The form that opens a case by hand."""
    return render(visit, "open.html.j2", priorities=tuple(Priority), given={}, wrong="")


async def open_by_hand(desk: Desk, visit: Visit) -> Response:
    """Open a case by hand, or join the one it belongs to."""
    given = {
        name: visit.form.get(name, "").strip() for name in ("actor", "target", "why", "region", "priority")
    }
    wrong = _wrong(given)
    if wrong:
        return render(visit, "open.html.j2", 400, priorities=tuple(Priority), given=given, wrong=wrong)

    def open() -> int:
        with desk.transaction():
            made = desk.book.open(
                visit.member.id, given["why"], actor=given["actor"] or None, target=given["target"] or None,
                region=given["region"].upper(), priority=Priority[given["priority"]], key=visit.form.get("key") or None,
            )  # fmt: skip
            desk.audit(visit.member, "open", f"case:{made.case}")
            return made.case

    number = await visit.work(open)
    return visit.redirect("/console/queue", "queue.opened", number)


def _wrong(given: dict[str, str]) -> str:
    """The key of what is wrong with the form, or ""."""
    if not (given["actor"] or given["target"]):
        return "queue.wrong.nobody"
    if max(len(given["actor"]), len(given["target"])) > 64:
        return "queue.wrong.account"
    if not 0 < len(given["why"]) <= 2_000:
        return "queue.wrong.why"
    if given["region"] and not _COUNTRY.fullmatch(given["region"].upper()):
        return "queue.wrong.region"
    if given["priority"] not in Priority.__members__:
        return "queue.wrong.priority"
    return ""
