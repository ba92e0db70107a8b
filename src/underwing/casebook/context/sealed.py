"""What was said around a case, sealed into the casebook's database.

Each conversation has a random key of its own, wrapped by whoever holds the key-encryption key (`Keys`): destroying the
wrapped key destroys the lines. Conversations and events appear as keyed hashes (HMAC-SHA256) only; texts and accounts are
encrypted with AES-256-GCM. Several cases may hold one conversation.
"""

import hmac
from collections.abc import Sequence
from typing import Literal

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import bindparam, delete, func, insert, literal, select, update

from underwing.casebook import keys as wrapping
from underwing.casebook.context import tables
from underwing.casebook.context.lines import ContextError, Line, Said, decrypted, encrypted
from underwing.casebook.database import CasebookError, Database
from underwing.casebook.keys import Keys

MOST_SUPPLIED = 10_000
"""Lines that a platform may supply for one conversation of a case."""
_TAGS = "tags"
_REMEMBERED = 1_000
_keys, _seals, _lines, _holds = tables.keys, tables.seals, tables.lines, tables.holds
_SEAL = select(_seals).where(_seals.c.conversation == bindparam("tag"))
_SEALS_OF = (
    select(_seals).join(_holds, _holds.c.seal == _seals.c.id).where(_holds.c.case_id == bindparam("held_by"))
)
_LINES_OF = select(_lines.c.event, _lines.c.origin, _lines.c.body).where(_lines.c.seal == bindparam("of"))


