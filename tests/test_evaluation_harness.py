"""Replaying conversations past a judge whose answers are known."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, structs

from evaluation_cases import START, Judge, risk, safe, talk
from underwing.evaluation import JudgeError, Participant, evaluate, message_id, to_events
from underwing.model import Account, Message, decode_event, encode


def test_events_are_accounts_first_then_messages_to_all_others():
    conversation = structs.replace(
        talk("c", "abc", channel="group"),
        accounts=(Participant("a", 14, True), Participant("b", None, None), Participant("c", 30, None)),
    )
    a, b, c, first, second, _ = to_events(conversation)
    assert a == Account(id="c:a", declared_age=14, minor=True)
    assert (b.declared_age, b.minor, c.minor) == (UNSET, UNSET, UNSET)
    assert first == Message(
        id="c/0", at=START, surface="group", conversation="c", sender="c:a", to=["c:b", "c:c"],
        text="message number 0",
    )  # fmt: skip
    assert second.to == ["c:a", "c:c"]


def test_the_prefix_can_be_left_off():
    assert [one.sender for one in to_events(talk("c", "ab"), prefix=False) if isinstance(one, Message)] == [
        "a",
        "b",
    ]


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200), st.text(max_size=30_000))
def test_every_event_is_one_that_a_platform_may_send(name, account, text):
    conversation = talk(name, "ab", texts=[text, "ok"])
    accounts = (Participant(account + "x"), Participant("b"))
    lines = (structs.replace(conversation.messages[0], sender=account + "x"), conversation.messages[1])
    conversation = structs.replace(conversation, accounts=accounts, messages=lines)
    for event in to_events(conversation):
        assert decode_event(encode(event)) == event


def test_ids_of_pan_length_are_shortened_and_still_found():
    name, author = "f" * 32, "e" * 32
    conversation = risk(name, "ab" * 4, actor="a")
    conversation = structs.replace(
        conversation,
        accounts=(Participant(author), Participant("b")),
        actor=author,
        messages=tuple(
            structs.replace(line, sender=author) if line.sender == "a" else line
            for line in conversation.messages
        ),
    )
    sender = next(one.sender for one in to_events(conversation) if isinstance(one, Message))
    assert len(sender) <= 64
    result = evaluate([conversation], Judge({message_id(name, 4): ("review", sender)}))
    assert result.outcomes[0].warned == 4


def test_a_room_of_thousands_is_addressed_as_a_room():
    conversation = structs.replace(
        talk("c", "ab", channel="group"),
        accounts=tuple(Participant(x) for x in ["a", "b", *map(str, range(2000))]),
    )
    messages = [one for one in to_events(conversation) if isinstance(one, Message)]
    assert [one.to for one in messages] == [[], []]
    private = structs.replace(conversation, channel="dm")
    assert all(len(one.to) == 1000 for one in to_events(private) if isinstance(one, Message))


def test_warned_is_the_first_review_that_names_the_actor():
    answers = {
        "r1/1": ("watch", "r1:a"),
        "r1/2": ("review", "r1:b"),
        "r1/4": ("review", "r1:a"),
        "r1/5": ("urgent", "r1:a"),
    }
    [found] = evaluate([risk(harm=6)], Judge(answers)).outcomes
    assert (found.first_watch, found.first_review, found.first_urgent) == (1, 2, 5)
    assert (found.warned, found.latency) == (4, 5)
    assert not found.wrong_account


def test_urgent_alone_is_review_and_watch_too():
    [found] = evaluate([risk()], Judge({"r1/3": ("urgent", "r1:a")})).outcomes
    assert (found.first_watch, found.first_review, found.first_urgent, found.warned) == (3, 3, 3, 3)


def test_an_account_whose_messages_carry_a_stage_may_be_named():
    [found] = evaluate(
        [risk(said="abcabc", stages={2: "threat"})], Judge({"r1/2": ("review", "r1:c")})
    ).outcomes
    assert (found.warned, found.demand) == (2, 2)


def test_naming_the_child_is_a_miss_and_listed():
    result = evaluate([risk()], Judge({"r1/3": ("review", "r1:b"), "r1/4": ("review", None)}))
    assert result.missed == ["r1"]
    assert result.jsonable()["wrong_account"] == ["r1"]


def test_watch_is_no_warning_and_in_safe_conversations_any_account_is_an_alarm():
    answers = {"s1/3": ("watch", "s1:a"), "s2/3": ("review", None), "s3/0": ("review", "s3:b")}
    result = evaluate([safe("s1"), safe("s2"), safe("s3")], Judge(answers))
    assert result.false_alarms == ["s2", "s3"]


def test_latency_counts_messages_with_text():
    texts = ["hi", "", " ", "ok", "now", "x", "y", "z"]
    [found] = evaluate([risk(texts=texts)], Judge({"r1/4": ("review", "r1:a")})).outcomes
    assert (found.warned, found.latency) == (4, 3)


def test_a_risk_conversation_without_an_actor_takes_any_account():
    result = evaluate([risk(actor=None, onset=None)], Judge({"r1/3": ("review", "r1:b")}))
    assert result.outcomes[0].warned == 3


def test_ids_that_come_again_do_not_share_events():
    judge = Judge({"x~2/1": ("review", "x~2:a")})
    result = evaluate([safe("x"), safe("x"), safe("x~2"), safe("x")], judge)
    names = [one.id for one in result.outcomes]
    assert len(set(names)) == 4
    assert names[:2] == ["x", "x~2"]
    ids = [event.id for call in judge.calls for event in call]
    assert len(ids) == len(set(ids))


def test_a_message_without_a_decision_and_an_unknown_level_are_refused():
    with pytest.raises(JudgeError, match="no decision for message 0"):
        evaluate([safe()], lambda events: [])
    with pytest.raises(JudgeError, match="level"):
        evaluate([safe()], Judge({"s1/0": ("purple", None)}))


def test_progress_hears_of_each_conversation():
    heard = []
    evaluate([safe("s1"), risk("r1")], Judge(), heard.append)
    assert [one.id for one in heard] == ["s1", "r1"]


@pytest.fixture
def mixed():
    """Four risk (three warned: 2 early, on and 1 late of the harm; one missed), two safe (one warned)."""
    whole = [
        risk("r1", harm=6, onset=2),
        risk("r2", harm=4, onset=2, lang="pl", channel="live"),
        risk("r3", onset=6, kind="meeting"),
        risk("r4", harm=7),
        safe("s1", lang="en-GB"),
        safe("s2", lang="pl"),
        talk("u1"),
    ]
    answers = {
        "r1/5": ("review", "r1:a"),
        "r2/4": ("urgent", "r2:a"),
        "r3/3": ("review", "r3:a"),
        "s1/7": ("urgent", "s1:b"),
        "u1/0": ("review", "u1:b"),
    }
    return evaluate(whole, Judge(answers))


def test_the_json_by_hand(mixed):
    found = mixed.jsonable()
    counts = ("conversations", "risk", "safe", "unlabelled", "messages", "warned_unlabelled", "urgent_safe")
    assert [found[key] for key in counts] == [7, 4, 2, 1, 52, 1, 1]
    assert (found["precision"], found["recall"], found["f1"], found["f05"]) == (0.75, 0.75, 0.75, 0.75)
    assert found["warned_before_harm"] == pytest.approx(1 / 3)
    assert found["median_delay_messages"] == 2
    assert found["median_delay_messages_clamped"] == 2
    assert found["median_latency_messages"] == 5
    penalty = -1 + 2 / (1 + math.exp(-math.log(3) / 89 * 4))
    assert found["speed"] == pytest.approx(1 - penalty)
    assert found["f_latency"] == pytest.approx(0.75 * (1 - penalty))
    assert found["safe_alarm_rate"] == 0.5
    assert found["alarms_per_10000_safe"] == 5000
    assert found["precision_at_prevalence"]["0.01"]["estimate"] == pytest.approx(0.0075 / (0.0075 + 0.495))
    assert found["missed"] == ["r4"]
    assert found["false_alarms"] == ["s1"]
    assert found["versions"] == {"underwing": "0.1.0", "engine": "e1", "packs": "p1", "policy": "q1"}


def test_slices(mixed):
    found = mixed.jsonable()
    assert {key: row["recall"] for key, row in found["by_kind"].items()} == {
        "grooming": pytest.approx(2 / 3), "meeting": 1.0, "other": None, "peer": None,
    }  # fmt: skip
    assert found["by_kind"]["meeting"]["precision"] is None
    assert found["by_kind"]["peer"]["safe_alarm_rate"] == 0.5
    assert found["by_kind"]["meeting"]["median_delay_messages"] == -3
    assert found["by_kind"]["meeting"]["median_delay_messages_clamped"] == 0
    assert list(found["by_lang"]) == ["en", "pl"]
    assert found["by_lang"]["pl"]["precision"] == 1.0
    assert found["by_channel"]["live"]["risk"] == 1


def test_the_json_is_json_even_of_nothing():
    found = evaluate([], Judge()).jsonable()
    assert found["recall"] is None
    assert found["messages_per_cpu_second"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found


placements = st.lists(
    st.tuples(st.sampled_from(["risk", "safe", None]), st.none() | st.integers(0, 7), st.sampled_from("ab")),
    max_size=12,
)


@given(placements)
def test_measures_stay_in_bounds_whatever_the_judge_says(placed):
    makers = {"risk": risk, "safe": safe, None: talk}
    whole = [makers[label](f"c{i}", "abababab") for i, (label, _, _) in enumerate(placed)]
    answers = {
        f"c{i}/{at}": ("review", f"c{i}:{who}") for i, (_, at, who) in enumerate(placed) if at is not None
    }
    found = evaluate(whole, Judge(answers)).jsonable()
    json.dumps(found, allow_nan=False)
    shares = ("precision", "recall", "f1", "f05", "speed", "f_latency", "erde5", "erde50", "safe_alarm_rate")
    assert all(found[key] is None or 0 <= found[key] <= 1 for key in shares)
    assert len(found["missed"]) + found["warned_risk"] == found["risk"]
    assert sum(row["conversations"] for row in found["by_kind"].values()) == len(placed)
