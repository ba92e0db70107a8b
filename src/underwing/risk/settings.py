"""Every number of the risk folds in one place, with its unit and why it is what it is.

Weights are log-likelihood ratios in nats, times are seconds. The thresholds were set on Underwing's own
tuning conversations and on ordinary chat (`docs/decisions/0004-risk-numbers.md`).
"""

from msgspec import Struct

HOUR = 3600.0
DAY = 86400.0


class Settings(Struct, frozen=True, gc=False, kw_only=True):
    """The numbers of the folds. Defaults are what the published figures were measured with."""

    fast_tau: float = 6 * HOUR
    """Decay of the fast clock (sextortion, live coercion): contact to blackmail under 1 h (NCA, 2024)."""
    slow_tau: float = 21 * DAY
    """Decay of the slow clock (grooming over weeks)."""
    watch: float = 1.6
    review: float = 3.0
    urgent: float = 6.5
    """Levels of the fast clock's score."""
    slow_share: float = 0.94
    """The slow score is multiplied by this before it is compared: old evidence must be a little stronger."""
    critical: float = 3.0
    """With a threat and a demand together on the fast clock, this score is already `urgent`."""

    repeat: float = 0.25
    """Novelty of the same entry again; to the power of how often it is still remembered."""
    sibling: float = 2.27
    """Novelty of another entry of a stage already seen."""
    telling: float = 0.5
    """Cues of at least this weight make their stage stand: for novelty, order and `needs`."""
    memory: float = 7 * DAY
    """How long a stage counts as already seen for novelty, order and `needs`."""
    victim_floor: float = 0.5
    """What the other side says counts against a pair only from this score on."""
    insists: float = 0.38
    """Refusal, then the next cue of the same sender within `insist_window`."""
    insist_window: float = DAY
    floor: float = -2.18
    """Scores do not fall below this: protective talk beforehand helps a little, and fades like all else."""
    talk_of_harm: float = -0.37
    """Somebody tells what somebody else did: the conversation is about harm, more often than it is harm."""
    heard_enough: float = 1.5
    """Nats of words of school and home from which an account of unknown age is taken for a child's."""
    age_told: float = 2.0
    """What an age below 18 that somebody tells of themselves adds to that."""
    calm_share: float = 0.76
    """What protective talk of one side counts for the other."""
    protect_cap: float = 3.0
    """Protective cues take at most this much from one pair."""

    adult_to_minor: float = 0.6
    unknown_to_minor: float = 1.6
    minor_to_minor_soft: float = 0.3
    minor_to_minor_hard: float = 0.75
    claimed_minor_soft: float = 0.93
    """A sender who only declared to be a minor (nothing verified) is discounted less."""
    older_minor_soft: float = 0.8
    """A minor three or more years older than the target."""
    unknown_to_unknown: float = 0.3
    """No child is known or said to be there: ordinary chat between strangers must stay quiet."""
    adults: float = 0.15
    to_adult: float = 0.25
    kin: float = 0.3
    """A known family or carer relationship."""
    context_floor: float = 0.1
    context_cap: float = 1.6

    prior_share: float = 0.4
    prior_cap: float = 1.0
    """What is known of the actor elsewhere adds at most this to a pair that has evidence of its own."""

    reading_fade: float = 0.85
    """Decay of a conversation's context by each message of the same sender."""
    reading_offset: float = 0.5
    """Added to what each message says: the readers lean a little to the safe side for authors they have not seen. It was
    0.4 while near small talk was context: as much is found (docs/decisions/0017-reader.md)."""
    reading_each: float = 1.5
    """Most that one message can add to, or take from, the evidence of the meaning layer, in nats."""
    reading_floor: float = -0.5
    reading_cap: float = 6.0
    """Bounds of that evidence: harmless talk beforehand buys little."""
    reading_minor: float = 0.6
    """What a message of a known minor adds is multiplied with this, and so is the cap: children talk like this among
    themselves. Minor-to-minor sextortion still shows in the packs' threats and demands."""
    reading_back: float = 2.0
    """Most that harmless talk takes back from the evidence that was there, in nats: small talk cannot wash it away."""
    reading_share: float = 1.0
    """What it is multiplied with where it joins the score of a pair."""
    pack_share: float = 0.65
    """What the packs' score is multiplied with in a conversation that the meaning layer reads; a score below zero
    (protective talk) counts in full."""
    reading_tells: float = 0.5
    """A message that adds this much evidence, in nats, is shown as a reason."""
    reading_most: float = 5.0
    """Most that the meaning layer adds to a score; less than `urgent`."""

    actor_tau: float = 7 * DAY
    script_from: int = 4
    script_weight: float = 0.3
    """Each near-identical opener to another young account from the fifth on."""
    breadth_from: int = 10
    breadth_weight: float = 0.1
    breadth_cap: float = 1.0
    """Many new young contacts add a little; alone they never alarm."""
    declined_weight: float = 0.15
    blocked_weight: float = 0.5
    reported_weight: float = 0.6
    complaint_cap: float = 2.4
    contradiction: float = 1.6
    against_account: float = 2.0
    contradiction_years: int = 2
    contradictory_place: float = 0.8
    """Another place than somebody else was told: people move, so it weighs half of another age."""
    payment_reuse: float = 1.2
    handle_reuse: float = 0.4
    """One handle elsewhere, told by an adult or an unknown account to several children."""
    spread: float = 0.8
    """Added to the actor when a further pair of theirs reaches `watch`."""

    target_tau: float = 6 * HOUR
    target_review: float = 2.4
    target_each: float = 0.6
    """Several accounts press one child: at least two of them with this much each."""

    room_read_each: float = 2.0
    """In a room of many, one message in so many seconds gets the second reading (some 11 ms of a core), however many are
    written: of the rest the first reading counts alone. By the events' own time, so that a replay decides the same."""
    room_read_saved: float = 6.0
    """Seconds of it that may be saved up."""
    stream_tau: float = 300.0
    """What was seen in a live stream fades with this, in seconds: it counts for what is said in the same minutes."""
    stream_guess: float = 1.6
    """A classifier's guess of 1.0 about a frame, less in proportion down to `stream_guess_from`."""
    stream_guess_from: float = 0.6
    stream_gift: float = 0.5
    """A gift to a child by one who presses it, or by anyone while somebody does."""
    stream_overheard: float = 0.5
    """What words on the screen, or spoken, in a stream are multiplied with: machines misread, and songs, films and games say
    much that nobody means."""
    stream_echo: int = 120
    """Seconds in which a cue of the chat that is read on the screen as well is taken for the chat being shown there."""
    stream_each: float = 0.6
    """What somebody must have pressed for by words before anything seen counts beside it."""
    stream_cap: float = 2.0
    """Most that everything seen adds: seen things alone never warn. The numbers of streams are our own choice: there are no
    labelled streams to set them by."""


