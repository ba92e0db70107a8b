"""How good and how early the warnings are: corpora in, measures out.

`conversation` is what a corpus holds; `corpora` reads any of four formats (`exports`, `pan12` are two of
them); `events` replays a conversation as a platform would have sent it; `harness` runs them past a judge;
`metrics` are the formulas, `result` the numbers; `tables`, `report` and `plot` show them in the words of
`wording`; `inserts` dilutes and obfuscates conversations for robustness tests.
No file here ever prints, stores or reports a message's text.
May import: model, engine (today model only: the judge is handed in).
"""

from underwing.evaluation.conversation import Conversation, CorpusError, Line, Participant
from underwing.evaluation.corpora import read
from underwing.evaluation.events import account_id, message_id, to_events
from underwing.evaluation.harness import Judge, JudgeError, Progress, evaluate
from underwing.evaluation.inserts import WAYS, How, dilute, obfuscate
from underwing.evaluation.plot import PlotError, write_plot
from underwing.evaluation.report import html_report, write_report
from underwing.evaluation.result import Evaluation, Outcome
from underwing.evaluation.tables import print_evaluation

__all__ = [
    "WAYS",
    "Conversation",
    "CorpusError",
    "Evaluation",
    "How",
    "Judge",
    "JudgeError",
    "Line",
    "Outcome",
    "Participant",
    "PlotError",
    "Progress",
    "account_id",
    "dilute",
    "evaluate",
    "html_report",
    "message_id",
    "obfuscate",
    "print_evaluation",
    "read",
    "to_events",
    "write_plot",
    "write_report",
]
