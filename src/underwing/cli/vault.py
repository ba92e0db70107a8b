"""Commands about the evidence vault: bring in, read out, hold, withdraw, destroy."""

import os
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from underwing.casebook import times
from underwing.casebook.rewrap import rewrap
from underwing.casebook.vault import Home, KeyFile, Label, Stored, load_retention
from underwing.casebook.vault.place import vault_beside
from underwing.cli.casebook import DEFAULT, By, Directory, Reason, Where, opened, opened_database, refusals
from underwing.cli.common import Json, out, print_json, stop

vault = typer.Typer(help="The evidence vault: nothing in it is ever plainly deleted.", no_args_is_help=True)
Address = Annotated[
    str, typer.Argument(help="The object's address; its first digits do if they name one only.")
]
OneObject = Annotated[str, typer.Option("--object", help="One object, by its address.")]
OneCase = Annotated[str, typer.Option("--case", help="A whole case.")]


@vault.command("init")
def vault_init(
    casebook: Where = DEFAULT,
    directory: Directory = "",
    store: Annotated[str, typer.Option("--store", help="A directory, or s3://bucket/prefix.")] = "objects",
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="NAME=VALUE for the store, such as endpoint=https://…"),
    ] = None,
    key_file: Annotated[
        str, typer.Option("--key-file", help="The key-encryption key; made if missing.")
    ] = "vault.key",
    signing_key: Annotated[
        str, typer.Option("--signing-key", help="The log's key; made if missing.")
    ] = "custody.key",
) -> None:
    """Make a vault: settings and keys, and the casebook where there is none. The service does so by itself."""
    options = dict(o.split("=", 1) for o in option or () if "=" in o)
    if len(options) != len(option or ()):
        stop("--option needs NAME=VALUE")
    with opened_database(casebook, make=True) as database:
        home = Home.make(
            vault_beside(casebook, directory), database, store=store, key_file=key_file, signing_key=signing_key,
            options=options,
        )  # fmt: skip
        out.print(
            f"[green]made[/] {home.directory}; the custody log's public key: {home.custody.public_key}",
            highlight=False,
            soft_wrap=True,
        )
        out.print(
            "Copy the two key files to a safe place now: without them nothing can be read.", highlight=False
        )


@vault.command("put")
def vault_put(
    file: Annotated[
        Path, typer.Argument(help="The file, or - for standard input. It is not changed or removed.")
    ],
    case: OneCase,
    by: By,
    reason: Reason = "",
    region: Annotated[
        list[str] | None,
        typer.Option("--region", help="Whose law it falls under, such as GB; none means all."),
    ] = None,
    type: Annotated[str, typer.Option("--type", help="Its media type; sealed with it.")] = "",
    casebook: Where = DEFAULT,
    directory: Directory = "",
    json: Json = False,
) -> None:
    """Take a file in: hashed, sealed, recorded."""
    label = Label(name="" if str(file) == "-" else file.name, type=type)
    with (
        opened(casebook, directory) as home,
        sys.stdin.buffer if str(file) == "-" else file.open("rb") as source,
    ):
        stored = home.vault.put(
            source, case=case, by=by, reason=reason, regions=tuple(region or ()), label=label
        )
        _show([_row(home, stored)], json, many=False)


@vault.command("get")
def vault_get(
    address: Address,
    to: Annotated[Path, typer.Argument(help="A new file, readable by you only.")],
    by: By,
    reason: Reason,
    casebook: Where = DEFAULT,
    directory: Directory = "",
) -> None:
    """Export an object to a new file; the log will say so. The file appears whole or not at all."""
    with opened(casebook, directory) as home:
        if os.path.lexists(to):
            stop(f"{to} exists already")
        stored = home.vault.index.get(_whole(home, address))
        handle, part = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                for segment in home.vault.read(stored.address, by=by, looking="exported", reason=reason):
                    file.write(segment)
                file.flush()
                os.fsync(file.fileno())
            os.link(part, to)
        finally:
            os.unlink(part)
        out.print(
            f"[green]exported[/] {stored.size} bytes, SHA-256 {stored.sha256}",
            highlight=False,
            soft_wrap=True,
        )


