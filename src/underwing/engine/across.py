"""What a message says of its sender across the people it writes to: other ages, places and handles told to others, the same
payment handle for several, the same opener to many."""

from msgspec import structs

from underwing.engine.keys import short_hash
from underwing.engine.said import Said
from underwing.model import Message
from underwing.risk import (
    ActorState,
    Contribution,
    Cue,
    Facts,
    Parties,
    Settings,
    effective_age,
    fold_approach,
    fold_claim,
    fold_told,
)
from underwing.text import NOTHING, ClaimFinder, simhash


def across(
    actor: ActorState | None, event: Message, said: Said, mine: Facts, parties: Parties, settings: Settings
) -> tuple[ActorState | None, list[Cue], list[Contribution]]:
    """The sender's state after a message, cues of it for the pair, and what was added to the sender itself.

    `mine` is what is known of the sender's account.
    """
    cues: list[Cue] = []
    joined: list[Contribution] = []
    if said.claims is NOTHING and not said.signals and not said.opening:
        return actor, cues, joined
    claims, whom = said.claims, short_hash(said.other)
    mark = Cue("", "deceive", 0.0, said.at, event.id, None, "ncmec")
    if claims.age is not None:
        actor, weight = fold_claim(actor, claims.age, whom, effective_age(mine), mark, settings)
        if weight and parties.target_minor is not False:
            cues.append(structs.replace(mark, signal="deceive.contradictory-age", weight=weight))
    if claims.payment is not None:
        actor, same, _ = fold_told(actor, "payments", short_hash(claims.payment), whom, mark)
        if same:
            weight = settings.payment_reuse
            cues.append(structs.replace(mark, signal="payment.same-handle", stage="payment", weight=weight))
    if claims.place is not None:
        actor, _, differs = fold_told(actor, "places", short_hash(claims.place), whom, mark)
        if differs and parties.target_minor is not False:
            weight = settings.contradictory_place
            cues.append(structs.replace(mark, signal="deceive.contradictory-place", weight=weight))
    handle = ClaimFinder.handle(event.text) if said.signals else None
    if handle is not None:
        actor, same, _ = fold_told(actor, "handles", short_hash(handle), whom, mark)
        if same and parties.target_minor and not parties.actor_minor:
            weight = settings.handle_reuse
            cues.append(
                structs.replace(mark, signal="actor.same-handle", stage="private_channel", weight=weight)
            )
    if said.opening and said.direct and parties.target_minor:
        weight = 0.5 if parties.actor_minor else 1.0
        opener = structs.replace(mark, stage="befriend")
        actor, made = fold_approach(actor, whom, simhash(said.view), weight, opener, settings)
        joined += made
    return actor, cues, joined
