"""The command that says why: what was decided, read back."""

from typing import Annotated

import msgspec
import typer

from underwing.cli.common import DEFAULT_DATABASE, Database, Json, decision_lines, out, plain_errors, stop
from underwing.engine import Decisions
from underwing.model import Decision


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
