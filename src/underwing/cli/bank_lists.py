"""Commands that read lists into banks and write banks as lists."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, cast

import typer
from msgspec import to_builtins

from underwing.banks.entries import Update
from underwing.banks.formats import FormatError, Tally
from underwing.banks.formats.named import FORMATS, PEEK, Reading, counted, guess, reader, size_of, writer
from underwing.banks.holdings import Put
from underwing.banks.labels import Labels
from underwing.cli.bank_file import Label, open_banks
from underwing.cli.common import (
    DEFAULT_BANKS,
    BanksFile,
    Json,
    err,
    now,
    operator,
    out,
    plain_errors,
    print_json,
    printable,
    progress_bar,
    stop,
    table_of,
)
from underwing.model import HashKind

Country = Annotated[
    str, typer.Option("--country", help="Whose categories they are, of a VICS list (US, GB, …).")
]


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
    else:
        with path.open("rb") as stream:
            yield stream


class _UpToError:
    """Updates up to the first that cannot be read; what was read before it is not lost."""

    def __init__(self, updates: Iterator[Update]) -> None:
        self._updates = updates
        self.error: FormatError | None = None

    def __iter__(self) -> Iterator[Update]:
        try:
            yield from self._updates
        except FormatError as error:
            self.error = error


def banks_import(
    list_file: Annotated[Path, typer.Argument(metavar="FILE", help="The list; - reads standard input.")],
    bank: Annotated[str, typer.Option("--bank", help="The bank it goes into.")],
    format: Annotated[str, typer.Option("--format", help=f"auto, {', '.join(FORMATS)}.")] = "auto",
    label: Label = None,
    digits64: Annotated[
        str | None, typer.Option("--digits64", help="What 64 digits in a plain list are: sha256 or pdq.")
    ] = None,
    country: Country = "",
    exploitative: Annotated[
        bool, typer.Option("--exploitative", help="An NCMEC list of the exploitative databases.")
    ] = False,
    labels: Annotated[
        list[Path] | None,
        typer.Option("--labels", help="A file of label tables over the shipped ones (repeatable)."),
    ] = None,
    unknown: Annotated[
        str | None,
        typer.Option("--unknown", help="The label of codes that no table knows (they are refused)."),
    ] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Use label tables that have no public source.")
    ] = False,
    source: Annotated[str, typer.Option("--source", help="Where the list is from, for the record.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count only; the bank stays as it is.")
    ] = False,
    file: BanksFile = DEFAULT_BANKS,
    json: Json = False,
) -> None:
    """Read a list into a bank. What it says of an id replaces what the bank has; what it withdraws matches no more.

    Exit codes: 0 the whole list was read, 2 it was not (what stands before the fault is in the bank), or the command
    could not run.
    """
    if format not in ("auto", *FORMATS):
        stop(f"unknown format {printable(format)!r}; known are auto, {', '.join(FORMATS)}")
    if digits64 not in (None, "sha256", "pdq"):
        stop("--digits64 is sha256 or pdq")
    tally, put = Tally(), Put()
    with plain_errors(), open_banks(file) as store, _opened(list_file) as stream, progress_bar(json) as bar:
        state = store.bank(bank)
        task = bar.add_task("reading bytes", total=size_of(list_file))
        list_ = counted(stream, lambda size: bar.advance(task, size))
        chosen = guess(list_.peek(PEEK)) if format == "auto" else format
        said = Reading(
            label=label or state.bank.label, digits64=cast("HashKind | None", digits64), country=country,
            exploitative=exploitative, source=source,
            labels=Labels.load(*(labels or []), unknown=unknown, unverified=unverified),
        )  # fmt: skip
        updates = _UpToError(reader(chosen, said)(cast(BinaryIO, list_), tally))
        if dry_run:
            for _ in updates:
                pass
        else:
            put = store.put(bank, updates, by=operator(), now=now())
    read = {
        "format": chosen,
        "entries": tally.entries,
        "withdrawn": tally.withdrawn,
        "skipped": tally.skipped,
    }
    failed = "" if updates.error is None else str(updates.error)
    if json:
        print_json({"read": read, "bank": to_builtins(put), "dry_run": dry_run, "error": failed or None})
    else:
        _print_account(chosen, tally, None if dry_run else put)
        if failed:
            err.print("[bold red]error:[/] ", end="")
            err.print(f"{printable(failed)}; what stands before it {'was counted' if dry_run else 'is in the bank'}",
                      highlight=False, markup=False, soft_wrap=True)  # fmt: skip
    if failed:
        raise typer.Exit(2)


def _print_account(chosen: str, tally: Tally, put: Put | None) -> None:
    rows: list[tuple[object, ...]] = [(f"read as {chosen}: entries", tally.entries)]
    rows += [("read: withdrawals", tally.withdrawn)] if tally.withdrawn else []
    rows += [(f"left out: {reason}", count) for reason, count in tally.skipped.most_common()]
    if put is not None:
        rows += [
            (f"bank: {key}", count) for key, count in to_builtins(put).items() if count or key == "added"
        ]
    out.print(table_of(("what", "how many"), rows))


def banks_export(
    bank: Annotated[str, typer.Argument(help="The bank's name.")],
    format: Annotated[
        str, typer.Option("--format", help=f"csv (all that is known), {', '.join(FORMATS[2:])}.")
    ] = "csv",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="The file to write (default: standard output); only its owner can read it."
        ),
    ] = None,
    country: Country = "",
    file: BanksFile = DEFAULT_BANKS,
    json: Annotated[bool, typer.Option("--json", help="Print the account as JSON (needs --to).")] = False,
) -> None:
    """Write a bank as a list. Disabled and withdrawn entries are written as such where the format can say so."""
    if json and to is None:
        stop("--json prints the account; the list itself goes into a file then: name it with --to")
    with plain_errors(), open_banks(file) as store, progress_bar(json or to is None) as bar:
        write = writer(format, country)
        task = bar.add_task("writing", total=sum(store.count(bank).values()))
        entries = bar.track(store.every_entry(bank), task_id=task)
        if to is None:
            tally = write(entries, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with _replaced(to) as stream:
                tally = write(entries, stream)
    if json:
        left_out = dict(tally.skipped)
        print_json(
            {"format": format, "entries": tally.entries, "withdrawn": tally.withdrawn, "left_out": left_out}
        )
    else:
        for reason, count in tally.skipped.most_common():
            err.print(f"left out: {count} {printable(reason)}", highlight=False, markup=False)
        if to is not None:
            out.print(f"[green]written[/] {tally.entries} entries to {printable(str(to))}", highlight=False)


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """A file beside `path` that takes its place when all was written, and only then."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield cast(BinaryIO, stream)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
