"""Who may do what: one table, no exceptions elsewhere. Least rights: what is not granted is denied."""

from typing import Literal

from underwing.casebook.people.values import May, Member, Role

Whose = Literal["own", "free", "other", "none"]
"""How a member stands to the case a request is about: holds it, nobody holds it, another holds it; or it is about none."""

_ALL: frozenset[Whose] = frozenset({"own", "free", "other", "none"})
_OWN: frozenset[Whose] = frozenset({"own"})
_OWN_OR_FREE: frozenset[Whose] = frozenset({"own", "free"})

GRANTS: dict[Role, dict[May, frozenset[Whose]]] = {
    "reviewer": {
        May.sign_in: _ALL,
        May.see_live: _ALL,
        May.act_on_stream: _ALL,
        May.see_queue: _ALL,
        May.see_case: _OWN,
        May.take_case: _OWN_OR_FREE,
        May.act_on_case: _OWN,
        May.shape_case: _OWN | {"none"},
        May.see_media: _OWN,
        May.keep_evidence: _OWN,
        May.decide_appeal: _ALL,
    },
    "senior": {
        May.sign_in: _ALL,
        May.see_live: _ALL,
        May.act_on_stream: _ALL,
        May.end_watch: _ALL,
        May.see_queue: _ALL,
        May.see_case: _ALL,
        May.take_case: _ALL,
        May.act_on_case: _ALL,
        May.shape_case: _ALL,
        May.see_media: _ALL,
        May.export_evidence: _ALL,
        May.keep_evidence: _ALL,
        May.confirm: _ALL,
        May.decide_appeal: _ALL,
        May.see_policies: _ALL,
        May.see_banks: _ALL,
        May.see_insights: _ALL,
        May.see_custody: _ALL,
    },
    "author": {
        May.sign_in: _ALL,
        May.see_policies: _ALL,
        May.write_policies: _ALL,
        May.see_insights: _ALL,
    },
    "administrator": {
        May.sign_in: _ALL,
        May.see_policies: _ALL,
        May.see_banks: _ALL,
        May.write_banks: _ALL,
        May.see_insights: _ALL,
        May.see_exposure: _ALL,
        May.manage_people: _ALL,
        May.manage_service: _ALL,
    },
    "auditor": {
        May.sign_in: _ALL,
        May.see_queue: _ALL,
        May.see_policies: _ALL,
        May.see_banks: _ALL,
        May.see_insights: _ALL,
        May.see_custody: _ALL,
        May.see_exposure: _ALL,
    },
}


def may(member: Member, what: May, whose: Whose = "none") -> bool:
    """Whether a member may do something, about a case of `whose`. One who left may nothing."""
    return member.active and whose in GRANTS[member.role].get(what, frozenset())
