"""Commands for people who look at cases: list, show, open, take, release, merge, split, close, reopen, history."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, get_args

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from underwing.casebook.cases import Casebook, Outcome, Priority
from underwing.casebook.cases.values import Case
from underwing.casebook.vault import Home
from underwing.casebook.vault.place import vault_beside
from underwing.cli.casebook import DEFAULT, Directory, Where, opened_database
from underwing.cli.common import Json, out, plain, print_json, stop, when

Who = Annotated[
    str,
    typer.Option(
        "--as",
        help="Who acts, for the history (default: you).",
        callback=lambda who: who or getpass.getuser(),
    ),
]
Number = Annotated[int, typer.Argument(help="The case's number.")]
STYLE = {
    "imminent": "bold white on red",
    "extortion": "bold red",
    "image": "bold dark_orange",
    "early": "yellow",
    "known": "dim",
}

cases = typer.Typer(help="Cases: look at them, take them, decide.", no_args_is_help=True)


@contextmanager
def opened(where: str, *, made: bool = False, vault: str | None = None) -> Iterator[Casebook]:
    """The casebook; a missing file is an error unless it is to be `made`. With the directory of its vault ("": beside the
    casebook), sealed context can be read."""
    with opened_database(where, make=made) as database:
        keys = Home(vault_beside(where, vault), database, resume=False).keys if vault is not None else None
        yield Casebook(database, keys=keys)


def case_json(case: Case) -> dict[str, Any]:
    """A case as plain JSON types, its priority by name."""
    return {**msgspec.to_builtins(case), "priority": case.priority.name}


def _said(case: Case, json: bool) -> None:
    if json:
        print_json(case_json(case))
    else:
        holder = f", taken by {case.holder}" if case.holder else ""
        out.print(plain(f"case {case.id}: {case.state}, {case.priority.name}{holder}"))


@cases.command("list")
def list_(
    state: Annotated[str, typer.Option(help="open, taken, closed, merged or all.")] = "open",
    holder: Annotated[str | None, typer.Option(help="Only what this person has.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    casebook: Where = DEFAULT,
    json: Json = False,
) -> None:
    """Show cases, the most urgent first."""
    if state not in ("open", "taken", "closed", "merged", "all"):
        stop(f"unknown state {state!r}; known are open, taken, closed, merged, all")
    with opened(casebook) as book:
        found = book.queue(None if state == "all" or holder else state, holder=holder, limit=limit)
    if json:
        for case in found:
            print_json(case_json(case))
        return
    table = Table()
    for column in ("case", "priority", "due (UTC)", "opened (UTC)", "events", "state", "by"):
        table.add_column(column)
    for case in found:
        name = case.priority.name + (" TEST" if case.test else "")
        table.add_row(
            str(case.id), Text(name, STYLE[case.priority.name]), when(case.due), when(case.opened), str(case.items),
            case.state, plain(case.holder or ""),
        )  # fmt: skip
    out.print(table if found else "[green]no cases[/]")


@cases.command()
def show(
    id: Number,
    text: Annotated[
        bool, typer.Option("--text", help="Show the sealed messages too; needs the vault.")
    ] = False,
    casebook: Where = DEFAULT,
    vault: Directory = "",
    json: Json = False,
) -> None:
    """Show a case: who is in it, why its events belong together, what else shares something with it."""
    with opened(casebook, vault=vault if text else None) as book:
        shown, items = book.show(id), book.items(id)
        said = book.said(id) if text else []
    if json:
        events = [
            {"event": i.found.event, "at": i.found.at, "actor": i.found.actor, "target": i.found.target,
             "level": i.found.level, "stage": i.found.stage, "because": msgspec.to_builtins(i.because)}
            for i in items
        ]  # fmt: skip
        print_json(
            {**msgspec.to_builtins(shown), "case": case_json(shown.case), "events": events,
             "said": msgspec.to_builtins(said)}
        )  # fmt: skip
        return
    _said(shown.case, False)
    case = shown.case
    out.print(
        Text(f"  due {when(case.due)} UTC, opened {when(case.opened)} UTC by {case.origin}  {case.why}")
    )
    if case.outcome:
        out.print(plain(f"  closed as {case.outcome}: {case.reason}"))
    for role, heading in (("suspect", "suspects"), ("reported", "reported"), ("victim", "potential victims"),
                          ("reporter", "reporters"), ("bystander", "bystanders")):  # fmt: skip
        names = [p.account + (" (minor)" if p.minor else "") for p in shown.people if p.role == role]
        if names:
            out.print(plain(f"  {heading}: {', '.join(names[:20])}{' …' if len(names) > 20 else ''}"))
    for item in items:
        why = ", ".join(f"same {b.kind} as {b.event}" for b in item.because) or "opened the case"
        found = item.found
        who = f"{found.actor or '?'} → {found.target or '?'}"
        out.print(plain(f"  {when(found.at)}  {found.event}  {who}  {found.stage or ''}  ({why})"))
    for relation in shown.relations:
        out.print(plain(f"  related: case {relation.other} ({relation.kind}, {relation.event})"))
    for line in said:
        out.print(plain(f"  {when(line.line.at)}  {line.line.sender}: {line.line.text}", style="italic"))


@cases.command("open")
def open_(
    why: Annotated[str, typer.Option(help="What happened, without quoting.")],
    actor: Annotated[str | None, typer.Option(help="The account it is about.")] = None,
    target: Annotated[str | None, typer.Option(help="The account that may be harmed.")] = None,
    priority: Annotated[str, typer.Option(help=f"One of {', '.join(p.name for p in Priority)}.")] = "early",
    region: Annotated[str, typer.Option(help="The country (two letters).")] = "",
    who: Who = "",
    casebook: Where = DEFAULT,
    json: Json = False,
) -> None:
    """Open a case by hand, or add to the one it belongs to."""
    if priority not in Priority.__members__:
        stop(f"unknown priority {priority!r}; known are {', '.join(p.name for p in Priority)}")
    with opened(casebook, made=True) as book:
        made = book.open(who, why, actor=actor, target=target, priority=Priority[priority], region=region)
        _said(book.show(made.case).case, json)


@cases.command()
def take(
    id: Annotated[
        int | None, typer.Argument(help="The case's number; without it the first of the queue.")
    ] = None,
    who: Who = "",
    casebook: Where = DEFAULT,
    json: Json = False,
) -> None:
    """Take a case, so that nobody else works on it."""
    with opened(casebook) as book:
        case = book.take(id, who) if id is not None else book.take_next(who)
    if case is None:
        stop("no case is open")
    _said(case, json)


@cases.command()
def release(id: Number, who: Who = "", casebook: Where = DEFAULT, json: Json = False) -> None:
    """Give a case back to the queue."""
    with opened(casebook) as book:
        _said(book.release(id, who), json)


@cases.command("hand-over")
def hand_over(
    id: Number,
    to: Annotated[str, typer.Argument(help="Who gets it.")],
    who: Who = "",
    casebook: Where = DEFAULT,
    json: Json = False,
) -> None:
    """Hand a case that you hold to somebody else."""
    with opened(casebook) as book:
        _said(book.hand_over(id, who, to), json)


@cases.command()
def note(
    id: Number,
    text: Annotated[str, typer.Argument(help="What to note, without quoting.")],
    who: Who = "",
    casebook: Where = DEFAULT,
    json: Json = False,
) -> None:
    """Write a note into a case's history."""
    with opened(casebook) as book:
        _said(book.note(id, who, text), json)


