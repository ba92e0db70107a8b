"""The second person: an act that takes two waits as a request until another member confirms it, declines it, or it expires.

    asked ──▶ confirmed (carried out in the same transaction)
          ├─▶ declined by another who may confirm
          ├─▶ taken back by the one who asked
          └─▶ expired

What an act is about is written `case:7`, `member:p1…`, `policy` …; of one act about one thing one request waits at a time.
"""

import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import insert, select, update

from underwing.casebook.custody import Custody
from underwing.casebook.database import Database
from underwing.casebook.people.access import may
from underwing.casebook.people.audit import note
from underwing.casebook.people.members import Members
from underwing.casebook.people.rules import Act, Rules, load_rules
from underwing.casebook.people.tables import REQUESTS
from underwing.casebook.people.values import May, Member, PeopleError

Body = dict[str, str]
State = Literal["waiting", "confirmed", "declined", "taken_back", "expired", "done"]
MOST_BODY = 256 * 1024
_MOST_WHY = 500
_SHOWN = 500


class SecondError(PeopleError):
    """A request that cannot be made or decided so; says why."""


class Request(Struct, frozen=True, kw_only=True):
    """An act that takes two. `body` is what carries it out needs; `id` 0 and `done`: it took one person and is done."""

    id: int
    what: str
    about: str
    asked_by: str
    why: str
    body: Body
    asked: int
    expires: int
    state: State
    decided_by: str = ""
    decided: int = 0
    result: str = ""
    """What carrying it out gave, told once to whoever confirmed (an invitation); kept nowhere."""


