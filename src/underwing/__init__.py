"""Underwing: events → signals → risk → policy → actions → casebook.

Each sub-package is a room with one job; `docs/architecture.md` draws the house and
`tests/test_rooms.py` holds the direction of imports.
"""

import os

__version__ = "0.1.0"

# ONNX Runtime, which two of the extras bring, gathers facts about the machine for its maker unless this is set before it
# is imported (1.32 does). Nothing of ours reports to anybody, and the processes that we start inherit it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
