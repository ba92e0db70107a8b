"""A picture or a video that was sent: what its check found becomes a decision.

The check itself (bytes, hashes, matches) is done before the fold and comes with the event, so that the fold stays pure and
a replay gives the same decision whatever the banks hold by then.
"""

from collections.abc import Iterable

from msgspec import structs

from underwing.engine.keys import iso
from underwing.engine.links import LABEL_LEVEL
from underwing.engine.people import target_of
from underwing.engine.state import State
from underwing.engine.verdict import LEVELS, Verdicts, facts_of
from underwing.model import GUESSED_STAGES, LABELS, Decision, Level, Media, MediaMatch, MediaScore, Reason
from underwing.risk.context import UNKNOWN

_ORDER = tuple(LABELS)
(_GUESSED,) = GUESSED_STAGES
MOST_REASONS = 8
"""Of many matches, so many are told as reasons: the most serious and nearest."""


def judge_media(state: State, event: Media, verdicts: Verdicts) -> Decision:
    """The decision on a picture or a video, with one reason for each entry that it matched.

    A classifier's score raises no level and is a reason only where a rule that fired looked at it.
    """
    direct = event.surface == "dm" and len(event.to) == 1
    target, theirs = target_of(state, event, event.to[0] if direct else "", direct, verdicts.settings)
    found = counting(event.matches)
    reasons = [known_reason(match, event.id, event.at.timestamp()) for match in found[:MOST_REASONS]]
    checked = "match" if found else "clear" if event.matches else event.state
    known = checked not in ("clear", "unknown")
    if not known and event.score is None:
        return verdicts.quiet(event.id, event.sender, target)
    if checked == "unchecked":
        reasons.append(_told(event, "media.unchecked", event.error or ""))
    level = level_of(found)
    label = found[0].label if found else ""
    stage = "known_media" if known else _GUESSED
    mine = state.accounts.get(event.sender) or UNKNOWN
    facts = structs.replace(
        facts_of(
            event, int(event.at.timestamp()), level, mine, theirs, raised=True, stage=stage, test=label == "test"
        ),
        media=checked,
        label=label,
        media_score=None if event.score is None else round(100 * event.score.score),
    )  # fmt: skip
    actions, withheld, shadow = verdicts.act(state, event.id, facts)
    if not known and not (actions or withheld or shadow):
        return verdicts.quiet(event.id, event.sender, target)
    if event.score is not None and (not known or verdicts.used(facts, "media_score")):
        reasons.append(_guess(event, event.score))
    return Decision(
        event=event.id, level=LEVELS[level], actor=event.sender, target=target, stage=stage, actions=actions,
        reasons=tuple(reasons), versions=verdicts.versions, shadow=shadow, withheld=withheld, test=label == "test",
    )  # fmt: skip


def counting(matches: Iterable[MediaMatch]) -> list[MediaMatch]:
    """Those matches that say something, the most serious and nearest first."""
    return sorted((match for match in matches if match.label in LABEL_LEVEL), key=_seriousness)


def level_of(matches: Iterable[MediaMatch]) -> Level:
    """How serious a file with these matches is, before any policy: that of the most serious one."""
    return max((LABEL_LEVEL.get(match.label, Level.none) for match in matches), default=Level.none)


def _seriousness(match: MediaMatch) -> tuple[int, int, str, str]:
    return _ORDER.index(match.label), match.distance, match.bank, match.entry


def known_reason(match: MediaMatch, event: str, at: float, where: str = "") -> Reason:
    """A match as a decision tells it; `where` says where it was found, if the match does not."""
    where = f", {match.range[0]:.1f}-{match.range[1]:.1f} s" if match.range else where
    source = f"{match.bank}/{match.entry}: {match.label}, distance {match.distance}, {match.how}{where}"
    return Reason(
        signal=f"media.{match.signal}", stage="known_media", span=None, weight=0.0, at=iso(at), event=event, source=source,
    )  # fmt: skip


def _guess(event: Media, score: MediaScore) -> Reason:
    said = f"{score.name} {score.version} gives {round(100 * score.score)} of 100: a guess, no verdict. {score.meaning}"
    return _told(event, "media.score", said.rstrip(), _GUESSED)


def _told(event: Media, signal: str, source: str, stage: str = "known_media") -> Reason:
    return Reason(
        signal=signal, stage=stage, span=None, weight=0.0, at=iso(event.at.timestamp()), event=event.id, source=source,
    )  # fmt: skip