class Second:
    """Requests for a second person, and the carrying out of acts that may need one."""

    def __init__(
        self,
        database: Database,
        custody: Custody,
        *,
        rules: Rules | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._custody, self._clock = database, custody, clock
        self.rules = rules or load_rules()
        self._members = Members(database)
        self._carry: dict[str, Callable[[Request], str | None]] = {}

    def carry(self, what: str, how: Callable[[Request], str | None]) -> None:
        """Say how an act is carried out: called in the transaction of its confirmation; what it raises undoes both. What it
        gives is the request's `result`."""
        self._carry[what] = how

    # -- asking -----------------------------------------------------------------------------------------

    def needs(self, what: str, facts: dict[str, str] | None = None, *, about: str = "", by: str = "") -> bool:
        """Whether an act takes a second person, about something, when `by` asks for it."""
        return self.rules.of(what, facts or {}, not self._could(about, by)) is not None

    def act(
        self, what: str, about: str, by: str, why: str, body: Body, facts: dict[str, str] | None = None
    ) -> Request:
        """Do it when one person is enough (state `done`), else ask (state `waiting`). Whoever carries it out records it.

        Raises:
            SecondError: it cannot be asked for; or what carrying out raises.
        """
        if self.needs(what, facts, about=about, by=by):
            return self.get(self.ask(what, about, by, why, body))
        done = Request(
            id=0, what=what, about=about, asked_by=by, why=why, body=body, asked=self._now, expires=self._now,
            state="done",
        )  # fmt: skip
        with self._database.transaction():
            return msgspec.structs.replace(done, result=self._carry[what](done) or "")

    def ask(self, what: str, about: str, by: str, why: str, body: Body) -> int:
        """A new request; its number.

        Raises:
            SecondError: no reason, too much, asked already, or nobody is there who could confirm.
        """
        why, kept = why.strip(), msgspec.json.encode(body)
        if not 0 < len(why) <= _MOST_WHY:
            raise SecondError(
                f"say why in 1 to {_MOST_WHY} characters; the second person will read it",
                "say_why",
                most=_MOST_WHY,
            )
        if len(kept) > MOST_BODY:
            raise SecondError("this is too large to wait for a second person", "too_large")
        now, rule = self._now, self.rules.acts.get(what, Act(needs=True))
        with self._database.transaction():
            self._expire(now)
            asker = self._members.get(by)
            if asker is None or not asker.active:
                raise SecondError("only somebody with an account can ask for this", "no_account")
            if not self._could(about, by):
                raise SecondError(
                    "this takes a second person and nobody here could be it: give another member the role senior",
                    "nobody_could",
                )
            if self.pending(about, what):
                raise SecondError("this was asked for already and waits for a second person", "asked_already")
            self._database.run(
                insert(REQUESTS).values(
                    what=what, about=about, asked_by=by, why=why, body=kept, asked=now,
                    expires=now + rule.hours * 3_600, state="waiting", waiting=f"{what} {about}",
                )
            )  # fmt: skip
            made = self.pending(about, what)[0]
            self._note(made, by, "asked")
        return made.id

    # -- deciding ---------------------------------------------------------------------------------------

    def confirm(self, id: int, by: str) -> Request:
        """Confirm and carry out, both or neither.

        Raises:
            SecondError: it no longer waits, or `by` may not be the second person; or what carrying out raises.
        """
        with self._database.transaction():
            request = self._decide(id, by, "confirmed")
            asker = self._members.get(request.asked_by)
            if asker is None or not asker.active:
                raise SecondError("whoever asked for this is no longer here; decline it", "asker_gone")
            self._note(request, by, "confirmed")
            how = self._carry.get(request.what)
            given = how(request) if how is not None else None
        return msgspec.structs.replace(request, result=given or "")

    def decline(self, id: int, by: str) -> Request:
        """Say no.

        Raises:
            SecondError: it no longer waits, or `by` may not be the second person.
        """
        with self._database.transaction():
            request = self._decide(id, by, "declined")
            self._note(request, by, "declined")
        return request

    def take_back(self, id: int, by: str) -> Request:
        """End one's own request.

        Raises:
            SecondError: it no longer waits, or another asked for it.
        """
        with self._database.transaction():
            request = self._waiting(id)
            if request.asked_by != by:
                raise SecondError("only who asked can take it back; others decline", "not_yours")
            self._end(id, by, "taken_back")
            self._note(request, by, "declined", taken_back=True)
        return msgspec.structs.replace(request, state="taken_back", decided_by=by, decided=self._now)

    def objection(self, request: Request, member: Member) -> SecondError | None:
        """Why a member may not be the second person for this, or None."""
        return self._objection(request.about, request.asked_by, member)

    # -- looking ----------------------------------------------------------------------------------------

    def get(self, id: int) -> Request:
        """A request as it stands.

        Raises:
            SecondError: there is none.
        """
        row = self._database.row(select(REQUESTS).where(REQUESTS.c.id == id))
        if row is None:
            raise SecondError("there is no such request", "no_request")
        return _request(row, self._now)

    def pending(self, about: str = "", what: str = "", limit: int = 200) -> list[Request]:
        """What waits, the oldest first; about one thing or of one kind only, when named."""
        query = select(REQUESTS).where(REQUESTS.c.state == "waiting", REQUESTS.c.expires > self._now)
        if about:
            query = query.where(REQUESTS.c.about == about)
        if what:
            query = query.where(REQUESTS.c.what == what)
        rows = self._database.rows(query.order_by(REQUESTS.c.id).limit(limit))
        return [_request(row, self._now) for row in rows]

    def recent(self, limit: int = 50) -> list[Request]:
        """What was asked for last, however it ended, the newest first."""
        rows = self._database.rows(select(REQUESTS).order_by(REQUESTS.c.id.desc()).limit(limit))
        return [_request(row, self._now) for row in rows]

    # -- inside -----------------------------------------------------------------------------------------

    @property
    def _now(self) -> int:
        return int(self._clock())

    def _could(self, about: str, by: str) -> bool:
        """Whether somebody here could be the second person."""
        return any(self._objection(about, by, other) is None for other in self._members.all())

    def _objection(self, about: str, asked_by: str, member: Member) -> SecondError | None:
        if not may(member, May.confirm):
            return SecondError("this role may not confirm what others ask for", "may_not")
        if member.id == asked_by:
            return SecondError("another person must confirm this, not the one who asked", "not_you")
        if about == f"member:{member.id}":
            return SecondError("this is about yourself; another person must decide it", "about_you")
        return None

    def _waiting(self, id: int) -> Request:
        request = self.get(id)
        if request.state != "waiting":
            raise SecondError(
                f"this request no longer waits: it is {request.state.replace('_', ' ')}", "decided"
            )
        return request

    def _decide(self, id: int, by: str, state: State) -> Request:
        request = self._waiting(id)
        member = self._members.get(by)
        problem = (
            self.objection(request, member) if member else SecondError("there is no such member", "nobody")
        )
        if problem:
            raise problem
        self._end(id, by, state)
        return msgspec.structs.replace(request, state=state, decided_by=by, decided=self._now)

    def _end(self, id: int, by: str, state: State) -> None:
        changed = self._database.run(
            update(REQUESTS)
            .where(REQUESTS.c.id == id, REQUESTS.c.state == "waiting", REQUESTS.c.expires > self._now)
            .values(state=state, decided_by=by, decided=self._now, waiting=None)
        )
        if not changed:
            raise SecondError(
                "this request no longer waits: another was quicker, or its time ran out", "decided"
            )

    def _expire(self, now: int) -> None:
        self._database.run(
            update(REQUESTS)
            .where(REQUESTS.c.state == "waiting", REQUESTS.c.expires <= now)
            .values(state="expired", waiting=None)
        )

    def _note(self, request: Request, by: str, kind: Any, **facts: int | str | bool) -> None:
        note(self._custody, kind, by, request.what, request.about, request=request.id,
             why=request.why[:_SHOWN], **facts)  # fmt: skip


def _request(row: Any, now: int) -> Request:
    state: State = "expired" if row.state == "waiting" and row.expires <= now else row.state
    return Request(
        id=row.id, what=row.what, about=row.about, asked_by=row.asked_by, why=row.why,
        body=msgspec.json.decode(row.body, type=Body), asked=row.asked, expires=row.expires, state=state,
        decided_by=row.decided_by or "", decided=row.decided or 0,
    )  # fmt: skip
