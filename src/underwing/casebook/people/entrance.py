"""The door: signing in and out, and who a cookie belongs to.

A wrong name, a wrong pass-phrase, a wrong code and an account that is closed get the same answer after the same work.
"""

import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from sqlalchemy import func, select, update

from underwing.casebook.custody import Custody, Record
from underwing.casebook.database import Database
from underwing.casebook.keys import Keys
from underwing.casebook.people import totp
from underwing.casebook.people.audit import NOBODY, note
from underwing.casebook.people.hashing import Hasher
from underwing.casebook.people.members import Members, folded
from underwing.casebook.people.phrases import normal
from underwing.casebook.people.sealed import SealedSecrets
from underwing.casebook.people.sessions import Sessions, Span
from underwing.casebook.people.tables import MEMBERS, RECOVERY
from underwing.casebook.people.throttle import Throttle
from underwing.casebook.people.values import Member, PeopleError, Refused, Role, Session

Clock = Callable[[], float]
STRANGERS_AN_HOUR = 60
"""Refusals of unknown names that are recorded, by each process."""


class Identity(Struct, frozen=True, kw_only=True):
    """Who an identity provider says somebody is. `role` "" leaves the role as it is; `create` allows a new account."""

    subject: str
    name: str
    shown: str
    role: Role | None = None
    create: bool = False


