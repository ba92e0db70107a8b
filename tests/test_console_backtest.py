"""A backtest over kept decisions: what the policy was told is built again, and proven by what was done."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from casebook_cases import decision
from conftest import START, adult, child, message
from underwing.engine import Engine, MemoryState, Runner
from underwing.model import Media, MediaScore, Message
from underwing.packs import Packs
from underwing.policy import Facts, Policy, load_policy
from underwing.risk.context import UNKNOWN
from underwing.server.console.backtest import (
    Rebuilt,
    Sides,
    backtest,
    decisions_of,
    rebuild,
    shadowed,
    sides_of,
)

SHIPPED = load_policy()
WORDS = ["home alone", "dont tell", "picture of you", "everyone will see", "pay me", "im scared", "hello"]


def policy(tmp_path: Path, *rules: tuple[str, str], name: str = "p") -> Policy:
    path = tmp_path / f"{name}.toml"
    text = f'version = "{name}"\n'
    for n, (when, action) in enumerate(rules):
        text += f"[[rule]]\nid = \"r{n}\"\nwhy = \"a test\"\nwhen = '''{when}'''\nactions = [\"{action}\"]\n"
    path.write_text(text, encoding="utf-8")
    return load_policy(path)


def kept(runner: Runner, surfaces: dict[str, str]) -> list[Rebuilt]:
    told = [
        (d, sides_of(d, runner.state.accounts.get, runner.state.actors.get))
        for d in decisions_of(runner.recent(0, 10_000))
    ]
    return rebuild(told, lambda event: surfaces.get(event, ""))


@given(
    st.lists(st.tuples(st.sampled_from("abk"), st.sampled_from("km"), st.sampled_from(WORDS)), max_size=40)
)
def test_what_is_built_again_gives_what_was_done(
    small_packs: Packs, said: list[tuple[str, str, str]]
) -> None:
    """With the surfaces known, the shipped policy gives every decision again, but for few that are left out."""
    seen: dict[str, Facts] = {}
    engine = Engine(small_packs, SHIPPED, observer=lambda event, facts: seen.update({event: facts}))
    messages: list[Message] = [
        message(n, sender, to, text, conversation=f"{sender}{to}")
        for n, (sender, to, text) in enumerate(said, 1)
        if sender != to
    ]
    with Runner(engine, ":memory:") as runner:
        runner.process([child("k"), child("m", 15), adult("a"), adult("b", 44), *messages])
        made = kept(runner, {m.id: m.surface for m in messages})
        result = backtest(engine.policy, engine.policy, made)
    assert result.comparison.changes == ()
    assert result.unproven == 0
    assert result.looked == len(made)
    assert result.comparison.events + result.left_out == result.looked
    assert result.left_out <= len(made) // 4
    for one in made:  # what the page lets stand is what the policy was really told
        truth = seen[one.decision.event]
        assert (one.facts.level, one.facts.stage, one.facts.surface) == (
            truth.level,
            truth.stage,
            truth.surface,
        )
        assert (one.facts.actor_age, one.facts.target_age, one.facts.gap) == (
            truth.actor_age, truth.target_age, truth.gap,
        )  # fmt: skip


def test_a_new_rule_shows_what_it_would_change(tmp_path: Path, small_packs: Packs) -> None:
    live = policy(tmp_path, ("level >= 2", "open_case"), name="live")
    new = policy(tmp_path, ("level >= 2", "open_case"), ("level >= 2 && surface == 'dm'", "page"), name="new")
    with Runner(Engine(small_packs, live), ":memory:") as runner:
        told = [message(n, "a", "k", text) for n, text in enumerate(WORDS[:5], 1)]
        runner.process([child("k"), adult("a"), *told])
        known = backtest(live, new, kept(runner, {m.id: "dm" for m in told}))
        unknown = backtest(live, new, kept(runner, {}))
    assert known.comparison.added == {"page": len(known.comparison.changes)}
    assert known.comparison.changes
    assert known.left_out == 0
    assert known.first <= known.last != ""
    assert unknown.comparison.added == {}  # without a surface the rule does not fire, and the page says so


def test_what_was_built_wrongly_is_left_out(tmp_path: Path) -> None:
    live, new = policy(tmp_path, ("level >= 1", "page")), policy(tmp_path, ("level >= 3", "page"), name="new")
    nobody = Sides(UNKNOWN, UNKNOWN, None)
    right = decision("e1", actions=("page",))
    wrong = decision("e2", actions=("open_case",))
    ours = [
        structs.replace(d, versions=structs.replace(d.versions, policy=live.version)) for d in (right, wrong)
    ]
    result = backtest(live, new, rebuild([(d, nobody) for d in [*ours, right]], lambda _: ""))
    assert (result.looked, result.left_out, result.unproven) == (3, 1, 1)
    assert [c.event for c in result.comparison.changes] == ["e1", "e1"]


def test_the_shadow_is_counted_where_there_was_one() -> None:
    made = [
        decision("e1"),
        decision("e2", shadow=("open_case",)),
        decision("e3", shadow=("open_case", "page")),
        decision("e4", shadow=()),
        decision("e5", actions=(), withheld=("open_case",), shadow=("open_case",)),
    ]
    found = shadowed(made)
    assert (found.compared, found.differ) == (4, 2)
    assert (found.added, found.removed) == ({"page": 1}, {"open_case": 1})
    assert [d.event for d in found.examples] == ["e4", "e3"]


@pytest.mark.parametrize(("source", "label"), [("b/e: csam, distance 3, plain", "csam"), ("odd", "")])
def test_the_label_is_read_from_the_first_reason(source: str, label: str) -> None:
    made = decision("e", cues="known", stage="known_media")
    made = structs.replace(made, reasons=(structs.replace(made.reasons[0], source=source),))
    (one,) = rebuild([(made, Sides(UNKNOWN, UNKNOWN, None))], lambda _: "dm")
    assert (one.facts.media, one.facts.label, one.facts.raised) == ("match", label, True)


def test_a_classifiers_guess_is_built_again_from_its_reason(small_packs: Packs) -> None:
    seen: dict[str, Facts] = {}
    engine, state = (
        Engine(small_packs, SHIPPED, observer=lambda event, facts: seen.update({event: facts})),
        MemoryState(),
    )
    for account in (child("kid"), adult("x")):
        engine.step(state, account)
    score = MediaScore(name="n", version="1", score=0.874, meaning="Gives 12 of 100: a guess (so it says).")
    sent = Media(
        id="p", at=START, surface="dm", conversation="c", sender="x", to=["kid"], sha256="0" * 64, score=score
    )
    made = engine.step(state, sent)
    (one,) = rebuild([(made, sides_of(made, state.accounts.get, state.actors.get))], lambda _: "dm")
    assert structs.replace(one.facts, score=0.0) == structs.replace(seen["p"], score=0.0)
    assert (one.facts.media, one.facts.media_score, one.facts.stage) == ("clear", 87, "guessed_media")
    assert SHIPPED.decide(one.facts) == made.actions
