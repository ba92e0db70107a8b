"""Switches of children's streams: by age and region, strictest first, explained; and what is wider than asked is told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from server_cases import running
from underwing.cli.app import app
from underwing.engine import Engine, MemoryState
from underwing.model import Account, Event, Gift, Stream
from underwing.packs import load_packs
from underwing.policy import PolicyError, load_policy, load_switches
from underwing.policy.switches import NAMES, SwitchBook, broken

BOOK = load_switches()
ORDER = [True, "anyone", "followers", "nobody", False]
facts = st.fixed_dictionaries(
    {
        "age": st.none() | st.integers(0, 120),
        "minor": st.sampled_from([None, True, False]),
        "country": st.sampled_from(["", "GB", "DE", "US"]),
        "kind": st.sampled_from(["one", "many"]),
    }
)


def test_a_teenager_anywhere_has_them_off_and_a_child_under_13_does_not_stream() -> None:
    teen = BOOK.of(age=14, minor=None)
    assert (teen.audience, teen.comments) == ("followers", "followers")
    assert (teen.gifts, teen.reactions, teen.recording) == (False, False, False)
    assert BOOK.of(age=11, minor=True).audience == "nobody"
    assert BOOK.of(age=30, minor=False) == BOOK.of(age=None, minor=None)
    assert BOOK.of(age=None, minor=None).audience == "anyone"


@pytest.mark.parametrize("kind", ["one", "many"])
def test_in_britain_nobody_comments_and_it_is_said_that_the_text_is_not_final(kind: str) -> None:
    teen = BOOK.of(age=15, minor=None, country="GB", kind=kind)  # type: ignore[arg-type]
    assert teen.comments == "nobody"
    assert teen.because["comments"].rule == "GB-child"
    assert not teen.because["comments"].confirmed
    assert teen.because["comments"].note


@pytest.mark.parametrize(
    ("age", "minor", "child"),
    [(35, True, True), (15, False, False), (None, True, True), (18, None, False), (17, None, True)],
)
def test_what_the_platform_says_outweighs_a_declared_age(
    age: int | None, minor: bool | None, child: bool
) -> None:
    assert BOOK.of(age=age, minor=minor).gifts is not child


@given(facts, st.permutations(BOOK.rules))
def test_the_order_of_rules_does_not_matter_and_every_difference_is_explained(
    of: dict[str, object], rules: list[object]
) -> None:
    one, other = BOOK.of(**of), SwitchBook(rules).of(**of)  # type: ignore[arg-type]
    free = BOOK.of(age=40, minor=False)
    for name in NAMES:
        assert getattr(one, name) == getattr(other, name)
        assert (name in one.because) == (getattr(one, name) != getattr(free, name))
        for rule in BOOK.rules:
            if rule.fits(**of):  # type: ignore[arg-type]
                asked = getattr(rule, name)
                assert asked not in ORDER or ORDER.index(getattr(one, name)) >= ORDER.index(asked)


def test_what_is_set_wider_than_asked_is_told_and_what_is_stricter_is_not() -> None:
    asked = BOOK.of(age=15, minor=None)
    found = broken(asked, {"gifts": True, "comments": "anyone", "audience": "nobody", "recording": False})
    assert [(b.switch, b.asked, b.is_set, b.because.rule) for b in found] == [
        ("comments", "followers", "anyone", "child"),
        ("gifts", False, True, "child"),
    ]


def gift(minor: bool | None) -> list[str]:
    """The signals of a gift's decision in the stream of an account."""
    engine = Engine(load_packs(), load_policy(), switches=BOOK)
    state, now = MemoryState(), datetime(2026, 1, 1, tzinfo=UTC)
    events: list[Event] = [
        Account(id="host", minor=minor),
        Stream(id="s", at=now, conversation="r", sender="host", state="started"),
        Gift(id="g", at=now + timedelta(seconds=5), conversation="r", sender="fan", to="host", coins=10),
    ]
    decision = [engine.step(state, event) for event in events][-1]
    assert decision.level == "none"
    return [f"{r.signal}: {r.source}" for r in decision.reasons]


def test_a_gift_that_should_not_have_been_possible_is_told() -> None:
    (told,) = gift(True)
    assert told == f"switch.gifts: switches {BOOK.version}, rule child: this stream is to have gifts off"
    assert gift(False) == gift(None) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("format = 2", "format = 1"),
        ("x", "not valid TOML"),
        (
            'format = 1\n[[rule]]\nid = "a"\nsource = "b"\nchecked = 2026-01-01\nages = [17, 3]',
            "lower age first",
        ),
        ('format = 1\n[[rule]]\nid = "a"\nsource = "b"\nchecked = 2026-01-01\ncountries = ["UK"]', "GB"),
        ('format = 1\n[[rule]]\nid = "a"\nsource = "b"\nchecked = 2026-01-01\ngift = false', "gift"),
        ("format = 1\n" + 2 * '[[rule]]\nid = "a"\nsource = "b"\nchecked = 2026-01-01\n', "same id"),
    ],
)
def test_a_file_with_a_mistake_is_refused_with_a_word_on_it(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "switches.toml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=said):
        load_switches(path)


def test_the_command_says_what_is_off_and_why() -> None:
    result = CliRunner().invoke(app, ["policy", "switches", "--age", "14", "--country", "GB", "--json"])
    assert result.exit_code == 0
    assert '"comments":"nobody"' in result.stdout.replace(" ", "")
    table = CliRunner().invoke(app, ["policy", "switches", "--age", "14"])
    assert "off" in table.stdout


def test_a_platform_asks_over_http_and_hears_what_is_set_too_wide(engine: Engine, tmp_path: Path) -> None:
    with running(engine, tmp_path) as service, service.client("platform") as client:
        client.post("/v1/events", json={"type": "account", "id": "kid", "declared_age": 15, "country": "GB"})

        def ask(**question: object) -> dict[str, Any]:
            answer = client.post("/v1/switches", json=question)
            return answer.json() | {"status": answer.status_code}

        found = ask(account="kid", kind="many", settings={"comments": "followers", "gifts": False})
        assert found["switches"]["comments"] == "nobody"
        assert [b["switch"] for b in found["broken"]] == ["comments"]
        assert ask(account="kid", age=40)["switches"] == ask(account="kid")["switches"]
        assert ask(account="new", age=12)["switches"]["audience"] == "nobody"
        assert ask(account="new")["switches"]["because"] == {}
        assert ask(account="kid", settings={"gift": True})["status"] == 422
        assert ask(kind="one")["status"] == 422
        with service.client("reviewer") as other:
            assert other.post("/v1/switches", json={"account": "kid"}).status_code == 403
