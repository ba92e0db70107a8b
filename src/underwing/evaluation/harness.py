"""Runs conversations past a judge and notes when each was warned.

The judge is handed in (the engine in memory, or anything of its shape), so that this file measures the
engine and anything compared with it by the same rule.
"""

from collections.abc import Callable, Iterable
from time import process_time

from msgspec import structs

from underwing.evaluation.conversation import Conversation
from underwing.evaluation.events import account_id, message_id, to_events
from underwing.evaluation.result import Evaluation, Outcome
from underwing.model import Decision, Event, Level

Judge = Callable[[Iterable[Event]], Iterable[Decision]]
"""Takes the events of one conversation in order, gives a decision for each message event (others are passed
over). The decision for an event may rest on that event and earlier ones only. Called once a conversation."""

Progress = Callable[[Outcome], None]
"""Called after each conversation with what became of it."""

_DEMANDS = frozenset({"image_request", "threat"})


class JudgeError(RuntimeError):
    """A judge that broke its contract; says how."""


def evaluate(
    conversations: Iterable[Conversation],
    judge: Judge,
    progress: Progress | None = None,
    *,
    prefix: bool = True,
) -> Evaluation:
    """Judge every conversation and measure.

    Conversations are taken one at a time and let go; only outcomes are kept. Where an id comes again (in
    a second file, say), the later one is called `id~2`, so that no two share events. `prefix` as in
    `to_events`. CPU time is process time spent in the judge alone, not in reading or measuring.

    Raises:
        JudgeError: a message was left without a decision, or a level is not known.
    """
    seen: dict[str, int] = {}
    outcomes: list[Outcome] = []
    versions: dict[str, str] = {}
    cpu = 0.0
    for conversation in conversations:
        conversation = _unique(conversation, seen)
        events = list(to_events(conversation, prefix=prefix))
        start = process_time()
        decisions = list(judge(events))
        cpu += process_time() - start
        if decisions and not versions:
            versions = structs.asdict(decisions[0].versions)
        outcomes.append(outcome(conversation, decisions, prefix=prefix))
        if progress is not None:
            progress(outcomes[-1])
    return Evaluation(outcomes=tuple(outcomes), cpu_seconds=cpu, versions=versions)


def outcome(conversation: Conversation, decisions: Iterable[Decision], *, prefix: bool = True) -> Outcome:
    """What became of one conversation, given the decisions on its events.

    A risk conversation counts as warned at message i when the decision for message i is the first of level
    `review` or `urgent` whose `actor` is the labelled actor or another account whose messages carry a
    stage. Where nobody is labelled, and in safe conversations, any account counts.

    Raises:
        JudgeError: a message was left without a decision, or a level is not known.
    """
    given = {decision.event: decision for decision in decisions}
    blamed = {account_id(conversation.id, name, prefix=prefix) for name in conversation.blamed}
    anyone = conversation.label != "risk" or not blamed
    first: dict[Level, int] = {}
    warned: int | None = None
    for index in range(len(conversation.messages)):
        decision = given.get(message_id(conversation.id, index))
        if decision is None:
            raise JudgeError(f"conversation {conversation.id}: no decision for message {index}")
        level = _level(decision, conversation.id)
        for reached in range(1, level + 1):
            first.setdefault(Level(reached), index)
        if warned is None and level >= Level.review and (anyone or decision.actor in blamed):
            warned = index
    return Outcome(
        id=conversation.id,
        lang=conversation.lang,
        channel=conversation.channel,
        kind=conversation.kind,
        label=conversation.label,
        messages=len(conversation.messages),
        onset=conversation.onset,
        harm=conversation.harm,
        demand=next((i for i, one in enumerate(conversation.messages) if one.stage in _DEMANDS), None),
        first_watch=first.get(Level.watch),
        first_review=first.get(Level.review),
        first_urgent=first.get(Level.urgent),
        warned=warned,
        latency=None if warned is None else _seen(conversation, warned),
    )


def _level(decision: Decision, conversation: str) -> Level:
    try:
        return Level[decision.level]
    except KeyError:
        raise JudgeError(f"conversation {conversation}: a decision has a level that is not known") from None


def _seen(conversation: Conversation, index: int) -> int:
    return max(1, sum(bool(one.text.strip()) for one in conversation.messages[: index + 1]))


def _unique(conversation: Conversation, seen: dict[str, int]) -> Conversation:
    count = seen[conversation.id] = seen.get(conversation.id, 0) + 1
    if count == 1:
        return conversation
    return _unique(structs.replace(conversation, id=f"{conversation.id}~{count}"), seen)
