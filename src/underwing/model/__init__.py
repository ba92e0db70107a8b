"""The vocabulary: events, account facts, signals, stages, levels, decisions, actions.

Everything here is frozen, typed, versioned and serialisable. Imports nothing else of Underwing's.
"""

from underwing.model.codec import MAX_EVENT_BYTES, BadEvent, decode_event, encode
from underwing.model.decisions import ACTIONS, Decision, Level, Reason, Versions
from underwing.model.events import (
    SCHEMA_VERSION,
    Account,
    Block,
    ContactRequest,
    Event,
    Media,
    Message,
    Stream,
    Surface,
    UserReport,
)
from underwing.model.signals import (
    ACTOR_STAGES,
    PROTECTIVE_STAGES,
    STAGES,
    VICTIM_STAGES,
    Act,
    Direction,
    Signal,
)

__all__ = [
    "ACTIONS",
    "ACTOR_STAGES",
    "MAX_EVENT_BYTES",
    "PROTECTIVE_STAGES",
    "SCHEMA_VERSION",
    "STAGES",
    "VICTIM_STAGES",
    "Account",
    "Act",
    "BadEvent",
    "Block",
    "ContactRequest",
    "Decision",
    "Direction",
    "Event",
    "Level",
    "Media",
    "Message",
    "Reason",
    "Signal",
    "Stream",
    "Surface",
    "UserReport",
    "Versions",
    "decode_event",
    "encode",
]
