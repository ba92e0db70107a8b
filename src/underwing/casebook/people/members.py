"""The rows of members: names, reading, writing. What may be done with them is `people`'s."""

import re
import secrets
import unicodedata
from typing import Any

from sqlalchemy import func, insert, select, update

from underwing.casebook.database import Database
from underwing.casebook.people.access import may
from underwing.casebook.people.tables import INVITATIONS, MEMBERS, RECOVERY, SESSIONS
from underwing.casebook.people.values import ROLES, May, Member, PeopleError, Standing

_NAME = re.compile(r"[\w.@+-]{1,64}")
_LANGUAGE = re.compile(r"([a-z]{2,3}(-[A-Za-z0-9]{2,8})?)?")
_SHOWN = 80
_FIELDS = [MEMBERS.c[name] for name in Member.__struct_fields__]


def folded(name: str) -> str:
    """A sign-in name as it is kept and looked up: NFKC, without case, without blanks around."""
    return unicodedata.normalize("NFKC", name[:300]).strip().casefold()


def checked(**fields: Any) -> dict[str, Any]:
    """Fields of a member that may be written (those that are None are left out).

    Raises:
        PeopleError: a name, role or language that cannot be.
    """
    made = {name: value for name, value in fields.items() if value is not None}
    if "name" in made:
        made["name"] = folded(made["name"])
        if not _NAME.fullmatch(made["name"]):
            raise PeopleError(
                "a name to sign in with has 1 to 64 letters, digits and . _ @ + -, no blanks", "name"
            )
    if "shown" in made:
        made["shown"] = " ".join(made["shown"].split())
        if not 0 < len(made["shown"]) <= _SHOWN or not made["shown"].isprintable():
            raise PeopleError(
                f"the name that colleagues see has 1 to {_SHOWN} printable characters", "shown", most=_SHOWN
            )
    if "role" in made and made["role"] not in ROLES:
        raise PeopleError(f"there is no role {made['role']!r}; there are {', '.join(ROLES)}", "role")
    if "language" in made and not _LANGUAGE.fullmatch(made["language"]):
        raise PeopleError("a language is written as en, de or pt-BR", "language")
    return made


class Members:
    """The table of members."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, *, name: str, shown: str, role: str, now: int, subject: str = "") -> Member:
        """A new member with a random id.

        Raises:
            PeopleError: fields that cannot be, or a name or subject that another has.
        """
        fields = checked(name=name, shown=shown, role=role)
        if self.secrets_of(fields["name"]) is not None:
            raise PeopleError(
                f"there is already somebody who signs in as {fields['name']}", "taken", name=fields["name"]
            )
        self._free(subject)
        made = Member(id="p" + secrets.token_hex(8), **fields)
        row = {field: getattr(made, field) for field in made.__struct_fields__}
        self._database.run(insert(MEMBERS).values(**row, created=now, subject=subject or None))
        return made

    def get(self, id: str) -> Member | None:
        """The member with this id."""
        row = self._database.row(select(*_FIELDS).where(MEMBERS.c.id == id))
        return Member(**row._mapping) if row else None

    def named(self, name: str) -> Member | None:
        """The member who signs in with this name."""
        row = self._database.row(select(*_FIELDS).where(MEMBERS.c.name == folded(name)))
        return Member(**row._mapping) if row else None

    def by_subject(self, subject: str) -> Member | None:
        """The member an identity provider calls so."""
        row = self._database.row(select(*_FIELDS).where(MEMBERS.c.subject == subject))
        return Member(**row._mapping) if row else None

    def all(self) -> list[Member]:
        """Everybody, by name."""
        rows = self._database.rows(select(*_FIELDS).order_by(MEMBERS.c.name))
        return [Member(**row._mapping) for row in rows]

    def able(self, what: May) -> frozenset[str]:
        """The ids of those who may do something, whose ever the case is."""
        return frozenset(member.id for member in self.all() if may(member, what))

    def secrets_of(self, name: str) -> Any:
        """The whole row of who signs in with `name`, with hash and sealed secret; None when there is nobody."""
        return self._database.row(select(MEMBERS).where(MEMBERS.c.name == folded(name)))

    def row(self, id: str) -> Any:
        """The whole row of a member.

        Raises:
            PeopleError: there is none.
        """
        found = self._database.row(select(MEMBERS).where(MEMBERS.c.id == id))
        if found is None:
            raise PeopleError("there is no such member", "nobody")
        return found

    def set(self, id: str, *where: Any, **values: Any) -> bool:
        """Write columns of a member where the conditions hold; whether they did."""
        return bool(self._database.run(update(MEMBERS).where(MEMBERS.c.id == id, *where).values(**values)))

    def link(self, id: str, subject: str) -> None:
        """Say who a member is at an identity provider ("" for nobody there).

        Raises:
            PeopleError: another member is that.
        """
        self._free(subject, id)
        self.set(id, subject=subject or None)

    def _free(self, subject: str, id: str = "") -> None:
        has = self.by_subject(subject) if subject else None
        if has is not None and has.id != id:
            raise PeopleError(
                f"{has.name} is already linked to that account of the identity provider",
                "linked",
                name=has.name,
            )

    def actives(self, role: str) -> int:
        """How many active members have a role."""
        count = select(func.count()).select_from(MEMBERS).where(MEMBERS.c.role == role, MEMBERS.c.active)
        return int(self._database.value(count) or 0)

    def standings(self, now: int) -> list[Standing]:
        """What administration sees of everybody, by name."""
        left = self._counts(RECOVERY, RECOVERY.c.used.is_(None))
        open_ = self._counts(SESSIONS, SESSIONS.c.ends > now)
        invited = {
            row.member: row.until
            for row in self._database.rows(
                select(INVITATIONS.c.member, func.max(INVITATIONS.c.expires).label("until"))
                .where(INVITATIONS.c.expires > now)
                .group_by(INVITATIONS.c.member)
            )
        }
        return [
            Standing(
                member=Member(**{name: getattr(row, name) for name in Member.__struct_fields__}),
                created=row.created, invited_until=invited.get(row.id, 0), has_password=bool(row.password),
                has_totp=row.totp is not None, subject=row.subject or "", recovery_left=left.get(row.id, 0),
                sessions=open_.get(row.id, 0),
            )
            for row in self._database.rows(select(MEMBERS).order_by(MEMBERS.c.name))
        ]  # fmt: skip

    def _counts(self, table: Any, *where: Any) -> dict[str, int]:
        rows = self._database.rows(
            select(table.c.member, func.count().label("many")).where(*where).group_by(table.c.member)
        )
        return {row.member: row.many for row in rows}
