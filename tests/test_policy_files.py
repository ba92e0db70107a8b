"""Reading policies: what is refused and how it is said; following a file that changes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cases import RULE, facts, loaded, written
from underwing.policy import Policy, PolicyError, PolicyFile, default_path, load_policy

# --- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version = ", "not valid TOML"),
        (RULE.replace('version = "t"', ""), "version"),
        (RULE + 'colour = "red"\n', "colour"),
        (RULE + "surfaces = ['lives']\n", "did you mean 'live'?"),
        (RULE + "regions = ['UK']\n", "which is GB"),
        (RULE + "regions = ['de']\n", "two capital letters"),
        (RULE + "regions = ['']\n", "leave regions out"),
        (RULE + "expires = 'soon'\n", "without quotes"),
        (RULE + "expires = 2027-01-31T10:00:00\n", "offset"),
        (RULE.replace("open_case", "open_cass"), "did you mean 'open_case'?"),
        (RULE.replace('["open_case"]', "[]"), "actions"),
        (RULE.replace("'level >= 2'", "2"), "when"),
        (RULE + RULE.replace('version = "t"', ""), "same id"),
        (RULE.replace('id = "one"', ""), "rule number 1"),
        (RULE + '[quotas]\npage = { count = -1, per = "1h" }\n', "quotas: page"),
        (RULE + '[quotas]\npage = { count = 1, per = "1 hour" }\n', "1 hour"),
        (RULE + '[quotas]\npage = { count = 1, per = "0h" }\n', "0h"),
        (RULE + "[quotas]\npage = 3\n", "quotas: page"),
        (RULE + '[quotas]\npages = { count = 1, per = "1h" }\n', "did you mean 'page'?"),
        (RULE + "[quota]\npage = 3\n", "quota"),
    ],
)
def test_a_wrong_file_is_refused_with_a_hint(tmp_path: Path, text: str, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("level >=", "does not compile: line 1"),
        ("", "does not compile"),
        ("level = 2", "does not compile"),
        ("lvel >= 2", "did you mean level?"),
        ("raised || score > 3.0", "score"),
        ("level", "true or false"),
        ("raised ? level > 1 : level", "true or false"),
        ('surface == "live" && level > "a"', "fails when"),
        ('surface == "live" && stage == "meet" && breadth > 77 && actor_age > "a"', "fails when"),
        ('stage.matches("(")', "fails when"),
        ("raised && actor_age + 9223372036854775807 > 0", "fails when"),
        ("level / breadth > 1", "not part of the policy language"),
        ("now() > 3", "not part of the policy language"),
        ("int(region) > 3", "not part of the policy language"),
        ('level == "urgent"', "level_name"),
        ('"urgent" == level', "level_name"),
        ("level == 2.0", "kind int"),
        ("level in [2, 4]", "never 4"),
        ("actor_minor == true", '"yes"'),
        ("actor_age == null", "-1"),
        ('stage in ["meet", "threats"]', 'did you mean "threat"?'),
        ('surface == "DM"', 'did you mean "dm"?'),
        ('level_name != "Review"', 'did you mean "review"?'),
        ('region == "UK"', "GB"),
        ("raised" + " || raised" * 300, "split the rule"),
        ("!" * 1_000 + "level", "true or false"),
        ("(" * 1_900, "does not compile"),
    ],
)
def test_a_wrong_condition_is_refused_with_a_hint(tmp_path: Path, when: str, says: str) -> None:
    with pytest.raises(PolicyError) as caught:
        loaded(tmp_path, when)
    assert says in str(caught.value)
    assert "rule 'one': when: " in str(caught.value)


@pytest.mark.parametrize("when", ["false", "level > 3", "actor_age < -1", "raised && !raised"])
def test_a_rule_that_cannot_fire_is_doubted(tmp_path: Path, when: str) -> None:
    assert len(loaded(tmp_path, when).warnings) == 1


@pytest.mark.parametrize(
    "when",
    [
        'stage.endsWith("request")',
        "breadth > 1234 && gap < -20",
        'region == "ZA" && actor_age == 77',
        "actor_age - target_age > 3",
        "// a remark\n level >= 2",
    ],
)
def test_a_rule_that_can_fire_is_not_doubted(tmp_path: Path, when: str) -> None:
    assert loaded(tmp_path, when).warnings == ()


def test_a_missing_file_is_said() -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(Path("no-such-policy.toml"))


# --- following a file ----------------------------------------------------------------------------------


def test_a_valid_change_is_taken_up(tmp_path: Path) -> None:
    path = written(tmp_path, RULE)
    followed = PolicyFile(path)
    assert not followed.changed()
    path.write_text(RULE.replace("open_case", "offer_help"), encoding="utf-8")
    assert followed.changed()
    assert followed.current().decide(facts(2)) == ("open_case",)
    assert followed.reload() is None
    assert followed.current().decide(facts(2)) == ("offer_help",)
    assert not followed.changed()


@given(
    st.integers(1, len(RULE) - 1).map(lambda cut: RULE[:cut].encode())
    | st.binary(max_size=60)
    | st.tuples(st.integers(0, len(RULE) - 1), st.characters()).map(
        lambda change: (RULE[: change[0]] + change[1] + RULE[change[0] + 1 :]).encode("utf-8", "replace")
    )
)
def test_an_invalid_file_never_replaces_a_valid_one(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = written(tmp_path_factory.mktemp("policy"), RULE)
    followed = PolicyFile(path)
    before = followed.current()
    path.write_bytes(content)
    error = followed.reload()
    expected = outcome(path)
    if isinstance(expected, Policy):
        assert error is None
        assert followed.current().version == expected.version
    else:
        assert error == str(expected)
        assert followed.current() is before


def outcome(path: Path) -> Policy | PolicyError:
    try:
        return load_policy(path)
    except PolicyError as error:
        return error


def test_a_vanished_file_keeps_the_policy(tmp_path: Path) -> None:
    path = written(tmp_path, RULE)
    followed = PolicyFile(path)
    before = followed.current()
    path.unlink()
    assert followed.changed()
    assert followed.reload() is not None
    assert followed.current() is before


def test_a_first_invalid_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError):
        PolicyFile(written(tmp_path, "version ="))
    shipped = PolicyFile()
    assert not shipped.changed()
    assert shipped.reload() is None
    assert shipped.current().version == load_policy(default_path()).version
