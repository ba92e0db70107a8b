"""Structured logs: one JSON object a line on standard error.

Never message text, never a token, never a path with somebody's id in it: only the fields named here get out.
An exception is told by its type and where it was raised; its words could quote a message. Lines up to `info`
are written a few at a time (each write costs a request its turn); warnings and errors at once.
"""

import logging
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

FLUSH_SECONDS = 0.25
"""A line of level `info` may wait this long; `flush` writes what waits."""
_MOST_WAITING = 200
_encode = msgspec.json.Encoder().encode


class _Sink:
    """Where lines go."""

    def __init__(self) -> None:
        self.stream: TextIO = sys.stderr
        self.level = logging.INFO
        self._lines: list[bytes] = []
        self._lock = threading.Lock()

    def write(self, level: int, line: dict[str, Any]) -> None:
        """Take one line in; out with it at once when it matters."""
        self._lines.append(_encode(line))
        if level > logging.INFO or len(self._lines) >= _MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write what waits. A stream that fails or is closed takes nothing down with it."""
        with self._lock:
            lines, self._lines = self._lines, []
            if lines:
                try:
                    self.stream.write(b"\n".join(lines).decode() + "\n")
                    self.stream.flush()
                except (OSError, ValueError):
                    return


_sink = _Sink()
flush = _sink.flush


def _line(level: int, event: str, created: float, error: BaseException | None) -> dict[str, Any]:
    line: dict[str, Any] = {
        "at": datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds"),
        "level": logging.getLevelName(level).lower(),
        "event": event,
    }
    if error is not None:
        line["error"] = type(error).__name__
        line["where"] = [
            f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
    return line


class _Forward(logging.Handler):
    """Brings the records of the HTTP server's own loggers here."""

    def emit(self, record: logging.LogRecord) -> None:
        """One record as a line."""
        error = record.exc_info[1] if record.exc_info else None
        # With an error at hand the words may quote it: the type and the place must do.
        words = record.name if error is not None else record.getMessage()
        _sink.write(record.levelno, _line(record.levelno, words, record.created, error))


def set_up(level: str = "info", stream: TextIO | None = None) -> None:
    """Write our lines, and those of the HTTP server, to `stream` (standard error) from `level` on."""
    _sink.flush()
    _sink.stream, _sink.level = stream or sys.stderr, getattr(logging, level.upper())
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [] if name == "uvicorn.error" else [_Forward()]
        logger.propagate = name == "uvicorn.error"
        logger.setLevel("DEBUG" if level == "debug" else "WARNING")


def note(
    event: str, level: int = logging.INFO, error: BaseException | None = None, /, **fields: object
) -> None:
    """Write one line: what happened, with its fields; of `error` only its type and place."""
    if level >= _sink.level:
        _sink.write(level, _line(level, event, time.time(), error) | fields)