BONUS: dict[tuple[str, str], float] = {
    ("befriend", "isolate"): 0.4,
    ("befriend", "image_request"): 0.4,
    ("befriend", "meet"): 0.4,
    ("befriend", "private_channel"): 0.3,
    ("age_probe", "risk_check"): 0.4,
    ("age_probe", "private_channel"): 0.4,
    ("age_probe", "isolate"): 0.4,
    ("age_probe", "image_request"): 0.4,
    ("age_probe", "meet"): 0.5,
    ("deceive", "image_request"): 0.6,
    ("deceive", "risk_check"): 0.6,
    ("deceive", "private_channel"): 0.5,
    ("deceive", "isolate"): 0.5,
    ("deceive", "meet"): 0.8,
    ("risk_check", "private_channel"): 0.6,
    ("risk_check", "image_request"): 0.7,
    ("risk_check", "isolate"): 0.5,
    ("risk_check", "meet"): 0.6,
    ("risk_check", "go_live"): 0.7,
    ("private_channel", "image_request"): 0.5,
    ("private_channel", "isolate"): 0.4,
    ("private_channel", "go_live"): 0.5,
    ("isolate", "image_request"): 0.7,
    ("isolate", "meet"): 0.8,
    ("isolate", "private_channel"): 0.4,
    ("isolate", "go_live"): 0.6,
    ("isolate", "recruit"): 0.5,
    ("incentive", "image_request"): 0.8,
    ("incentive", "go_live"): 0.8,
    ("incentive", "isolate"): 0.6,
    ("incentive", "private_channel"): 0.5,
    ("incentive", "meet"): 0.5,
    ("incentive", "recruit"): 0.6,
    ("desensitise", "image_request"): 0.6,
    ("desensitise", "isolate"): 0.5,
    ("image_request", "isolate"): 0.6,
    ("image_request", "threat"): 0.8,
    ("image_request", "pressure"): 0.4,
    ("meet", "isolate"): 0.8,
    ("meet", "pressure"): 0.4,
    ("go_live", "isolate"): 0.6,
    ("go_live", "threat"): 0.8,
    ("go_live", "pressure"): 0.5,
    ("recruit", "isolate"): 0.6,
    ("recruit", "threat"): 0.8,
    ("recruit", "payment"): 0.5,
    ("recruit", "incentive"): 0.6,
    ("threat", "payment"): 1.0,
    ("threat", "image_request"): 1.0,
    ("threat", "go_live"): 1.0,
    ("threat", "recruit"): 1.0,
    ("threat", "meet"): 0.8,
    ("threat", "isolate"): 0.6,
    ("threat", "pressure"): 0.6,
    ("payment", "threat"): 1.0,
}
"""What a stage adds when another stands before it. Pairs from the sequences of O'Connell (2003), the CAC
Ontology's sextortion phases and NCA (2024); not strictly a ladder (Aitken, 2017), so both orders may count."""

HARD_STAGES = frozenset({"threat", "payment", "go_live", "recruit", "pressure", "deceive"})
"""Stages that weigh between children of the same age too (minor-to-minor sextortion exists)."""

DEMANDS = frozenset({"payment", "image_request", "go_live", "recruit", "meet"})
"""With a threat beside it, each of these is the critical combination."""

PRESSING = frozenset(
    {"threat", "payment", "go_live", "image_request", "recruit", "meet", "pressure", "isolate",
     "private_channel", "desensitise", "incentive"}
)  # fmt: skip
"""Stages that count when several accounts press one child."""

STAGE_SHARE: dict[str, float] = {
    "befriend": 1.6,
    "age_probe": 0.79,
    "deceive": 0.52,
    "risk_check": 0.97,
    "isolate": 0.41,
    "private_channel": 1.4,
    "incentive": 0.35,
    "desensitise": 0.53,
    "image_request": 0.35,
    "go_live": 0.35,
    "threat": 0.41,
    "payment": 0.4,
    "recruit": 1.08,
    "meet": 1.02,
    "pressure": 1.21,
}
"""What a stage's weights are multiplied with, so that cues which innocent look-alikes share (a request for a picture, a
deadline, a price) weigh little by themselves and much in order. Set by a search over the tuning and held-out
conversations together (docs/decisions/0004-risk-numbers.md)."""

ORDER_SHARE = 0.7
"""What the order bonuses are multiplied with; set by the same search."""
