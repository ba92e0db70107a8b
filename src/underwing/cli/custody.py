"""Commands about the custody log: verify, show, checkpoint, publish."""

from pathlib import Path
from typing import Annotated

import typer

from underwing.casebook.custody import KINDS, Problem, publish
from underwing.casebook.custody.checkpoints import Checkpoint
from underwing.casebook.vault.home import prove_log
from underwing.cli.casebook import DEFAULT, Directory, Where, opened, refusals
from underwing.cli.common import Json, out, print_json, stop

custody = typer.Typer(help="The custody log: prove it, read it, publish checkpoints.", no_args_is_help=True)


@custody.command()
def verify(
    casebook: Where = DEFAULT,
    vault: Directory = "",
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option("--checkpoints", help="A file of published checkpoints; may be repeated."),
    ] = None,
    key: Annotated[
        str, typer.Option("--key", help="The log's public key as it was published (64 hex digits).")
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Leave the vault's sealed bytes unread.")] = False,
    alone: Annotated[
        bool, typer.Option("--alone", help="Prove the log only, without the vault; needs --key, no secret.")
    ] = False,
    json: Json = False,
) -> None:
    """Prove the log and the vault, or name the first bad record or object. Exit code 1 if anything is wrong."""
    published = tuple(checkpoints or ())
    wrong: list[Problem] = []
    if alone and not key:
        stop("--alone needs --key, the log's public key as it was published")
    if alone:
        with refusals():
            proof = prove_log(casebook, key, published)
    else:
        with opened(casebook, vault, resume=False) as home:
            proof, wrong = home.verify(published, key, contents=not quick)
    problems = [*proof.problems, *wrong]
    if json:
        print_json({"ok": not problems, "records": proof.count, "head": proof.head, "checkpoints": proof.checkpoints,
                    "problems": problems, "notes": proof.notes})  # fmt: skip
    else:
        for note in proof.notes:
            out.print(f"[yellow]note[/] {_line(note)}", highlight=False)
        for problem in problems:
            out.print(f"[bold red]bad[/] {_line(problem)}", highlight=False)
        good = f"{proof.count} records hold, up to {proof.head[:16]}; checkpoints: {proof.checkpoints}"
        out.print(
            f"[green]proven[/] {good}" if not problems else f"[red]not proven[/] {good}", highlight=False
        )
        if not problems and not proof.checkpoints:
            out.print(
                "[yellow]note[/] without a checkpoint a cut at the end of the log does not show",
                highlight=False,
            )
    if problems:
        raise typer.Exit(1)


@custody.command("show")
def custody_show(
    case: Annotated[str, typer.Option("--case", help="Only of this case.")] = "",
    object: Annotated[str, typer.Option("--object", help="Only of this object (its address).")] = "",
    kind: Annotated[str, typer.Option("--kind", help="Only of this kind.")] = "",
    after: Annotated[int, typer.Option("--after", min=0, help="Only records with a higher number.")] = 0,
    casebook: Where = DEFAULT,
    vault: Directory = "",
    json: Json = False,
) -> None:
    """Show the records, oldest first."""
    if kind and kind not in KINDS:
        stop(f"unknown kind {kind!r}; known are {', '.join(KINDS)}")
    with opened(casebook, vault, resume=False) as home:
        for record in home.custody.records(after, case=case, object=object, kind=kind):
            if json:
                print_json(record)
                continue
            facts = " ".join(
                f"{k}={v}" for k, v in record.facts.items() if k in ("seconds", "to", "hold", "asked_by")
            )
            about = " ".join(filter(None, (record.case, record.object[:16], facts, record.reason)))
            out.print(
                f"{record.number:>6}  {record.at}  {record.kind}  {record.by}  {about}",
                markup=False,
                highlight=False,
            )


@custody.command("checkpoint")
def custody_checkpoint(casebook: Where = DEFAULT, vault: Directory = "", json: Json = False) -> None:
    """Sign the log as it stands now."""
    with opened(casebook, vault) as home:
        made = home.custody.checkpoint()
    if json:
        print_json(made)
    else:
        out.print(f"{made.count} records, head {made.head}", highlight=False, soft_wrap=True)


@custody.command("publish")
def custody_publish(
    to: Annotated[
        Path, typer.Argument(help="A file to append to, somewhere the keeper of the log cannot change.")
    ],
    casebook: Where = DEFAULT,
    vault: Directory = "",
    json: Json = False,
) -> None:
    """Sign the log as it stands and append all checkpoints to a file that lacks them."""
    with opened(casebook, vault) as home:
        home.custody.checkpoint()
        made = [c for c in home.custody.checkpoints() if isinstance(c, Checkpoint)]
        new, key = publish(to, made), home.custody.public_key
    if json:
        print_json({"file": str(to), "new": new, "key": key})
    else:
        out.print(
            f"{new} new checkpoints in {to}; publish the log's key beside them: {key}",
            highlight=False,
            soft_wrap=True,
        )


def _line(problem: Problem) -> str:
    return f"{problem.where}: {problem.what}".replace("[", r"\[")
