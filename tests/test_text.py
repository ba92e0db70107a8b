"""The text room: views, offsets, patterns, scanning, claims."""

from hashlib import blake2b
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underwing.text import ClaimFinder, Entry, EntryError, Scanner, canonical, near, simhash, tokens
from underwing.text.patterns import PatternError, compile_pattern

CHAT = st.text(alphabet="abcdeilmnostuy 0134@$!?.,'’-_*ąéłßñاهс🙂\u200b", max_size=80)


def entry(**more: object) -> Entry:
    values: dict[str, object] = {
        "id": "xx.isolate.secrecy", "lang": "xx", "stage": "isolate", "act": "demand", "direction": "to_child",
        "weight": 1.0, "source": "own", "match": ["(dont|never) .. tell .. <kin>"], "slots": {"kin": ["mum", "dad"]},
    }  # fmt: skip
    return Entry(**{**values, **more})  # type: ignore[arg-type]


def scanner(**more: object) -> Scanner:
    return Scanner([entry(**more)])


@given(st.text() | CHAT)
def test_tokens_agree_with_the_light_view(text: str) -> None:
    assert [t for t, _, _ in tokens(text)] == canonical(text).split()


@given(st.text() | CHAT)
def test_every_token_points_into_the_original(text: str) -> None:
    last = 0
    for _, start, end in tokens(text):
        assert 0 <= start < end <= len(text)
        assert start >= last - 1
        last = start


@given(st.text() | CHAT)
def test_the_light_view_is_stable(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once or not text.isascii()


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("Don’t TELL your Mum!", " dont tell your mum "),
        ("j'ai vu l'école, t'es où", " j ai vu l ecole t es ou "),
        ("Łódź, żółć", " lodz zolc "),
        ("أُمّي", " امي "),
        ("$20 or ₱300?", " $ 20 or $ 300 ? "),
        ("see [photo]", " see [photo "),
        ("\u202edon\u200bt\u202c", " dont "),
        ("ＦＵＬＬ", " full "),
    ],
)
def test_light_view(text: str, view: str) -> None:
    assert canonical(text) == view


@pytest.mark.parametrize(
    "text",
    [
        "d0n't t3ll your mum",
        "d o n t t e l l y o u r m u m",
        "d  o  n  t     t  e  l  l   y o u r   m u m",
        "dоn't tеll yоur mum",
        "d.o.n.t t.e.l.l your m.u.m",
        "do🙂nt te🙂ll your mum",
        "don't 🙂 tell 🙂 your mum 🙂",
        "doooont telllll your muuuum",
        "dont te11 your mum",
        "d\u200bo\u200bn\u200bt tell your mum",
        "𝐝𝐨𝐧𝐭 tell your mum",
    ],
)
def test_hidden_words_are_found_and_point_back(text: str) -> None:
    (signal,) = scanner().scan(text).signals
    assert signal.span is not None
    start, end = signal.span
    assert text[start : start + 1] in "d𝐝"
    assert text[end - 1 : end] == "m"


@pytest.mark.parametrize(
    ("hidden", "plain"),
    [
        ("ل ا  ت ق و ل  ل ا م ك", " لا تقول لامك "),
        ("w h o ' s  h o m e", " whos home "),
        ("c ' e s t  l e  c h i e n", " c est le chien "),
        ("[ p h o t o ]  o f  y o u", " [photo of you "),
        ("s4id 17 but h3 h4s m0ved at 6h15", " said 17 but he has moved at 6h15 "),
        ("d0nt t3ll th3 4th at 10k", " dont tell the 4th at 10k "),
    ],
)  # fmt: skip
def test_hidden_words_are_read_as_they_were_meant(hidden: str, plain: str) -> None:
    known = ["said", "has", "moved", "home", "dont", "tell", "photo"]
    view = scanner(match=known).scan(hidden).plain
    assert view == plain


@pytest.mark.parametrize(
    "text", ["tell your mum", "dont worry", "i dont know, ask your mum", "🙂🙂🙂", "", "a b c d e f g"]
)
def test_innocent_words_are_not(text: str) -> None:
    assert scanner().scan(text).signals == ()


@given(st.text() | CHAT)
def test_scanning_never_fails_and_spans_are_inside(text: str) -> None:
    for signal in scanner(match=["e", "al* .. o"]).scan(text).signals:
        assert signal.span is not None
        assert 0 <= signal.span[0] < signal.span[1] <= len(text)