class Sealed:
    """The sealed context in a database. Acts are one transaction each, or part of the caller's."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._db, self._keys = database, keys
        self._tag_key = b""
        self._opened: dict[bytes, bytes] = {}

    def seal(
        self, case: int, conversation: str, lines: Sequence[Line], origin: Literal["buffer", "platform"]
    ) -> int:
        """Seal lines of a conversation into a case; how many were new. What is sealed already stays as it is.

        Raises:
            ContextError: more lines than a case may be given at once, or the key cannot be used.
        """
        if len(lines) > MOST_SUPPLIED:
            raise ContextError(
                f"at most {MOST_SUPPLIED} lines can be supplied at once", "context_many", most=MOST_SUPPLIED
            )
        with self._db.transaction():
            tag = self._tag(b"conversation", conversation)
            found = self._db.row(_SEAL, {"tag": tag})
            if found is None and not lines:
                return 0
            seal, key = (
                (found.id, self._open(found.keys_id, found.wrapped, tag)) if found else self._made(tag)
            )
            self._db.run(self._db.upsert(_holds).on_conflict_do_nothing(), {"case_id": case, "seal": seal})
            if not lines:
                return 0
            cipher = AESGCM(key)
            rows = []
            for line in lines:
                event = self._tag(b"event", line.event)
                body = encrypted(cipher, conversation, line, tag + event)
                rows.append({"seal": seal, "event": event, "at": line.at, "origin": origin, "body": body})
            return self._db.run(self._db.upsert(_lines).on_conflict_do_nothing(), rows)

    def read(self, case: int) -> list[Said]:
        """What is sealed in a case, by time.

        Raises:
            ContextError: a line was changed, or the key is another one.
        """
        said = []
        with self._db.snapshot():
            for seal in self._db.rows(_SEALS_OF, {"held_by": case}):
                cipher = AESGCM(self._open(seal.keys_id, seal.wrapped, seal.conversation))
                for event, origin, body in self._db.rows(_LINES_OF, {"of": seal.id}):
                    conversation, line = decrypted(cipher, body, seal.conversation + event)
                    said.append(Said(conversation=conversation, origin=origin, line=line))
        return sorted(said, key=lambda s: (s.line.at, s.line.event))

    def destroy(self, case: int) -> int:
        """Give up a case's hold; conversations that no other case holds lose their key and lines. How many went."""
        with self._db.transaction():
            self._db.run(delete(_holds).where(_holds.c.case_id == case))
            free = select(_seals.c.id).where(_seals.c.id.not_in(select(_holds.c.seal)))
            gone = [row.id for row in self._db.rows(free)]
            self._db.run(delete(_lines).where(_lines.c.seal.in_(gone)))
            self._db.run(delete(_seals).where(_seals.c.id.in_(gone)))
            self._opened.clear()
        self._db.forget(_seals, _lines)
        return len(gone)

    def rewrap(self, keys: Keys) -> int:
        """Wrap every conversation's key by another key-encryption key; how many there were. No line is touched.

        Raises:
            ContextError: a key that the one at hand does not open; nothing is changed then.
        """
        with self._db.transaction():
            self._tags()
            wrapped = keys.wrap(self._tag_key, _TAGS.encode())
            self._db.run(update(_keys).where(_keys.c.name == _TAGS).values(keys_id=keys.id, wrapped=wrapped))
            seals = self._db.rows(select(_seals))
            for seal in seals:
                key = self._open(seal.keys_id, seal.wrapped, seal.conversation)
                new = {"keys_id": keys.id, "wrapped": keys.wrap(key, _context(seal.conversation))}
                self._db.run(update(_seals).where(_seals.c.id == seal.id).values(new))
            self._keys = keys
            self._opened.clear()
        return len(seals)

    def _made(self, tag: bytes) -> tuple[int, bytes]:
        """(number, key) of a new conversation."""
        key = wrapping.new_key()
        values = {"conversation": tag, "keys_id": self._keys.id, "wrapped": self._wrapped(key, _context(tag))}
        return int(self._db.value(insert(_seals).returning(_seals.c.id), values)), key

    def _tag(self, what: bytes, value: str) -> bytes:
        if not self._tag_key:
            self._tags()
        return hmac.digest(self._tag_key, what + b"\0" + value.encode("utf-8", "replace"), "sha256")[:16]

    def _tags(self) -> None:
        """Find the key of the hashes, or make it."""
        with self._db.transaction():
            found = self._db.row(select(_keys).where(_keys.c.name == _TAGS))
            if found is not None:
                self._tag_key = self._unwrapped(found.keys_id, found.wrapped, _TAGS.encode())
                return
            made = wrapping.new_key()
            values = {"name": _TAGS, "keys_id": self._keys.id, "wrapped": self._wrapped(made, _TAGS.encode())}
            self._db.run(insert(_keys), values)
            self._tag_key = made

    def _open(self, keys_id: str, wrapped: bytes, tag: bytes) -> bytes:
        key = self._opened.get(wrapped)
        if key is None:
            key = self._unwrapped(keys_id, wrapped, _context(tag))
            if len(self._opened) >= _REMEMBERED:
                del self._opened[next(iter(self._opened))]
            self._opened[wrapped] = key
        return key

    def _wrapped(self, key: bytes, context: bytes) -> bytes:
        try:
            return self._keys.wrap(key, context)
        except CasebookError as error:
            raise ContextError(f"the context cannot be sealed: {error}") from None

    def _unwrapped(self, keys_id: str, wrapped: bytes, context: bytes) -> bytes:
        if keys_id != self._keys.id:
            raise ContextError(f"the context was sealed with the key {keys_id}, this is {self._keys.id}")
        try:
            return self._keys.unwrap(wrapped, context)
        except CasebookError as error:
            raise ContextError(f"the context cannot be opened: {error}") from None


def _context(tag: bytes) -> bytes:
    return b"underwing context key\0" + tag


def count(database: Database, case: int) -> int:
    """How many lines are sealed in a case."""
    query = select(func.count()).select_from(_lines.join(_holds, _holds.c.seal == _lines.c.seal))
    return int(database.value(query.where(_holds.c.case_id == case)))


def share(database: Database, case: int, other: int) -> None:
    """Let `other` see what is sealed in `case` too (after a merge or a split)."""
    of_case = select(literal(other), _holds.c.seal).where(_holds.c.case_id == case)
    database.run(database.upsert(_holds).from_select(["case_id", "seal"], of_case).on_conflict_do_nothing())
