"""The command that shows it all: a service on loopback, shipped conversations, and a console with living cases."""

import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer
from msgspec import UNSET, structs

from underwing.cli.common import decision_lines, out, plain_errors, print_json
from underwing.cli.demo_cases import furnish, others, team
from underwing.cli.demo_platform import Platform
from underwing.cli.demo_stage import Stage, one_ctrl_c, staged
from underwing.evaluation import Conversation, read, to_events
from underwing.model import Account, Decision, Event, Message
from underwing.server.logs import set_up


def demo(
    port: Annotated[int, typer.Option(help="The TCP port of the console; 0 lets the system choose.")] = 8610,
    pace: Annotated[float, typer.Option(help="Messages a second; 0 is as fast as it goes.")] = 12.0,
    once: Annotated[
        bool, typer.Option("--once", help="End after the replay instead of waiting for Ctrl-C.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print decisions as JSON lines.")] = False,
) -> None:
    """Start the service on loopback, replay shipped conversations, open the console on the cases that come of them."""
    with one_ctrl_c():
        with tempfile.TemporaryDirectory(prefix="underwing-demo-") as folder, plain_errors():
            set_up("error")
            with suppress(KeyboardInterrupt), staged(Path(folder), port) as stage:
                _shown(stage, pace, once=once, json=json)
        if not json:
            out.print("\nstopped cleanly")


def _shown(stage: Stage, pace: float, *, once: bool, json: bool) -> None:
    if not json:
        _tell("[dim]Starting …[/]")
    with stage.platform() as platform:
        desk = stage.service.app.desk
        robin, merle = team(desk)
        if not json:
            _tell(f"\n[bold]Underwing is listening.[/] Watch along at {stage.invited(merle.who)}")
            _tell("[dim]All people and conversations are made up. Ctrl-C stops.[/]\n")
        counted = dict.fromkeys(("none", "watch", "review", "urgent"), 0)
        for event, decision in replay(platform, pace):
            counted[decision.level] += 1
            if json:
                print_json(decision)
            elif decision.level != "none" or decision.help:
                for line in decision_lines(decision, event.text if isinstance(event, Message) else None):
                    out.print(line, highlight=False)
        if not json:
            told = ", ".join(f"{number} {level}" for level, number in counted.items())
            _tell(f"\n[bold]{sum(counted.values())} events:[/] {told}")
        if once:
            return
        furnish(platform, desk, robin, merle)
        members = [merle.who, robin.who, *others(desk)]
    if not json:
        _tell("\n[bold]The console, with the cases of all this.[/] Each link signs somebody in, once:")
        for member in members:
            _tell(f"  {f'{member.shown}, {member.role}':22} {stage.invited(member)}")
        _tell("[dim]To be two people at once, open the second link in a private window. Ctrl-C stops.[/]")
    stage.wait()


def _tell(text: str) -> None:
    out.print(text, soft_wrap=True, highlight=False)


# -- the conversations ----------------------------------------------------------------------------------


def demo_conversations() -> Iterator[Conversation]:
    """The conversations that ship for the demo."""
    with as_file(files("underwing.cli") / "demo.jsonl") as path:
        yield from read(path)


def replay(
    platform: Platform, pace: float = 0.0, conversations: Iterable[Conversation] | None = None
) -> Iterator[tuple[Event, Decision]]:
    """Send conversations (those of the demo) as a platform would, interleaved by turns, and give what comes back."""
    now = datetime.now(UTC)
    queues = [
        list(_here(to_events(one), one.lang, now - timedelta(minutes=4 + 9 * number)))
        for number, one in enumerate(conversations or demo_conversations())
    ]
    for event in _interleaved(queues):
        yield event, platform.send(event)
        if isinstance(event, Message) and pace > 0:
            time.sleep(1 / pace)


def _here(events: Iterator[Event], lang: str, end: datetime) -> Iterator[Event]:
    """The events of a conversation, moved in time so that the last one was at `end`, in the country of its language tag."""
    given = list(events)
    last = max(event.at for event in given if not isinstance(event, Account))
    for event in given:
        if isinstance(event, Account):
            yield structs.replace(event, country=lang.partition("-")[2] or UNSET)
        else:
            yield structs.replace(event, at=event.at + (end - last))


def _interleaved(queues: list[list[Event]]) -> Iterator[Event]:
    """A few conversations at a time, each advancing in turn, as on a real platform."""
    waiting = list(queues)
    running: list[list[Event]] = []
    while waiting or running:
        while waiting and len(running) < 3:
            running.append(waiting.pop(0))
        for queue in list(running):
            yield queue.pop(0)
            if not queue:
                running.remove(queue)
