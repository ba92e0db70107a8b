"""The appeals as people here see them: the queue, one appeal with what it is about, and the decision."""

from functools import partial
from typing import cast

from msgspec import Struct

from underwing.casebook.appeals import VERDICTS, Appeal, AppealError, Appeals, NotYou, Verdict
from underwing.casebook.cases import Item
from underwing.casebook.context import Said
from underwing.casebook.people import May
from underwing.model import Decision
from underwing.server.console.desk import Desk
from underwing.server.console.refusals import reason_of
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.timeline import decisions_of
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import Response

MOST_LINES, MOST_ITEMS = 200, 100
FIGURE_DAYS = 90
_DAY = 86_400


class Matter(Struct, frozen=True, kw_only=True):
    """What an appeal is about: the account's own events in the case with their decisions, and what was said around them."""

    case: int | None
    items: list[tuple[Item, Decision | None]]
    lines: list[Said]
    matched: bool
    """Whether a list's match is among the reasons."""


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages."""
    may = May.decide_appeal
    site.add("/console/appeals", GET=View("appeals", partial(queue, desk), may))
    site.add("/console/appeals/{id}", GET=View("one_appeal", partial(show, desk), may))
    for name, act in (("take", take), ("release", release), ("decide", decide)):
        site.add(f"/console/appeals/{{id}}/{name}", POST=View(f"appeal_{name}", partial(act, desk), may))
    site.nav("work", "/console/appeals", "appeals.title", may, "r")


async def queue(desk: Desk, visit: Visit) -> Response:
    """The appeals that wait, the longest due first, and the sums of the last months."""
    appeals, now = _appeals(desk), int(desk.clock())
    found = await visit.work(appeals.queue, ("waiting", "taken"), 100)
    sums = await visit.work(appeals.figures, now - FIGURE_DAYS * _DAY, now + 1)
    return render(visit, "appeals.html.j2", appeals=found, sums=sums, days=FIGURE_DAYS, names=desk.names())


async def show(desk: Desk, visit: Visit, id: str) -> Response:
    """One appeal. What it is about is read by whoever has taken it."""
    appeals = _appeals(desk)
    appeal = await _get(appeals, visit, id)
    mine = visit.member.id in await visit.work(appeals.deciders, appeal)
    alone = await visit.work(appeals.alone_from, appeal) if mine and appeal.open else None
    matter = await visit.work(_matter, desk, visit, appeal) if appeal.holder == visit.member.id else None
    return render(
        visit, "one_appeal.html.j2", appeal=appeal, matter=matter, first=mine, verdicts=VERDICTS, names=desk.names(),
        told=appeal.statement, alone=alone,
    )  # fmt: skip


async def take(desk: Desk, visit: Visit, id: str) -> Response:
    """Take it."""
    await _act(visit, _appeals(desk).take, id, visit.member.id)
    return visit.redirect(f"/console/appeals/{id}", "appeals.taken")


async def release(desk: Desk, visit: Visit, id: str) -> Response:
    """Give it back."""
    await _act(visit, _appeals(desk).release, id, visit.member.id)
    return visit.redirect("/console/appeals", "appeals.released")


async def decide(desk: Desk, visit: Visit, id: str) -> Response:
    """Decide about it."""
    form = visit.form
    verdict = cast(Verdict, form.get("verdict", ""))
    await _act(
        visit, _appeals(desk).decide, id, visit.member.id, verdict, reason=form.get("reason", ""),
        answer=form.get("answer", ""), match_false=form.get("match_false") == "yes",
    )  # fmt: skip
    return visit.redirect("/console/appeals", "appeals.decided")


def _matter(desk: Desk, visit: Visit, appeal: Appeal) -> Matter:
    """Read what the appeal is about; the custody log says that it was read."""
    items = list(_appeals(desk).matter(appeal).items[:MOST_ITEMS])
    case = items[0].case if items else None
    if case is None:
        return Matter(case=None, items=[], lines=[], matched=False)
    desk.saw(visit.member, case)
    talks = {item.found.conversation for item in items}
    decisions = {decision.event: decision for decision in decisions_of(items)}
    lines = [said for said in desk.book.said(case) if said.conversation in talks]
    known = any(tie.kind == "entry" for item in items for tie in item.found.ties)
    return Matter(
        case=case, items=[(item, decisions.get(item.found.event)) for item in items], lines=lines[-MOST_LINES:],
        matched=known,
    )  # fmt: skip


async def _get(appeals: Appeals, visit: Visit, id: str) -> Appeal:
    try:
        return await visit.work(appeals.get, id)
    except AppealError:
        raise Problem(404, "appeals.none_such") from None


async def _act(visit: Visit, act: object, *args: object, **more: object) -> None:
    try:
        await visit.work(act, *args, **more)  # type: ignore[arg-type]
    except NotYou:
        raise Problem(403, "appeals.not_you") from None
    except AppealError as error:
        raise Problem(409, "problem.because", why=reason_of(visit, error)) from None


def _appeals(desk: Desk) -> Appeals:
    if desk.appeals is None:
        raise Problem(503)
    return desk.appeals
