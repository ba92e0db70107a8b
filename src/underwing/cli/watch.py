"""The command that watches one live stream, with its chat beside it."""

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from underwing.banks.checker import FollowingIndex
from underwing.banks.matching import Matcher
from underwing.cli.bank_file import open_banks
from underwing.cli.common import (
    DEFAULT_BANKS,
    BanksFile,
    Json,
    Packs,
    decision_lines,
    err,
    out,
    plain_errors,
    stop,
)
from underwing.cli.engine import PolicyPath, build_engine
from underwing.connectors import Control, ControlError, carry_out, control_at
from underwing.engine import MemoryState
from underwing.live.attention import Attention
from underwing.live.guard import RAISED_FOR, Guard, Watched, worth_a_closer_look
from underwing.live.plugins import Plan, load
from underwing.live.senses import Guess, Noticed, SenseMissingError, Words
from underwing.live.thinker import Thinker
from underwing.live.watch import Health, Sighting, Watch
from underwing.media.classifier import ClassifierMissingError
from underwing.model import BadEvent, Decision, Event, Message, decode_event, encode
from underwing.risk import is_minor
from underwing.risk.context import UNKNOWN

SIGNED_WITH = "UNDERWING_CONTROL_SECRET"
"""The variable with the secret that signs what a webhook is told."""
_Told = Sighting | Health | Noticed | Event | None


def watch(
    url: Annotated[
        str,
        typer.Argument(
            help="rtmp(s)://, http(s):// (HLS, MPEG-TS), srt://, livekit+ws(s)://, whep+http(s):// or a file."
        ),
    ],
    stream: Annotated[str, typer.Option("--stream", help="The stream's id.")] = "stream",
    streamer: Annotated[str, typer.Option("--streamer", help="The account whose it is.")] = "streamer",
    conversation: Annotated[
        str, typer.Option("--conversation", help="Where its viewers write (default: the stream's id).")
    ] = "",
    chat: Annotated[
        Path | None,
        typer.Option(
            "--chat", help="Its chat, gifts and accounts: events, one JSON a line; - is standard input."
        ),
    ] = None,
    banks: BanksFile = DEFAULT_BANKS,
    packs: Packs = None,
    policy: PolicyPath = None,
    control: Annotated[
        str,
        typer.Option(
            "--control",
            help="Act on it: nginx-rtmp+http://…/control?app=A&name=N, livekit+https://…/room?participant=P, "
            "mediamtx+http://…/path or webhook+https://…",
        ),
    ] = "",
    text: Annotated[
        str, typer.Option("--text", help="Read text on the screen of a child's stream: rapidocr.")
    ] = "",
    words: Annotated[str, typer.Option("--words", help="Make words of speech in it: whisper.")] = "",
    classifier: Annotated[str, typer.Option("--classifier", help="Guess about its frames: open-nsfw.")] = "",
    often: Annotated[bool, typer.Option("--often", help="Look twice a second all the time.")] = False,
    give_up: Annotated[
        float, typer.Option("--give-up", help="Seconds that a lost stream is tried again.")
    ] = 120.0,
    json: Json = False,
) -> None:
    """Watch a live stream: match its frames with the banks, judge its chat beside it, say what the policy would do.

    Looks at a keyframe in ten seconds while all is calm, twice a second for two minutes after something was said or seen.
    Nothing is recorded. Ctrl-C ends it. The exit code is 1 if anything reached `review`, 3 if the stream could not be seen
    at its end.
    """
    told: queue.SimpleQueue[_Told] = queue.SimpleQueue()
    with plain_errors(), ExitStack() as stack:
        engine, state = build_engine(packs, policy), MemoryState()
        matcher = None
        if banks.exists():
            matcher = Matcher(stack.enter_context(open_banks(banks)).lookups, FollowingIndex(None))
        else:
            err.print(f"[dim]no banks at {banks}: no frame can match[/]", highlight=False)
        hand = _hand(control)
        guard = Guard(Watched(id=stream, streamer=streamer, conversation=conversation or stream))
        plan = Plan(reader=text, recogniser=words, classifier=classifier)
        attention = _attention(plan, told, state, streamer, patient="://" not in url)
        eye = _eye(url, told, give_up, attention)
        if chat is not None and str(chat) != "-" and not chat.is_file():
            stop(f"{chat} is no file; --chat takes events, one JSON a line, or - for standard input")
        if often:
            eye.raise_for(1e9)
        if attention is not None:
            attention.raised = lambda: eye.raised
        threading.Thread(target=_run, args=(eye, told, attention), daemon=True).start()
        if chat is not None:
            threading.Thread(target=_read_chat, args=(chat, told), daemon=True).start()
        worst = _follow(
            eye,
            _events(told, guard, matcher),
            lambda event: engine.step(state, event),
            hand,
            often=often,
            json=json,
        )
        if not json:
            _sum_up(eye.health)
    raise typer.Exit(worst)


