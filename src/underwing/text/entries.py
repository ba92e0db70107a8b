"""What a signal pack entry is, once read: the unit that the scanner matches and a reason cites."""

from underwing.model import SPEAKER_STAGES, STAGES, Act, Direction
from underwing.text.patterns import Compiled, PatternError, compile_pattern

ACTS = ("ask", "offer", "demand", "threaten", "tell", "quote", "negate", "advise")
DIRECTIONS = ("to_child", "from_child", "any")


class EntryError(ValueError):
    """A pack entry that cannot be used; says which entry and what to mend."""


class Entry:
    """One entry of a pack: its patterns, what they mean, and where that is published.

    `weight` is a log-likelihood ratio in nats (negative for protective cues, at least -3, at most 4).
    `needs` lists stages of which one must already stand in the pair for the entry to count.
    `frame` marks an entry that turns every other risk cue of its message into a quotation.
    """

    __slots__ = (
        "act", "counter", "direction", "examples", "frame", "id", "lang", "match", "needs", "patterns",
        "source", "stage", "unless", "unless_patterns", "weight",
    )  # fmt: skip

    def __init__(
        self,
        *,
        id: str,
        lang: str,
        stage: str,
        act: Act,
        direction: Direction,
        weight: float,
        source: str,
        match: list[str],
        slots: dict[str, list[str]],
        unless: list[str] | None = None,
        needs: list[str] | None = None,
        frame: bool = False,
        examples: list[str] | None = None,
        counter: list[str] | None = None,
    ) -> None:
        self.id, self.lang, self.stage, self.act, self.direction = id, lang, stage, act, direction
        self.weight, self.source, self.frame = float(weight), source, frame
        self.match, self.unless, self.needs = match, unless or [], tuple(needs or ())
        self.examples, self.counter = examples or [], counter or []
        if stage not in (*STAGES, *SPEAKER_STAGES):
            known = ", ".join((*STAGES, *SPEAKER_STAGES))
            raise EntryError(f"{id}: unknown stage {stage!r}; known are {known}")
        if act not in ACTS:
            raise EntryError(f"{id}: unknown act {act!r}; known are {', '.join(ACTS)}")
        if direction not in DIRECTIONS:
            raise EntryError(f"{id}: unknown direction {direction!r}; known are {', '.join(DIRECTIONS)}")
        if not -3 <= self.weight <= 4:
            raise EntryError(f"{id}: weight {weight} is outside -3..4")
        for need in self.needs:
            if need not in STAGES:
                raise EntryError(f"{id}: needs the unknown stage {need!r}")
        if not match:
            raise EntryError(f"{id}: has no pattern in `match`")
        try:
            self.patterns: list[Compiled] = [compile_pattern(p, slots) for p in match]
            self.unless_patterns: list[Compiled] = [compile_pattern(p, slots) for p in self.unless]
        except PatternError as error:
            raise EntryError(f"{id}: {error}") from None
