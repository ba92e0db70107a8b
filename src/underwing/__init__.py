"""Underwing: events → signals → risk → policy → actions → casebook.

Each sub-package is a room with one job; `docs/architecture.md` draws the house and
`tests/test_rooms.py` holds the direction of imports.
"""

__version__ = "0.1.0"
