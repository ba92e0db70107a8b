"""Caps and breaks: pure rules over what a person looked at."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underwing.casebook.care.limits import Limits, LimitsError, load_limits
from underwing.casebook.care.looks import DAY, WEEK, Look, Ruling, rule, spent

NOW = 1_800_000_000
SMALL = msgspec.convert(
    {
        "format": 1, "over": "refuse", "near": 0.8, "severity": {"csam": 3, "": 2},
        "day": {"items": 5, "seconds": 60, "severe": 3}, "week": {"items": 12, "seconds": 150, "severe": 6},
        "sitting": {"seconds": 3000, "revealed": 40, "severe": 2, "break": 600}, "reveal": {"most": 30, "once": 3},
    },
    Limits,
)  # fmt: skip

LOOKS = st.lists(
    st.builds(
        Look, at=st.integers(NOW - WEEK - DAY, NOW), exhibit=st.integers(1, 9), seconds=st.integers(0, 30),
        severity=st.integers(0, 3),
    ),
    max_size=40,
)  # fmt: skip


@given(LOOKS, st.randoms())
def test_the_order_in_which_looks_are_told_does_not_matter(looks: list[Look], random: object) -> None:
    mixed = sorted(looks, key=lambda look: (look.at, hash(look)))
    assert rule(looks, NOW, SMALL) == rule(mixed[::-1], NOW, SMALL)


RANK = {"free": 0, "near": 1, "rest": 2, "over": 3}


@given(LOOKS, st.integers(0, 30), st.integers(0, 3))
def test_one_look_more_never_allows_more(looks: list[Look], seconds: int, severity: int) -> None:
    more = [*looks, Look(at=NOW, exhibit=99, seconds=seconds, severity=severity)]
    before, after = rule(looks, NOW, SMALL), rule(more, NOW, SMALL)
    assert RANK[after.state] >= RANK[before.state]
    assert after.until >= before.until


@given(LOOKS)
def test_there_is_room_again_when_it_is_said_and_not_before(looks: list[Look]) -> None:
    ruling = rule(looks, NOW, SMALL)
    if ruling.looks:
        assert ruling.until == 0
        return
    assert ruling.until > NOW
    assert not rule(looks, ruling.until - 1, SMALL).looks
    later = rule(looks, ruling.until, SMALL)
    assert (later.state, later.why) != (ruling.state, ruling.why)


@given(LOOKS)
def test_what_lies_a_week_back_does_not_count(looks: list[Look]) -> None:
    kept = [look for look in looks if look.at > NOW - WEEK]
    assert rule(looks, NOW, SMALL) == rule(kept, NOW, SMALL)
    assert rule(looks, NOW, SMALL).week == spent(kept)


@given(st.lists(st.tuples(st.integers(0, 4 * 3600), st.integers(0, 30), st.integers(0, 3)), max_size=60))
def test_whoever_obeys_is_never_over_a_cap_by_more_than_the_last_look(
    tries: list[tuple[int, int, int]],
) -> None:
    now, looks = NOW, list[Look]()
    for number, (pause, seconds, severity) in enumerate(tries):
        now += pause
        if rule(looks, now, SMALL).looks:
            looks.append(Look(at=now, exhibit=number, seconds=seconds, severity=severity))
            now += seconds
        ruling = rule(looks, now, SMALL)
        for done, cap in ((ruling.day, SMALL.day), (ruling.week, SMALL.week)):
            assert done.items <= cap.items
            assert done.severe <= cap.severe
            assert done.seconds < cap.seconds + SMALL.reveal.most


def _rule(*looks: Look, now: int = NOW) -> Ruling:
    return rule(looks, now, SMALL)


CASES: list[tuple[str, Callable[[], Ruling], str, str]] = [
    ("nothing seen", lambda: _rule(), "free", ""),
    ("the same file again and again is one item", lambda: _rule(*[Look(NOW - 700 - n, 1) for n in range(9)]), "free", ""),
    ("four of five files", lambda: _rule(*[Look(NOW - 7000 * n - 700, n) for n in range(4)]), "near", "day.items"),
    ("five of five files", lambda: _rule(*[Look(NOW - 3700 * n - 700, n) for n in range(5)]), "over", "day.items"),
    ("40 seconds in one sitting", lambda: _rule(Look(NOW - 90, 1, 20), Look(NOW - 50, 1, 20)), "rest", "sitting.revealed"),
    ("the same with a break between", lambda: _rule(Look(NOW - 2000, 1, 20), Look(NOW - 50, 1, 20)), "free", ""),
    ("two severe files at once", lambda: _rule(Look(NOW - 90, 1, 1, 3), Look(NOW - 50, 2, 1, 3)), "rest", "sitting.severe"),
    ("an hour with short pauses", lambda: _rule(*[Look(NOW - 500 * n, 1, 1) for n in range(7)]), "rest", "sitting.seconds"),
    ("the week's seconds", lambda: _rule(*[Look(NOW - DAY * n - 900, 1, 30) for n in range(5)]), "over", "week.seconds"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("ruling", "state", "why"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_known_days(ruling: Callable[[], Ruling], state: str, why: str) -> None:
    made = ruling()
    assert (made.state, made.why) == (state, why)


def test_a_break_ends_ten_minutes_after_the_last_look() -> None:
    made = _rule(Look(NOW - 90, 1, 20), Look(NOW - 50, 1, 20))
    assert made.until == NOW - 30 + 600
    assert rule([Look(NOW - 90, 1, 20), Look(NOW - 50, 1, 20)], made.until, SMALL).state == "free"


def test_the_shipped_limits_hold_together() -> None:
    limits = load_limits()
    assert limits.day.items <= limits.week.items <= 7 * limits.day.items
    assert limits.sitting.revealed <= limits.day.seconds
    assert limits.severity_of(("blocked", "csam")) == 3
    assert limits.severity_of(()) == limits.severity[""]


def test_an_operators_file_is_laid_over(tmp_path: Path) -> None:
    path = tmp_path / "care.toml"
    path.write_text('over = "ask"\n[day]\nitems = 7\n')
    limits = load_limits(path)
    assert (limits.over, limits.day.items, limits.day.seconds) == ("ask", 7, load_limits().day.seconds)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("day = 3", "day"), ("[day]\nitems = 0", "items"), ("[day]\nitem = 3", "item"), ("over = 'no'", "over"),
        ("[severity]\nworse = 3", "no such label"), ("[", "care.toml"),
    ],
)  # fmt: skip
def test_a_bad_file_says_what_to_mend(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "care.toml"
    path.write_text(text)
    with pytest.raises(LimitsError, match=said):
        load_limits(path)
    with pytest.raises(LimitsError, match="cannot be read"):
        load_limits(tmp_path / "none.toml")
