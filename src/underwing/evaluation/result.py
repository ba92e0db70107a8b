"""What an evaluation found: one outcome a conversation (never a text), and the measures of them."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from underwing import __version__
from underwing.evaluation import metrics
from underwing.evaluation.conversation import Channel, Label


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one conversation. Positions are message indices from 0, `None` = never.

    `warned` is the first message at which the level was `review` or more *and* the account named was one
    that may be blamed (any account in safe and unlabelled conversations). `first_…` say when that level or
    a higher one first fell, whoever was named. `latency` counts the messages with text up to `warned`.
    `demand` is the first message staged `image_request` or `threat`.
    """

    id: str
    lang: str
    channel: Channel
    kind: str
    label: Label | None
    messages: int
    onset: int | None = None
    harm: int | None = None
    demand: int | None = None
    first_watch: int | None = None
    first_review: int | None = None
    first_urgent: int | None = None
    warned: int | None = None
    latency: int | None = None

    @property
    def wrong_account(self) -> bool:
        """A risk conversation that reached `review`, but never with an account that may be blamed."""
        return self.label == "risk" and self.warned is None and self.first_review is not None


class Evaluation(Struct, frozen=True, kw_only=True):
    """The result of one run. `cpu_seconds` is process time spent judging, on all threads."""

    outcomes: tuple[Outcome, ...]
    cpu_seconds: float
    versions: dict[str, str]

    @property
    def missed(self) -> list[str]:
        """Ids of the risk conversations that were not warned."""
        return [one.id for one in self.outcomes if one.label == "risk" and one.warned is None]

    @property
    def false_alarms(self) -> list[str]:
        """Ids of the safe conversations that were warned."""
        return [one.id for one in self.outcomes if one.label == "safe" and one.warned is not None]

    def jsonable(self) -> dict[str, Any]:
        """The object that `underwing evaluate --json` prints; the same outcomes give the same measures."""
        total = summarise(self.outcomes)
        rate = metrics.ratio(total["messages"], self.cpu_seconds)
        return {
            **total,
            "by_kind": by(self.outcomes, lambda one: one.kind),
            "by_lang": by(self.outcomes, lambda one: one.lang.split("-")[0].lower()),
            "by_channel": by(self.outcomes, lambda one: one.channel),
            "messages_per_cpu_second": rate,
            "cpu_seconds": self.cpu_seconds,
            "missed": self.missed,
            "false_alarms": self.false_alarms,
            "wrong_account": [one.id for one in self.outcomes if one.wrong_account],
            "versions": {"underwing": __version__, **self.versions},
        }


def by(outcomes: Sequence[Outcome], key: Callable[[Outcome], str]) -> dict[str, dict[str, Any]]:
    """Every measure again for each slice, in the order of the slices' names."""
    slices: dict[str, list[Outcome]] = {}
    for one in outcomes:
        slices.setdefault(key(one), []).append(one)
    return {name: summarise(slices[name]) for name in sorted(slices)}


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All measures of some outcomes. Unlabelled conversations are counted and enter no measure.

    Precision and the F measures need both kinds of conversation: in a slice that has only risk ones, or
    only safe ones, they are `None`.
    """
    risk = [one for one in outcomes if one.label == "risk"]
    safe = [one for one in outcomes if one.label == "safe"]
    hits = [one for one in risk if one.warned is not None]
    tp, fn = len(hits), len(risk) - len(hits)
    fp = sum(one.warned is not None for one in safe)
    both = bool(risk and safe)
    f1 = metrics.f_beta(tp, fp, fn) if both else None
    latencies = [one.latency for one in hits if one.latency is not None]
    delays = [one.warned - one.onset for one in hits if one.warned is not None and one.onset is not None]
    quick, quick_erisk = metrics.speed(latencies), metrics.speed(latencies, metrics.P_ERISK)
    found, rate = metrics.recall(tp, fn), metrics.ratio(fp, len(safe))
    bound = metrics.upper_bound(fp, len(safe))
    return {
        "conversations": len(outcomes),
        "risk": len(risk),
        "safe": len(safe),
        "unlabelled": len(outcomes) - len(risk) - len(safe),
        "messages": sum(one.messages for one in outcomes),
        "warned_risk": tp,
        "warned_safe": fp,
        "warned_unlabelled": sum(one.label is None and one.warned is not None for one in outcomes),
        "urgent_safe": sum(one.first_urgent is not None for one in safe),
        "precision": metrics.precision(tp, fp) if both else None,
        "recall": found,
        "f1": f1,
        "f05": metrics.f_beta(tp, fp, fn, 0.5) if both else None,
        "risk_with_harm": sum(one.harm is not None for one in risk),
        "warned_before_harm": metrics.share_before(
            (one.warned, one.harm) for one in risk if one.harm is not None
        ),
        "warned_before_demand": metrics.share_before(
            (one.warned, one.demand) for one in risk if one.demand is not None
        ),
        "median_delay_messages": metrics.median(delays),
        "median_delay_messages_clamped": metrics.median(max(0, delay) for delay in delays),
        "median_latency_messages": metrics.median(latencies),
        "speed": quick,
        "f_latency": metrics.f_latency(f1, quick),
        "speed_erisk": quick_erisk,
        "f_latency_erisk": metrics.f_latency(f1, quick_erisk),
        "erde5": metrics.erde(latencies, fp, len(risk), len(safe), 5),
        "erde50": metrics.erde(latencies, fp, len(risk), len(safe), 50),
        "safe_alarm_rate": rate,
        "safe_alarm_rate_upper95": bound,
        "alarms_per_10000_safe": None if rate is None else rate * 10_000,
        "alarms_per_10000_safe_upper95": None if bound is None else bound * 10_000,
        "upper95_method": metrics.UPPER_BOUND_METHOD,
        "precision_at_prevalence": {
            f"{share:g}": {
                "estimate": metrics.precision_at(share, found, rate),
                "at_upper95_alarm_rate": metrics.precision_at(share, found, bound),
            }
            for share in metrics.PREVALENCES
        },
    }
