"""Dilution and obfuscation: what is moved, what is changed and what is left alone."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_cases import risk, safe
from underwing.evaluation import WAYS, dilute, obfuscate
from underwing.evaluation.inserts import rewrite

SMALL_TALK = ["nice weather", "what did you have for lunch"]


def test_dilution_goes_between_the_signals_and_moves_them_along():
    before = risk(onset=2, harm=5, stages={3: "isolate"})
    after = dilute(before, SMALL_TALK, 200)
    assert len(after.messages) == 208
    assert after.messages[after.onset] == before.messages[2]
    assert after.messages[after.harm] == before.messages[5]
    assert after.messages[:3] == before.messages[:3]
    assert after.messages[-2:] == before.messages[-2:]
    staged = next(i for i, line in enumerate(after.messages) if line.stage)
    assert (after.onset, staged, after.harm) == (2, 70, 205)


def test_diluted_time_never_runs_backwards_and_the_original_is_left_alone():
    before = risk(onset=2, harm=5)
    after = dilute(before, SMALL_TALK, 50)
    times = [line.t for line in after.messages]
    assert times == sorted(times)
    assert len(before.messages) == 8


def test_a_conversation_without_signals_is_diluted_throughout():
    after = dilute(safe(), SMALL_TALK, 14)
    assert len(after.messages) == 22
    assert [line.text in SMALL_TALK for line in after.messages[:4]] == [False, True, True, False]


def test_dilution_by_nothing_changes_nothing():
    assert dilute(risk(), [], 0) == risk()
    with pytest.raises(ValueError, match="small talk"):
        dilute(risk(), [], 3)


@given(st.integers(1, 12), st.integers(0, 60), st.data())
def test_dilution_keeps_every_message_and_every_mark(length, n, data):
    onset = data.draw(st.integers(0, length - 1))
    harm = data.draw(st.none() | st.integers(onset, length - 1))
    before = risk(said=("ab" * length)[:length], onset=onset, harm=harm)
    after = dilute(before, SMALL_TALK, n)
    assert len(after.messages) == length + n
    assert [line for line in after.messages if line.text not in SMALL_TALK] == list(before.messages)
    assert after.messages[after.onset] == before.messages[onset]
    assert harm is None or after.messages[after.harm] == before.messages[harm]


@pytest.mark.parametrize("how", WAYS)
def test_only_the_actor_evades_and_always_in_the_same_way(how):
    before = risk(texts=["please send me your picture today " * 4 + "now"] * 8)
    after = obfuscate(before, how, seed=3)
    for old, new in zip(before.messages, after.messages, strict=True):
        assert (new.text != old.text) == (old.sender == "a")
        assert (new.t, new.sender) == (old.t, old.sender)
    assert obfuscate(before, how, seed=3) == after
    assert len({line.text for line in after.messages if line.sender == "a"}) > 1 or how == "spacing"


def test_without_an_actor_everybody_evades():
    after = obfuscate(safe(texts=["meet me there"] * 8), "spacing")
    assert {line.text for line in after.messages} == {"m e e t  m e  t h e r e"}


def test_an_unknown_way_is_refused():
    with pytest.raises(ValueError, match="leet, homoglyph"):
        obfuscate(risk(), "rot13")


def test_spacing_keeps_accents_with_their_letters():
    assert rewrite("dzie\u0301n नहीं", "spacing", "0") == "d z i é n  न हीं"


def test_leet_uses_digits_for_vowels():
    assert rewrite("photograph " * 40, "leet", "0").split().count("ph0t0gr4ph") > 25


def test_look_alikes_are_cyrillic_and_look_like_what_they_replace():
    text = "expose your picture " * 5
    changed = rewrite(text, "homoglyph", "0")
    swapped = [(a, b) for a, b in zip(text, changed, strict=False) if a != b]
    assert len(swapped) > 20
    assert all(unicodedata.name(b).startswith("CYRILLIC") for _, b in swapped)


@given(st.text(max_size=80), st.sampled_from(["zero_width", "emoji"]), st.text(max_size=5))
def test_insertions_only_insert(text, how, seed):
    rest = iter(rewrite(text, how, seed))
    assert all(c in rest for c in unicodedata.normalize("NFC", "".join(text.split())) if c.isalpha()) or (
        unicodedata.normalize("NFC", text) != text
    )