def _attention(
    plan: Plan, told: "queue.SimpleQueue[_Told]", state: MemoryState, streamer: str, *, patient: bool
) -> Attention | None:
    """The senses turned to the stream while its streamer is, or may be, a child; None where none are wanted."""
    try:
        senses = load(plan)
    except (ValueError, SenseMissingError, ClassifierMissingError) as error:
        stop(str(error))
    if not senses.any:
        return None
    return Attention(
        senses,
        Thinker(),
        told.put,
        guarded=lambda: is_minor(state.accounts.get(streamer) or UNKNOWN) is not False,
        patient=patient,
    )


def _eye(
    url: str, told: "queue.SimpleQueue[_Told]", give_up: float, attention: Attention | None = None
) -> Watch:
    try:
        if attention is None:
            return Watch(url, told.put, told.put, give_up=give_up)
        return Watch(
            url, told.put, told.put, give_up=give_up, taken=attention.taken, looked=attention.looked,
            sounded=attention.sounded if attention.listens else None,
        )  # fmt: skip
    except ValueError as error:
        stop(str(error))


def _hand(address: str) -> Control | None:
    try:
        return control_at(address, os.environ.get(SIGNED_WITH, "")) if address else None
    except ControlError as error:
        stop(str(error))


def _follow(
    eye: Watch,
    events: Iterator[tuple[list[Event], str | None]],
    step: Callable[[Event], Decision],
    hand: Control | None,
    *,
    often: bool,
    json: bool,
) -> int:
    """Decide on what comes until the watch has ended; the exit code."""
    code = 0
    try:
        for some, text in events:
            decisions = [step(event) for event in some]
            for decision in decisions:
                code = max(code, int(decision.level in ("review", "urgent")))
                _show(decision, text, json)
                if hand is not None:
                    _act(hand, decision)
            if not often and worth_a_closer_look(decisions):
                eye.raise_for(RAISED_FOR)
    except KeyboardInterrupt:
        eye.stop()
    return 3 if eye.health.why and not code else code


def _events(
    told: "queue.SimpleQueue[_Told]", guard: Guard, matcher: Matcher | None
) -> Iterator[tuple[list[Event], str | None]]:
    """(events, the text of a message) as they come, until the watch has ended."""
    yield [guard.started(time.time())], None
    while (one := told.get()) is not None:
        if isinstance(one, Sighting):
            found = matcher.match_hashes([], [(v.how, v.pdq) for v in one.views]).matches if matcher else ()
            yield guard.seen(one, found), None
        elif isinstance(one, Words | Guess):
            yield [guard.noticed(one)], one.text if isinstance(one, Words) else None
        elif isinstance(one, Health):
            yield guard.changed(one, time.time()), None
        else:
            yield [one], one.text if isinstance(one, Message) else None


def _run(eye: Watch, told: "queue.SimpleQueue[_Told]", attention: Attention | None) -> None:
    try:
        eye.run()
        if attention is not None:
            attention.finish(30)
    finally:
        told.put(None)


def _read_chat(path: Path, told: "queue.SimpleQueue[_Told]") -> None:
    """Hand on the chat's events; a line that is none is told and passed over."""
    source = sys.stdin.buffer if str(path) == "-" else path.open("rb")
    with source:
        for number, line in enumerate(source, 1):
            if line.strip():
                try:
                    told.put(decode_event(line))
                except BadEvent as error:
                    err.print(f"[yellow]{path}, line {number} passed over:[/] {error}", highlight=False)


def _show(decision: Decision, text: str | None, json: bool) -> None:
    if json:
        sys.stdout.write(encode(decision).decode() + "\n")
        sys.stdout.flush()
    elif decision.level != "none" or decision.help:
        for line in decision_lines(decision, text):
            out.print(line, highlight=False)


def _act(hand: Control, decision: Decision) -> None:
    for done in carry_out(hand, decision):
        said = f"[red]not done:[/] {done.problem}" if done.problem else "done"
        err.print(f"{done.action}: {said}", highlight=False)


def _sum_up(health: Health) -> None:
    out.print(
        f"[bold]watched {health.second:.0f} s:[/] {health.looks} looks, lost {health.lost} times"
        + (f"; {health.why}" if health.why else ""),
        highlight=False,
    )
