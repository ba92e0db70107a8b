"""Commands that run the service: serve and demo."""

import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import httpx2
import msgspec
import typer

from underwing.cli.common import decision_lines, out, plain_errors, print_json, stop
from underwing.evaluation import Conversation, read, to_events
from underwing.model import Decision, Event, Message, encode
from underwing.server import Service, Settings, SettingsError
from underwing.server import serve as serve_settings
from underwing.server.logs import set_up


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(help="The TCP port (default 8610; 0 lets the system choose).")
    ] = None,
    database: Annotated[str | None, typer.Option(help="The SQLite file (default underwing.db).")] = None,
    packs: Annotated[
        str | None, typer.Option(help="A directory of signal packs laid over the shipped ones.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="A policy file; followed while the service runs.")
    ] = None,
    shadow: Annotated[
        str | None, typer.Option(help="A policy that only tells what it would have done.")
    ] = None,
    durability: Annotated[str | None, typer.Option(help="full (default) or normal.")] = None,
    classifier: Annotated[
        str | None,
        typer.Option(help="Score pictures and videos, as a hint for the policy: open-nsfw (default: none)."),
    ] = None,
) -> None:
    """Run the service. Every other setting is an environment variable (docs/settings.md)."""
    try:
        settings = Settings.read(
            host=host,
            port=port,
            database=database,
            packs=packs,
            policy=policy,
            shadow=shadow,
            durability=durability,
            classifier=classifier,
        )
    except SettingsError as error:
        stop(str(error))
    raise typer.Exit(serve_settings(settings))


def demo(
    port: Annotated[int, typer.Option(help="The TCP port of the page; 0 lets the system choose.")] = 8610,
    pace: Annotated[float, typer.Option(help="Messages a second.")] = 12.0,
    once: Annotated[
        bool, typer.Option("--once", help="End after the replay instead of waiting for Ctrl-C.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print decisions as JSON lines.")] = False,
) -> None:
    """Start the service on loopback, replay shipped conversations, show decisions as they fall."""
    with tempfile.TemporaryDirectory(prefix="underwing-demo-") as folder, plain_errors():
        set_up("error")
        service = Service(Settings(port=port, database=str(Path(folder) / "demo.db")))
        problem: list[BaseException] = []
        thread = threading.Thread(target=_run, args=(service, problem), daemon=True)
        thread.start()
        try:
            service.started.wait(30)
            if problem:
                raise problem[0]
            address = f"http://127.0.0.1:{service.port}"
            if not json:
                out.print(
                    f"\n[bold]Underwing is listening.[/] Watch along at {_invited(service, address)}",
                    soft_wrap=True,
                )
                out.print("[dim]All people and conversations are made up. Ctrl-C stops.[/]\n")
            _replay(service, address, pace, json)
            if not once:
                if not json:
                    out.print(
                        f"\nThe page stays open: {_invited(service, address)}   [dim]Ctrl-C stops.[/]",
                        soft_wrap=True,
                    )
                while thread.is_alive():
                    thread.join(0.5)
        except KeyboardInterrupt:
            pass
        finally:
            service.stop()
            thread.join(10)
    if not json:
        out.print("\nstopped cleanly")


def _run(service: Service, problem: list[BaseException]) -> None:
    try:
        service.run()
    except BaseException as error:
        problem.append(error)


def _invited(service: Service, address: str) -> str:
    """The address of the console with a sign-in that works once."""
    return address + service.app.welcome()


def demo_conversations() -> Iterator[Conversation]:
    """The conversations that ship for the demo."""
    with as_file(files("underwing.cli") / "demo.jsonl") as path:
        yield from read(path)


def _replay(service: Service, address: str, pace: float, json: bool) -> None:
    """Send the conversations as a platform would, interleaved by turns, and print what comes back."""
    key = service.keys.create("platform", "demo")
    queues = [list(to_events(c)) for c in demo_conversations()]
    names = {e.id: e.text for events in queues for e in events if isinstance(e, Message)}
    counted = dict.fromkeys(("none", "watch", "review", "urgent"), 0)
    with httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=10) as client:
        for _ in range(100):
            if client.get("/readyz").status_code == 200:
                break
            time.sleep(0.1)
        for event in _interleaved(queues):
            answer = client.post(
                "/v1/events", content=encode(event), headers={"Content-Type": "application/json"}
            )
            answer.raise_for_status()
            decision = msgspec.json.decode(answer.content, type=Decision)
            counted[decision.level] += 1
            if json:
                print_json(decision)
            elif decision.level != "none" or decision.help:
                for line in decision_lines(decision, names.get(event.id)):
                    out.print(line, highlight=False)
            if isinstance(event, Message) and pace > 0:
                time.sleep(1 / pace)
    if not json:
        shown = ", ".join(f"{number} {level}" for level, number in counted.items())
        out.print(f"\n[bold]{sum(counted.values())} events:[/] {shown}", highlight=False)


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