class Entrance:
    """Signing in and out. `keys` seal the secrets of second factors; every act goes into the custody log."""

    def __init__(
        self,
        database: Database,
        custody: Custody,
        keys: Keys,
        *,
        clock: Clock = time.time,
        span: Span | None = None,
        hasher: Hasher | None = None,
    ) -> None:
        self._database, self.custody, self._clock = database, custody, clock
        self._secrets = SealedSecrets(database, keys)
        self._members = Members(database)
        self._sessions = Sessions(database, span or Span())
        self._throttle = Throttle(database)
        self._hasher = hasher or Hasher()
        self._strangers = (0, 0)

    @property
    def now(self) -> int:
        """Epoch seconds."""
        return int(self._clock())

    # -- cookies ----------------------------------------------------------------------------------------

    def session(self, token: str, touch: bool = True) -> tuple[Member, Session] | None:
        """The active member and complete session of a cookie, or None. What a page asks by itself must not `touch` it, or an
        open page would keep its session alive."""
        found = self._found(token, touch)
        return found if found and found[1].complete else None

    def unfinished(self, token: str) -> tuple[Member, Session] | None:
        """The member and session of a cookie that still lacks its second factor, or None."""
        found = self._found(token)
        return found if found and not found[1].complete else None

    def _found(self, token: str, touch: bool = True) -> tuple[Member, Session] | None:
        session = self._sessions.find(token, self.now, touch) if token else None
        member = self._members.get(session.member) if session else None
        return (member, session) if member and session and member.active else None

    def sign_out(self, token: str) -> None:
        """End the session of a cookie; an unknown one is none."""
        found = self._found(token)
        if found:
            with self._database.transaction():
                self._sessions.end(found[0].id, found[1].id)
                self._note(found[0].id, "signed-out", "sign out")

    # -- local accounts ---------------------------------------------------------------------------------

    def sign_in(
        self, name: str, password: str, code: str, address: str, agent: str = ""
    ) -> Session | Refused:
        """A new session; not complete where no second factor was set up yet. `code` is the app's, or a recovery code."""
        now, key = self.now, folded(name)
        pause = self._throttle.take(key, address, now)
        if pause:
            return Refused("wait", pause)
        row = self._members.secrets_of(key)
        good = self._hasher.good(row.password if row else "", password)
        anew = self._hasher.make(normal(password)) if good and self._hasher.is_old(row.password) else ""
        with self._database.transaction():
            how = self._admit(row, code, now) if good else ""
            if not how:
                if row or self._worth_noting(now):
                    self._note(row.id if row else NOBODY, "sign-in-refused", "sign in", address=address[:100])
                return Refused("wrong")
            self._throttle.good(key, address)
            if anew:
                self._members.set(row.id, password=anew)
            return self._begin(row.id, how, complete=how != "password", address=address, agent=agent)

    def _worth_noting(self, now: int) -> bool:
        """Whether one more refusal of a name that nobody has is recorded: strangers with many addresses must not fill a log
        that is kept for ever. An account's own refusals end by themselves, at 100 in a row."""
        hour = now // 3_600
        self._strangers = (hour, self._strangers[1] + 1) if self._strangers[0] == hour else (hour, 1)
        return self._strangers[1] <= STRANGERS_AN_HOUR

    def _admit(self, row: Any, code: str, now: int) -> str:
        """What else than the pass-phrase let somebody in: a code, a recovery code, nothing yet to show ("password");
        "" when they are not let in. The row is looked at again: it may have changed while the hash was made."""
        if not self._members.set(
            row.id, MEMBERS.c.active, MEMBERS.c.password == row.password, password=row.password
        ):
            return ""
        if row.totp is None:
            return "password"
        return self._second_factor(row, code, now)

    def _second_factor(self, row: Any, code: str, now: int) -> str:
        """The way a code was good ("code", "recovery code"), used up by that; "" when it was not."""
        step = totp.step_of(self._secrets.open(row.id, row.totp), code, now, row.totp_step)
        if step is not None and self._members.set(row.id, MEMBERS.c.totp_step < step, totp_step=step):
            return "code"
        hash = totp.recovery_hash(code)
        used = hash and self._database.run(
            update(RECOVERY)
            .where(RECOVERY.c.hash == hash, RECOVERY.c.member == row.id, RECOVERY.c.used.is_(None))
            .values(used=now)
        )
        return "recovery code" if used else ""

    # -- identity providers -----------------------------------------------------------------------------

    def sign_in_as(self, who: Identity, address: str, agent: str = "") -> Session | Refused:
        """A new session for somebody whom an identity provider vouched for. Their role follows the provider's, where it
        names one; an account is made only where `who.create` says so.

        Raises:
            PeopleError: the account cannot be made or changed so.
        """
        with self._database.transaction():
            member = self._members.by_subject(who.subject)
            if member is None and who.create and who.role:
                member = self._members.add(
                    name=who.name, shown=who.shown, role=who.role, now=self.now, subject=who.subject
                )
                self._note(member.id, "changed", "account made by the identity provider", role=who.role)
            if member is None or not member.active:
                self._note(
                    member.id if member else NOBODY,
                    "sign-in-refused",
                    "sign in by the identity provider",
                    address=address[:100],
                )
                return Refused("wrong")
            if who.role and who.role != member.role:
                self._set_role(member, who.role, by=member.id, what="role by the identity provider")
            return self._begin(member.id, "identity provider", complete=True, address=address, agent=agent)

    # -- shared with what builds on this ----------------------------------------------------------------

    def _set_role(self, member: Member, role: Role, *, by: str, what: str) -> None:
        """Give a member a role; their sessions end.

        Raises:
            PeopleError: nobody would be left to administer.
        """
        if member.active and member.role == "administrator" and role != "administrator":
            self._keep_one(member)
        self._members.set(member.id, role=role)
        self._sessions.end_all(member.id)
        self._note(by, "changed", what, f"member:{member.id}", role=role, before=member.role)

    def _keep_one(self, member: Member) -> None:
        if self._members.actives("administrator") <= 1:
            raise PeopleError(
                f"{member.name} is the last administrator; give another member that role first",
                "last_administrator",
                name=member.name,
            )

    def _begin(self, id: str, how: str, *, complete: bool, address: str, agent: str) -> Session:
        made = self._sessions.open(id, self.now, complete=complete, address=address, agent=agent)
        self._note(id, "signed-in", "sign in", how=how, session=made.id, complete=complete)
        return made

    def _note(self, by: str, kind: Any, what: str, about: str = "", **facts: int | str | bool) -> Record:
        return note(self.custody, kind, by, what, about, **facts)

    def _recovery_left(self, id: str) -> int:
        return int(
            self._database.value(
                select(func.count())
                .select_from(RECOVERY)
                .where(RECOVERY.c.member == id, RECOVERY.c.used.is_(None))
            )
            or 0
        )