@given(CHAT)
def test_the_prefilter_loses_nothing(text: str) -> None:
    """Whatever the pattern's own expression finds, the scanner finds too."""
    import re

    one = entry(match=["(dont|never) .. tell", "a? <kin> et*", "BEGIN i", "o ... ?"])
    found = Scanner([one]).matches(canonical(text))
    assert bool(found) == any(re.search(p.regex, canonical(text)) for p in one.patterns)


def test_a_frame_turns_risk_into_a_quotation() -> None:
    frame = entry(
        id="xx.report_quote.someone",
        stage="report_quote",
        act="quote",
        weight=0.0,
        frame=True,
        match=["someone said"],
    )
    found = Scanner([entry(), frame]).scan("someone said dont tell your mum").signals
    assert {s.stage for s in found} == {"report_quote"}
    assert all(s.weight == 0 for s in found)


@pytest.mark.parametrize("pattern", ["(a b", "a)", "<nothing>", "..", "a BEGIN", "(|)", "(:) a"])
def test_bad_patterns_say_why(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern, {})


@given(st.text(alphabet="ab().|?<>* BEGIND", max_size=30))
def test_any_pattern_compiles_or_says_why(pattern: str) -> None:
    import re2

    try:
        made = compile_pattern(pattern, {})
    except PatternError:
        return
    re2.compile(made.regex)


def test_unless_takes_a_match_back() -> None:
    assert not scanner(unless=["birthday"]).scan("dont tell mum about the birthday").signals


@pytest.mark.parametrize(
    "wrong",
    [
        {"stage": "nonsense"},
        {"act": "shout"},
        {"weight": 99},
        {"match": []},
        {"needs": ["x"]},
        {"direction": "up"},
    ],
)
def test_bad_entries_name_themselves(wrong: dict[str, object]) -> None:
    with pytest.raises(EntryError, match=r"xx\.isolate\.secrecy"):
        entry(**wrong)


def test_claims() -> None:
    finder = ClaimFinder([("(im|i am) <num> (years|yo|END)", {})], [("from <word> END", {})])
    text = "im 14 yo"
    assert finder(text, canonical(text)).age == 14
    assert finder("im 5000 yo", canonical("im 500 yo")).age is None
    assert finder("from Lisbon", canonical("from Lisbon")).place == "lisbon"
    assert finder("send to $testhandle1", canonical("send to $testhandle1")).payment == "testhandle1"
    assert finder.handle("my snap is blue.heron_7 ok") == "blue.heron_7"


def test_scripts_are_near_and_small_talk_is_not() -> None:
    one = simhash(canonical("hey i saw your video and you are really good at it, want to be friends?"))
    two = simhash(canonical("hey i saw your video and u are really good at it, wanna be friends?"))
    other = simhash(canonical("does anybody have the homework for tomorrow, i lost my sheet again"))
    assert near(one, one)
    assert (one ^ two).bit_count() < (one ^ other).bit_count()
    assert not near(one, other)
    assert simhash(canonical("hi there")) == 0


@given(
    st.lists(st.sampled_from(["hey", "you", "\ud800", "grüße", "<num>", "😀", "a"]), min_size=3, max_size=60)
)
def test_a_bit_of_a_script_is_that_of_most_of_its_words_and_pairs(words: list[str]) -> None:
    features = [*words, *(f"{a} {b}" for a, b in pairwise(words))]
    hashes = [blake2b(f.encode("utf-8", "replace"), digest_size=8).digest() for f in features]
    bits = [f"{int.from_bytes(value):064b}" for value in hashes]
    wanted = "".join("1" if sum(b[n] == "1" for b in bits) * 2 > len(bits) else "0" for n in range(64))
    assert f"{simhash(' '.join(words)):064b}" == wanted


def test_a_plainly_english_message_has_no_cues_of_other_languages() -> None:
    foreign = entry(id="xx.threat.deadline", lang="fil", match=["<num> hours"], slots={})
    scanner = Scanner([foreign])
    assert scanner.scan("<num> 16 hours na lang").signals
    assert not scanner.scan("he said that it took him more than 16 hours of folding time").signals


@given(CHAT)
def test_what_begins_and_ends_a_message_is_found_there(text: str) -> None:
    import re

    one = entry(match=["BEGIN e", "o END", "BEGIN (a|no) END", "never? i"])
    found = Scanner([one]).matches(canonical(text))
    assert bool(found) == any(re.search(p.regex, canonical(text)) for p in one.patterns)
