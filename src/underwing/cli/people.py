"""Commands about people: who may sign in to the console, with which role. For whoever runs the machine: no second person is
asked here, and the custody log says that it was done here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, get_args

import msgspec
import typer

from underwing.casebook.people import Member, People, Role, Standing
from underwing.casebook.vault import Home
from underwing.casebook.vault.place import vault_beside
from underwing.cli.casebook import DEFAULT, Directory, Where, opened_database
from underwing.cli.common import Json, operator, out, print_json, printable, stop, table_of, when

people = typer.Typer(help="People: accounts and roles of the console.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The name to sign in with.")]
RoleOption = Annotated[str, typer.Option("--role", help=f"One of {', '.join(get_args(Role))}.")]
Url = Annotated[str, typer.Option("--url", help="Where the console is reached, for the link.")]
Subject = Annotated[
    str | None,
    typer.Option("--subject", help="Who this is at the identity provider: the issuer, a blank, the subject."),
]
DEFAULT_URL = "http://127.0.0.1:8610"


@contextmanager
def opened(where: str, vault: str, make: bool = False) -> Iterator[People]:
    """The people of a casebook."""
    with opened_database(where, make=make) as database:
        place = vault_beside(where, vault)
        home = Home.ensure(place, database) if make else Home(place, database, resume=False)
        yield People(database, home.custody, home.keys)


@people.command()
def add(
    name: Name,
    role: RoleOption = "reviewer",
    shown: Annotated[str, typer.Option("--shown", help="What colleagues see (default: the name).")] = "",
    subject: Subject = None,
    url: Url = DEFAULT_URL,
    casebook: Where = DEFAULT,
    vault: Directory = "",
    json: Json = False,
) -> None:
    """Make an account, and print its invitation: good once, for 72 hours. The casebook is made where there is none."""
    with opened(casebook, vault, make=True) as here:
        made, secret = here.add(name, shown or name, _role(role), operator(), subject=subject or "")
    _told(made, secret, url, json)


@people.command("list")
def list_(casebook: Where = DEFAULT, vault: Directory = "", json: Json = False) -> None:
    """Show everybody: role, whether the account can be used, sessions."""
    with opened(casebook, vault) as here:
        found = here.standings()
    if json:
        for one in found:
            print_json(_plain(one))
        return
    rows: list[tuple[object, ...]] = [
        (one.member.name, one.member.shown, one.member.role, one.state.replace("_", " "), one.sessions,
         when(one.created), one.member.id)
        for one in found
    ]  # fmt: skip
    columns = ("name", "shown", "role", "account", "sessions", "made (UTC)", "id")
    out.print(table_of(columns, rows) if rows else "nobody yet; begin with: underwing people add NAME")


@people.command()
def change(
    name: Name,
    role: Annotated[str | None, typer.Option("--role", help="Another role; sessions end.")] = None,
    shown: Annotated[str | None, typer.Option("--shown", help="What colleagues see.")] = None,
    active: Annotated[
        bool | None, typer.Option("--open/--close", help="Open a closed account again, or close it.")
    ] = None,
    subject: Subject = None,
    casebook: Where = DEFAULT,
    vault: Directory = "",
    json: Json = False,
) -> None:
    """Change an account."""
    given = None if role is None else _role(role)
    with opened(casebook, vault) as here:
        made = here.change(
            _of(here, name).id, operator(), role=given, shown=shown, active=active, subject=subject
        )
    _told(made, "", "", json)


@people.command()
def reset(
    name: Name,
    url: Url = DEFAULT_URL,
    casebook: Where = DEFAULT,
    vault: Directory = "",
    json: Json = False,
) -> None:
    """Take pass-phrase and second factor away, end sessions and waiting, and print a new invitation."""
    with opened(casebook, vault) as here:
        member = _of(here, name)
        secret = here.reset(member.id, operator())
    _told(member, secret, url, json)


@people.command()
def revoke(name: Name, casebook: Where = DEFAULT, vault: Directory = "", json: Json = False) -> None:
    """Close an account: its sessions end at once. It stays in the records."""
    with opened(casebook, vault) as here:
        made = here.revoke(_of(here, name).id, operator())
    _told(made, "", "", json)


def _role(text: str) -> Role:
    try:
        return msgspec.convert(text, Role)  # type: ignore[no-any-return]
    except msgspec.ValidationError:
        stop(f"there is no role {printable(text)}; there are {', '.join(get_args(Role))}")


def _of(here: People, name: str) -> Member:
    found = here.named(name)
    if found is None:
        stop(f"nobody signs in as {printable(name)}; see: underwing people list")
    return found


def _plain(standing: Standing) -> dict[str, object]:
    fields = msgspec.to_builtins(standing)
    return {**fields.pop("member"), **fields, "state": standing.state}


def _told(member: Member, secret: str, url: str, json: bool) -> None:
    link = f"{url.rstrip('/')}/console/join?invitation={secret}" if secret else ""
    if json:
        print_json({**msgspec.to_builtins(member), "invitation": link})
        return
    state = "" if member.active else ", closed"
    out.print(f"{member.name}: {member.role}{state}", highlight=False, markup=False)
    if link:
        out.print(
            "The invitation is good once, for 72 hours; give it to nobody else:",
            highlight=False,
            markup=False,
        )
        out.print(link, highlight=False, markup=False, soft_wrap=True)
