"""Pass-phrases: length and what is tried first, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from people_cases import QUICK
from underwing.casebook.people import PeopleError, phrases
from underwing.casebook.people.hashing import Hasher


@pytest.mark.parametrize(
    "good",
    [
        "seven calm otters rowing",
        "correct horse battery stapler",
        "ähnlich öde überall",
        "qwerty is not what I type",
    ],
)
def test_good_phrases(good: str) -> None:
    assert phrases.check(good, "anna", "Anna Weber") == good


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("eleven char", "at least 12"),
        ("x" * 257, "at most 256"),
        ("password1234", "tried first"),
        ("Correct Horse Battery Staple 99", "tried first"),
        ("I Love You So Much!", "tried first"),
        ("aaaaaaaaaaaaaa", "repeats"),
        ("abababababab", "repeats"),
        ("234567890123", "repeats"),
        ("poiuytrewqpoiuy", "repeats"),
        ("............", "repeats"),
        ("anna.weber.anna", "a name"),
        ("Anna-Weber-2026", "a name"),
        ("underwing anna1", "a name"),
    ],
)
def test_bad_phrases(bad: str, said: str) -> None:
    with pytest.raises(PeopleError, match=said):
        phrases.check(bad, "anna.weber", "Anna Weber")


def test_every_phrase_of_the_list_is_refused() -> None:
    for phrase in phrases.common():
        if len(phrase) >= phrases.LEAST:
            with pytest.raises(PeopleError):
                phrases.check(phrase)


@given(st.text(min_size=12, max_size=200), st.text(max_size=20))
def test_a_check_gives_the_phrase_or_says_why(phrase: str, name: str) -> None:
    try:
        made = phrases.check(phrase, name)
    except PeopleError:
        return
    assert phrases.LEAST <= len(made) <= phrases.MOST
    assert phrases.check(made, name) == made


def test_two_keyboards_agree() -> None:
    hasher = Hasher(QUICK)
    hash = hasher.make(phrases.check("caf\u00e9 am \u00fcber all meer"))
    assert hasher.good(hash, "cafe\u0301 am u\u0308ber all meer")
    assert not hasher.good(hash, "cafe am uber all meer")


def test_an_empty_hash_is_never_right() -> None:
    hasher = Hasher(QUICK)
    assert not hasher.good("", "")
    assert not hasher.good("", "nobody has this pass-phrase")
    assert not hasher.good("no hash at all", "nobody has this pass-phrase")
