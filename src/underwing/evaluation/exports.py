"""Plain exports: one message a row, as CSV with a header or as JSON Lines.

| column | | meaning |
|---|---|---|
| `conversation` | needed | which conversation the message belongs to |
| `at` | needed | ISO 8601 time; without an offset it is taken as UTC |
| `from` | needed | the sender's account id |
| `text` | needed | may be empty |
| `to` | | recipients: in CSV separated by `;`, in JSON a string or a list |
| `label` | | `risk` or `safe`, on any row of the conversation; none at all: unlabelled |
| `actor` | | the account that puts a child at risk, on any row; without it any account named counts |
| `kind`, `lang`, `channel` | | as in the corpus format, on any row |
| `stage` | | of this message |

Other columns are passed over. Rows may be interleaved: they are gathered by conversation and put into time
order, so a whole export is held in memory.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from os import PathLike
from typing import Any, BinaryIO

import msgspec

from underwing.evaluation.conversation import (
    Conversation,
    CorpusError,
    Line,
    Participant,
    explain,
    next_line,
    open_file,
)

_NEEDED = ("conversation", "at", "from", "text")
_WHOLE = ("label", "actor", "kind", "lang", "channel")
_MAX_RECIPIENTS = 1_000

Row = dict[str, Any]


def read_csv(path: str | PathLike[str]) -> Iterator[Conversation]:
    """Read a CSV export (UTF-8, comma, semicolon or tab between columns, told by the header).

    Raises:
        CorpusError: a missing column, a row that is not as the module says, or bad quoting.
    """
    with open_file(path) as file:
        header = next_line(file, path, 1) or ""
        delimiter = max(",;\t", key=header.count)
        file.seek(0)
        lines = _Lines(file, path)
        rows = csv.DictReader(lines, delimiter=delimiter, strict=True)
        try:
            rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or ()]
            if missing := [name for name in _NEEDED if name not in rows.fieldnames]:
                raise CorpusError(path, 1, f"the header lacks {', '.join(f'`{name}`' for name in missing)}")
            yield from _gather(path, ((lines.number, row) for row in rows))
        except csv.Error:
            raise CorpusError(path, lines.number, "not valid CSV (quotes or line ends)") from None


def read_rows(path: str | PathLike[str]) -> Iterator[Conversation]:
    """Read a JSON Lines export: one message object a line.

    Raises:
        CorpusError: a line that is not a JSON object or not as the module says.
    """
    with open_file(path) as file:
        yield from _gather(path, _objects(file, path))


class _Lines(Iterator[str]):
    """The lines of a file as text; `number` is that of the line last given."""

    def __init__(self, file: BinaryIO, path: str | PathLike[str]) -> None:
        self.number, self._file, self._path = 0, file, path

    def __next__(self) -> str:
        line = next_line(self._file, self._path, self.number + 1)
        if line is None:
            raise StopIteration
        self.number += 1
        return line


def _objects(file: BinaryIO, path: str | PathLike[str]) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(_Lines(file, path), 1):
        if not line.strip():
            continue
        try:
            yield number, msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise CorpusError(path, number, "not a JSON object") from None


class _Gathered:
    """The rows of one conversation so far."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.whole: dict[str, str] = {}
        self.accounts: dict[str, None] = {}
        self.messages: list[Line] = []


def _gather(path: str | PathLike[str], rows: Iterator[tuple[int, Row]]) -> Iterator[Conversation]:
    found: dict[str, _Gathered] = {}
    for number, row in rows:
        try:
            name = _identifier(row, "conversation")
            gathered = found.setdefault(name, _Gathered(number))
            _add(gathered, row)
        except ValueError as error:
            raise CorpusError(path, number, str(error)) from None
    for name in list(found):
        gathered = found.pop(name)
        try:
            yield _conversation(name, gathered)
        except msgspec.ValidationError as error:
            reason = f"the conversation that starts here: {explain(error)}"
            raise CorpusError(path, gathered.line, reason) from None


def _add(gathered: _Gathered, row: Row) -> None:
    sender, text = _identifier(row, "from"), row.get("text")
    if text is not None and not isinstance(text, str):
        raise ValueError("`text` is not text")
    for column in _WHOLE:
        if (value := _optional(row, column)) and gathered.whole.setdefault(column, value) != value:
            raise ValueError(f"`{column}` differs from an earlier row of the same conversation")
    recipients = row.get("to") or []
    if isinstance(recipients, str):
        recipients = recipients.split(";")
    if not isinstance(recipients, list) or not all(isinstance(one, str | int) for one in recipients):
        raise ValueError("`to` is not a list of account ids")
    names = [str(one).strip() for one in recipients[:_MAX_RECIPIENTS]]
    gathered.accounts.update(dict.fromkeys([sender, *filter(None, names)]))
    stage = _optional(row, "stage")
    gathered.messages.append(Line(t=_time(row.get("at")), sender=sender, text=text or "", stage=stage))


def _conversation(name: str, gathered: _Gathered) -> Conversation:
    accounts = gathered.accounts
    if actor := gathered.whole.get("actor"):
        accounts[actor] = None
    gathered.messages.sort(key=lambda message: message.t)
    values: dict[str, Any] = {
        "channel": "dm" if len(accounts) <= 2 else "group",
        "kind": "unspecified",
        **gathered.whole,
        "id": name,
        "accounts": [Participant(id=account) for account in accounts],
        "messages": gathered.messages,
    }
    return msgspec.convert(msgspec.to_builtins(values), Conversation)


def _identifier(row: Row, column: str) -> str:
    value = row.get(column)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"`{column}` is missing or not an id")
    return value.strip()


def _optional(row: Row, column: str) -> str | None:
    value = row.get(column)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"`{column}` is not text")
    return value.strip() or None if value else None


def _time(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
        if at is not None:
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("`at` is not an ISO 8601 time")
