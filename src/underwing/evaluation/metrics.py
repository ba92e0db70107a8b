"""Measures of early warning: pure functions of counts and positions; what cannot be known is `None`.

Latencies are 1-based: the number of messages (with any text) seen when the warning fell.
"""

import math
import statistics
from collections.abc import Iterable, Sequence

P_ESPD = math.log(3) / 89
"""Penalty of .5 at 90 messages (Vogt, Leser and Akbik 2021, early detection in chats)."""
P_ERISK = 0.0078
"""Penalty of .5 at 142 messages (Sadeque, Xu and Bethard 2018, as in the eRisk organisers' script)."""
PREVALENCES = (1e-2, 1e-3, 1e-4)
"""Shares of risk conversations in traffic at which precision is stated."""
UPPER_BOUND_METHOD = "one-sided exact Clopper-Pearson, 95%"
"""How `upper_bound` is computed (at no alarm in n it is close to the rule of three, 3/n)."""


def ratio(part: float, whole: float) -> float | None:
    """`part / whole`, or `None` where `whole` is 0."""
    return part / whole if whole else None


def precision(hits: int, false_alarms: int) -> float | None:
    """Share of the warnings that were right; `None` without a warning."""
    return ratio(hits, hits + false_alarms)


def recall(hits: int, misses: int) -> float | None:
    """Share of the risk conversations that were warned; `None` where there are none."""
    return ratio(hits, hits + misses)


def f_beta(hits: int, false_alarms: int, misses: int, beta: float = 1.0) -> float | None:
    """Fβ = (1+β²)PR / (β²P+R), written on counts so that no warning at all gives 0 and no case `None`."""
    b = beta * beta
    return ratio((1 + b) * hits, (1 + b) * hits + b * misses + false_alarms)


def median(values: Iterable[float]) -> float | None:
    """The median, or `None` of nothing."""
    found = list(values)
    return statistics.median(found) if found else None


def share_before(pairs: Iterable[tuple[int | None, int]]) -> float | None:
    """Share of (warned at, mark) pairs warned strictly before the mark; never warned counts as not."""
    early = [warned is not None and warned < mark for warned, mark in pairs]
    return ratio(sum(early), len(early))


def penalty(latency: int, p: float = P_ESPD) -> float:
    """pen(k) = -1 + 2 / (1 + exp(-p(k-1))), in [0, 1); pen(1) = 0 (Sadeque et al. 2018).

    Raises:
        ValueError: a latency below 1.
    """
    if latency < 1:
        raise ValueError("a latency counts messages from 1")
    return -1 + 2 / (1 + math.exp(-p * (latency - 1)))


def speed(latencies: Sequence[int], p: float = P_ESPD) -> float | None:
    """1 - median penalty over the risk conversations that were warned. Misses do not enter: see recall."""
    middle = median(penalty(latency, p) for latency in latencies)
    return None if middle is None else 1 - middle


def f_latency(f1: float | None, quickness: float | None) -> float | None:
    """F1 x speed; 0 where F1 is 0, whatever the speed."""
    if f1 is None or f1 == 0:
        return f1
    return None if quickness is None else f1 * quickness


def latency_cost(latency: int, o: int) -> float:
    """lc_o(k) = 1 - 1/(1 + e^(k-o)), safe for any k (Losada and Crestani 2016)."""
    x = latency - o
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    e = math.exp(x)
    return e / (1 + e)


def erde(latencies: Sequence[int], false_alarms: int, risk: int, safe: int, o: int) -> float | None:
    """ERDE_o, mean cost in [0, 1]: hit lc_o(k), false alarm risk/(risk+safe), miss 1, rightly quiet 0.

    Step-like around o, and it depends on the share of risk: a secondary measure.
    """
    total = risk + safe
    if not total:
        return None
    hits = sum(latency_cost(latency, o) for latency in latencies)
    return (hits + false_alarms * risk / total + (risk - len(latencies))) / total


def upper_bound(events: int, trials: int, confidence: float = 0.95) -> float | None:
    """Upper end of the exact one-sided Clopper-Pearson interval for a rate: the p at which as few as
    `events` in `trials` would be seen with probability 1 - `confidence`. `None` without a trial.

    Raises:
        ValueError: counts that cannot be.
    """
    if not 0 <= events <= max(trials, 0):
        raise ValueError("events must lie between 0 and trials")
    if trials == 0:
        return None
    if events == trials:
        return 1.0
    alpha = 1 - confidence
    if events == 0:
        return -math.expm1(math.log(alpha) / trials)
    all_ways = math.lgamma(trials + 1)
    ways = [all_ways - math.lgamma(i + 1) - math.lgamma(trials - i + 1) for i in range(events + 1)]
    low, high = events / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        yes, no = math.log(middle), math.log1p(-middle) if middle < 1 else -math.inf
        seen = math.fsum(math.exp(way + i * yes + (trials - i) * no) for i, way in enumerate(ways))
        low, high = (middle, high) if seen > alpha else (low, middle)
    return high


def precision_at(prevalence: float, hit_rate: float | None, alarm_rate: float | None) -> float | None:
    """Precision to be expected where a share `prevalence` of conversations is risk (Bayes):
    recall·π / (recall·π + alarm rate·(1-π)).
    """
    if hit_rate is None or alarm_rate is None:
        return None
    right = hit_rate * prevalence
    return ratio(right, right + alarm_rate * (1 - prevalence))
