"""The timeline of a case: marks stand where the engine saw them, whatever the text holds; long things stay bounded."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from casebook_cases import NOW, VERSIONS
from casebook_cases import decision as decided
from underwing.casebook.cases import Findings, Item
from underwing.casebook.context import Line, Said
from underwing.model import Decision, Reason
from underwing.model.decisions import Versions
from underwing.server.console.plain import MOST_MARKS, plain
from underwing.server.console.timeline import (
    AROUND,
    MOST_TEXT,
    SHOWN,
    Why,
    contributions,
    pieces,
    timeline,
)


def why(number: int, span: tuple[int, int] | None, stage: str = "threat") -> Why:
    reason = Reason(
        signal="xx.threat.expose",
        stage=stage,
        span=span,
        weight=1.0,
        at="2026-01-01T12:00:00Z",
        event="m1",
        source="s",
    )
    return Why(number=number, reason=reason, word="", decision="m1", packs="p", policy="q", test=False)


ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
SPANS = st.lists(st.tuples(st.integers(-3, 70), st.integers(-3, 70)), max_size=6)


@given(ANY_TEXT, SPANS)
def test_the_pieces_are_the_text_and_marks_lie_where_they_were_seen(
    text: str, spans: list[tuple[int, int]]
) -> None:
    whys = [why(n, span) for n, span in enumerate(spans, 1)]
    made = pieces(text, whys)
    assert "".join(piece.text for piece in made) == text
    for number, (start, end) in enumerate(spans, 1):
        marked = "".join(piece.text for piece in made if number in piece.numbers)
        assert marked == (text[start:end] if 0 <= start < end <= len(text) else "")


def test_offsets_count_characters_beyond_the_basic_plane_and_are_not_normalised() -> None:
    text = "👩‍👧 e\u0301 ﬁ dont tell"  # a joined emoji, a combining accent, a ligature
    start = text.index("dont")
    made = pieces(text, [why(1, (start, start + 9))])
    assert [p.text for p in made if p.numbers] == ["dont tell"]
    assert made[0].text == text[:start]


def test_marks_may_overlap() -> None:
    made = pieces("abcdef", [why(1, (0, 4), "threat"), why(2, (2, 6), "payment")])
    assert [(p.text, p.numbers) for p in made] == [("ab", (1,)), ("cd", (1, 2)), ("ef", (2,))]
    assert made[1].stages == ("threat", "payment")


@given(st.integers(0, 20_000), st.lists(st.integers(0, 20_000), max_size=60))
def test_a_long_text_is_bounded_and_every_mark_is_seen(length: int, starts: list[int]) -> None:
    text = "x" * length
    spans = [(s, min(length, s + 5)) for s in starts if s < length]
    made = pieces(text, [why(n, span) for n, span in enumerate(spans, 1)])
    shown = sum(len(piece.text) for piece in made)
    assert shown + sum(piece.gap for piece in made) == length
    assert shown <= MOST_TEXT + 40 * (2 * AROUND + 5)
    seen = {number for piece in made for number in piece.numbers}
    assert seen == set(range(1, min(len(spans), 40) + 1))
    assert all(not (one.gap and two.gap) for one, two in pairwise(made))


def test_strangers_text_is_made_visible_and_bounded() -> None:
    assert plain("a\u202eb\u200bc\x00\u3164") == "a⟨U+202E⟩b⟨U+200B⟩c⟨U+0000⟩⟨U+3164⟩"
    assert plain("line\n\ttab") == "line\n\ttab"
    assert plain("x" * 50, 10) == "x" * 10 + " … (+40)"
    piled = plain("z" + "\u0301" * 500 + "z")
    assert len(piled) < 20
    assert piled.count("\u0301") == MOST_MARKS
    assert plain("naïve café 日本 हिन्दी") == "naïve café 日本 हिन्दी"


def line(number: int, text: str = "hello") -> Said:
    said = Line(event=f"m{number:05}", at=NOW + number, sender="a", text=text, to=("k",))
    return Said(conversation="c", origin="buffer", line=said)


def item(number: int, decision: Decision | None = None) -> Item:
    found = Findings(event=f"m{number:05}", kind="decision", at=NOW + number, actor="a", target="k")
    return Item(case=1, added=0, found=found, because=(), decision=None)


def test_a_huge_case_opens_at_its_first_alarm_and_leads_to_the_next() -> None:
    said = [line(n) for n in range(10_000)]
    items = [item(4_000), item(9_000)]
    first = timeline(said, items, [])
    assert len(first.entries) == SHOWN
    assert first.total == 10_000
    assert "m04000" in [entry.event for entry in first.entries]
    assert not [e for e in first.entries if e.marked and e.event != "m04000"]
    assert first.next_marked is not None
    then = timeline(said, items, [], first.next_marked)
    assert "m09000" in [entry.event for entry in then.entries]
    assert then.next_marked is None
    assert timeline(said, items, [], 10**7).start == 9_999
    assert timeline([], [], []).entries == ()


def test_what_has_no_text_here_still_has_its_place_and_its_contributions() -> None:
    reason = Reason(
        signal="s",
        stage="threat",
        span=(0, 4),
        weight=1.0,
        at="2026-01-01T11:00:00Z",
        event="old",
        source="x",
    )
    told = decided("m00005", cues="").__class__
    decision = told(
        event="m00005", level="review", actor="a", target="k", stage=None, actions=(), reasons=(reason,),
        versions=Versions(engine="1", packs="p", policy="q"),
    )  # fmt: skip
    found = timeline([line(5)], [item(5)], [decision])
    assert [(e.event, e.kind) for e in found.entries] == [("old", "event"), ("m00005", "message")]
    assert found.entries[0].whys[0].word == ""
    assert found.entries[0].sender == "a"


def test_a_contribution_is_told_once_with_the_first_decision_that_names_it() -> None:
    one, two = decided("m1", cues="threat"), decided("m2", cues="payment")
    later = Decision(
        event="m2", level="review", actor="a", target="k", stage=None, actions=(), versions=VERSIONS,
        reasons=(*one.reasons, *two.reasons),
    )  # fmt: skip
    found = contributions([one, later])
    assert {event: len(given) for event, given in found.items()} == {"m1": 1, "m2": 1}
    assert found["m1"][0][1].event == "m1"
