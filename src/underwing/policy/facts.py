"""What a policy is told about one event, and the plain variables its expressions see."""

from collections.abc import Callable
from typing import Any, Literal, get_args

from msgspec import Struct

from underwing.model import GUESSED_STAGES, KNOWN_STAGES, LABELS, STAGES, UNSEEN_STAGES, Level, Surface

AGE_OF_MAJORITY = 18
"""Used only when the platform says nothing about `minor` but an age is known."""

UNKNOWN_AGE = -1
UNKNOWN_GAP = -999
NO_SCORE = -1

SURFACES: tuple[str, ...] = get_args(Surface)
MEDIA = ("", "match", "unchecked", "clear", "unknown")
STREAM = ("", "seen", "known", "unseen")
Kind = Literal["int", "string", "bool"]


class Facts(Struct, frozen=True, gc=False, kw_only=True):
    """All a policy may know of one event and its pair. Ages are in years, `None` means unknown.

    `region` is the target's country, else the actor's, else "". `raised` says that the pair's level rose
    with this event; `breadth` counts the young accounts approached in 30 days; `help` says that the sender
    itself is afraid or was hurt. `score` (nats) is carried for reports and is not visible to rules: rules
    speak of `level`, whose thresholds are tested. `at` is the event's time in epoch seconds and decides
    whether a rule with `expires` still counts; without it such a rule counts.
    """

    level: int
    level_name: str
    raised: bool
    stage: str
    surface: str
    region: str
    actor_age: int | None
    target_age: int | None
    actor_minor: bool | None
    target_minor: bool | None
    gap: int | None
    breadth: int
    help: bool
    test: bool
    score: float
    at: float | None = None
    media: str = ""
    """What became of the check of a picture or video (`model.Media.state`); "" for other events."""
    label: str = ""
    """The most serious label of what it matched; "" for none."""
    media_score: int | None = None
    """A classifier's guess about a picture or video, 0 to 100; None for none."""

    stream: str = ""
    """Of a live stream: `known`, a frame matched; `unseen`, nobody can look at it; `seen`, what was seen adds to words."""


class Variable(Struct, frozen=True, gc=False, kw_only=True):
    """One name an expression may use. `values` lists all it can be, when that is a closed set.

    `reads` are the fields of `Facts` it is made from, `samples` the values every rule is tried with.
    """

    kind: Kind
    value: Callable[[Facts], Any]
    samples: tuple[Any, ...] = ()
    values: tuple[str, ...] = ()
    reads: tuple[str, ...]


def _minor(known: bool | None, age: int | None) -> str:
    if known is None:
        if age is None:
            return "unknown"
        known = age < AGE_OF_MAJORITY
    return "yes" if known else "no"


_YES_NO = ("yes", "no", "unknown")
_AGES = (UNKNOWN_AGE, 0, 13, 17, 18, 40)


def _whole(name: str, samples: tuple[int, ...], unknown: int = 0) -> Variable:
    def value(facts: Facts) -> int:
        found = getattr(facts, name)
        return unknown if found is None else int(found)

    return Variable(kind="int", value=value, samples=samples, reads=(name,))


def _flag(name: str) -> Variable:
    return Variable(
        kind="bool", value=lambda facts: bool(getattr(facts, name)), samples=(False, True), reads=(name,)
    )


def _word(name: str, values: tuple[str, ...] = (), samples: tuple[str, ...] = ()) -> Variable:
    return Variable(
        kind="string", value=lambda facts: getattr(facts, name), values=values, samples=samples, reads=(name,)
    )


VARIABLES: dict[str, Variable] = {
    "level": _whole("level", tuple(int(level) for level in Level)),
    "level_name": _word("level_name", tuple(level.name for level in Level)),
    "raised": _flag("raised"),
    "stage": _word("stage", ("", *STAGES, *KNOWN_STAGES, *GUESSED_STAGES, *UNSEEN_STAGES)),
    "media": _word("media", MEDIA),
    "label": _word("label", ("", *LABELS)),
    "media_score": _whole("media_score", (NO_SCORE, 0, 50, 100), NO_SCORE),
    "stream": _word("stream", STREAM),
    "surface": _word("surface", ("", *SURFACES)),
    "region": _word("region", samples=("", "DE", "PH")),
    "actor_age": _whole("actor_age", _AGES, UNKNOWN_AGE),
    "target_age": _whole("target_age", _AGES, UNKNOWN_AGE),
    "actor_minor": Variable(
        kind="string",
        value=lambda facts: _minor(facts.actor_minor, facts.actor_age),
        values=_YES_NO,
        reads=("actor_minor", "actor_age"),
    ),
    "target_minor": Variable(
        kind="string",
        value=lambda facts: _minor(facts.target_minor, facts.target_age),
        values=_YES_NO,
        reads=("target_minor", "target_age"),
    ),
    "gap": _whole("gap", (UNKNOWN_GAP, -5, 0, 5, 30), UNKNOWN_GAP),
    "breadth": _whole("breadth", (0, 1, 40)),
    "help": _flag("help"),
    "test": _flag("test"),
}
"""Every variable of the policy language, by name; described for operators in `docs/policy.md`."""
