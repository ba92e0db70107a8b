"""A casebook with people for tests: fast hashes, a clock that a test turns, and codes as an app would show them."""

from typing import Any

import pyotp
from argon2 import PasswordHasher

from casebook_cases import Clock
from underwing.casebook.custody import Custody, Record, Signer
from underwing.casebook.database import Database
from underwing.casebook.keys import new_key, unwrap, wrap
from underwing.casebook.people import Member, People, Role, Session
from underwing.casebook.people.hashing import Hasher

PHRASE = "seven calm otters rowing"
ADDRESS = "192.0.2.7"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class PlainKeys:
    """The port of keys, with a key in memory."""

    def __init__(self) -> None:
        self.id, self._key = "test", new_key()

    def wrap(self, key: bytes, context: bytes) -> bytes:
        return wrap(self._key, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        return unwrap(self._key, wrapped, context)


class Rig:
    """Everything about people over one database."""

    def __init__(self, database: Database | None = None, **more: Any) -> None:
        self.database = database or Database(":memory:")
        self.clock = Clock()
        self.signer, self.keys = Signer.made(), PlainKeys()
        self.custody = Custody(self.database, self.signer)
        self.people = People(
            self.database, self.custody, self.keys, clock=self.clock, hasher=Hasher(QUICK), **more
        )
        self.second = self.people.second
        self.secrets: dict[str, str] = {}
        """The second factor's secret of each member, by id."""

    def add(self, name: str, role: Role = "reviewer") -> Member:
        """A member with the usual pass-phrase."""
        return self.people.add(name, name.title(), role, "test", password=PHRASE)[0]

    def enrolled(self, name: str, role: Role = "reviewer") -> tuple[Member, list[str]]:
        """A member with a second factor, and the recovery codes."""
        member = self.add(name, role)
        self.secrets[member.id] = self.people.begin_totp(member).secret
        done = self.people.enrol_totp(member, self.code(member))
        assert done is not None
        self.people.sign_out(done[0].token)
        self.clock.on(seconds=60)
        return member, done[1]

    def code(self, member: Member, steps: int = 0) -> str:
        """What the member's app shows, so many steps from now."""
        return pyotp.TOTP(self.secrets[member.id]).at(self.clock.now, counter_offset=steps)

    def sign_in(self, member: Member, address: str = ADDRESS) -> Session:
        """A good sign-in, half a minute after the last so that its code is a new one."""
        self.clock.on(seconds=60)
        made = self.people.sign_in(member.name, PHRASE, self.code(member), address)
        assert isinstance(made, Session)
        return made

    def records(self, kind: str = "") -> list[Record]:
        return list(self.custody.records(kind=kind))
