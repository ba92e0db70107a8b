"""Small conversations and a judge with known answers, shared by the tests of the evaluation room."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from underwing.evaluation import Conversation, Line, Participant
from underwing.model import Decision, Event, Message, Versions

START = datetime(2025, 3, 1, 16, 0, tzinfo=UTC)
VERSIONS = Versions(engine="e1", packs="p1", policy="q1")


def talk(name="c1", said="abab", **fields) -> Conversation:
    """A conversation with one message a letter of `said`, a minute apart; `stages` maps index → stage."""
    stages = fields.pop("stages", {})
    texts = fields.pop("texts", None) or [f"message number {i}" for i in range(len(said))]
    lines = tuple(
        Line(t=START + timedelta(minutes=i), sender=who, text=texts[i], stage=stages.get(i))
        for i, who in enumerate(said)
    )
    accounts = tuple(Participant(id=who) for who in dict.fromkeys(said))
    return Conversation(id=name, lang=fields.pop("lang", "en"), accounts=accounts, messages=lines, **fields)


def risk(name="r1", said="abababab", **fields) -> Conversation:
    return talk(name, said, **{"label": "risk", "kind": "grooming", "actor": "a", "onset": 2, **fields})


def safe(name="s1", said="abababab", **fields) -> Conversation:
    return talk(name, said, **{"label": "safe", "kind": "peer", **fields})


class Judge:
    """Answers as told: `{message id: (level, actor)}`, and `none` for everything else."""

    def __init__(self, answers=None):
        self.answers = answers or {}
        self.calls: list[list[Event]] = []

    def __call__(self, events: Iterable[Event]) -> Iterator[Decision]:
        self.calls.append([])
        for event in events:
            self.calls[-1].append(event)
            level, actor = (
                self.answers.get(event.id, ("none", None)) if isinstance(event, Message) else ("none", None)
            )
            yield Decision(
                event=event.id,
                level=level,
                actor=actor,
                target=None,
                stage=None,
                actions=(),
                reasons=(),
                versions=VERSIONS,
            )
