"""Commands about exchanges: bring the lists of sources into banks, and how the sources do."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import to_builtins
from rich.progress import Progress as Bar

from underwing.banks.exchanges import Progress, next_due, state
from underwing.banks.exchanges.config import Configured, read_config
from underwing.banks.syncing import Brought, alone, bring, health_of, is_due
from underwing.cli.bank_file import open_banks
from underwing.cli.common import (
    DEFAULT_BANKS,
    BanksFile,
    Json,
    err,
    now,
    out,
    plain_errors,
    print_json,
    progress_bar,
    stop,
    table_of,
    when,
)

exchange = typer.Typer(help="Exchanges: bring the lists of sources into banks.", no_args_is_help=True)
Config = Annotated[
    Path,
    typer.Option("--config", help="The file that names the sources (TOML)."),
]
DEFAULT_CONFIG = Path("exchanges.toml")


def _chosen(config: Path, names: list[str] | None) -> dict[str, Configured]:
    sources = read_config(config)
    for name in names or []:
        if name not in sources:
            stop(f"no source {name!r} in {config}; it names {', '.join(sources) or 'none'}")
    return {name: sources[name] for name in names or sources}


@exchange.command("sync")
def exchange_sync(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Sources (default: all).")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    only_due: Annotated[
        bool, typer.Option("--due", help="Only those whose time has come, for a timer.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Fetch and count only; neither banks nor checkpoints change.")
    ] = False,
    feedback: Annotated[
        bool, typer.Option(help="Send the feedback noted on entries to sources that take it.")
    ] = True,
    file: BanksFile = DEFAULT_BANKS,
    json: Json = False,
) -> None:
    """Bring what is new at the sources into their banks: what they add matches at once, what they withdraw no more.

    A service does this by itself for the sources that are due (docs/exchanges.md); one process does it at a time.

    A sync that was ended, however, goes on where it was. What is sent are requests for lists and, to a source that was
    read to its end and takes it, the feedback noted on its entries: for or against, with the reason.

    Exit codes: 0 all sources were read to their end and told, 2 some were not (the others were), or the command could not
    run. A single vote that a source does not take is shown, and left for the next time.
    """
    failed = False
    with plain_errors():
        chosen = _chosen(config, names)
        with open_banks(file) as banks, progress_bar(json) as bar, alone(file) as mine:
            for said in chosen.values():
                banks.bank(said.bank)
            if not mine and not dry_run:
                err.print(
                    "another process brings lists into these banks now; nothing was done", highlight=False
                )
                raise typer.Exit(0 if only_due else 2)
            for name, said in chosen.items():
                if only_due and not is_due(banks, name, said, now):
                    continue
                done = _shown(
                    bar, name, partial(bring, banks, name, said, now, feedback=feedback, dry_run=dry_run)
                )
                failed = failed or bool(done.error) or (done.told is not None and done.told.failed)
                _told(_body(done, dry_run), json)
    if failed:
        raise typer.Exit(2)


def _shown(bar: Bar, name: str, work: Callable[..., Brought]) -> Brought:
    """One sync, with its progress on the terminal."""
    task = bar.add_task(name, total=None)

    def shown(so_far: Progress) -> None:
        read = so_far.entries + so_far.withdrawn
        bar.update(task, completed=read, total=None if so_far.left is None else read + so_far.left)

    try:
        return work(progress=shown)
    finally:
        bar.remove_task(task)


def _body(done: Brought, dry_run: bool) -> dict[str, Any]:
    """What a sync did, for a line of JSON."""
    body: dict[str, Any] = {"source": done.source, "bank": done.bank, **to_builtins(done.progress)}
    body.pop("left")
    return {**body, "feedback": to_builtins(done.told), "dry_run": dry_run, "error": done.error or None}


def _told(done: dict[str, Any], json: bool) -> None:
    if json:
        print_json(done)
        return
    counts = ", ".join(f"{key} {done[key]}" for key in ("entries", "withdrawn", "skipped", "pages"))
    word = (
        "[bold red]failed[/]"
        if done["error"]
        else "[cyan]would bring[/]"
        if done["dry_run"]
        else "[green]done[/]"
    )
    out.print(f"{word} {done['source']} → {done['bank']}: {counts}", highlight=False)
    if done["error"]:
        out.print(f"    {done['error']}", highlight=False, markup=False, soft_wrap=True)
    told = done["feedback"]
    if told and not told["taken"] and told["left"]:
        out.print(f"    feedback: the source takes none; {told['left']} noted", highlight=False)
    elif told and (told["sent"] or told["left"]):
        why = f": {told['why']}" if told["why"] else ""
        out.print(
            f"    feedback: {told['sent']} sent, {told['left']} left{why}",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip


@exchange.command("status")
def exchange_status(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Sources (default: all).")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    file: BanksFile = DEFAULT_BANKS,
    json: Json = False,
) -> None:
    """Show how the sources do: ok, failing, or late, which means that withdrawals may have been missed.

    Exit codes: 0 none is late, 1 some are, 2 the command could not run.
    """
    found = []
    with plain_errors():
        chosen = _chosen(config, names)
        with open_banks(file) as banks:
            for name, said in chosen.items():
                health = health_of(banks, name, said, now)
                found.append((name, said, health, state(health, said.schedule, now())))
    if json:
        for name, said, health, how in found:
            body = {
                "source": name,
                "bank": said.bank,
                "state": how,
                "next_due": next_due(health, said.schedule),
            }
            print_json({**body, **to_builtins(health)})
    else:
        rows: list[tuple[object, ...]] = [
            (name, said.bank, how, when(h.last_success) or "never", h.failures, h.last_error if h.failures else "")
            for name, said, h, how in found
        ]  # fmt: skip
        out.print(table_of(("source", "bank", "state", "last success (UTC)", "failures", "last error"), rows))
    if any(how == "late" for *_, how in found):
        raise typer.Exit(1)


@exchange.command("list")
def exchange_list(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Show the sources of the file, and which credentials are set (never the credentials)."""
    with plain_errors():
        sources = read_config(config)
    set_ = {
        name: {v: bool(os.environ.get(v)) for v in s.variables(name).values()} for name, s in sources.items()
    }
    if json:
        print_json([
            {"source": name, "kind": said.kind, "bank": said.bank, "every": said.every, "credentials": set_[name]}
            for name, said in sources.items()
        ])  # fmt: skip
        return
    rows: list[tuple[object, ...]] = [
        (name, said.kind, said.bank, f"{said.every} s",
         ", ".join(f"{v} {'set' if there else 'NOT SET'}" for v, there in set_[name].items()))
        for name, said in sources.items()
    ]  # fmt: skip
    out.print(table_of(("source", "kind", "bank", "every", "credentials"), rows))
