"""Structured logs: one JSON object a line on standard error.

Never message text, never a token, never a path with somebody's id in it: only the fields named here get out.
An exception is told by its type and where it was raised; its words could quote a message.
"""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

LOGGER = logging.getLogger("underwing")
_encode = msgspec.json.Encoder().encode


class JsonFormatter(logging.Formatter):
    """Records as JSON: at, level, event, and the fields given as `extra={"fields": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, without its end."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        fields = getattr(record, "fields", None)
        if fields:
            line.update(fields)
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = type(error).__name__
            line["where"] = [
                f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__)
            ]
        return _encode(line).decode()


def set_up(level: str = "info", stream: TextIO | None = None) -> None:
    """Send our log, and the HTTP server's own, to `stream` (standard error) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    for name in ("underwing", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler] if name != "uvicorn.error" else []
        logger.propagate = name == "uvicorn.error"
        logger.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error"):  # its chatter is ours to tell
        logging.getLogger(name).setLevel("DEBUG" if level == "debug" else "WARNING")


def note(
    event: str, level: int = logging.INFO, error: BaseException | None = None, /, **fields: object
) -> None:
    """Write one line: what happened, with its fields; of `error` only its type and place."""
    if LOGGER.isEnabledFor(level):
        info = (type(error), error, error.__traceback__) if error is not None else None
        LOGGER.log(level, event, extra={"fields": fields}, exc_info=info)
