"""What a member does with their own account: the invitation, pass-phrase, second factor, sessions, language."""

from msgspec import Struct
from sqlalchemy import delete, insert, select

from underwing.casebook.people import phrases, totp
from underwing.casebook.people.entrance import Entrance
from underwing.casebook.people.members import checked
from underwing.casebook.people.sessions import digest
from underwing.casebook.people.tables import INVITATIONS, MEMBERS, RECOVERY
from underwing.casebook.people.values import Member, PeopleError, Refused, Session


class Enrolment(Struct, frozen=True, kw_only=True):
    """What an authenticator app needs: the secret to type, or the address for a QR code."""

    secret: str
    uri: str


class Own(Entrance):
    """One's own account. Each change asks for the pass-phrase again (throttled as sign-in is) or for a fresh invitation."""

    # -- the invitation ---------------------------------------------------------------------------------

    def invited(self, secret: str) -> Member | None:
        """Whom an invitation is for, while it is good."""
        row = self._database.row(
            select(INVITATIONS.c.member).where(
                INVITATIONS.c.hash == digest(secret), INVITATIONS.c.expires > self.now
            )
        )
        member = self._members.get(row.member) if row else None
        return member if member and member.active else None

    def join(self, secret: str, password: str, address: str, agent: str = "") -> Session | Refused:
        """Use an invitation up: set the pass-phrase and sign in, up to the second factor.

        Raises:
            PeopleError: a pass-phrase that is not good enough; the invitation stays.
        """
        member = self.invited(secret)
        if member is None:
            return Refused("wrong")
        hash = self._hash(password, member)
        with self._database.transaction():
            taken = self._database.run(
                delete(INVITATIONS).where(
                    INVITATIONS.c.hash == digest(secret), INVITATIONS.c.expires > self.now
                )
            )
            if not taken:
                return Refused("wrong")
            self._database.run(delete(INVITATIONS).where(INVITATIONS.c.member == member.id))
            self._members.set(member.id, password=hash, password_at=self.now)
            self._sessions.end_all(member.id)
            self._note(member.id, "changed", "join with an invitation")
            row = self._members.row(member.id)
            return self._begin(
                member.id, "invitation", complete=row.totp is not None, address=address, agent=agent
            )

    # -- the second factor ------------------------------------------------------------------------------

    def begin_totp(self, member: Member) -> Enrolment:
        """The secret that waits to be enrolled; the same until it is, or until it is thrown away by `renew_totp`."""
        with self._database.transaction():
            row = self._members.row(member.id)
            if row.totp_next is not None:
                secret = self._secrets.open(member.id, row.totp_next)
            else:
                secret = totp.new_secret()
                self._members.set(member.id, totp_next=self._secrets.seal(member.id, secret))
        return Enrolment(secret=secret, uri=totp.uri(secret, member.name))

    def renew_totp(self, member: Member, password: str, address: str) -> Enrolment | Refused:
        """A new secret beside the one in use, which stays good until the first code of the new one."""
        refused = self.proves(member, password, address)
        if refused:
            return refused
        self._members.set(member.id, totp_next=None)
        return self.begin_totp(member)

    def enrol_totp(
        self, member: Member, code: str, address: str = "", agent: str = ""
    ) -> tuple[Session, list[str]] | None:
        """Finish enrolment with the app's first code: a new complete session and the recovery codes, shown this once.
        All other sessions end. None when the code is wrong."""
        now = self.now
        with self._database.transaction():
            row = self._members.row(member.id)
            if row.totp_next is None or not row.active:
                return None
            step = totp.step_of(self._secrets.open(member.id, row.totp_next), code, now, 0)
            if step is None:
                return None
            self._members.set(member.id, totp=row.totp_next, totp_next=None, totp_step=step)
            codes = self._new_recovery(member)
            self._sessions.end_all(member.id)
            self._note(member.id, "changed", "second factor set up")
            return self._begin(member.id, "enrolment", complete=True, address=address, agent=agent), codes

    def new_recovery(self, member: Member, password: str, address: str) -> list[str] | Refused:
        """Fresh recovery codes in the place of the old ones."""
        refused = self.proves(member, password, address)
        if refused:
            return refused
        with self._database.transaction():
            self._note(member.id, "changed", "recovery codes made anew")
            return self._new_recovery(member)

    def recovery_left(self, member: Member) -> int:
        """How many recovery codes are unused."""
        return self._recovery_left(member.id)

    def _new_recovery(self, member: Member) -> list[str]:
        codes = totp.new_recovery()
        self._database.run(delete(RECOVERY).where(RECOVERY.c.member == member.id))
        for code in codes:
            self._database.run(insert(RECOVERY).values(hash=totp.recovery_hash(code), member=member.id))
        return codes

    # -- the pass-phrase --------------------------------------------------------------------------------

    def proves(self, member: Member, password: str, address: str) -> Refused | None:
        """None when the pass-phrase is this member's own; counted and recorded as a sign-in is."""
        pause = self._throttle.take(member.name, address, self.now)
        if pause:
            return Refused("wait", pause)
        row = self._members.row(member.id)
        if not self._hasher.good(row.password, password) or not row.active:
            self._note(member.id, "sign-in-refused", "prove the pass-phrase", address=address[:100])
            return Refused("wrong")
        self._throttle.good(member.name, address)
        return None

    def set_password(
        self, member: Member, old: str, new: str, address: str = "", agent: str = ""
    ) -> Session | Refused:
        """Change the pass-phrase: all sessions end, the answer is a new one.

        Raises:
            PeopleError: the new one is not good enough.
        """
        refused = self.proves(member, old, address)
        if refused:
            return refused
        was = self._members.row(member.id).password
        if self._hasher.good(was, new):
            raise PeopleError("the new pass-phrase is the old one", "phrase_same")
        hash = self._hash(new, member)
        with self._database.transaction():
            same = (MEMBERS.c.active, MEMBERS.c.password == was)
            if not self._members.set(member.id, *same, password=hash, password_at=self.now):
                return Refused("wrong")
            complete = self._members.row(member.id).totp is not None
            self._sessions.end_all(member.id)
            self._note(member.id, "changed", "pass-phrase changed")
            return self._begin(member.id, "new pass-phrase", complete=complete, address=address, agent=agent)

    def _hash(self, password: str, member: Member) -> str:
        return self._hasher.make(phrases.check(password, member.name, member.shown))

    def is_local(self, member: Member) -> bool:
        """Whether a member signs in with a pass-phrase here."""
        return bool(self._members.row(member.id).password)

    # -- sessions and language --------------------------------------------------------------------------

    def sessions(self, member: Member) -> list[Session]:
        """One's own living sessions, the newest first."""
        return self._sessions.of(member.id, self.now)

    def end_session(self, member: Member, id: str) -> bool:
        """End one of one's own sessions; whether there was such a one."""
        with self._database.transaction():
            ended = self._sessions.end(member.id, id)
            if ended:
                self._note(member.id, "changed", "session ended", session=id[:40])
        return ended

    def set_language(self, member: Member, language: str) -> None:
        """Choose the console's language ("" for the browser's).

        Raises:
            PeopleError: not a language's name.
        """
        fields = checked(language=language)
        with self._database.transaction():
            self._members.set(member.id, **fields)
            self._note(member.id, "changed", "language", language=language)
