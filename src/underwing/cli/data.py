"""Commands about data and settings: packs, policy, keys, explain."""

from collections import Counter
from pathlib import Path
from typing import Annotated, get_args

import msgspec
import typer
from rich.table import Table

from underwing.cli.common import Json, decision_lines, out, plain_errors, print_json, stop
from underwing.engine import Decisions
from underwing.model import Decision
from underwing.packs import load_packs
from underwing.packs.lint import check_examples, lint
from underwing.policy import load_policy, load_switches
from underwing.policy.switches import NAMES, StreamKind
from underwing.server.keys import ROLES, Keys

PackDirectory = Annotated[
    Path | None, typer.Option("--packs", help="A directory of packs laid over the shipped ones.")
]
Database = Annotated[
    Path, typer.Option("--database", envvar="UNDERWING_DATABASE", help="The service's SQLite file.")
]
DEFAULT_DATABASE = Path("underwing.db")

packs = typer.Typer(help="Signal packs: list, check and test them.", no_args_is_help=True)
keys = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)
policy = typer.Typer(help="Policies: check a file before it goes live.", no_args_is_help=True)


@packs.command("list")
def packs_list(
    directory: PackDirectory = None,
    entries: Annotated[bool, typer.Option("--entries", help="Show every entry, not only totals.")] = False,
    json: Json = False,
) -> None:
    """Show what is loaded: languages, entries, stages, sources."""
    with plain_errors():
        loaded = load_packs(directory)
    rows = [
        {"id": e.id, "lang": e.lang, "stage": e.stage, "act": e.act, "direction": e.direction, "weight": e.weight,
         "source": loaded.sources.get(e.source, e.source), "patterns": len(e.match)}
        for e in loaded.entries
    ]  # fmt: skip
    if json:
        print_json({"version": loaded.version, "entries": rows})
        return
    table = Table(title=f"packs {loaded.version}")
    if entries:
        for column in ("id", "stage", "act", "direction", "weight", "source"):
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(str(row[c]) for c in ("id", "stage", "act", "direction", "weight", "source")))
    else:
        for column in ("language", "entries", "patterns", "stages"):
            table.add_column(column)
        for lang in loaded.languages:
            own = [e for e in loaded.entries if e.lang == lang]
            stages = Counter(e.stage for e in own)
            patterns = sum(len(e.match) for e in own)
            table.add_row(
                lang, str(len(own)), str(patterns), ", ".join(f"{s} {n}" for s, n in stages.most_common(6))
            )
    out.print(table)


@packs.command("lint")
def packs_lint(directory: PackDirectory = None, json: Json = False) -> None:
    """Check that every entry is complete: examples, counter-examples, a known source."""
    with plain_errors():
        problems = list(lint(load_packs(directory)))
    _report([{"entry": entry, "problem": problem} for entry, problem in problems], json)


@packs.command("test")
def packs_test(directory: PackDirectory = None, json: Json = False) -> None:
    """Run every entry's examples and counter-examples."""
    with plain_errors():
        problems = list(check_examples(load_packs(directory)))
    _report([{"entry": entry, "problem": problem, "text": text} for entry, problem, text in problems], json)


def _report(problems: list[dict[str, str]], json: bool) -> None:
    if json:
        print_json({"ok": not problems, "problems": problems})
    else:
        for problem in problems:
            out.print(": ".join(problem.values()), highlight=False, markup=False)
        out.print("[green]no problem[/]" if not problems else f"[red]{len(problems)} problems[/]")
    if problems:
        raise typer.Exit(1)


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


@keys.command("create")
def keys_create(
    role: Annotated[str, typer.Option("--role", help=f"One of {', '.join(ROLES)}.")] = "platform",
    name: Annotated[str, typer.Option("--name", help="Whose key it is, for the list.")] = "",
    database: Database = DEFAULT_DATABASE,
    json: Json = False,
) -> None:
    """Make a key. It is shown once; only its hash is kept."""
    if role not in ROLES:
        stop(f"unknown role {role!r}; known are {', '.join(ROLES)}")
    with plain_errors(), Keys(database) as store:
        made = store.create(role, name)
    if json:
        print_json({"role": role, "name": name, "key": made})
    else:
        out.print(made, highlight=False, soft_wrap=True)


@keys.command("list")
def keys_list(database: Database = DEFAULT_DATABASE, json: Json = False) -> None:
    """Show all keys (never their secrets)."""
    with plain_errors(), Keys(database) as store:
        rows = [msgspec.to_builtins(key) for key in store.list()]
    if json:
        print_json(rows)
        return
    table = Table()
    for column in ("id", "role", "name", "created", "revoked"):
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(row.get(c) or "") for c in ("id", "role", "name", "created", "revoked")))
    out.print(table)


@keys.command("revoke")
def keys_revoke(
    id: Annotated[str, typer.Argument(help="The key's id, from `underwing keys list`.")],
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Take a key back; a running service refuses it within a second."""
    with plain_errors(), Keys(database) as store:
        if not store.revoke(id):
            stop(f"no key {id}")
    out.print("[green]revoked[/]")


def explain(
    event: Annotated[str | None, typer.Argument(help="An event's id.")] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="Everything about this actor.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="Everything about this target.")] = None,
    database: Database = DEFAULT_DATABASE,
    json: Json = False,
) -> None:
    """Show why: one decision, or all dated contributions about an actor, a target or a pair of them."""
    with plain_errors():
        decisions = Decisions.of(database)
        if event is not None:
            found = decisions.decision(event)
            bodies = [found] if found else []
        elif actor is not None or target is not None:
            bodies = decisions.explain(actor=actor, target=target)
        else:
            stop("name an event, or --actor, or --target")
    if not bodies:
        stop("nothing was decided about that")
    for body in bodies:
        if json:
            out.file.write(body.decode() + "\n")
        else:
            for line in decision_lines(msgspec.json.decode(body, type=Decision)):
                out.print(line, highlight=False)
