"""What may be done with an appeal, in which state, by whom. Pure: each function gives the appeal as it is then.

`deciders` are the members who had to do with the first decision. None of them may decide about the appeal (Art. 20(6) DSA
asks for qualified people and no mere machine; that it is another person is Underwing's rule), unless there is nobody else:
then they may from `alone_from` on (epoch seconds; None: somebody else is there), and the appeal is marked so.
"""

from collections.abc import Iterable, Set

from msgspec import structs

from underwing.casebook.appeals.values import MOST_TEXT, VERDICTS, Appeal, AppealError, NotYou, Verdict
from underwing.casebook.cases.values import Act, Case

COOLING = 3 * 86_400
"""Seconds after which one may look again at one's own decision: our choice, so that it is not the same evening."""
DECIDING = ("closed", "corrected")
"""Acts on a case that decide it."""


def deciders(case: Case | None, history: Iterable[Act]) -> frozenset[str]:
    """Who had to do with the decision on a case: whoever decided it, at any time, and whoever holds it now."""
    held = {case.holder} if case is not None and case.holder else set()
    return frozenset(held | {act.who for act in history if act.what in DECIDING})


def take(appeal: Appeal, who: str, deciders: Set[str], at: int, alone_from: int | None = None) -> Appeal:
    """Take an appeal that waits; taking one's own again changes nothing.

    Raises:
        NotYou: this person had to do with the first decision.
        AppealError: somebody else has it, or it is decided; or whoever is alone must wait.
    """
    _open(appeal)
    _fit(who, deciders, at, alone_from)
    if appeal.state == "taken" and appeal.holder == who:
        return appeal
    if appeal.state != "waiting":
        raise _taken(appeal)
    return structs.replace(appeal, state="taken", holder=who)


def release(appeal: Appeal, who: str) -> Appeal:
    """Give an appeal back to the queue.

    Raises:
        AppealError: this person does not have it.
    """
    _held(appeal, who)
    return structs.replace(appeal, state="waiting", holder="")


def decide(
    appeal: Appeal,
    who: str,
    deciders: Set[str],
    verdict: Verdict,
    *,
    reason: str,
    answer: str,
    at: int,
    match_false: bool = False,
    alone_from: int | None = None,
) -> Appeal:
    """Decide about an appeal that this person has taken. Nothing changes it afterwards.

    Raises:
        NotYou: this person had to do with the first decision (perhaps since taking it).
        AppealError: not taken by this person; unknown verdict; no reason or no answer; a false match that is not reversed.
    """
    _open(appeal)
    _fit(who, deciders, at, alone_from)
    _held(appeal, who)
    if verdict not in VERDICTS:
        raise AppealError(f"unknown verdict {verdict!r}; known are {', '.join(VERDICTS)}", "verdict")
    for text, what in ((reason, "the reason"), (answer, "the answer to the account holder")):
        if not text.strip():
            raise AppealError(f"{what} is missing", "appeal_parts", most=MOST_TEXT)
        if len(text) > MOST_TEXT:
            raise AppealError(
                f"{what} may have at most {MOST_TEXT} characters", "appeal_parts", most=MOST_TEXT
            )
    if match_false and (verdict != "reversed" or appeal.kind != "decision"):
        raise AppealError("where the match was false, the decision is reversed", "match_reversed")
    return structs.replace(
        appeal, state=verdict, holder="", decided_by=who, decided=at, reason=reason, answer=answer,
        match_false=match_false, alone=who in deciders,
    )  # fmt: skip


def _fit(who: str, deciders: Set[str], at: int, alone_from: int | None) -> None:
    if not who.strip():
        raise AppealError("say who acts", "who_acts")
    if who not in deciders:
        return
    if alone_from is None:
        raise NotYou("you had to do with the first decision; a colleague must look at this one")
    if at < alone_from:
        hours = -((at - alone_from) // 3600)
        raise AppealError(
            f"you had to do with the first decision and nobody else is here; look again in {hours} hours",
            "too_soon",
            hours=hours,
        )


def _open(appeal: Appeal) -> None:
    if not appeal.open:
        raise _taken(appeal)


def _held(appeal: Appeal, who: str) -> None:
    if appeal.state != "taken" or appeal.holder != who:
        raise _taken(appeal)


def _taken(appeal: Appeal) -> AppealError:
    if appeal.state == "waiting":
        return AppealError(f"appeal {appeal.id}: nobody has taken it", "appeal_free")
    if appeal.state == "taken":
        return AppealError(
            f"appeal {appeal.id}: {appeal.holder} has taken it", "appeal_taken", who=appeal.holder
        )
    return AppealError(f"appeal {appeal.id}: it is decided", "appeal_decided")