@cases.command()
def merge(
    into: Annotated[int, typer.Argument(help="The case that stays.")],
    other: Annotated[int, typer.Argument(help="The case that goes into it.")],
    why: Annotated[str, typer.Option(help="Why they belong together.")],
    who: Who = "",
    casebook: Where = DEFAULT,
    json: Json = False,
) -> None:
    """Put all of one case into another."""
    with opened(casebook) as book:
        _said(book.merge(into, other, who, why), json)


@cases.command()
def split(
    id: Number,
    events: Annotated[list[str], typer.Argument(help="The events that go into a case of their own.")],
    why: Annotated[str, typer.Option(help="Why they do not belong here.")],
    who: Who = "",
    casebook: Where = DEFAULT,
    json: Json = False,
) -> None:
    """Put some events of a case into a new one."""
    with opened(casebook) as book:
        old, new = book.split(id, events, who, why)
    _said(old, json)
    _said(new, json)


@cases.command()
def close(
    id: Number,
    outcome: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(Outcome))}.")],
    reason: Annotated[str, typer.Option(help="Why, without quoting.")],
    who: Who = "",
    casebook: Where = DEFAULT,
    json: Json = False,
) -> None:
    """Close a case with what was found and why."""
    with opened(casebook) as book:
        _said(book.close(id, who, outcome, reason), json)  # type: ignore[arg-type]


@cases.command()
def reopen(
    id: Number,
    why: Annotated[str, typer.Option(help="Why it needs another look.")],
    who: Who = "",
    casebook: Where = DEFAULT,
    json: Json = False,
) -> None:
    """Put a closed case back into the queue."""
    with opened(casebook) as book:
        _said(book.reopen(id, who, why), json)


@cases.command()
def undo(id: Number, who: Who = "", casebook: Where = DEFAULT, json: Json = False) -> None:
    """Take back the last thing you did to a case."""
    with opened(casebook) as book:
        _said(book.undo(id, who), json)


@cases.command()
def history(id: Number, casebook: Where = DEFAULT, json: Json = False) -> None:
    """Show all that was done to a case: who, when, what."""
    with opened(casebook) as book:
        book.show(id)
        acts = book.history(id)
    for act in acts:
        detail = {k: v for k, v in act.detail.items() if k not in ("before", "gone")}
        if json:
            print_json({**msgspec.to_builtins(act), "detail": detail})
        else:
            told = "  ".join(f"{name}: {value}" for name, value in detail.items())
            out.print(plain(f"{when(act.at)}  {act.who}  {act.what}  {told}"))


@cases.command()
def labels(
    negatives: Annotated[
        bool, typer.Option("--negatives", help="Instead, the bank entries that matched by mistake.")
    ] = False,
    after: Annotated[int, typer.Option(help="Only cases with a number above this.")] = 0,
    casebook: Where = DEFAULT,
) -> None:
    """Print what closed cases say of their decisions, one JSON line each, for calibration."""
    with opened(casebook) as book:
        for label in book.negatives(after) if negatives else book.labels(after):
            print_json(label)
