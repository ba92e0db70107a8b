"""The words of a case: what it holds, who is in it, why it belongs together, what was done.

Times are whole epoch seconds. No value here holds a message's text.
"""

from enum import IntEnum, IntFlag
from typing import Any, Literal

from msgspec import Struct

from underwing.casebook.errors import CasebookError
from underwing.model import Event


class Priority(IntEnum):
    """What comes first: a child in danger now. The number is the place in the queue."""

    imminent = 0
    """Live coercion, a threat with a deadline, words of self-harm."""
    extortion = 1
    """A threat that runs, or an urgent level for another reason."""
    image = 2
    """Grooming with an image asked for, a camera or a meeting."""
    early = 3
    """Early grooming; also what a person reported or opened by hand."""
    known = 4
    """Only media or links that a list knows."""


class Flag(IntFlag):
    """What the reasons of a pair hold, as far as triage asks."""

    threat = 1
    deadline = 2
    live = 4
    order = 8
    """Somebody is told what to do before a camera."""
    self_harm = 16
    distress = 32
    payment = 64
    image = 128
    """An image asked for, a boundary pushed in small steps, or a meeting."""
    conversation = 256
    """Any other cue of an actor."""
    known = 512
    urgent = 1024
    """The engine's level was `urgent`."""


State = Literal["open", "taken", "closed", "merged"]
Outcome = Literal["harm", "no_harm", "false_match", "unclear", "duplicate", "test"]
OUTCOMES: dict[str, bool | None] = {
    "harm": True,
    "no_harm": False,
    "false_match": False,
    "unclear": None,
    "duplicate": None,
    "test": None,
}
"""How a case may end, and what that says of its decisions: right, wrong, or nothing."""

Role = Literal["suspect", "reported", "victim", "reporter", "bystander"]
"""`suspect`: gave cues of its own. `reported`: only named in a report. `victim`: may be one; asked for help or was
addressed. `reporter`: told on somebody. `bystander`: was there."""

TieKind = Literal["pair", "actor", "payment", "media", "handle", "entry", "target", "script"]
STRENGTH: dict[str, float] = {
    "pair": 1.0,
    "actor": 0.9,
    "payment": 0.8,
    "media": 0.8,
    "handle": 0.7,
    "entry": 0.7,
    "target": 0.6,
    "script": 0.6,
}
"""How strongly two decisions belong together that share such a thing, from 0 to 1: an order, not a probability.

The same two accounts are the same matter; one account is one person mostly; what identifies a person elsewhere
(payment, handle) or a very file comes next; the same child or the same opener may be two matters.
"""


class Tie(Struct, frozen=True):
    """Something that two decisions can share. `key` says which: account ids, a hash, never text."""

    kind: TieKind
    key: str


class Because(Struct, frozen=True):
    """Why an item is in its case: it shares `kind` with an earlier event there. An item without one opened the case."""

    kind: str
    strength: float
    event: str


class Marks(Struct, frozen=True, kw_only=True):
    """What the caller knows of an event's pair beyond event and decision; everything may be missing.

    `region` is an ISO 3166 country of the target, else the actor. `script` is the 64-bit SimHash of the pair's opener
    (0: none). `payments` and `handles` are hashes of handles that the actor gave the target. `minors` says of
    accounts whether they belong to minors.
    """

    region: str = ""
    script: int = 0
    payments: tuple[int, ...] = ()
    handles: tuple[int, ...] = ()
    minors: dict[str, bool] = {}


class Person(Struct, frozen=True, kw_only=True):
    """An account in a case in one role; one that is pressed and presses others has two. `minor` None: not known."""

    account: str
    role: Role
    minor: bool | None = None


class Findings(Struct, frozen=True, kw_only=True):
    """What one event brings to a case."""

    event: str
    kind: Literal["decision", "report", "hand"]
    at: int
    actor: str | None = None
    target: str | None = None
    conversation: str | None = None
    surface: str = ""
    level: str = "none"
    stage: str | None = None
    flags: int = 0
    region: str = ""
    said: int | None = None
    """The priority that a person gave by hand, which no cue needs to show."""
    page: bool = False
    test: bool = False
    ties: tuple[Tie, ...] = ()
    people: tuple[Person, ...] = ()


class Item(Struct, frozen=True, kw_only=True):
    """One event in a case: what it brought, why it is here, and the decision as it was answered (JSON)."""

    case: int
    added: int
    found: Findings
    because: tuple[Because, ...]
    decision: bytes | None


class Edge(Struct, frozen=True, kw_only=True):
    """What one account did towards another (or to nobody known: ""), summed up over a case."""

    actor: str
    target: str
    flags: int
    priority: Priority
    items: int
    first: int
    last: int


class Relation(Struct, frozen=True, kw_only=True):
    """Two cases that share something and stand apart; a person may merge them."""

    case: int
    other: int
    kind: str
    strength: float
    event: str
    at: int


class Case(Struct, frozen=True, kw_only=True):
    """The head of a case. `version` grows with everything that changes it; `due` is when somebody should have taken it."""

    id: int
    state: State
    priority: Priority
    due: int
    opened: int
    updated: int
    version: int
    origin: Literal["policy", "report", "hand", "split"]
    holder: str | None = None
    regions: tuple[str, ...] = ()
    why: str = ""
    outcome: Outcome | None = None
    reason: str = ""
    closed: int | None = None
    into: int | None = None
    """The case that this one was merged into."""
    acted: int = 0
    """The number in the history of the last thing a person (or a reopening) did to it."""
    items: int = 0
    test: bool = False


class Act(Struct, frozen=True, kw_only=True):
    """One line of the history: who did what to which case, when. `detail` holds what `undo` needs."""

    number: int
    case: int
    at: int
    who: str
    what: str
    detail: dict[str, Any] = {}


class Taken(Struct, frozen=True, kw_only=True):
    """One answered event on its way into the casebook. `decision` is JSON as it was answered."""

    event: Event | None
    decision: bytes
    marks: Marks = Marks()


class CaseError(CasebookError):
    """Something that cannot be done with a case; says why."""


class Stale(CaseError):
    """Somebody else was faster: look at the case again."""
