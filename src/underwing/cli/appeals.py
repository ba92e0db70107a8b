"""Commands about appeals: what waits, one with all that is known, take, give back, decide, the statistics. What follows from
a decision outside of the casebook is carried out by the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, get_args

import msgspec
import typer

from underwing.casebook.appeals import VERDICTS, Appeal, Appeals, Verdict
from underwing.casebook.appeals.values import State
from underwing.casebook.cases import Casebook
from underwing.casebook.people import May
from underwing.casebook.people.audit import note
from underwing.casebook.people.members import Members
from underwing.casebook.vault import Home
from underwing.casebook.vault.place import vault_beside
from underwing.cli.casebook import DEFAULT, Directory, Where, opened_database
from underwing.cli.cases import Who
from underwing.cli.common import Json, now, out, plain, print_json, stop, table_of, when

appeals = typer.Typer(help="Appeals: look at them, take them, decide.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The appeal's id.")]
STATES = get_args(State)
DAY = 86_400


@contextmanager
def opened(where: str, vault: str) -> Iterator[Appeals]:
    """The appeals of a casebook; each act is recorded in its custody log."""
    with opened_database(where) as database:
        home = Home(vault_beside(where, vault), database, resume=False)
        members = Members(database)

        def audit(by: str, what: str, about: str, facts: dict[str, int | str | bool]) -> None:
            note(home.custody, "acted", by, what, about, **facts)

        yield Appeals(
            database, Casebook(database, keys=home.keys), audit, able=lambda: members.able(May.decide_appeal)
        )


@appeals.command("list")
def list_(
    state: Annotated[str, typer.Option(help=f"open, all, or one of {', '.join(STATES)}.")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    casebook: Where = DEFAULT,
    vault: Directory = "",
    json: Json = False,
) -> None:
    """Show appeals, the longest due first."""
    if state not in ("open", "all", *STATES):
        stop(f"unknown state {state!r}; known are open, all, {', '.join(STATES)}")
    states = STATES if state == "all" else ("waiting", "taken") if state == "open" else (state,)
    with opened(casebook, vault) as here:
        found = here.queue(states, limit)
    if json:
        for one in found:
            print_json(_json(one))
        return
    rows: list[tuple[object, ...]] = [
        (one.id, one.kind, one.account, when(one.due), one.state, one.holder or one.decided_by)
        for one in found
    ]
    columns = ("appeal", "about", "account", "due (UTC)", "state", "by")
    out.print(table_of(columns, rows) if rows else "[green]no appeals[/]")


@appeals.command()
def show(id: Id, casebook: Where = DEFAULT, vault: Directory = "", json: Json = False) -> None:
    """Show an appeal: what was written, what was told, which case it is about, who may not decide, how it ended."""
    with opened(casebook, vault) as here:
        one = here.get(id)
        first, alone = sorted(here.deciders(one)), here.alone_from(one)
        events, pending = [item.found.event for item in here.matter(one).items], here.pending(id)
    if json:
        print_json(
            {**_json(one), "events": events, "had_part": first, "alone_from": alone, "pending": pending}
        )
        return
    _said(one, False)
    out.print(plain(f"  {one.kind}, by {one.account}, filed {when(one.filed)}, due {when(one.due)} UTC"))
    if one.case is not None:
        out.print(plain(f"  case {one.case}, event {one.event}; {len(events)} events of this account there"))
    if first:
        out.print(plain(f"  may not decide, for having decided the first time: {', '.join(first)}"))
    if alone is not None:
        out.print(plain(f"  nobody else is here: from {when(alone)} UTC they may, and it is marked so"))
    if told := one.statement:
        measures, facts = ", ".join(told.measures) or "none known", ", ".join(told.facts)
        out.print(plain(f"  told: {measures}; {facts}; decided by {told.by}; {told.ground} {told.clause}"))
    out.print(plain(f"  {one.text}", style="italic"))
    if one.decided is not None:
        out.print(plain(f"  {when(one.decided)}  {one.decided_by}: {one.reason}\n  answer: {one.answer}"))
        if one.alone:
            out.print("  [yellow]not independently reviewed[/]")
    if pending:
        out.print(plain(f"  still to be done by the service: {', '.join(pending)}"))


@appeals.command()
def take(id: Id, who: Who = "", casebook: Where = DEFAULT, vault: Directory = "", json: Json = False) -> None:
    """Take an appeal, so that nobody else decides it."""
    with opened(casebook, vault) as here:
        _said(here.take(id, who), json)


@appeals.command()
def release(
    id: Id, who: Who = "", casebook: Where = DEFAULT, vault: Directory = "", json: Json = False
) -> None:
    """Give an appeal back."""
    with opened(casebook, vault) as here:
        _said(here.release(id, who), json)


@appeals.command()
def decide(
    id: Id,
    verdict: Annotated[str, typer.Option(help=f"One of {', '.join(VERDICTS)}.")],
    reason: Annotated[str, typer.Option(help="Why, for colleagues; never content.")],
    answer: Annotated[str, typer.Option(help="What the account holder is told, in plain words.")],
    match_false: Annotated[
        bool, typer.Option("--match-false", help="The list's match itself was a mistake; only with reversed.")
    ] = False,
    who: Who = "",
    casebook: Where = DEFAULT,
    vault: Directory = "",
    json: Json = False,
) -> None:
    """Decide about an appeal that you have taken. Nothing changes it afterwards."""
    if verdict not in VERDICTS:
        stop(f"unknown verdict {verdict!r}; known are {', '.join(VERDICTS)}")
    given: Verdict = msgspec.convert(verdict, Verdict)
    with opened(casebook, vault) as here:
        _said(here.decide(id, who, given, reason=reason, answer=answer, match_false=match_false), json)


@appeals.command()
def figures(
    days: Annotated[int, typer.Option(min=1, max=3_650, help="Of the last so many days.")] = 90,
    casebook: Where = DEFAULT,
    vault: Directory = "",
    json: Json = False,
) -> None:
    """The statistics: filed, open, each verdict, the share overturned, the median time. Never by person."""
    with opened(casebook, vault) as here:
        sums = here.figures(now() - days * DAY, now() + 1)
    if json:
        print_json(sums)
        return
    share = "" if sums.overturned is None else f"{100 * sums.overturned:.0f} %"
    took = "" if sums.seconds is None else f"{sums.seconds / DAY:.1f} d"
    rows: list[tuple[object, ...]] = [
        ("filed", str(sums.filed)), ("open", str(sums.open)), ("upheld", str(sums.upheld)),
        ("partly upheld", str(sums.partly)), ("reversed", str(sums.reversed)), ("share overturned", share),
        ("not independently reviewed", str(sums.alone)), ("median time", took),
    ]  # fmt: skip
    out.print(table_of((f"the last {days} days", ""), rows))


def _json(one: Appeal) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(one)
    return plain


def _said(one: Appeal, json: bool) -> None:
    if json:
        print_json(_json(one))
    else:
        holder = f", taken by {one.holder}" if one.holder else ""
        out.print(plain(f"appeal {one.id}: {one.state}{holder}"))
