"""What the casebook says of the work as a whole: how many, how soon, how often right. Never of one person.

`read` asks the database (bounded, whatever its size), `counts` makes numbers of what it gives (pure). May import: model,
casebook.
"""

from underwing.casebook.insights.counts import (
    Confirmed,
    Early,
    Prompt,
    alarms,
    by_language,
    early,
    prompt,
    share,
)
from underwing.casebook.insights.read import Day, Decided, Overturned, days, decided, overturned

__all__ = [
    "Confirmed",
    "Day",
    "Decided",
    "Early",
    "Overturned",
    "Prompt",
    "alarms",
    "by_language",
    "days",
    "decided",
    "early",
    "overturned",
    "prompt",
    "share",
]
