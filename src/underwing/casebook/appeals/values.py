"""The words of an appeal. Times are whole epoch seconds."""

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from underwing.casebook.appeals.statement import Statement
from underwing.casebook.errors import CasebookError

Kind = Literal["decision", "detection"]
"""`decision`: this decision about me was wrong. `detection`: a complaint about automated detection in general."""
State = Literal["waiting", "taken", "upheld", "partly", "reversed"]
Verdict = Literal["upheld", "partly", "reversed"]
"""The first decision stands; it goes in part (the platform's measure changes, the finding stays); it was wrong."""
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
MOST_TEXT = 5_000
"""Characters of what an account holder writes, and of what is answered."""
Text = Annotated[str, Meta(max_length=MOST_TEXT)]


class AppealError(CasebookError):
    """Something that cannot be done with an appeal; says why."""


class NotYou(AppealError):
    """Who decided the first time may not decide about the appeal."""

    key = "not_you"


class Appeal(Struct, frozen=True, kw_only=True):
    """One appeal or complaint.

    `id` is random; the platform asks by it. `account` is whose it is, `event` the decision's ("" for a complaint about
    detection in general), `case` where that event lies now (None: in none). `text` is what was written, whatever that is.
    `answer` is what the account holder is told, `reason` what colleagues are.
    """

    id: str
    kind: Kind
    account: str
    filed: int
    due: int
    state: State = "waiting"
    event: str = ""
    case: int | None = None
    language: str = "en"
    text: str = ""
    statement: Statement | None = None
    holder: str = ""
    decided_by: str = ""
    decided: int | None = None
    answer: str = ""
    reason: str = ""
    match_false: bool = False
    """Whether a list's match was found to be a mistake."""
    alone: bool = False
    """Whether whoever decided had to do with the first decision, since nobody else was there: not independently reviewed."""

    @property
    def open(self) -> bool:
        """Whether it waits for a decision."""
        return self.state in ("waiting", "taken")


class Grant(Struct, frozen=True, kw_only=True):
    """What a token stands for: one account's right to object to one decision until `expires`."""

    hash: str
    account: str
    issued: int
    expires: int
    event: str = ""
    case: int | None = None
    language: str = "en"
    statement: Statement | None = None
