"""What every command shares: consoles, options, errors that end a command, how things are shown."""

import getpass
import os
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from underwing.model import Decision, MendableError

out = Console()
err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]
BanksFile = Annotated[
    Path, typer.Option("--banks", envvar="UNDERWING_BANKS", help="The banks: one SQLite file.")
]
Database = Annotated[
    Path, typer.Option("--database", envvar="UNDERWING_DATABASE", help="The service's SQLite file.")
]
Packs = Annotated[
    Path | None, typer.Option("--packs", help="A directory of packs laid over the shipped ones.")
]
DEFAULT_BANKS = Path("banks.db")
DEFAULT_DATABASE = Path("underwing.db")

LEVEL_STYLE = {"none": "dim", "watch": "yellow", "review": "bold dark_orange", "urgent": "bold white on red"}


def stop(message: str) -> NoReturn:
    """End the command with one clear line on standard error and exit code 2."""
    err.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    raise typer.Exit(2)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the errors that a user can mend into one line instead of a traceback."""
    try:
        yield
    except MendableError as error:
        stop(printable(str(error)))
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(0) from None
    except OSError as error:
        stop(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))


def now() -> int:
    """Epoch seconds."""
    return int(time.time())


def when(at: int | None) -> str:
    """`2026-11-02 17:05` in UTC; "" for never."""
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def operator() -> str:
    """Who is at the keyboard, for the record of what was changed."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return "cli"


def printable(text: str) -> str:
    """Text of others (file names, ids of lists) so that it does nothing to a terminal: what is no character is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("ascii", "backslashreplace").decode() if ord(c) > 255
                   else f"\\x{ord(c):02x}" for c in text)  # fmt: skip


def plain(text: str, style: str = "") -> Text:
    """Text of others for a terminal: control and direction characters are shown, not obeyed."""
    shown = (
        c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf") else f"\\u{ord(c):04x}" for c in text
    )
    return Text("".join(shown), style=style)


def shown_path(path: Path | str | bytes) -> str:
    """A path as text for JSON and for people; bytes that are no UTF-8 are written as `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(
            "" if speed is None else f"{speed:,.{0 if speed >= 10 else 1}f}/s", style="progress.data.speed"
        )


def progress_bar(quiet: bool = False) -> Progress:
    """A bar with rate and remaining time, for what takes longer: on a terminal only, and not among what is printed there.

    While it is shown, lines for people are printed by its `console`.
    """
    console = out if out.is_terminal and not quiet else err
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=not console.is_terminal or (quiet and out.is_terminal),
    )


def table_of(columns: tuple[str, ...], rows: list[tuple[object, ...]], title: str = "") -> Table:
    """A table of plain text, in which nothing is read as markup; numbers stand to the right."""
    table = Table(title=title or None, header_style="bold")
    for number, column in enumerate(columns):
        right = bool(rows) and all(isinstance(row[number], int) for row in rows)
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escaped(printable("" if cell is None else str(cell))) for cell in row))
    return table


def print_json(value: object) -> None:
    """One JSON value on one line of standard output."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def decision_lines(decision: Decision, text: str | None = None) -> Iterator[str]:
    """A decision for people, as lines of console markup: the level, who, why and what follows."""
    style = LEVEL_STYLE[decision.level]
    test = " [reverse] TEST [/]" if decision.test else ""
    who = f"{decision.actor} → {decision.target}" if decision.actor else ""
    yield f"[{style}] {decision.level.upper()} [/]{test} {who}  [dim]score {decision.score:.2f}  {decision.event}[/]"
    if text is not None:
        yield f"    [italic]{_marked(decision, text)}[/]"
    for reason in decision.reasons:
        now = "" if reason.event == decision.event else f" [dim]{reason.at}[/]"
        yield f"    {reason.weight:+5.2f}  [bold]{reason.stage}[/]  {reason.signal}{now}"
    if decision.actions:
        yield f"    [green]→ {', '.join(decision.actions)}[/]"
    if decision.help:
        yield f"    [cyan]help route opened for {', '.join(decision.help)}[/]"


def _marked(decision: Decision, text: str) -> str:
    """The text with the spans of this event's reasons underlined."""
    spans = sorted({r.span for r in decision.reasons if r.event == decision.event and r.span})
    made, at = "", 0
    for start, end in spans:
        if start >= at:
            made += escaped(text[at:start]) + f"[underline]{escaped(text[start:end])}[/underline]"
            at = end
    return made + escaped(text[at:])


def escaped(text: str) -> str:
    """Text in which the console sees no markup."""
    return escape(text)
