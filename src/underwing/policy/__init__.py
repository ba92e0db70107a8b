"""Risk becomes actions: rules as data (TOML with CEL conditions), quotas, comparison of two policies.

A policy is content-hashed and pure: the same facts give the same actions. Everything that can be wrong with
a rule is found when its file is read, so that nothing is left to find out on a live message.
Reading and re-reading the file is the only I/O here. May import: model.
"""

from underwing.policy.compare import Change, Comparison, compare
from underwing.policy.errors import PolicyError
from underwing.policy.facts import VARIABLES, Facts, Variable
from underwing.policy.file import PolicyFile
from underwing.policy.loader import default_path, load_policy, parse_policy
from underwing.policy.policy import ContextLimit, Policy, Quota, Rule
from underwing.policy.quotas import Quotas, QuotaState
from underwing.policy.switches import SwitchBook, Switches, load_switches

__all__ = [
    "VARIABLES",
    "Change",
    "Comparison",
    "ContextLimit",
    "Facts",
    "Policy",
    "PolicyError",
    "PolicyFile",
    "Quota",
    "QuotaState",
    "Quotas",
    "Rule",
    "SwitchBook",
    "Switches",
    "Variable",
    "compare",
    "default_path",
    "load_policy",
    "load_switches",
    "parse_policy",
]
