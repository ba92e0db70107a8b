"""What the tests of the policy room share: a small policy, facts, and any facts at all."""

from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from underwing.model import STAGES, Level
from underwing.policy import Facts, Policy, load_policy
from underwing.policy.facts import MEDIA, SURFACES

RULE = """
version = "t"
[[rule]]
id = "one"
why = "A test."
when = 'level >= 2'
actions = ["open_case"]
"""


def facts(level: int = 0, **more: object) -> Facts:
    known: dict[str, object] = {
        "level_name": Level(level).name,
        "raised": False,
        "stage": "",
        "surface": "dm",
        "region": "",
        "actor_age": None,
        "target_age": None,
        "actor_minor": None,
        "target_minor": None,
        "gap": None,
        "breadth": 0,
        "help": False,
        "test": False,
        "score": 0.0,
    }
    return Facts(level=level, **{**known, **more})  # type: ignore[arg-type]


any_facts = st.builds(
    lambda level, **more: facts(int(level), **more),
    level=st.integers(0, 3),
    raised=st.booleans(),
    stage=st.sampled_from(("", *STAGES)),
    surface=st.sampled_from(("", *SURFACES)),
    region=st.sampled_from(("", "DE", "PH", "US")),
    actor_age=st.none() | st.integers(0, 130),
    target_age=st.none() | st.integers(0, 130),
    actor_minor=st.none() | st.booleans(),
    target_minor=st.none() | st.booleans(),
    gap=st.none() | st.integers(-130, 130),
    breadth=st.integers(0, 10_000),
    help=st.booleans(),
    test=st.booleans(),
    score=st.floats(-10, 50),
    media=st.sampled_from(MEDIA),
    media_score=st.none() | st.integers(0, 100),
    at=st.none() | st.floats(0, 4e9),
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(tmp_path: Path, when: str, more: str = "") -> Policy:
    text = RULE.replace("'level >= 2'", f"'''{when}'''") + more
    return load_policy(written(tmp_path, text))


@cache
def load_once() -> Policy:
    """The shipped policy, warm from the tests before."""
    return load_policy()