@vault.command("list")
def vault_list(
    case: OneCase = "", casebook: Where = DEFAULT, directory: Directory = "", json: Json = False
) -> None:
    """Show all objects: what, whose, until when, and what holds them."""
    with opened(casebook, directory) as home:
        _show([_row(home, stored) for stored in home.vault.index.objects(case)], json)


@vault.command("hold")
def vault_hold(
    by: By,
    reason: Reason,
    object: OneObject = "",
    case: OneCase = "",
    casebook: Where = DEFAULT,
    directory: Directory = "",
    json: Json = False,
) -> None:
    """Put a legal hold on an object, or on a case with all that is and will be in it."""
    with opened(casebook, directory) as home:
        hold = home.keeping.hold(by=by, reason=reason, address=_whole(home, object), case=case)
    print_json(hold) if json else out.print(f"[green]held[/]; hold {hold.number}", highlight=False)


@vault.command("holds")
def vault_holds(casebook: Where = DEFAULT, directory: Directory = "", json: Json = False) -> None:
    """Show the holds that stand."""
    with opened(casebook, directory) as home:
        holds = home.vault.index.holds()
    _show([msgspec.to_builtins(hold) for hold in holds], json)


@vault.command("release")
def vault_release(
    hold: Annotated[int, typer.Argument(help="The hold's number.")],
    by: By,
    reason: Reason,
    casebook: Where = DEFAULT,
    directory: Directory = "",
) -> None:
    """End a hold."""
    with opened(casebook, directory) as home:
        home.keeping.release(hold, by=by, reason=reason)
    out.print("[green]released[/]")


@vault.command("withdraw")
def vault_withdraw(
    address: Address, by: By, reason: Reason, casebook: Where = DEFAULT, directory: Directory = ""
) -> None:
    """Take an object from view; it is kept as before."""
    with opened(casebook, directory) as home:
        home.keeping.withdraw(_whole(home, address), by=by, reason=reason)
    out.print("[green]withdrawn from view[/]")


@vault.command("restore")
def vault_restore(
    address: Address, by: By, reason: Reason, casebook: Where = DEFAULT, directory: Directory = ""
) -> None:
    """Bring a withdrawn object back to view."""
    with opened(casebook, directory) as home:
        home.keeping.restore(_whole(home, address), by=by, reason=reason)
    out.print("[green]restored[/]")


@vault.command("reported")
def vault_reported(
    address: Address,
    by: By,
    to: Annotated[str, typer.Option("--to", help="The authority that was told.")],
    casebook: Where = DEFAULT,
    directory: Directory = "",
) -> None:
    """Note that an authority was told: retention counts from now."""
    with opened(casebook, directory) as home:
        home.keeping.reported(_whole(home, address), by=by, to=to)
    out.print("[green]noted[/]")


@vault.command("erase")
def vault_erase(
    by: By,
    reason: Reason,
    object: OneObject = "",
    case: OneCase = "",
    casebook: Where = DEFAULT,
    directory: Directory = "",
    json: Json = False,
) -> None:
    """Answer a request for erasure: what must be kept and why; of the rest, destruction is asked for."""
    with opened(casebook, directory) as home:
        answers = home.keeping.erasure(by=by, reason=reason, address=_whole(home, object), case=case)
    if json:
        print_json(answers)
        return
    for answer in answers:
        said = "; ".join(answer.reasons) or "nothing stands against it; a second person must confirm"
        out.print(f"{answer.address[:16]}  {said}", highlight=False, markup=False, soft_wrap=True)


@vault.command("destroy")
def vault_destroy(
    address: Address,
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="Why; needed from the first person.")] = "",
    confirm: Annotated[bool, typer.Option("--confirm", help="You are the second person.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Take the request back.")] = False,
    casebook: Where = DEFAULT,
    directory: Directory = "",
    json: Json = False,
) -> None:
    """Ask for an object's destruction, or confirm what another person asked. Holds and retention refuse it."""
    with opened(casebook, directory) as home:
        whole = _whole(home, address)
        if cancel:
            home.keeping.cancel_destruction(whole, by=by, reason=reason)
            out.print("[green]the request is taken back[/]")
        elif confirm:
            certificate = home.keeping.confirm_destruction(whole, by=by)
            if json:
                print_json(certificate)
            else:
                out.print(
                    f"[green]destroyed[/]; record {certificate.record} of the custody log", highlight=False
                )
        else:
            home.keeping.ask_destruction(whole, by=by, reason=reason)
            out.print("[yellow]asked[/]; another person must confirm with --confirm")


