"""Commands about what looking costs: the sums of all together and whom to ask how they are; the limits in force. Nothing by
person, as in the console."""

from pathlib import Path
from typing import Annotated

import typer

from underwing.casebook.care import Care, load_limits
from underwing.casebook.people.members import Members
from underwing.casebook.vault import Home
from underwing.casebook.vault.place import vault_beside
from underwing.cli.casebook import DEFAULT, Directory, Where, opened_database, refusals
from underwing.cli.common import Json, out, print_json, table_of

care = typer.Typer(help="Care for those who look: what it costs, and the limits.", no_args_is_help=True)
Own = Annotated[
    Path | None,
    typer.Option("--limits", envvar="UNDERWING_CARE", help="Limits of your own, laid over the shipped ones."),
]


@care.command()
def team(own: Own = None, casebook: Where = DEFAULT, vault: Directory = "", json: Json = False) -> None:
    """What looking cost all together in the last day and week; and, by name, who is near a cap."""
    with opened_database(casebook) as database:
        home = Home(vault_beside(casebook, vault), database, resume=False)
        here = Care(database, home.vault, home.custody, load_limits(own))
        day, week = here.team()
        names = {member.id: member.shown for member in Members(database).all()}
        near = sorted(names.get(id, id) for id in here.to_support())
    if json:
        print_json({"day": day, "week": week, "support": near})
        return
    rows: list[tuple[object, ...]] = [
        (name, one.people, one.items, one.seconds, one.severe) for name, one in (("24 h", day), ("7 d", week))
    ]
    out.print(table_of(("window", "people", "files", "seconds revealed", "of the worst"), rows))
    said = ", ".join(near) or "nobody"
    out.print(f"near a limit, ask how they are: {said}", highlight=False, markup=False)


@care.command()
def limits(own: Own = None, json: Json = False) -> None:
    """The limits in force: how much in a day and a week, when a break is due, how long a reveal lasts."""
    with refusals():
        found = load_limits(own)
    if json:
        print_json(found)
        return
    rows: list[tuple[object, ...]] = [
        (name, cap.items, cap.seconds, cap.severe) for name, cap in (("24 h", found.day), ("7 d", found.week))
    ]
    out.print(table_of(("window", "files", "seconds revealed", "of the worst"), rows))
    sit = found.sitting
    over = "no file is shown" if found.over == "refuse" else "going on takes a reason"
    for line in (
        f"a break of {sit.rest // 60} min after {sit.seconds // 60} min of looking, {sit.revealed} s revealed or "
        f"{sit.severe} of the worst",
        f"a reveal lasts {found.reveal.most} s at the most, {found.reveal.once} s on a page without script",
        f"over a limit {over}; near it from {found.near:.0%} on",
    ):
        out.print(line, highlight=False, markup=False)
