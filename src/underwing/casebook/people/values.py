"""The words for the people of the casebook: members, roles, and everything that one may or may not do."""

from enum import StrEnum
from typing import Literal, get_args

from msgspec import Struct

from underwing.casebook.database import CasebookError

Role = Literal["reviewer", "senior", "author", "administrator", "auditor"]
"""`reviewer` decides the cases it holds; `senior` sees all cases and is the second person; `author` writes policies and
sees no case; `administrator` keeps people, banks and the service and sees no case; `auditor` sees what was done and
changes nothing."""
ROLES: tuple[Role, ...] = get_args(Role)


class May(StrEnum):
    """One thing that can be allowed. Every route of the console names one."""

    sign_in = "sign_in"
    """What everybody with an account may: the home page, one's own settings, signing out."""
    see_live = "see_live"
    """Decisions as they fall, with their reasons; accounts and what is known of them."""
    see_queue = "see_queue"
    """The heads of cases in their order: no message, no picture, no account's name."""
    see_case = "see_case"
    """A case with its messages and people."""
    take_case = "take_case"
    """Take a case that nobody holds; take one's own last act back."""
    act_on_case = "act_on_case"
    """Note, release, hand over, close."""
    shape_case = "shape_case"
    """Open by hand, merge, split, reopen."""
    see_media = "see_media"
    """A picture's still, small, blurred and grey; and its reveal while held."""
    export_evidence = "export_evidence"
    keep_evidence = "keep_evidence"
    """Withdraw, restore, hold, release; ask for destruction."""
    confirm = "confirm"
    """Be the second person for what another asked."""
    decide_appeal = "decide_appeal"
    see_policies = "see_policies"
    """Policies, backtests, shadow results, packs."""
    write_policies = "write_policies"
    see_banks = "see_banks"
    write_banks = "write_banks"
    see_insights = "see_insights"
    see_custody = "see_custody"
    """The custody log and its proof: who did what, never what it showed."""
    see_exposure = "see_exposure"
    """What the work cost others: minutes and items, as totals of a team and to support one person, never as a rank."""
    manage_people = "manage_people"
    manage_service = "manage_service"
    """Settings, regions, keys of platforms."""


class Member(Struct, frozen=True, kw_only=True):
    """One who works here. `id` is random and goes into records; `name` is what one signs in with; `shown` is what
    colleagues see; `language` is a catalogue's, "" for the browser's."""

    id: str
    name: str
    shown: str
    role: Role
    language: str = ""
    active: bool = True


class Session(Struct, frozen=True, kw_only=True):
    """One sign-in of a member. Times are epoch seconds.

    `id` names it in lists; `token` is the cookie's value, there only in the moment it was made. A session that is not
    `complete` may do one thing: set up the second factor. `address` and `agent` (at most 200 characters of what the
    browser said) let a member know their own sessions.
    """

    id: str
    member: str
    complete: bool
    began: int
    seen: int
    ends: int
    address: str = ""
    agent: str = ""
    token: str = ""


class Refused(Struct, frozen=True):
    """A sign-in that was not let in. `wrong` never says what was wrong; `wait` says for how many seconds."""

    why: Literal["wrong", "wait"]
    seconds: int = 0


class Standing(Struct, frozen=True, kw_only=True):
    """What administration sees of a member: whether a pass-phrase and a second factor are set, codes left, sessions."""

    member: Member
    created: int
    invited_until: int = 0
    has_password: bool = False
    has_totp: bool = False
    subject: str = ""
    recovery_left: int = 0
    sessions: int = 0

    @property
    def state(self) -> Literal["closed", "provider", "invited", "no_way", "no_factor", "ready"]:
        """How far the account is: whether its owner can sign in, and what is missing."""
        if not self.member.active:
            return "closed"
        if self.subject:
            return "provider"
        if not self.has_password:
            return "invited" if self.invited_until else "no_way"
        return "ready" if self.has_totp else "no_factor"


class PeopleError(CasebookError):
    """Something that cannot be done with an account; says why and what would do."""
