"""A closed case whose outcome was wrong: the correction stands beside what it corrects, and nobody undoes it alone."""

from underwing.casebook.cases.acts import _change, _words, find
from underwing.casebook.cases.rows import Rows
from underwing.casebook.cases.values import OUTCOMES, Case, CaseError, Outcome


def correct(rows: Rows, id: int, who: str, outcome: Outcome, reason: str, at: int) -> Case:
    """Give a closed case another outcome; labels for the engine follow from it.

    Raises:
        CaseError: it is not closed, the outcome is unknown or the one it has, or there is no reason.
    """
    if outcome not in OUTCOMES:
        raise CaseError(f"unknown outcome {outcome!r}; known are {', '.join(OUTCOMES)}", "outcome")
    with rows.transaction():
        case = find(rows, id)
        if case.state != "closed":
            raise CaseError(f"case {id} is not closed", "not_closed", case=id)
        if case.outcome == outcome:
            raise CaseError(f"case {id} has this outcome already", "same_outcome", case=id)
        reason = _words(reason, "the reason")
        detail = {"outcome": outcome, "was": case.outcome, "reason": reason}
        return _change(
            rows, case, who, "corrected", at, detail, undoable=False, outcome=outcome, reason=reason
        )
