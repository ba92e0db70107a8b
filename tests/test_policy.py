"""The policy room: the shipped policy, deciding, versions, comparing, and the guide for operators."""

from itertools import product
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cases import RULE, any_facts, facts, load_once, loaded, written
from underwing.model import ACTIONS
from underwing.policy import VARIABLES, Facts, compare, load_policy
from underwing.policy.facts import SURFACES

GUIDE = Path(__file__).parent.parent / "docs" / "policy.md"


# --- the shipped policy --------------------------------------------------------------------------------


def test_default_has_no_doubts() -> None:
    policy = load_policy()
    assert policy.warnings == ()
    assert set(policy.quotas) == set(ACTIONS) - {
        "open_case", "page", "offer_help", "hold_media", "hold_link", "warn_streamer",
    }  # fmt: skip


def test_default_does_nothing_without_a_level_but_for_breadth() -> None:
    policy = load_policy()
    assert policy.decide(facts(0)) == ()
    assert policy.decide(facts(1, raised=True)) == ()
    assert policy.decide(facts(0, breadth=29)) == ()
    assert policy.decide(facts(0, breadth=30)) == ("slow_contact",)


def test_default_answers_review_and_urgent() -> None:
    policy = load_policy()
    assert policy.decide(facts(2, raised=True)) == ("open_case", "nudge_child", "limit_contact")
    assert policy.decide(facts(2)) == ("open_case", "limit_contact")
    urgent = policy.decide(facts(3, raised=True, actor_minor=False, target_minor=True))
    assert set(urgent) == {"open_case", "nudge_child", "limit_contact", "page", "hold_message"}
    assert "hold_message" not in policy.decide(facts(3, raised=True, surface="live"))


def test_default_watch_speaks_only_to_the_child_in_a_clear_case() -> None:
    clear = {"raised": True, "actor_minor": False, "target_minor": True, "stage": "image_request"}
    assert load_policy().decide(facts(1, gap=20, **clear)) == ("nudge_child",)
    assert load_policy().decide(facts(1, gap=9, **clear)) == ()
    assert load_policy().decide(facts(1, gap=None, **clear)) == ()


@given(any_facts)
def test_default_never_restricts_a_known_minor(known: Facts) -> None:
    young = msgspec.structs.replace(known, actor_minor=True)
    on_the_sender = set(load_once().decide(young)) - {"nudge_child", "offer_help"}
    door = {"hold_media"} if known.media in ("match", "unchecked") else set()
    if known.surface == "live" or known.stream:  # these close a stream or its chat, and nobody's account
        door |= {"slow_chat", "pause_chat", "warn_streamer", "blur_stream", "end_stream"}
    assert on_the_sender <= {"nudge_sender", "open_case", "page", "hold_message"} | door


@given(any_facts)
def test_default_takes_test_phrases_the_same_way(known: Facts) -> None:
    first_time = msgspec.structs.replace(known, raised=True)
    real = load_once().decide(msgspec.structs.replace(first_time, test=False))
    assert load_once().decide(msgspec.structs.replace(first_time, test=True)) == real


@given(any_facts)
def test_help_is_always_offered(known: Facts) -> None:
    assert ("offer_help" in load_once().decide(known)) == known.help


@given(any_facts)
def test_a_score_alone_holds_limits_and_pages_nobody(known: Facts) -> None:
    """Whatever the facts are, the shipped policy does no more to anybody with a score than without one."""
    policy = load_once()
    without = set(policy.decide(msgspec.structs.replace(known, media_score=None)))
    assert set(policy.decide(known)) - without <= {"nudge_child", "open_case"}


def test_a_score_opens_a_case_for_children_only() -> None:
    def decide(**more: object) -> tuple[str, ...]:
        return load_once().decide(facts(0, **{"media": "clear", "media_score": 90, **more}))

    assert decide(target_minor=True) == ("nudge_child", "open_case")
    assert decide(target_minor=True, actor_minor=True) == ()
    assert decide(actor_minor=True, surface="live") == ("open_case",)
    assert decide() == decide(target_minor=False) == decide(actor_minor=False, surface="live") == ()
    assert decide(target_minor=True, media_score=79) == decide(target_minor=True, media_score=None) == ()
    assert load_once().verdict(facts(0, media_score=90, target_minor=True)).read >= {"media_score"}


def test_a_young_age_counts_as_minor_when_the_platform_says_nothing() -> None:
    actions = load_policy().decide(facts(3, raised=True, actor_age=15))
    assert "limit_contact" not in actions
    assert "nudge_sender" in actions
    assert "limit_contact" in load_policy().decide(facts(3, actor_age=18))
    assert "limit_contact" in load_policy().decide(facts(3, actor_age=15, actor_minor=False))


# --- deciding ------------------------------------------------------------------------------------------


@given(st.lists(any_facts, max_size=30))
def test_decide_is_deterministic_whatever_came_before(many: list[Facts]) -> None:
    warm = load_once()
    cold = [load_once()._judge(known) for known in many]
    assert [warm.verdict(known) for known in many] == cold
    assert [warm.verdict(known) for known in reversed(many)] == cold[::-1]
    for known in many:
        actions = warm.decide(known)
        assert len(set(actions)) == len(actions)
        assert warm.verdict(known).failed == ()


def test_actions_come_once_and_in_rule_order(tmp_path: Path) -> None:
    more = """
[[rule]]
id = "two"
why = "Another."
when = 'raised'
actions = ["page", "open_case"]
"""
    policy = loaded(tmp_path, "level >= 2", more)
    assert policy.decide(facts(2, raised=True)) == ("open_case", "page")
    assert policy.explain(facts(2, raised=True)) == ["one", "two"]
    assert policy.decide(facts(1, raised=True)) == ("page", "open_case")
    assert policy.explain(facts(0)) == []


