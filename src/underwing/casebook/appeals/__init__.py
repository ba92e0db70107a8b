"""Appeals: whoever was restricted is told why in plain words, may object, and another person looks again.

`values` has the words, `machine` (pure) what may be done in which state, `statement` (pure) what is told and what never is,
`figures` (pure) the statistics, `tokens` how one asks without an account, `rows` all SQL, `appeals` the one door,
`retention` what is forgotten when.

May import: model.
"""

from underwing.casebook.appeals.appeals import Appeals, Matter
from underwing.casebook.appeals.figures import Figures
from underwing.casebook.appeals.retention import Keeper
from underwing.casebook.appeals.rows import Follow
from underwing.casebook.appeals.statement import MEASURES, Given, Statement, statement
from underwing.casebook.appeals.values import VERDICTS, Appeal, AppealError, Grant, NotYou, Verdict

__all__ = [
    "MEASURES",
    "VERDICTS",
    "Appeal",
    "AppealError",
    "Appeals",
    "Figures",
    "Follow",
    "Given",
    "Grant",
    "Keeper",
    "Matter",
    "NotYou",
    "Statement",
    "Verdict",
    "statement",
]
