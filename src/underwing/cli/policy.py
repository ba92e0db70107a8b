"""Commands about what follows from a risk: a policy's file, and the switches of children's streams."""

from pathlib import Path
from typing import Annotated, get_args

import msgspec
import typer
from rich.table import Table

from underwing.cli.common import Json, out, plain_errors, print_json, stop
from underwing.policy import load_policy, load_switches
from underwing.policy.switches import NAMES, StreamKind

policy = typer.Typer(help="Policies: check a file before it goes live.", no_args_is_help=True)


@policy.command("check")
def policy_check(
    file: Annotated[Path | None, typer.Argument(help="The policy file (default: the shipped one).")] = None,
    json: Json = False,
) -> None:
    """Check a policy file: every rule compiles, names known actions and answers yes or no."""
    with plain_errors():
        loaded = load_policy(file)
    if json:
        print_json({"ok": True, "version": loaded.version, "rules": [rule.id for rule in loaded.rules]})
        return
    out.print(f"[green]valid[/] version {loaded.version}, {len(loaded.rules)} rules", highlight=False)


@policy.command("switches")
def policy_switches(
    age: Annotated[
        int | None, typer.Option("--age", min=0, max=120, help="The streamer's age in years.")
    ] = None,
    minor: Annotated[
        bool | None, typer.Option("--minor/--grown-up", help="What is known where the age is not.")
    ] = None,
    country: Annotated[str, typer.Option("--country", help="ISO 3166, such as GB.")] = "",
    kind: Annotated[str, typer.Option("--kind", help="one (to many) or many (to many).")] = "one",
    file: Annotated[
        Path | None, typer.Option("--file", help="Own switches (default: the shipped ones).")
    ] = None,
    json: Json = False,
) -> None:
    """What a child's live stream has switched off, and why; checks the file on the way."""
    if kind not in get_args(StreamKind):
        stop("--kind is one (to many) or many (to many)")
    with plain_errors():
        book = load_switches(file)
    found = book.of(age=age, minor=minor, country=country, kind=kind)  # type: ignore[arg-type]
    if json:
        print_json(msgspec.to_builtins(found))
        return
    table = Table(title=f"switches {found.version}")
    for column in ("switch", "value", "because"):
        table.add_column(column, overflow="fold")
    for name in NAMES:
        value, why = getattr(found, name), found.because.get(name)
        said = value if isinstance(value, str) else "on" if value else "off"
        unsure = "" if why is None or why.confirmed else " (not final: read the original)"
        table.add_row(name, said, f"{why.rule}: {why.source}{unsure}" if why else "")
    out.print(table)
