"""Commands about signal packs: list, check, test."""

from collections import Counter
from typing import Annotated

import typer
from rich.table import Table

from underwing.cli.common import Json, Packs, err, out, plain_errors, print_json
from underwing.packs import load_packs
from underwing.packs.lint import check_examples, lint

packs = typer.Typer(help="Signal packs: list, check and test them.", no_args_is_help=True)
_READING = "reading the packs …"


@packs.command("list")
def packs_list(
    directory: Packs = None,
    entries: Annotated[bool, typer.Option("--entries", help="Show every entry, not only totals.")] = False,
    json: Json = False,
) -> None:
    """Show what is loaded: languages, entries, stages, sources."""
    with plain_errors(), err.status(_READING):
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
def packs_lint(directory: Packs = None, json: Json = False) -> None:
    """Check that every entry is complete: examples, counter-examples, a known source."""
    with plain_errors(), err.status(_READING):
        problems = list(lint(load_packs(directory)))
    _report([{"entry": entry, "problem": problem} for entry, problem in problems], json)


@packs.command("test")
def packs_test(directory: Packs = None, json: Json = False) -> None:
    """Run every entry's examples and counter-examples."""
    with plain_errors(), err.status(_READING):
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
