"""Decisions and events by hand, for the tests of the casebook."""

from datetime import UTC, datetime, timedelta
from typing import Any

from underwing.casebook.cases import Casebook, Marks, Taken
from underwing.model import Decision, Media, MediaMatch, Message, Reason, UserReport, Versions, encode

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW = int(START.timestamp())
VERSIONS = Versions(engine="1", packs="p", policy="q")
CUES = {
    "early": ("en.isolate.secrecy", "isolate"),
    "image": ("en.image_request.self", "image_request"),
    "threat": ("en.threat.expose", "threat"),
    "deadline": ("en.pressure.deadline", "pressure"),
    "camera": ("en.go_live.camera", "go_live"),
    "obey": ("en.go_live.obey", "go_live"),
    "payment": ("en.payment.demand", "payment"),
    "plead": ("en.distress.plead", "distress"),
    "harm": ("en.distress.harm", "distress"),
    "refuse": ("en.refuse.no", "refuse"),
    "protect": ("en.protective.kin", "protective"),
    "reported": ("actor.reported", "befriend"),
    "known": ("media.sha256", "known_media"),
    "guess": ("media.score", "guessed_media"),
}


def reason(cue: str, event: str, weight: float = 1.0) -> Reason:
    signal, stage = CUES[cue]
    return Reason(
        signal=signal, stage=stage, span=None, weight=0.0 if stage == "known_media" else weight,
        at="2026-01-01T12:00:00Z", event=event, source="a test",
    )  # fmt: skip


def decision(
    event: str, actor: str | None = "a", target: str | None = "k", cues: str = "early", **more: Any
) -> Decision:
    """A decision that asks for a case; `cues` are names of `CUES`."""
    values: dict[str, Any] = {
        "event": event, "level": "review", "actor": actor, "target": target, "stage": "isolate",
        "actions": ("open_case",), "reasons": tuple(reason(cue, event) for cue in cues.split()), "versions": VERSIONS,
    }  # fmt: skip
    return Decision(**{**values, **more})


def said(event: str, sender: str = "a", to: str = "k", text: str = "hello", **more: Any) -> Message:
    values: dict[str, Any] = {
        "id": event, "at": START, "surface": "dm", "conversation": f"{sender}-{to}", "sender": sender, "to": [to],
        "text": text,
    }  # fmt: skip
    return Message(**{**values, **more})


def sent(
    event: str, sha256: str, sender: str = "a", to: str = "k", matches: list[MediaMatch] | None = None
) -> Media:
    return Media(
        id=event, at=START, surface="dm", conversation=f"{sender}-{to}", sender=sender, to=[to], sha256=sha256,
        matches=matches or [],
    )  # fmt: skip


def report(event: str, sender: str = "k", to: str = "a", reason: str = "scary") -> UserReport:
    return UserReport(id=event, at=START, sender=sender, to=to, reason=reason)


def taken(
    event: str,
    actor: str = "a",
    target: str = "k",
    cues: str = "early",
    marks: Marks | None = None,
    **more: Any,
) -> Taken:
    made = decision(event, actor, target, cues, **more)
    return Taken(event=said(event, actor, target), decision=encode(made), marks=marks or Marks())


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now

    def on(self, **delta: float) -> None:
        self.now += timedelta(**delta).total_seconds()


def put(book: Casebook, event: str, *args: Any, **more: Any) -> int:
    """Take one decision in; the number of its case."""
    made = book.take_in_all([taken(event, *args, **more)])[0]
    assert made is not None
    return made.case
