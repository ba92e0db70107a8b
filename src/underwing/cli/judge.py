"""Commands that run the engine over files: replay, evaluate, backtest."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from msgspec import to_builtins
from rich.progress import Progress
from rich.table import Table

from underwing.cli.common import Json, Packs, decision_lines, err, out, plain_errors, print_json, stop
from underwing.cli.engine import PolicyPath, build_engine
from underwing.engine import MemoryState, judge_in_memory
from underwing.evaluation import evaluate as run_evaluation
from underwing.evaluation import print_evaluation, read, to_events, write_plot, write_report
from underwing.model import BadEvent, Event, Message, decode_event, encode
from underwing.policy import Facts, compare, load_policy

MeaningOn = Annotated[bool, typer.Option("--meaning/--no-meaning", help="Whether the meaning layer runs.")]
SecondOn = Annotated[
    bool, typer.Option("--second-reader/--no-second-reader", help="Whether its slow second reader runs.")
]


def _events(path: Path, skip_bad: bool) -> Iterator[Event]:
    """Events of an NDJSON file (`-` is standard input), or of a corpus file's conversations."""
    stream = sys.stdin.buffer if str(path) == "-" else path.open("rb")
    with stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            if number == 1 and b'"messages"' in line and b'"type"' not in line.split(b'"messages"')[0]:
                for conversation in read(path):
                    yield from to_events(conversation)
                return
            try:
                yield decode_event(line)
            except BadEvent as error:
                if not skip_bad:
                    raise BadEvent(
                        f"{path}, line {number}: {error} (--skip-bad passes over such lines)"
                    ) from None
                err.print(f"[yellow]line {number} passed over:[/] {error}", highlight=False)


def replay(
    file: Annotated[
        Path, typer.Argument(help="Events, one JSON a line, or a corpus file; - reads standard input.")
    ],
    packs: Packs = None,
    policy: PolicyPath = None,
    meaning: MeaningOn = True,
    second: SecondOn = False,
    everything: Annotated[bool, typer.Option("--all", help="Show quiet decisions too.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Pass over lines that are not events.")
    ] = False,
    json: Json = False,
) -> None:
    """Decide on a file of events, in memory, and show each decision with its reasons."""
    with plain_errors():
        engine = build_engine(packs, policy, meaning, second)
        state = MemoryState()
        count, levels = 0, dict.fromkeys(("watch", "review", "urgent"), 0)
        for event in _events(file, skip_bad):
            decision = engine.step(state, event)
            count += 1
            if decision.level in levels:
                levels[decision.level] += 1
            if json:
                sys.stdout.write(encode(decision).decode() + "\n")
            elif everything or decision.level != "none" or decision.help:
                text = event.text if isinstance(event, Message) else None
                for line in decision_lines(decision, text):
                    out.print(line, highlight=False)
        if not json:
            shown = ", ".join(f"{n} {level}" for level, n in levels.items())
            out.print(f"[bold]{count} events:[/] {shown}", highlight=False)


def evaluate(
    files: Annotated[
        list[Path], typer.Argument(help="Corpus JSONL, plain CSV or JSONL exports, or PAN-2012 XML.")
    ],
    labels: Annotated[
        list[Path] | None, typer.Option("--labels", help="PAN-2012 label files (may be given several times).")
    ] = None,
    packs: Packs = None,
    meaning: MeaningOn = True,
    second: SecondOn = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write a self-contained report here.")] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Write warnings against time here (.png, .svg).")
    ] = None,
    json: Json = False,
) -> None:
    """Measure the engine on labelled conversations: what it finds, how early, and what it costs."""
    with plain_errors():
        engine = build_engine(packs, meaning=meaning, second=second)
        conversations = [c for file in files for c in read(file, labels)]
        if not conversations:
            stop("no conversation in these files")
        with Progress(console=err, transient=True, disable=json) as progress:
            task = progress.add_task("judging", total=len(conversations))
            result = run_evaluation(
                conversations,
                lambda events: judge_in_memory(engine, events),
                progress=lambda _: progress.advance(task),
            )
        if html:
            write_report(result, html)
        if plot:
            write_plot(result, plot)
        if json:
            print_json(result.jsonable())
        else:
            print_evaluation(result, out)
            for path in (html, plot):
                if path:
                    out.print(f"written: {path}", highlight=False)


def backtest(
    new: Annotated[Path, typer.Option("--policy", help="The new policy file.")],
    events: Annotated[Path, typer.Option("--events", help="Events, one JSON a line, or a corpus file.")],
    old: Annotated[
        Path | None, typer.Option("--against", help="The policy in force (default: the shipped one).")
    ] = None,
    packs: Packs = None,
    json: Json = False,
) -> None:
    """Show what a new policy would change on past events, decision by decision and in totals."""
    with plain_errors():
        before, after = load_policy(old), load_policy(new)
        seen: list[tuple[str, Facts]] = []
        engine = build_engine(packs, old, observer=lambda event, facts: seen.append((event, facts)))
        state = MemoryState()
        count = 0
        for event in _events(events, False):
            engine.step(state, event)
            count += 1
        comparison = compare(before, after, seen)
    if json:
        print_json({"replayed": count, **to_builtins(comparison)})
        return
    table = Table(title="what would change", show_lines=False)
    for column in ("event", "now", "then", "rules"):
        table.add_column(column, overflow="fold")
    for change in comparison.changes:
        table.add_row(
            change.event, ", ".join(change.old) or "–", ", ".join(change.new) or "–",
            ", ".join(change.new_rules),
        )  # fmt: skip
    if comparison.changes:
        out.print(table)
    out.print(
        f"[bold]{count} events, {len(seen)} decisions, {len(comparison.changes)} would change[/]",
        highlight=False,
    )
    for action, n in sorted(comparison.added.items()):
        out.print(f"  [green]+{n}[/] {action}", highlight=False)
    for action, n in sorted(comparison.removed.items()):
        out.print(f"  [red]-{n}[/] {action}", highlight=False)