def test_surfaces_and_regions_narrow_a_rule(tmp_path: Path) -> None:
    text = RULE + 'surfaces = ["live"]\nregions = ["DE", "AT"]\n'
    policy = load_policy(written(tmp_path, text))
    fires = {
        (surface, region)
        for surface, region in product(("", *SURFACES), ("", "DE", "AT", "FR"))
        if policy.decide(facts(2, surface=surface, region=region))
    }
    assert fires == {("live", "DE"), ("live", "AT")}


def test_a_rule_ends_with_its_last_day(tmp_path: Path) -> None:
    policy = load_policy(written(tmp_path, RULE + "expires = 1970-01-01\n"))
    assert policy.decide(facts(2, at=86_399.0)) == ("open_case",)
    assert policy.decide(facts(2, at=86_400.0)) == ()
    assert policy.decide(facts(2, at=86_399.0)) == ("open_case",)
    assert policy.decide(facts(2)) == ("open_case",)
    exact = load_policy(written(tmp_path, RULE + "expires = 1970-01-01T01:00:10+01:00\n"))
    assert [bool(exact.decide(facts(2, at=at))) for at in (9.5, 10.0)] == [True, False]


@pytest.mark.parametrize(
    ("when", "known"),
    [
        ("actor_age == -1 && target_age == -1 && gap == -999", {}),
        ('actor_minor == "unknown" && target_minor == "unknown"', {}),
        ("actor_age == 34 && target_age == 13 && gap == 21", {"actor_age": 34, "target_age": 13, "gap": 21}),
        ('actor_minor == "no" && target_minor == "yes"', {"actor_minor": False, "target_minor": True}),
        ('actor_minor == "no" && target_minor == "yes"', {"actor_age": 18, "target_age": 17}),
        ('stage in ["threat", "payment"] && stage.startsWith("thr")', {"stage": "threat"}),
        ('region == "" || region in ["DE"]', {"region": "DE"}),
        ('level_name == "none" && !raised && !help && !test', {}),
        ("breadth > 5 ? true : false", {"breadth": 6}),
    ],
)
def test_variables_have_plain_values(tmp_path: Path, when: str, known: dict[str, object]) -> None:
    assert loaded(tmp_path, when).decide(facts(0, **known)) == ("open_case",)


def test_a_failure_no_trial_found_leaves_the_other_rules_alone(tmp_path: Path) -> None:
    more = '[[rule]]\nid = "two"\nwhy = "Another."\nwhen = "level >= 2"\nactions = ["page"]\n'
    policy = loaded(tmp_path, "breadth + breadth + breadth + 1 > 0", more)
    verdict = policy.verdict(facts(2, breadth=2**62))
    assert verdict.actions == ("page",)
    assert verdict.failed == ("one",)


# --- versions ------------------------------------------------------------------------------------------


def test_version_follows_the_content_only(tmp_path: Path) -> None:
    first = load_policy(written(tmp_path, RULE)).version
    assert len(first) == 16
    int(first, 16)
    assert load_policy(written(tmp_path, "# a remark\n" + RULE.replace("\n", "\n\n"))).version == first
    changed = [
        RULE.replace("level >= 2", "level >= 3"),
        RULE.replace("open_case", "page"),
        RULE.replace('"t"', '"u"'),
        RULE + 'surfaces = ["dm"]\n',
        RULE + "expires = 2027-01-31\n",
        RULE + '[quotas]\npage = { count = 1, per = "1h" }\n',
    ]
    versions = {load_policy(written(tmp_path, text)).version for text in changed}
    assert len(versions | {first}) == len(changed) + 1


# --- comparing -----------------------------------------------------------------------------------------


def test_compare_tells_what_would_change(tmp_path: Path) -> None:
    old = loaded(tmp_path, "level >= 2")
    more = '[[rule]]\nid = "two"\nwhy = "Another."\nwhen = "help"\nactions = ["offer_help"]\n'
    new = loaded(tmp_path, "level >= 3", more)
    found = compare(old, new, [("a", facts(2)), ("b", facts(3)), ("c", facts(2, help=True)), ("d", facts(0))])
    assert (found.events, found.old_version, found.new_version) == (4, old.version, new.version)
    assert found.added == {"offer_help": 1}
    assert found.removed == {"open_case": 2}
    assert [(c.event, c.old, c.new, c.old_rules, c.new_rules) for c in found.changes] == [
        ("a", ("open_case",), (), ("one",), ()),
        ("c", ("open_case",), ("offer_help",), ("one",), ("two",)),
    ]


@given(st.lists(any_facts, max_size=20))
def test_compare_with_itself_finds_nothing(many: list[Facts]) -> None:
    found = compare(load_once(), load_once(), ((str(i), known) for i, known in enumerate(many)))
    assert (found.changes, found.added, found.removed) == ((), {}, {})


# --- the guide -----------------------------------------------------------------------------------------


def test_the_guide_names_every_variable_action_surface_and_field() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip() for line in guide.splitlines() if line.startswith("|")}
    missing = [f"`{name}`" for name in (*VARIABLES, *ACTIONS) if f"`{name}`" not in rows]
    assert missing == []
    fields = ("id", "why", "when", "actions", "surfaces", "regions", "expires", *SURFACES)
    assert [name for name in fields if f"`{name}`" not in guide] == []


def test_the_examples_of_the_guide_load(tmp_path: Path) -> None:
    blocks = GUIDE.read_text(encoding="utf-8").split("```toml\n")[1:]
    assert blocks
    for block in blocks:
        text = block.split("```")[0]
        text = text if "version" in text else f'version = "guide"\n{text}'
        assert load_policy(written(tmp_path, text)).warnings == ()
