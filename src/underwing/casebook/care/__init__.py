"""Care for those who look: what looking cost each of them, when it is enough, and what need not be seen at all.

`limits`, `looks` and `likeness` are pure: caps as data, what follows from them, and whether a file was seen before in
another guise. `exhibits` keeps which file of the vault belongs to which event of a case, `ledger` what was looked at, `care`
puts them behind one door. No function here ranks people.

May import: model.
"""

from underwing.casebook.care.care import FIRST_STEP, Begun, Care, NotNow, Standing, vault_case
from underwing.casebook.care.exhibits import Exhibit, Made
from underwing.casebook.care.ledger import Team
from underwing.casebook.care.limits import Limits, LimitsError, load_limits
from underwing.casebook.care.looks import Look, Ruling, Spent, rule

__all__ = [
    "FIRST_STEP",
    "Begun",
    "Care",
    "Exhibit",
    "Limits",
    "LimitsError",
    "Look",
    "Made",
    "NotNow",
    "Ruling",
    "Spent",
    "Standing",
    "Team",
    "load_limits",
    "rule",
    "vault_case",
]
