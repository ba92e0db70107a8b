"""The formulas, against values worked out by hand and the reference values of their authors."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underwing.evaluation import metrics

counts = st.integers(0, 1000)


@pytest.mark.parametrize(
    ("latency", "expected"),
    [(1, 1.0), (5, 0.975), (10, 0.945), (20, 0.883), (35, 0.793), (50, 0.706), (90, 0.5)],
)
def test_speed_has_the_published_values(latency, expected):
    assert metrics.speed([latency]) == pytest.approx(expected, abs=6e-4)


def test_speed_is_one_minus_the_median_penalty():
    assert metrics.speed([1, 90, 1000]) == pytest.approx(0.5)
    assert metrics.speed([]) is None


def test_the_erisk_penalty_is_half_at_142_posts():
    assert metrics.penalty(142, metrics.P_ERISK) == pytest.approx(0.5, abs=1e-3)


def test_a_latency_below_one_is_refused():
    with pytest.raises(ValueError, match="from 1"):
        metrics.penalty(0)


@pytest.mark.parametrize(("latency", "expected"), [(1, 0.018), (5, 0.5), (10, 0.993)])
def test_latency_cost_has_the_published_values(latency, expected):
    assert metrics.latency_cost(latency, 5) == pytest.approx(expected, abs=5e-4)


def test_latency_cost_does_not_overflow():
    assert metrics.latency_cost(10**9, 5) == 1.0
    assert metrics.latency_cost(1, 10**9) == 0.0


def test_erde_by_hand():
    # Four subjects, two at risk: a hit at message 5 (cost .5), a miss (1), a false alarm (2/4), one quiet.
    assert metrics.erde([5], false_alarms=1, risk=2, safe=2, o=5) == pytest.approx((0.5 + 1 + 0.5 + 0) / 4)
    assert metrics.erde([], 0, 0, 0, 5) is None


def test_precision_recall_and_f_by_hand():
    assert metrics.precision(8, 2) == 0.8
    assert metrics.recall(8, 8) == 0.5
    assert metrics.f_beta(8, 2, 8) == pytest.approx(2 * 0.8 * 0.5 / 1.3)
    assert metrics.f_beta(8, 2, 8, 0.5) == pytest.approx(1.25 * 0.8 * 0.5 / (0.25 * 0.8 + 0.5))


def test_what_cannot_be_known_is_none():
    assert metrics.precision(0, 0) is None
    assert metrics.recall(0, 0) is None
    assert metrics.f_beta(0, 0, 0) is None
    assert metrics.f_beta(0, 0, 3) == 0
    assert metrics.median([]) is None
    assert metrics.share_before([]) is None
    assert metrics.upper_bound(0, 0) is None
    assert metrics.precision_at(0.01, None, 0.1) is None
    assert metrics.precision_at(0.01, 0.0, 0.0) is None


def test_f_latency():
    assert metrics.f_latency(0.8, 0.5) == pytest.approx(0.4)
    assert metrics.f_latency(0.0, None) == 0
    assert metrics.f_latency(None, 0.5) is None
    assert metrics.f_latency(0.8, None) is None


def test_before_means_strictly_before():
    assert metrics.share_before([(3, 4), (4, 4), (None, 4), (0, 1)]) == 0.5


@pytest.mark.parametrize(
    ("events", "trials", "expected"),
    # From tables of the exact one-sided 95% limit: 0/30, 1/30, 5/10; and 0/7168, near the rule of three.
    [(0, 30, 0.0950), (1, 30, 0.1486), (5, 10, 0.7776), (0, 7168, 3 / 7168), (10, 10, 1.0)],
)
def test_upper_bound_has_the_tabled_values(events, trials, expected):
    assert metrics.upper_bound(events, trials) == pytest.approx(expected, rel=2e-3)


def test_upper_bound_leaves_five_percent_below_it():
    bound = metrics.upper_bound(3, 200)
    seen = sum(math.comb(200, i) * bound**i * (1 - bound) ** (200 - i) for i in range(4))
    assert seen == pytest.approx(0.05, rel=1e-6)


def test_upper_bound_refuses_impossible_counts():
    with pytest.raises(ValueError, match="between"):
        metrics.upper_bound(4, 3)


@pytest.mark.parametrize(("rate", "expected"), [(1e-2, 0.008), (1e-3, 0.074), (1.2e-4, 0.40), (6e-5, 0.57)])
def test_precision_at_a_prevalence_has_the_stated_values(rate, expected):
    assert metrics.precision_at(1e-4, 0.8, rate) == pytest.approx(expected, abs=5e-3)


@given(counts, counts, counts, st.sampled_from([0.5, 1.0, 3.0]))
def test_scores_stay_in_bounds(hits, false_alarms, misses, beta):
    scores = (
        metrics.precision(hits, false_alarms),
        metrics.recall(hits, misses),
        metrics.f_beta(hits, false_alarms, misses, beta),
    )
    assert all(score is None or 0 <= score <= 1 for score in scores)


@given(st.integers(1, 1000), counts)
def test_precision_falls_with_each_false_alarm_and_rises_with_each_hit(hits, false_alarms):
    now = metrics.precision(hits, false_alarms)
    assert metrics.precision(hits, false_alarms + 1) < now
    assert metrics.precision(hits + 1, false_alarms) >= now


@given(st.integers(0, 200), st.integers(1, 200), st.data())
def test_upper_bound_lies_above_the_rate_and_falls_with_more_trials(more, trials, data):
    events = data.draw(st.integers(0, trials))
    bound = metrics.upper_bound(events, trials)
    assert events / trials <= bound <= 1
    assert metrics.upper_bound(events, trials + more) <= bound + 1e-9


@given(st.floats(1e-6, 1), st.floats(0, 1), st.floats(1e-6, 0.5))
def test_precision_at_rises_with_prevalence(hit_rate, alarm_rate, prevalence):
    low = metrics.precision_at(prevalence, hit_rate, alarm_rate)
    high = metrics.precision_at(min(1.0, prevalence * 2), hit_rate, alarm_rate)
    assert 0 <= low <= high + 1e-12 <= 1 + 1e-9


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=30), counts, counts, st.sampled_from([5, 50]))
def test_speed_and_erde_stay_in_bounds(latencies, misses, safe, o):
    assert 0 <= metrics.speed(latencies) <= 1
    for false_alarms in (0, safe):
        assert 0 <= metrics.erde(latencies, false_alarms, len(latencies) + misses, safe, o) <= 1 + 1e-9
