"""The policy in force, the shadow beside it, and a new one tried over what was decided lately. Putting one in force takes
whoever writes policies, and a second person where the rules for that say so."""

from functools import partial
from pathlib import Path

from underwing.casebook.cases import Casebook
from underwing.casebook.errors import CasebookError
from underwing.casebook.people import May, Request
from underwing.engine import Runner
from underwing.model import Decision
from underwing.policy import Policy, PolicyError, parse_policy
from underwing.server.console.asked import text
from underwing.server.console.backtest import (
    MOST,
    Rebuilt,
    Result,
    Sides,
    backtest,
    decisions_of,
    rebuild,
    shadowed,
    sides_of,
)
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.golive import PUT, finish, stage
from underwing.server.http import Refusal, Response
from underwing.server.recent import newest_number

MOST_POLICY = 128 * 1024
"""Characters of a policy that is tried."""
ACT = "change_policy"
_PART = 200
"""Decisions read in one go in the engine's thread, so that events wait for milliseconds only."""
Told = list[tuple[Decision, Sides]]


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages about policies."""
    site.nav("know", "/console/policies", "policies.nav", May.see_policies, "p")
    desk.carry(ACT, partial(carry_out, desk))
    site.add("/console/policies", GET=View("policies", partial(overview, desk), May.see_policies))
    site.add("/console/policies/shadow", GET=View("shadow", partial(shadow, desk), May.see_policies))
    site.add(
        "/console/policies/try",
        GET=View("try_policy", partial(form, desk), May.see_policies),
        POST=View("tried_policy", partial(attempt, desk), May.see_policies),
    )
    site.add("/console/policies/live", POST=View("live_policy", partial(ask, desk), May.write_policies))


async def overview(desk: Desk, visit: Visit) -> Response:
    """The policy in force, told rule by rule."""
    policy, beside, versions = await desk.engine(
        lambda runner: (runner.engine.policy, runner.engine.shadow, runner.engine.versions)
    )
    try:
        waiting: list[Request] = await visit.work(desk.second.pending, "policy", ACT)
    except Refusal:  # without a casebook there are no people, and nothing waits
        waiting = []
    return render(
        visit, "policies.html.j2", policy=policy, shadow=beside, versions=versions, problems=desk.behind.policy_problems(),
        follows=bool(desk.settings.policy), waiting=waiting,
    )  # fmt: skip


async def shadow(desk: Desk, visit: Visit) -> Response:
    """What the shadow policy would have done with the newest decisions."""
    beside = await desk.engine(lambda runner: runner.engine.shadow)
    told = await lately(desk)
    found = shadowed(decision for decision, _ in told)
    return render(visit, "shadow.html.j2", shadow=beside, found=found, looked=len(told))


async def form(desk: Desk, visit: Visit) -> Response:
    """The form that takes a policy, with the one in force to begin from."""
    policy = await desk.engine(lambda runner: runner.engine.policy)
    return _page(visit, await visit.work(_file, policy), None, "")


async def attempt(desk: Desk, visit: Visit) -> Response:
    """Try a policy: what it would have done otherwise, or what is wrong with it."""
    given = text(visit.form, "policy", MOST_POLICY, needed=True) + "\n"
    try:
        new = await visit.work(parse_policy, given.encode(), "policy")
    except PolicyError as error:
        return _page(visit, given, None, str(error).removeprefix("policy: "))
    live = await desk.engine(lambda runner: runner.engine.policy)
    told = await lately(desk)
    try:
        book: Casebook | None = desk.book
    except Refusal:  # without a casebook no surface is known
        book = None
    result = await visit.work(_tried, book, live, new, told)
    return _page(visit, given, result, "", new)


async def ask(desk: Desk, visit: Visit) -> Response:
    """Put a policy in force, or ask a second person to let it."""
    if not desk.settings.policy:
        raise Problem(409, "policies.no_file")
    given = text(visit.form, "policy", MOST_POLICY, needed=True) + "\n"
    why = text(visit.form, "why", needed=True)
    try:
        new = await visit.work(parse_policy, given.encode(), "policy")
    except PolicyError as error:
        return _page(visit, given, None, str(error).removeprefix("policy: "))
    body = {"text": given, "version": new.version, "label": new.label}
    made = await visit.work(desk.second.act, ACT, "policy", visit.member.id, why, body)
    did = "policies.live" if made.state == "done" else "policies.asked"
    return visit.redirect("/console/policies", did, new.version)


def carry_out(desk: Desk, request: Request) -> None:
    """Put the asked-for policy in force; the service takes it over within a second. It is laid beside the file in the
    transaction of its record, and takes the file's place once that stands: where it cannot be written, neither is.

    Raises:
        CasebookError: the file cannot be written; in the very last step, that it will be at the next start.
    """
    by, version, path = (
        request.decided_by or request.asked_by,
        request.body["version"],
        Path(desk.settings.policy),
    )
    record = desk.people.audit(by, PUT, "policy", {"version": version, "asked_by": request.asked_by})
    try:
        staged = stage(path, request.body["text"], record.number)
    except PolicyError as error:
        raise CasebookError(str(error), "policy", why=str(error)) from None
    desk.database.after(partial(_finish, path, staged))


def _finish(path: Path, staged: Path) -> None:
    try:
        finish(path, staged)
    except PolicyError as error:
        raise CasebookError(
            f"{error} until the service starts again", "policy_later", why=str(error)
        ) from None


async def lately(desk: Desk) -> Told:
    """The newest decisions with what is known today of their sides, oldest first."""
    last = await desk.engine(newest_number)
    told: Told = []
    after = max(0, last - MOST)
    while after < last:
        told += await desk.engine(partial(_read, after=after, limit=min(_PART, last - after)))
        after += _PART
    return told


def _read(runner: Runner, after: int, limit: int) -> Told:
    accounts, actors = runner.state.accounts.get, runner.state.actors.get
    return [(d, sides_of(d, accounts, actors)) for d in decisions_of(runner.recent(after, limit))]


def _tried(book: Casebook | None, live: Policy, new: Policy, told: Told) -> Result:
    def surface(event: str) -> str:
        item = book.where(event) if book is not None else None
        return item.found.surface if item is not None else ""

    made: list[Rebuilt] = rebuild(told, surface)
    return backtest(live, new, made)


def _file(policy: Policy) -> str:
    """The text of a policy's file; "" where it is gone."""
    try:
        return Path(policy.source).read_text("utf-8")[:MOST_POLICY]
    except (OSError, UnicodeDecodeError):
        return ""


def _page(visit: Visit, given: str, result: Result | None, wrong: str, new: Policy | None = None) -> Response:
    return render(
        visit, "try_policy.html.j2", status=400 if wrong else 200, given=given, result=result, wrong=wrong, new=new,
        most=MOST,
    )  # fmt: skip
