"""The engine over a sequence of events, with its state in memory."""

from collections.abc import Iterable, Iterator

from underwing.engine.core import Engine
from underwing.engine.state import MemoryState
from underwing.model import Decision, Event


def judge_in_memory(
    engine: Engine, events: Iterable[Event], state: MemoryState | None = None
) -> Iterator[Decision]:
    """Decide on each event in turn, from an empty state unless one is given."""
    state = state or MemoryState()
    for event in events:
        yield engine.step(state, event)
