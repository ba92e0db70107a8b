"""A checked picture or video becomes a decision."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from conftest import START, adult, child
from underwing.casebook.cases.findings import findings, flags_of, own_cues
from underwing.casebook.cases.values import Flag, Marks
from underwing.engine import Engine, MemoryState
from underwing.model import BadEvent, Decision, Media, MediaMatch, MediaScore, decode_event, encode
from underwing.packs import Packs
from underwing.policy import load_policy

SHA = "0" * 64


def match(label: str, distance: int = 0, **more: Any) -> MediaMatch:
    return MediaMatch(bank="b", entry=f"e-{label}", label=label, signal="pdq", distance=distance, **more)


def sent(**more: Any) -> Media:
    values: dict[str, Any] = {
        "id": "p1", "at": START, "surface": "dm", "conversation": "c", "sender": "x", "to": ["kid"], "sha256": SHA,
    }  # fmt: skip
    return Media(**{**values, **more})


def decided(engine: Engine, event: Media) -> Decision:
    state = MemoryState()
    for facts in (child("kid"), adult("x")):
        engine.step(state, facts)
    return engine.step(state, event)


def test_a_match_is_held_and_opens_a_case_with_its_reason(engine: Engine) -> None:
    decision = decided(engine, sent(matches=[match("csam", 12, how="mirrored", range=(3.0, 8.5))]))
    assert (decision.level, decision.actor, decision.target) == ("review", "x", "kid")
    assert decision.actions == ("hold_media", "open_case")
    assert [(r.signal, r.source) for r in decision.reasons] == [
        ("media.pdq", "b/e-csam: csam, distance 12, mirrored, 3.0-8.5 s")
    ]
    assert not decision.test


def test_the_most_serious_match_counts(engine: Engine) -> None:
    decision = decided(engine, sent(matches=[match("test"), match("blocked"), match("csam", 20)]))
    assert [r.source.split(":")[0] for r in decision.reasons] == ["b/e-csam", "b/e-blocked", "b/e-test"]
    assert not decision.test


@pytest.mark.parametrize("label", ["blocked", "test"])
def test_what_is_only_unwanted_is_held_without_a_case_and_a_test_is_marked(
    engine: Engine, label: str
) -> None:
    decision = decided(engine, sent(matches=[match(label)]))
    assert "hold_media" in decision.actions
    assert ("open_case" in decision.actions) == (label == "test")
    assert decision.test == (label == "test")


def test_what_could_not_be_checked_stays_held(engine: Engine) -> None:
    decision = decided(engine, sent(error="the picture has 900 million pixels"))
    assert decision.actions == ("hold_media",)
    assert decision.level == "none"
    assert decision.reasons[0].source == "the picture has 900 million pixels"


@pytest.mark.parametrize("event", [sent(), sent(sha256=None), sent(matches=[match("false_match")])])
def test_a_clear_picture_passes(engine: Engine, event: Media) -> None:
    decision = decided(engine, event)
    assert (decision.level, decision.actions, decision.reasons) == ("none", (), ())


# -- a classifier's score -----------------------------------------------------------------------------------

SCORE = MediaScore(name="open-nsfw", version="1.0.0", score=0.874, meaning="Likely so.")


def test_a_score_towards_a_child_is_a_reason_that_says_it_is_a_guess(engine: Engine) -> None:
    decision = decided(engine, sent(score=SCORE))
    assert (decision.level, decision.stage, decision.target) == ("none", "guessed_media", "kid")
    assert decision.actions == ("nudge_child", "open_case")
    (reason,) = decision.reasons
    assert (reason.signal, reason.stage, reason.weight) == ("media.score", "guessed_media", 0.0)
    assert reason.source == "open-nsfw 1.0.0 gives 87 of 100: a guess, no verdict. Likely so."


def test_a_guess_makes_nobody_a_suspect(engine: Engine) -> None:
    event = sent(score=SCORE)
    decision = decided(engine, event)
    assert own_cues(decision) == []
    assert flags_of(decision) == Flag(0)
    found = findings(event, decision, Marks(region="", minors={"kid": True}))
    assert [(p.account, p.role) for p in found.people] == [("x", "bystander"), ("kid", "victim")]


@pytest.mark.parametrize(
    "more", [{"score": replace(SCORE, score=0.5)}, {"to": [], "surface": "group", "score": SCORE}]
)
def test_a_score_that_no_rule_asks_for_leaves_no_trace(engine: Engine, more: dict[str, Any]) -> None:
    decision = decided(engine, sent(**more))
    assert (decision.level, decision.actions, decision.reasons) == ("none", (), ())


def test_a_score_adds_nothing_to_a_match_and_lets_nothing_through(engine: Engine) -> None:
    matched = sent(matches=[match("csam")])
    assert decided(engine, replace(matched, score=SCORE)) == decided(engine, matched)
    assert decided(engine, sent(error="broken", score=replace(SCORE, score=0.0))).actions == ("hold_media",)
    both = decided(engine, sent(error="broken", score=SCORE))
    assert both.actions == ("hold_media", "nudge_child", "open_case")
    assert [r.signal for r in both.reasons] == ["media.unchecked", "media.score"]


def test_an_own_rule_may_use_the_score_and_a_shadow_is_told(small_packs: Packs, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        """version = "t"
[[rule]]
id = "any"
why = "A trial."
when = "media_score >= 10"
actions = ["nudge_sender"]
"""
    )
    shadowed = Engine(small_packs, load_policy(), shadow=load_policy(path))
    decision = decided(shadowed, sent(score=replace(SCORE, score=0.2)))
    assert (decision.actions, decision.shadow) == ((), ("nudge_sender",))
    assert [r.signal for r in decision.reasons] == ["media.score"]
    own = decided(Engine(small_packs, load_policy(path)), sent(score=replace(SCORE, score=0.1)))
    assert own.actions == ("nudge_sender",)
    assert (
        decided(Engine(small_packs, load_policy(path)), sent(score=replace(SCORE, score=0.09))).reasons == ()
    )


@pytest.mark.parametrize("score", [-0.1, 1.1, None])
def test_an_event_with_what_is_no_score_is_refused(score: float | None) -> None:
    body = msgspec.json.encode(
        {**msgspec.to_builtins(sent()), "score": {"name": "n", "version": "1", "score": score}}
    )
    with pytest.raises(BadEvent, match="score"):
        decode_event(body)


def test_a_surface_may_be_opened_for_what_could_not_be_checked(small_packs: Packs, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        """version = "t"
[[rule]]
id = "media.unchecked"
why = "Only private messages wait."
when = 'media == "unchecked"'
surfaces = ["dm"]
actions = ["hold_media"]
"""
    )
    engine = Engine(small_packs, load_policy(path))
    assert decided(engine, sent(error="broken")).actions == ("hold_media",)
    assert decided(engine, sent(error="broken", surface="group", to=[])).actions == ()


def test_a_media_event_comes_back_from_its_bytes() -> None:
    event = sent(matches=[match("csam", 3)], error=None, score=SCORE)
    assert decode_event(encode(event)) == event
    with pytest.raises(BadEvent, match="sha256"):
        decode_event(encode(sent()).replace(SHA.encode(), b"xyz"))
