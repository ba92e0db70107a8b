"""Conversations take turns, and none loses its order."""

from hypothesis import given
from hypothesis import strategies as st

from underwing.server.fair import Turns

ITEMS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers()), max_size=60)


@given(ITEMS, st.integers(1, 7))
def test_nothing_is_lost_and_each_keeps_its_order(items: list[tuple[str, int]], most: int) -> None:
    turns: Turns[tuple[str, int]] = Turns()
    for key, value in items:
        turns.put(key, (key, value))
    taken: list[tuple[str, int]] = []
    while turns:
        part = turns.take(most)
        assert 0 < len(part) <= most
        taken += part
    assert sorted(taken) == sorted(items)
    for key in "abcd":
        assert [v for k, v in taken if k == key] == [v for k, v in items if k == key]


def test_whoever_floods_waits_behind_its_own_flood() -> None:
    turns: Turns[str] = Turns()
    for n in range(1_000):
        turns.put("flood", f"flood {n}")
    turns.put("calm", "hello")
    assert "hello" in turns.take(2)
    turns.put("other", "hi")
    assert "hi" in turns.take(2)
