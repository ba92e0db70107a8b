"""Joins the rooms into one fold and runs it: embedded (SQLite), in memory, over a file.

`Engine.step(state, event)` is the whole of it: pure in what it is given, so that a test, a backtest and the
service give the same decisions, byte for byte. May import: model, text, packs, risk, policy.

Each name is imported when it is asked for: whoever only reads decisions back does not load what makes them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from underwing.engine.core import ENGINE_VERSION, Engine
    from underwing.engine.media import level_of
    from underwing.engine.memory import judge_in_memory
    from underwing.engine.runner import Runner
    from underwing.engine.state import MemoryState, State
    from underwing.engine.store import Decisions, StoreError
    from underwing.engine.trigger import REVIEW_PHRASE, URGENT_PHRASE
else:

    def __getattr__(name: str) -> object:
        """What `_FROM` says of the name."""
        for module, names in _FROM.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ENGINE_VERSION",
    "REVIEW_PHRASE",
    "URGENT_PHRASE",
    "Decisions",
    "Engine",
    "MemoryState",
    "Runner",
    "State",
    "StoreError",
    "judge_in_memory",
    "level_of",
]
_FROM = {
    "core": ("ENGINE_VERSION", "Engine"),
    "media": ("level_of",),
    "memory": ("judge_in_memory",),
    "runner": ("Runner",),
    "state": ("MemoryState", "State"),
    "store": ("Decisions", "StoreError"),
    "trigger": ("REVIEW_PHRASE", "URGENT_PHRASE"),
}