@vault.command("certificate")
def vault_certificate(address: Address, casebook: Where = DEFAULT, directory: Directory = "") -> None:
    """Print the certificate of a destruction as JSON."""
    with opened(casebook, directory) as home:
        print_json(home.keeping.certificate(_whole(home, address)))


@vault.command("retention")
def vault_retention(
    file: Annotated[
        Path | None, typer.Argument(help="An operator's rules, laid over the shipped ones.")
    ] = None,
    json: Json = False,
) -> None:
    """Show how long evidence is kept where, by what source, and when that was checked."""
    with refusals():
        rules = load_retention(file).rules
    rows = [msgspec.to_builtins(rule) for rule in rules]
    if json:
        print_json(rows)
        return
    table = Table()
    for column in ("region", "kind", "kept", "from", "source", "checked", "says"):
        table.add_column(column, overflow="fold")
    for rule in rules:
        kept = " ".join(f"{n} {unit}" for n, unit in ((rule.years, "years"), (rule.days, "days")) if n)
        checked = f"{rule.checked}" if rule.confirmed else f"{rule.checked}, not in the original"
        table.add_row(rule.region, rule.kind, kept, rule.starts, rule.source, checked, rule.says)
    out.print(table)


@vault.command("rewrap")
def vault_rewrap(
    key_file: Annotated[Path, typer.Argument(help="The new key-encryption key; made if missing.")],
    by: By,
    reason: Reason,
    casebook: Where = DEFAULT,
    directory: Directory = "",
) -> None:
    """Change the key-encryption key: every case's key is wrapped anew, no object is touched."""
    with opened(casebook, directory) as home:
        new = KeyFile(key_file) if key_file.exists() else KeyFile.make(key_file)
        count = rewrap(home, new, by=by, reason=reason)
    out.print(
        f"[green]{count} keys[/] of cases, context and second factors are wrapped by {new.id} now",
        highlight=False,
    )
    out.print(f"Name {key_file} as key_file in vault.toml, and keep a copy of it elsewhere.", highlight=False)


@vault.command("sweep")
def vault_sweep(
    hours: Annotated[
        int, typer.Option("--hours", min=1, help="Intakes that began longer ago have died.")
    ] = 24,
    casebook: Where = DEFAULT,
    directory: Directory = "",
) -> None:
    """Remove what intakes that died left in the store; it has no key and no record."""
    with opened(casebook, directory) as home:
        swept = home.vault.sweep(timedelta(hours=hours))
    out.print(f"{swept} swept", highlight=False)


def _whole(home: Home, address: str) -> str:
    """The one address that begins so."""
    if not address or len(address) == 64:
        return address
    found = home.vault.index.beginning(address)
    if len(found) != 1:
        stop(f"{'no object begins' if not found else 'several objects begin'} with {address}")
    return found[0]


def _row(home: Home, stored: Stored) -> dict[str, Any]:
    kept = home.keeping.kept(stored)
    asked = home.vault.index.asked(stored.address)
    return {
        "address": stored.address, "case": stored.case, "sha256": stored.sha256, "size": stored.size, "state": stored.state,
        "regions": stored.regions, "taken_in": stored.at, "reported": stored.reported,
        "kept_until": times.write(kept.until), "rule": kept.rule.id,
        "holds": [hold.number for hold in home.vault.index.holds_on(stored)],
        "destruction_asked_by": asked.by if asked else "",
    }  # fmt: skip


def _show(rows: list[dict[str, Any]], json: bool, many: bool = True) -> None:
    if json:
        print_json(rows if many else rows[0])
        return
    columns = [c for c in (rows[0] if rows else {}) if c not in ("sha256", "reported", "rule")]
    table = Table(*columns)
    for row in rows:
        table.add_row(*(str(v)[:16] if c == "address" else _words(v) for c, v in row.items() if c in columns))
    out.print(table if rows else "nothing there")


def _words(value: Any) -> str:
    words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return words.replace("[", r"\[")
