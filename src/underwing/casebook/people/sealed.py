"""The secrets of second factors as they lie in the table: sealed by the casebook's keys, each for one member."""

from typing import Any

from sqlalchemy import select, update

from underwing.casebook.database import Database
from underwing.casebook.keys import Keys
from underwing.casebook.people.tables import MEMBERS


class SealedSecrets:
    """Seals and opens. A secret that was laid into another member's row does not open."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database, self._keys = database, keys

    def seal(self, member: str, secret: str) -> bytes:
        """The secret, sealed for this member's id."""
        return self._keys.wrap(secret.encode(), _context(member))

    def open(self, member: str, sealed: bytes) -> str:
        """The secret again.

        Raises:
            KeyRefused: not sealed by this key for this member.
        """
        return self._keys.unwrap(sealed, _context(member)).decode()

    def rewrap(self, new: Keys) -> int:
        """Seal all with another key; how many. The old one is no longer needed then.

        Raises:
            KeyRefused: one is not opened by the key at hand; nothing is changed then.
        """
        other, count = SealedSecrets(self._database, new), 0
        with self._database.transaction():
            for row in self._database.rows(select(MEMBERS.c.id, MEMBERS.c.totp, MEMBERS.c.totp_next)):
                kept = {name: other.seal(row.id, self.open(row.id, sealed)) for name, sealed in _sealed(row)}
                if kept:
                    self._database.run(update(MEMBERS).where(MEMBERS.c.id == row.id).values(**kept))
                count += len(kept)
        self._keys = new
        return count


def _context(member: str) -> bytes:
    return b"underwing second factor of " + member.encode()


def _sealed(row: Any) -> list[tuple[str, bytes]]:
    return [(name, getattr(row, name)) for name in ("totp", "totp_next") if getattr(row, name) is not None]
