"""The sieve against the plainest reading of what it promises."""

from hypothesis import given, settings
from hypothesis import strategies as st

from underwing.text.canonical import canonical, tokens
from underwing.text.light import TELLING
from underwing.text.patterns import EDGE
from underwing.text.sieve import LONE, NUMBER, TRIPLED, Conjunction, Sieve

words = st.sampled_from(["a", "ab", "abb", "aaa", "b", "é", "حب", "5", "17", "100", "?"])
literals = st.one_of(
    words.map(lambda w: f" {w} "),
    words.map(lambda w: f" {w}"),
    words.map(lambda w: f"{w} "),
    st.tuples(words, words).map(lambda p: f" {p[0]} {p[1]} "),
    words.map(lambda w: f"{EDGE} {w} "),
    words.map(lambda w: f" {w} {EDGE}"),
)
element = st.frozensets(literals, min_size=1, max_size=4)
conjunction = st.lists(element, min_size=1, max_size=3).map(tuple)
patterns = st.lists(conjunction, max_size=8)
views = st.lists(words, max_size=12).map(lambda tokens: " " + "".join(f"{t} " for t in tokens))


def places(element: frozenset[str], view: str) -> list[int]:
    return [at for at in range(len(view)) if any(view.startswith(x, at) for x in element)]


def in_order(pattern: Conjunction, view: str) -> bool:
    after = -1
    for element in pattern:
        after = min((at for at in places(element, view) if at > after), default=len(view))
    return after < len(view)


@given(patterns=patterns, first=views, second=views)
@settings(max_examples=300, deadline=None)
def test_it_names_the_patterns_whose_literals_stand_in_order(
    patterns: list[Conjunction], first: str, second: str
) -> None:
    sieve = Sieve(patterns)
    for view in (first, second, first):
        framed = f"{EDGE}{view}{EDGE}"
        found = sieve(view)[0]
        assert found == sorted(set(found))
        assert {n for n, pattern in enumerate(patterns) if in_order(pattern, framed)} <= set(found)
        assert all(places(element, framed) for n in found for element in patterns[n])


def test_literals_in_the_wrong_order_do_not_count() -> None:
    sieve = Sieve([(frozenset([" a "]), frozenset([" b "]))])
    assert sieve(" a b ")[0] == [0]
    assert sieve(" b a ")[0] == []
    assert sieve(" b a b ")[0] == [0]


@given(views)
@settings(deadline=None)
def test_hints_and_numbers(view: str) -> None:
    said = view.split()
    lone = any(
        all(len(t) == 1 and t.isascii() and t.isalpha() for t in said[i : i + 3])
        for i in range(len(said) - 2)
    )
    triple = any(c * 3 in view for c in "ab")
    _, clues = Sieve([])(view)
    assert bool(clues & LONE) == lone
    assert bool(clues & TRIPLED) == triple
    assert bool(clues & NUMBER) == any(t in ("5", "17") for t in said)


@given(st.text(st.characters(max_codepoint=127), max_size=60) | st.text("d'`lqu ?[a5.!_", max_size=30))
@settings(max_examples=500, deadline=None)
def test_what_it_reads_is_the_light_view_of_the_tokens(text: str) -> None:
    sieve = Sieve([(frozenset([" a "]),)])
    view, found, clues = sieve.read(text)
    assert view == canonical(text)
    assert view.split() == [token for token, _, _ in tokens(text)]
    assert (found, clues & ~TELLING) == sieve(view)


def test_a_long_view_and_broken_characters_are_taken() -> None:
    sieve = Sieve([(frozenset([" a "]),)])
    assert sieve(" a" * 20_000 + " ")[0] == [0]
    assert sieve(" \ud800 ")[0] == []
    view, found, _ = sieve.read("a? " * 100_000)
    assert found == [0]
    assert view == " " + "a ? " * 100_000


def test_it_goes_on_when_its_counter_is_spent() -> None:
    sieve = Sieve([(frozenset([" a "]),)])
    sieve._work[0] = 2**29 - 1
    for _ in range(3):
        assert sieve(" a ")[0] == [0]
        assert sieve(" b ")[0] == []
