"""The people of the casebook as one object: everything the console and the command line do with accounts."""

import secrets
from typing import Any

from sqlalchemy import delete, insert, select

from underwing.casebook.people import phrases
from underwing.casebook.people.members import checked
from underwing.casebook.people.own import Own
from underwing.casebook.people.sessions import digest
from underwing.casebook.people.tables import INVITATIONS, MEMBERS, RECOVERY
from underwing.casebook.people.values import Member, PeopleError, Role, Standing
from underwing.casebook.vault.keys import Keys

INVITATION_SECONDS = 72 * 3_600


class People(Own):
    """Accounts and their administration. `by` is who acts: a member's id, or the command line's user.

    Nothing here asks whether `by` may: the console's table of routes does, and `Second` where it takes two.
    """

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
                raise PeopleError(f"the account of {member.name} is closed; open it again first")
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
    ) -> None:
        """Put an act into the custody log: `about` is `case:7`, `member:p1…`, another name, or nothing."""
        self._note(by, "acted", what, about, **(facts or {}))

    def rewrap(self, new: Keys) -> int:
        """Seal the secrets of second factors with another key; how many. The old one is no longer needed then."""
        with self._database.transaction():
            rows = self._database.rows(select(MEMBERS.c.id, MEMBERS.c.totp, MEMBERS.c.totp_next))
            opened = [
                (row.id, {name: self._open(row.id, sealed) for name, sealed in _sealed(row)}) for row in rows
            ]
            before, self._keys = self._keys, new
            try:
                for id, kept in opened:
                    if kept:
                        self._members.set(
                            id, **{name: self._seal(id, secret) for name, secret in kept.items()}
                        )
            except BaseException:
                self._keys = before
                raise
        return sum(len(kept) for _, kept in opened)

    # -- inside -----------------------------------------------------------------------------------------

    def _known(self, id: str) -> Member:
        found = self._members.get(id)
        if found is None:
            raise PeopleError("there is no such member")
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


def _sealed(row: Any) -> list[tuple[str, bytes]]:
    return [(name, getattr(row, name)) for name in ("totp", "totp_next") if getattr(row, name) is not None]
