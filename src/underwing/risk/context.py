"""Context bends, never makes: ages and relationships multiply evidence within bounds."""

from msgspec import Struct

from underwing.model import Account
from underwing.risk.settings import HARD_STAGES, Settings


class Heard(Struct, frozen=True, gc=False, array_like=True):
    """Something an account said that speaks for its being of school age: the signal, thousandths of nats, and where."""

    signal: str
    milli: int
    event: str
    at: int
    start: int = -1
    end: int = -1
    source: str = ""


class Facts(Struct, frozen=True, gc=False, array_like=True):
    """What is known of an account, each with its provenance in its name; None is unknown."""

    declared_age: int | None = None
    estimated_age: int | None = None
    verified_age: int | None = None
    minor: bool | None = None
    created_at: int | None = None
    country: str | None = None
    relations: dict[str, str] = {}
    heard: tuple[Heard, ...] = ()
    """What speaks for a child while nobody says how old the account's owner is."""

    def updated(self, event: Account) -> "Facts":
        """These facts after an `account` event: absent fields stay, explicit nulls take a fact back."""
        from msgspec import UNSET

        created = event.created_at
        return Facts(
            self.declared_age if event.declared_age is UNSET else event.declared_age,
            self.estimated_age if event.estimated_age is UNSET else event.estimated_age,
            self.verified_age if event.verified_age is UNSET else event.verified_age,
            self.minor if event.minor is UNSET else event.minor,
            self.created_at if created is UNSET else (int(created.timestamp()) if created else None),
            self.country if event.country is UNSET else event.country,
            self.relations if event.relations is UNSET else dict(event.relations),
            self.heard,
        )


UNKNOWN = Facts()


def effective_age(facts: Facts) -> int | None:
    """The age to go by: verified before estimated before declared."""
    if facts.verified_age is not None:
        return facts.verified_age
    return facts.estimated_age if facts.estimated_age is not None else facts.declared_age


def is_minor(facts: Facts) -> bool | None:
    """Whether the account belongs to a minor, or None when nothing says so. 18 is the age of majority."""
    if facts.verified_age is not None:
        return facts.verified_age < 18
    if facts.minor is not None:
        return facts.minor
    age = effective_age(facts)
    return None if age is None else age < 18


def taken_for_minor(facts: Facts, settings: Settings) -> bool:
    """Whether the account is treated as a child's: it is one, or nobody knows and what it said speaks for it."""
    known = is_minor(facts)
    if known is not None:
        return known
    return bool(facts.heard) and sum(one.milli for one in facts.heard) >= 1000 * settings.heard_enough


class Parties(Struct, frozen=True, gc=False):
    """Who stands before whom: ages in years or None, minor or None, and a known relationship."""

    actor_age: int | None = None
    actor_minor: bool | None = None
    actor_proven: bool = False
    """The platform itself says that the actor is a minor (not only a declared age)."""
    target_age: int | None = None
    target_minor: bool | None = None
    kin: bool = False

    @classmethod
    def of(cls, actor: Facts, target: Facts, target_id: str, actor_id: str) -> "Parties":
        """The parties of a pair, from the facts of both."""
        relation = actor.relations.get(target_id) or target.relations.get(actor_id)
        return cls(
            effective_age(actor),
            is_minor(actor),
            actor.minor is True or actor.verified_age is not None,
            effective_age(target),
            is_minor(target),
            relation in ("parent", "guardian", "sibling", "relative", "carer"),
        )

    def multiplier(self, stage: str, doubted: bool, settings: Settings) -> float:
        """What a cue of `stage` is multiplied with; `doubted` when the actor's claimed age is in doubt."""
        s = settings
        hard = stage in HARD_STAGES
        if self.target_minor is False:
            value = s.adults if self.actor_minor is False else s.to_adult
        elif self.target_minor is None:
            if self.actor_minor:
                value = 0.8 if hard or doubted else s.minor_to_minor_soft
            else:
                value = s.unknown_to_unknown if self.actor_minor is None else 0.9
        elif self.actor_minor is False:
            value = s.adult_to_minor
        elif self.actor_minor is None:
            value = s.unknown_to_minor
        elif doubted:
            value = 1.0
        elif hard:
            value = s.minor_to_minor_hard
        elif self.actor_age and self.target_age and self.actor_age - self.target_age >= 3:
            value = s.older_minor_soft
        else:
            value = s.minor_to_minor_soft if self.actor_proven else s.claimed_minor_soft
        if self.kin:
            value *= s.kin
        return min(max(value, s.context_floor), s.context_cap)


def child_of(parties: Parties) -> str:
    """Which side the child is on: "target", "actor" or "unclear"."""
    if parties.target_minor and not parties.actor_minor:
        return "target"
    if parties.actor_minor and parties.target_minor is False:
        return "actor"
    return "unclear"
