"""Decisions told in plain English: dated contributions, one sentence each. Signs, never verdicts."""

from calendar import month_name

import msgspec

from underwing.engine import Runner
from underwing.model import Decision, Reason
from underwing.server.answers import Dated, Explained, Explanation

LIMIT = 200
"""At most this many decisions in one explanation, the newest."""

STAGES = {
    "befriend": "works to win trust",
    "age_probe": "probes how old the other is",
    "deceive": "says something about itself that may not be true",
    "risk_check": "checks who might notice",
    "isolate": "asks for secrecy or pulls away from people who help",
    "private_channel": "wants to move to a more private place",
    "incentive": "offers money, gifts or a chance",
    "desensitise": "pushes a boundary in small steps",
    "image_request": "asks for a picture or a video",
    "go_live": "directs what happens on camera",
    "threat": "threatens",
    "payment": "demands payment",
    "recruit": "wants others brought along",
    "meet": "works towards a meeting",
    "pressure": "presses or insists",
    "known_media": "sends or shows what a list names",
    "known_link": "sends a link that a list names",
    "unseen_stream": "streams what cannot be looked at",
    "guessed_media": "sends what a classifier takes for sexual, which is a guess and no sign against anybody",
    "refuse": "is refused by the other side",
    "distress": "is met with fear or distress",
    "disclose": "is told on to somebody who can help",
    "report_quote": "is about something another person said",
    "advice": "is advice",
    "protective": "shows that people who should know do know",
    "young": "speaks for its sender's being of school age",
}
"""What an account does, by stage; the sentence continues with whom it does it to."""

LEVELS = {
    "none": "nothing that needs attention",
    "watch": "something to keep in view; it costs nobody anything",
    "review": "enough signs that a person should look",
    "urgent": "signs of harm happening now; a person should act at once",
}
"""What a level means for whoever reads it."""

_decode = msgspec.json.Decoder(Decision).decode


def when(at: str) -> str:
    """`2026-11-02T17:05:00Z` as `2 November 2026, 17:05 UTC`."""
    try:
        return f"{int(at[8:10])} {month_name[int(at[5:7])]} {int(at[:4])}, {at[11:16]} UTC"
    except (ValueError, IndexError):
        return at


def reason_sentence(reason: Reason, actor: str | None, target: str | None) -> str:
    """One contribution as a sentence."""
    if reason.signal.startswith("test."):
        return f"{when(reason.at)}: the documented test phrase was sent; nothing happened."
    does = STAGES.get(reason.stage, f"shows a sign ({reason.stage})")
    if reason.stage in ("protective", "advice", "report_quote", "young"):
        told = f"the message {does}"
    else:
        told = f"towards {target}, {actor} {does}" if actor and target else f"{actor or 'an account'} {does}"
    return f"{when(reason.at)}: {told}." + (" This lowers the risk." if reason.weight < 0 else "")


def decision_sentence(decision: Decision) -> str:
    """A decision as a sentence."""
    if decision.actor is None:
        who = "no one is named"
        if decision.help:
            who = f"the help route is opened for {', '.join(decision.help)}"
    else:
        who = decision.actor + (f" towards {decision.target}" if decision.target else "")
    test = "This is a test phrase. " if decision.test else ""
    return f"{test}{decision.level.capitalize()}: {who} - {LEVELS.get(decision.level, decision.level)}."


def explain(runner: Runner, actor: str | None, target: str | None) -> Explanation | None:
    """Everything kept about an actor, a target or the pair of both; None when there is nothing.

    Talks to the runner: call it from the thread that owns it.
    """
    bodies = runner.explain(actor=actor, target=target, limit=LIMIT)
    if not bodies:
        return None
    decisions = [_decode(body) for body in bodies]
    seen: set[tuple[object, ...]] = set()
    dated: list[Dated] = []
    for decision in decisions:
        for reason in decision.reasons:
            key = (decision.actor, decision.target, reason.event, reason.signal, reason.span, reason.at)
            if key in seen:
                continue
            seen.add(key)
            dated.append(
                Dated(
                    at=reason.at,
                    event=reason.event,
                    actor=decision.actor,
                    target=decision.target,
                    signal=reason.signal,
                    stage=reason.stage,
                    weight=reason.weight,
                    span=reason.span,
                    source=reason.source,
                    sentence=reason_sentence(reason, decision.actor, decision.target),
                )
            )
    dated.sort(key=lambda d: d.at)
    newest = decisions[-1]
    count = "1 decision" if len(decisions) == 1 else f"{len(decisions)} decisions"
    return Explanation(
        actor=actor,
        target=target,
        level=newest.level,
        summary=f"{count} with reasons; the newest: {decision_sentence(newest)} "
        "Signs are not proof: a person decides.",
        contributions=tuple(dated),
        decisions=tuple(Explained(sentence=decision_sentence(d), decision=d) for d in decisions),
    )
