"""The page of a case: what to decide, who is who, what was said and what it weighed, why it is one case, what was done."""

from collections import Counter
from functools import partial

from msgspec import Struct

from underwing.casebook.cases import OUTCOMES, Act, Case, Item, Person
from underwing.casebook.cases.book import Shown
from underwing.casebook.people import May, Member, Request, may
from underwing.model import Decision
from underwing.server.console.desk import Desk
from underwing.server.console.media import strip
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.sphere import Sphere, sphere
from underwing.server.console.timeline import Timeline, decisions_of, timeline
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import Response

ROLES = ("suspect", "reported", "victim", "reporter", "bystander")
MOST_PEOPLE = 100
"""Accounts of one role on the page."""
MOST_ITEMS = 20_000
MOST_HISTORY = 200
MOST_SPLIT = 500
_PART = 1_000


class Reading(Struct, frozen=True, kw_only=True):
    """A case with all that its page shows."""

    case: Case
    shown: Shown
    people: dict[str, list[Person]]
    """By role; an account may have several."""
    roles: dict[str, tuple[str, ...]]
    minors: frozenset[str]
    line: Timeline
    ties: list[tuple[str, int, str]]
    """(kind, how many events, one of the earlier events that they share it with)."""
    picture: Sphere
    actions: Counter[str]
    withheld: Counter[str]
    help: list[str]
    history: list[Act]
    seen: int
    """The number of the last line of the history."""
    names: dict[str, str]
    colleagues: list[Member]
    more_items: bool
    waiting: list[Request]
    """What waits for a second person about this case."""


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages that show a case."""
    site.add("/console/cases/{case}", GET=View("case", partial(show, desk), May.see_case, "case"))
    site.add("/console/cases/{case}/why/{event}", GET=View("why", partial(why, desk), May.see_case, "case"))


def all_items(desk: Desk, case: int, most: int = MOST_ITEMS) -> list[Item]:
    """The events of a case by time, at most `most` of them."""
    items: list[Item] = []
    while len(items) < most:
        after = (items[-1].found.at, items[-1].found.event) if items else (-1, "")
        part = desk.book.items(case, after, min(_PART, most - len(items)))
        items += part
        if len(part) < _PART:
            break
    return items


def read(desk: Desk, member: Member, number: int, start: int | None) -> Reading:
    """Read a case; the custody log says that it was read."""
    book = desk.book
    shown = book.show(number)
    desk.saw(member, number)
    items = all_items(desk, number)
    decisions = decisions_of(items)
    people: dict[str, list[Person]] = {role: [] for role in ROLES}
    roles: dict[str, tuple[str, ...]] = {}
    for person in shown.people:
        people[person.role].append(person)
        roles[person.account] = (*roles.get(person.account, ()), person.role)
    history, names = book.history(number), desk.names()
    return Reading(
        case=shown.case,
        shown=shown,
        people=people,
        roles=roles,
        minors=frozenset(p.account for p in shown.people if p.minor),
        line=timeline(book.said(number), items, decisions, start),
        ties=_ties(items),
        picture=sphere(book.network(case=number)),
        actions=Counter(action for decision in decisions for action in decision.actions),
        withheld=Counter(action for decision in decisions for action in decision.withheld),
        help=list(dict.fromkeys(account for decision in decisions for account in decision.help)),
        history=history[-MOST_HISTORY:],
        seen=history[-1].number if history else 0,
        names=names,
        colleagues=desk.colleagues(member),
        more_items=len(items) >= MOST_ITEMS,
        waiting=[] if desk.people is None else desk.second.pending(f"case:{number}"),
    )


def _ties(items: list[Item]) -> list[tuple[str, int, str]]:
    counted: Counter[str] = Counter()
    example: dict[str, str] = {}
    for item in items:
        for because in item.because:
            counted[because.kind] += 1
            example.setdefault(because.kind, because.event)
    return [(kind, count, example[kind]) for kind, count in counted.most_common()]


def asked(reading: Reading) -> dict[str, tuple[str, int]]:
    """Whom the question at the top names: (the first account, how many more) of those who may have done something, and of
    those who may be harmed."""
    suspects = reading.people["suspect"] or reading.people["reported"]
    victims = reading.people["victim"]
    return {
        side: (group[0].account if group else "", max(0, len(group) - 1))
        for side, group in (("suspects", suspects), ("victims", victims))
    }


def _start(visit: Visit) -> int | None:
    given = visit.query.get("from", "")
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 8):
        raise Problem(400)
    return int(given)


async def show(desk: Desk, visit: Visit, number: str) -> Response:
    """The page of a case."""
    case = visit.case
    assert case is not None
    if case.state == "merged" and case.into is not None:
        return visit.redirect(f"/console/cases/{case.into}", "case.was_merged", case.id)
    reading = await visit.work(read, desk, visit.member, case.id, _start(visit))
    files = await strip(desk, visit, case.id)
    return render(
        visit, "case.html.j2", reading=reading, files=files, case=reading.case, asked=asked(reading),
        outcomes=tuple(OUTCOMES), can=can(reading, visit), role_order=ROLES, most_people=MOST_PEOPLE,
    )  # fmt: skip


def can(reading: Reading, visit: Visit) -> frozenset[str]:
    """Which acts make sense now and are this member's."""
    case, member = reading.case, visit.member
    whose = visit.stands(case)
    found: set[str] = set()
    if may(member, May.take_case, whose):
        if case.state == "open":
            found.add("take")
        last = next((act for act in reading.history if act.number == case.acted), None)
        if last is not None and last.who == member.id and "before" in last.detail:
            found.add("undo")
    if may(member, May.act_on_case, whose):
        found.add("note")
        if whose == "own":
            found |= {"release", "hand_over"}
        if case.state in ("open", "taken") and whose != "other":
            found.add("close")
    if may(member, May.shape_case, whose):
        if case.state == "closed":
            found.add("reopen")
        elif whose != "other":
            found |= {"merge", "split"}
    return frozenset(found)


async def why(desk: Desk, visit: Visit, number: str, event: str) -> Response:
    """One decision of a case, with every reason and the versions that decided."""
    item = await visit.work(desk.book.where, event)
    if item is None or str(item.case) != number or item.decision is None:
        raise Problem(404)
    decision: Decision = decisions_of([item])[0]
    return render(visit, "why.html.j2", item=item, decision=decision, case=visit.case)
