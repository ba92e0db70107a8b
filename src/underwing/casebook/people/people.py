"""The people of the casebook as one object: everything the console and the command line do with accounts."""

import secrets
import time

from msgspec import convert
from sqlalchemy import delete, insert

from underwing.casebook.custody import Custody, Record
from underwing.casebook.database import Database
from underwing.casebook.keys import Keys
from underwing.casebook.people import phrases
from underwing.casebook.people.entrance import Clock
from underwing.casebook.people.hashing import Hasher
from underwing.casebook.people.members import checked
from underwing.casebook.people.own import Own
from underwing.casebook.people.rules import Rules
from underwing.casebook.people.second import Request, Second
from underwing.casebook.people.sessions import Span, digest
from underwing.casebook.people.tables import INVITATIONS, RECOVERY
from underwing.casebook.people.values import Member, PeopleError, Role, Standing

INVITATION_SECONDS = 72 * 3_600


class People(Own):
    """Accounts and their administration. `by` is who acts: a member's id, or the command line's user.

    Nothing here asks whether `by` may: the console's table of routes does, and `Second` where it takes two.
    """

    def __init__(
        self,
        database: Database,
        custody: Custody,
        keys: Keys,
        *,
        clock: Clock = time.time,
        span: Span | None = None,
        hasher: Hasher | None = None,
        rules: Rules | None = None,
    ) -> None:
        super().__init__(database, custody, keys, clock=clock, span=span, hasher=hasher)
        self.second = Second(database, custody, rules=rules, clock=clock)
        """What waits for a second person."""
        self.second.carry("give_role", self._give_role)
        self.second.carry("reset", lambda request: self.reset(_subject(request), request.asked_by))

    # -- who there is -----------------------------------------------------------------------------------

    def members(self) -> list[Member]:
        """Everybody, those who left too, by name."""
        return self._members.all()

    def standings(self) -> list[Standing]:
        """Everybody with what administration needs to see of their accounts."""
        return self._members.standings(self.now)

    def member(self, id: str) -> Member | None:
        """The member with this id."""
        return self._members.get(id)

    def named(self, name: str) -> Member | None:
        """The member who signs in with this name."""
        return self._members.named(name)

    # -- accounts ---------------------------------------------------------------------------------------

    def add(
        self, name: str, shown: str, role: Role, by: str, password: str | None = None, subject: str = ""
    ) -> tuple[Member, str]:
        """A new account and its invitation, which is shown once and good for 72 hours ("" when a pass-phrase is given, or
        when an identity provider vouches for it as `subject`).

        Raises:
            PeopleError: a name that is taken or cannot be, or a pass-phrase that is not good enough.
        """
        hash = "" if password is None else self._hasher.make(phrases.check(password, name, shown))
        with self._database.transaction():
            made = self._members.add(name=name, shown=shown, role=role, now=self.now, subject=subject)
            self._note(by, "changed", "account made", f"member:{made.id}", role=role)
            if password is None:
                return made, "" if subject else self._invite(made)
            self._members.set(made.id, password=hash, password_at=self.now)
            return made, ""

    def change(
        self,
        id: str,
        by: str,
        *,
        shown: str | None = None,
        role: Role | None = None,
        active: bool | None = None,
        subject: str | None = None,
    ) -> Member:
        """Change an account. A new role and the end of an account end its sessions.

        Raises:
            PeopleError: no such member, fields that cannot be, or nobody would be left to administer.
        """
        fields = checked(shown=shown, role=role)
        with self._database.transaction():
            member = self._known(id)
            if role is not None and role != member.role:
                self._set_role(member, role, by=by, what="role changed")
            if active is not None and active != member.active:
                self._set_active(member, active, by)
            if "shown" in fields:
                self._members.set(id, shown=fields["shown"])
                self._note(by, "changed", "name shown changed", f"member:{id}")
            if subject is not None:
                self._members.link(id, subject)
                self._note(
                    by, "changed", "identity provider's account linked", f"member:{id}", linked=bool(subject)
                )
            return self._known(id)

    def revoke(self, id: str, by: str) -> Member:
        """Close an account: its sessions and invitations end, and it lets nobody in. It stays, since records name it."""
        return self.change(id, by, active=False)

    def reset(self, id: str, by: str) -> str:
        """For somebody who lost pass-phrase or second factor: both are gone, sessions end, waiting ends; the answer is a new
        invitation.

        Raises:
            PeopleError: no such member, or one whose account is closed.
        """
        with self._database.transaction():
            member = self._known(id)
            if not member.active:
                raise PeopleError(
                    f"the account of {member.name} is closed; open it again first", "closed", name=member.name
                )
            self._members.set(id, password="", totp=None, totp_next=None)
            self._database.run(delete(RECOVERY).where(RECOVERY.c.member == id))
            self._sessions.end_all(id)
            self._throttle.forget(member.name)
            self._note(by, "changed", "account reset", f"member:{id}")
            return self._invite(member)

    def end_sessions(self, id: str, by: str) -> int:
        """End all sessions of a member; how many."""
        with self._database.transaction():
            self._note(by, "changed", "sessions ended", f"member:{id}")
            return self._sessions.end_all(self._known(id).id)

    def audit(
        self, by: str, what: str, about: str = "", facts: dict[str, int | str | bool] | None = None
    ) -> Record:
        """Put an act into the custody log: `about` is `case:7`, `member:p1…`, another name, or nothing. The record."""
        return self._note(by, "acted", what, about, **(facts or {}))

    def rewrap(self, new: Keys) -> int:
        """Seal the secrets of second factors with another key; how many. The old one is no longer needed then."""
        return self._secrets.rewrap(new)

    # -- acts that may take two -------------------------------------------------------------------------

    def take_on(self, name: str, shown: str, role: Role, by: str, why: str) -> tuple[Member, Request]:
        """A new account by an administrator. Where its role takes a second person, it stays closed until then; the
        invitation is the request's `result`, for whoever decided last.

        Raises:
            PeopleError: fields that cannot be, or nobody could be the second person.
        """
        with self._database.transaction():
            takes_two = self.second.needs("give_role", {"role": role}, by=by)
            made, _ = self.add(name, shown, "reviewer" if takes_two else role, by)
            if takes_two:
                self.revoke(made.id, by)
            asked = self.second.act(
                "give_role", f"member:{made.id}", by, why, {"role": role, "new": "yes"}, {"role": role}
            )
            return self._known(made.id), asked

    def give_role(self, id: str, role: Role, by: str, why: str) -> Request:
        """Give a member a role, or ask a second person to agree.

        Raises:
            PeopleError: it cannot be.
        """
        checked(role=role)
        return self.second.act(
            "give_role", f"member:{self._known(id).id}", by, why, {"role": role}, {"role": role}
        )

    def reopen(self, id: str, by: str, why: str) -> Request | None:
        """Open a closed account again, with its role; or ask a second person to agree, where its role takes one.

        Raises:
            PeopleError: it cannot be.
        """
        role, about = self._known(id).role, f"member:{id}"
        if not self.second.needs("give_role", {"role": role}, about=about, by=by):
            self.change(id, by, active=True)
            return None
        return self.second.get(self.second.ask("give_role", about, by, why, {"role": role, "open": "yes"}))

    def ask_reset(self, id: str, by: str, why: str) -> Request:
        """Reset an account, or ask a second person to agree; the new invitation is the request's `result`.

        Raises:
            PeopleError: it cannot be.
        """
        return self.second.act("reset", f"member:{id}", by, why, {}, {"role": self._known(id).role})

    def _give_role(self, request: Request) -> str | None:
        new, opened = (request.body.get(name) == "yes" for name in ("new", "open"))
        role = convert(request.body["role"], Role)
        active = True if new or opened else None
        member = self.change(_subject(request), request.asked_by, role=role, active=active)
        return self._invite(member) if new else None

    # -- inside -----------------------------------------------------------------------------------------

    def _known(self, id: str) -> Member:
        found = self._members.get(id)
        if found is None:
            raise PeopleError("there is no such member", "nobody")
        return found

    def _set_active(self, member: Member, active: bool, by: str) -> None:
        if not active and member.role == "administrator":
            self._keep_one(member)
        self._members.set(member.id, active=active)
        if not active:
            self._sessions.end_all(member.id)
            self._database.run(delete(INVITATIONS).where(INVITATIONS.c.member == member.id))
        what = "account opened again" if active else "account closed"
        self._note(by, "changed", what, f"member:{member.id}")

    def _invite(self, member: Member) -> str:
        secret = secrets.token_urlsafe(32)
        self._database.run(delete(INVITATIONS).where(INVITATIONS.c.member == member.id))
        self._database.run(
            insert(INVITATIONS).values(
                hash=digest(secret), member=member.id, expires=self.now + INVITATION_SECONDS
            )
        )
        return secret


def _subject(request: Request) -> str:
    return request.about.removeprefix("member:")
