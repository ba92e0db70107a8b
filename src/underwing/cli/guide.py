"""The command for whoever found something: what now, step by step."""

from typing import Annotated

import typer

from underwing.casebook.guide import IN, load_guide
from underwing.cli.common import Json, out, plain, print_json, stop


def guide(
    step: Annotated[str | None, typer.Argument(help="Only this step, by its name.")] = None,
    language: Annotated[str, typer.Option("--lang", help=f"One of {', '.join(IN)}.")] = "en",
    json: Json = False,
) -> None:
    """I found something, what now? Step by step, and what must not be done."""
    if language not in IN:
        stop(f"no guide in {language!r}; there are {', '.join(IN)}")
    shipped = load_guide(language)
    steps = [s for s in shipped.step if step is None or s.id == step]
    if not steps:
        stop(f"no step {step!r}; known are {', '.join(s.id for s in shipped.step)}")
    if json:
        print_json(shipped if step is None else steps[0])
        return
    if step is None:
        out.print(plain(shipped.about + "\n", style="bold"))
    numbers = {s.id: n for n, s in enumerate(shipped.step, 1)}
    for one in steps:
        out.print(plain(f"{numbers[one.id]}. {one.title}", style="bold"))
        for line in one.do:
            out.print(plain(f"   {line}"))
        for line in one.never:
            out.print(plain(f"   ✗ {line}", style="red"))
        out.print(plain(f"   [{'; '.join(shipped.source[key] for key in one.sources)}]\n", style="dim"))
    out.print(plain(f"Not legal advice. Facts looked at last on {shipped.checked}.", style="dim"))
