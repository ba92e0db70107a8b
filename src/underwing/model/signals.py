"""Signals: one observed cue in one event, with where it stands in the text and where it comes from.

The stages follow the literature rather than invent: O'Connell (2003), Olson's Luring Communication Theory
(2007), Lorenzo-Dus et al. (2016) and the CAC Ontology's sextortion phases; each pack entry names its source.
"""

from typing import Literal

from msgspec import Struct

ACTOR_STAGES = (
    "befriend",
    "age_probe",
    "deceive",
    "risk_check",
    "isolate",
    "private_channel",
    "incentive",
    "desensitise",
    "image_request",
    "go_live",
    "threat",
    "payment",
    "recruit",
    "meet",
    "pressure",
)
"""What an account does to another. `pressure` is insistence, guilt and deadlines between the others."""

VICTIM_STAGES = ("refuse", "distress", "disclose")
"""What the pressed side says. They open the help route and never add to that side's own risk."""

PROTECTIVE_STAGES = ("report_quote", "advice", "protective")
"""Talk about harm, advice on it, and signs that the people who should know do know."""

SPEAKER_STAGES = ("young",)
"""What speaks for its sender's being of school age. It says nothing against anybody, and stands in no pair."""

STAGES = ACTOR_STAGES + VICTIM_STAGES + PROTECTIVE_STAGES

KNOWN_STAGES = ("known_media", "known_link")
"""What is known by a list: no stage of a conversation, but a reason for a decision."""

GUESSED_STAGES = ("guessed_media",)
"""What a classifier guesses: a reason to look, and nothing that speaks against anybody."""

UNSEEN_STAGES = ("unseen_stream",)
"""What nobody can look at just now, which is an alarm of its own."""

OVERHEARD = "overheard."
"""What a signal's id begins with when nobody is known to have said it: it speaks against nobody by name."""

Act = Literal["ask", "offer", "demand", "threaten", "tell", "quote", "negate", "advise"]
Direction = Literal["to_child", "from_child", "any"]


class Signal(Struct, frozen=True, gc=False, kw_only=True):
    """One cue. `weight` is a log-likelihood ratio in nats, before context, novelty and decay.

    `span` is (start, end) in characters of the original text, or None for cues that are not in text.
    """

    signal: str
    stage: str
    act: Act
    direction: Direction
    weight: float
    span: tuple[int, int] | None
    source: str
    evaded: bool = False
    needs: tuple[str, ...] = ()
