"""The custody log in the casebook's database: append, read, checkpoint. All of its SQL is here."""

from collections.abc import Iterator
from typing import Any

from msgspec import ValidationError, convert
from sqlalchemy import insert, select

from underwing.casebook import times
from underwing.casebook.custody.checkpoints import Checkpoint, attempt, line, sign
from underwing.casebook.custody.records import FIRST, Entry, Kind, Record, decode, digest, encode
from underwing.casebook.custody.signing import Signer
from underwing.casebook.custody.tables import checkpoints as CHECKPOINTS
from underwing.casebook.custody.tables import custody as LOG
from underwing.casebook.database import CasebookError, Database

_SIGNED = b"underwing custody signature 1\n"
_STEP = 500


def signed_message(hash: str) -> bytes:
    """What a record's signature is over: a fixed line and the record's hash."""
    return _SIGNED + hash.encode()


class Custody:
    """The log. Every append is on the disk before it returns, in the transaction of the act it records."""

    def __init__(self, database: Database, signer: Signer, clock: times.Clock = times.now) -> None:
        self._database, self._signer, self._clock = database, signer, clock

    @property
    def public_key(self) -> str:
        """The key that verifies this log, 64 hex digits."""
        return self._signer.public

    def open(self) -> None:
        """Begin the log, if nothing is in it, with the record that names its key."""
        with self._database.transaction():
            if self._last() is None:
                self.append("opened", "underwing", facts={"key": self._signer.public})

    def append(
        self,
        kind: Kind,
        by: str,
        *,
        case: str = "",
        object: str = "",
        reason: str = "",
        facts: dict[str, int | str | bool] | None = None,
    ) -> Record:
        """Add a record and return it. Inside `Database.transaction()` it stands or falls with that.

        The log opens itself with a record that names its key. Its time never runs backwards: when the machine's clock is
        behind the last record, the new one takes that record's time and keeps the clock's in `clock`.

        Raises:
            CasebookError: a name or a text that is missing or too long, or an unknown kind.
        """
        with self._database.transaction():
            last = self._last()
            if last is None and kind != "opened":
                self.open()
                last = self._last()
            clock = times.write(self._clock())
            number, at, previous = (
                (last.number + 1, last.at, digest(encode(last))) if last else (1, clock, FIRST)
            )
            fields: dict[str, Any] = {
                "number": number, "at": max(at, clock), "clock": clock if clock < at else "", "by": by, "kind": kind,
                "case": case, "object": object, "reason": reason, "facts": facts or {}, "previous": previous,
            }  # fmt: skip
            try:
                record = convert(fields, Record)
            except ValidationError as error:
                raise CasebookError(
                    f"this cannot stand in the custody log: {error}", "not_recorded"
                ) from None
            body = encode(record)
            hash = digest(body)
            signature = self._signer.sign(signed_message(hash))
            self._database.run(insert(LOG).values(number=number, body=body, hash=hash, signature=signature))
            return record

    def _last(self) -> Record | None:
        row = self._database.row(select(LOG.c.body, LOG.c.hash).order_by(LOG.c.number.desc()).limit(1))
        if row is None:
            return None
        try:
            body, hash = row
            if digest(body) == hash:
                return decode(body)
        except (TypeError, ValueError):
            pass
        raise CasebookError(
            "the last record of the custody log is damaged; run: underwing custody verify", "log_damaged"
        )

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Everything in the log above a number, as it lies there, in order, a few hundred at a time in memory."""
        while rows := self._database.rows(
            select(LOG).where(LOG.c.number > after).order_by(LOG.c.number).limit(_STEP)
        ):
            for row in rows:
                yield Entry(*row)
            after = rows[-1][0]

    def records(
        self, after: int = 0, *, case: str = "", object: str = "", kind: str = ""
    ) -> Iterator[Record]:
        """The records of a case, an object, a kind or all, oldest first.

        Raises:
            CasebookError: a record that cannot be read.
        """
        for entry in self.entries(after):
            try:
                record = decode(entry.body)
            except (TypeError, ValueError):
                raise CasebookError(
                    f"record {entry.number} of the custody log is damaged", "log_damaged"
                ) from None
            wanted = ((case, record.case), (object, record.object), (kind, record.kind))
            if all(want in ("", has) for want, has in wanted):
                yield record

    def checkpoint(self) -> Checkpoint:
        """Sign the log as it stands and keep the checkpoint. The same head gives the checkpoint that is already there.

        Raises:
            CasebookError: the log is empty.
        """
        with self._database.transaction():
            last = self._last()
            if last is None:
                raise CasebookError("the custody log is empty; there is nothing to sign yet", "log_empty")
            made = list(self.checkpoints())[-1:]
            if made and isinstance(made[0], Checkpoint) and made[0].head == digest(encode(last)):
                return made[0]
            first = self._database.value(select(LOG.c.hash).where(LOG.c.number == 1))
            at = max(last.at, times.write(self._clock()))
            new = sign(self._signer, log=first, count=last.number, head=digest(encode(last)), at=at)
            self._database.run(insert(CHECKPOINTS).values(body=line(new)))
            return new

    def checkpoints(self) -> Iterator[Checkpoint | str]:
        """The checkpoints kept beside the log, oldest first; of a damaged one, what is wrong with it."""
        for (body,) in self._database.rows(select(CHECKPOINTS.c.body).order_by(CHECKPOINTS.c.number)):
            yield attempt(body)
