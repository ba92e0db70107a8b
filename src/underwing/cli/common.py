"""What every command shares: consoles, errors that end a command, and how an engine is put together."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import typer
from rich.console import Console

from underwing.engine import Engine, StoreError
from underwing.evaluation import CorpusError
from underwing.model import BadEvent, Decision
from underwing.packs import PackError, load_packs
from underwing.policy import PolicyError, load_policy
from underwing.text import load_meaning

out = Console()
err = Console(stderr=True)

LEVEL_STYLE = {"none": "dim", "watch": "yellow", "review": "bold dark_orange", "urgent": "bold white on red"}


def stop(message: str) -> NoReturn:
    """End the command with one clear line on standard error and exit code 2."""
    err.print(f"[bold red]error:[/] {message}", highlight=False, soft_wrap=True)
    raise typer.Exit(2)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the errors that a user can mend into one line instead of a traceback."""
    try:
        yield
    except (PackError, PolicyError, StoreError, CorpusError, BadEvent) as error:
        stop(str(error))
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(0) from None
    except OSError as error:
        stop(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))


def build_engine(
    packs: Path | None = None, policy: Path | None = None, meaning: bool = True, **more: Any
) -> Engine:
    """An engine with the shipped packs (and an operator's over them) and a policy (default: shipped)."""
    return Engine(load_packs(packs), load_policy(policy), meaning=load_meaning() if meaning else None, **more)


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
            made += _escape(text[at:start]) + f"[underline]{_escape(text[start:end])}[/underline]"
            at = end
    return made + _escape(text[at:])


def _escape(text: str) -> str:
    return text.replace("[", r"\[")
