"""Words read on a stream's screen or spoken in it: they count with all else, alone less, and against nobody by name."""

from datetime import timedelta

import pytest

from test_engine_streams import ROOM, START, Live
from underwing.casebook.cases.findings import own_cues
from underwing.engine import Engine
from underwing.model import Decision, StreamText
from underwing.packs import load_packs
from underwing.policy import load_policy

DARE = "do it now, 500 coins if you stand up and show us"
THREAT = "don't end the stream or everyone sees your pictures"


class Heard(Live):
    def overheard(self, text: str, source: str = "speech", after: float = 5.0) -> Decision:
        self.now += timedelta(seconds=after)
        second = (self.now - START).total_seconds()
        return self.step(
            StreamText(
                id=self.id(), at=self.now, conversation=ROOM, sender="child", second=second,
                source=source, text=text,  # type: ignore[arg-type]
            )
        )  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_packs(), load_policy())


def test_chat_words_on_the_screen_and_frames_make_one_warning_with_all_reasons(engine):
    live = Heard(engine)
    decisions = [
        live.says("v1", "do it now, 500 coins if you stand up"),
        live.overheard("hurry up, or I will tell everyone", "speech"),
        live.overheard("500 coins if you show us", "screen"),
        *(live.frame(0.95) for _ in range(4)),
    ]
    assert decisions[0].level in ("none", "watch")
    assert sum("page" in d.actions for d in decisions) == 1
    last = decisions[-1]
    assert {"warn_streamer", "open_case"} <= set(last.actions)
    assert last.level == "review"
    signals = {reason.signal for reason in last.reasons}
    assert {
        "en.pressure.insist",
        "overheard.en.threat.else",
        "overheard.en.payment.amount",
        "stream.frame",
    } <= signals
    assert last.actor == "v1"
    assert [r.signal for r in own_cues(last)] == ["en.incentive.pay", "en.pressure.insist"]
    told = [reason.source for d in decisions for reason in d.reasons]
    assert any("spoken at 10 s" in source for source in told)


def test_what_is_heard_tells_what_the_chat_said_before(engine):
    live = Heard(engine)
    live.says("v1", "do it now, 500 coins if you stand up")
    decisions = [live.overheard(THREAT), live.overheard("send it or I will tell everybody", after=12)]
    (paged,) = (decision for decision in decisions if "page" in decision.actions)
    assert paged.actor == "v1"
    signals = {reason.signal for reason in paged.reasons}
    assert {"en.pressure.insist", "overheard.en.threat.expose"} <= signals


def test_words_on_the_screen_and_changed_frames_warn_without_naming_anybody(engine):
    live = Heard(engine)
    live.overheard("do it now, 500 coins if you stand up and show us", "screen")
    live.overheard("stay online or everyone sees it", "speech")
    decision = live.frame(0.95)
    assert decision.level == "review"
    assert decision.actor is None
    assert decision.target == "child"
    assert {"warn_streamer", "open_case"} <= set(decision.actions)
    assert not any("overheard" in str(part) for part in (decision.actor, decision.target, decision.help))


def test_it_says_where_the_words_were(engine):
    live = Heard(engine)
    decision = live.overheard(THREAT, "screen", after=75)
    sources = [reason.source for reason in decision.reasons]
    assert sources
    assert all("on the screen at 75 s" in source for source in sources)
    start, end = decision.reasons[0].span
    assert THREAT[start:end]


def test_words_that_nobody_is_known_to_have_said_weigh_less_than_a_message(engine):
    said, overheard = Heard(engine), Heard(engine)
    as_chat, as_speech = said.says("unknown", THREAT), overheard.overheard(THREAT)
    assert as_speech.score < as_chat.score
    assert as_speech.score > 0


def test_the_chat_shown_on_the_screen_counts_once(engine):
    live = Heard(engine)
    live.says("v1", DARE)
    assert live.overheard(f"v1: {DARE}", "screen").level == "none"
    assert live.overheard(DARE, "screen", after=1).reasons == ()
    assert live.overheard(DARE, "speech", after=1).reasons != ()


def test_whatever_is_heard_asks_a_person_to_look_and_no_more(engine):
    live = Heard(engine)
    said = [THREAT, "send it to me or I will send it to all your friends", "pay me or everyone sees it", DARE]
    levels = [live.overheard(text, after=20).level for text in said * 5]
    assert "review" in levels
    assert "urgent" not in levels


def test_they_make_no_second_account_that_presses(engine):
    live = Heard(engine)
    live.says("v1", THREAT)
    decision = live.overheard("send it or I will tell everybody", "speech")
    assert not any(reason.signal == "target.several-press" for reason in decision.reasons)


def test_what_sounds_like_the_child_is_nothing_by_itself(engine):
    live = Heard(engine)
    for text in ("please stop, I'm scared", "leave me alone", "I don't want to do this anymore", "help me"):
        decision = live.overheard(text)
        assert decision.level == "none"
        assert decision.help == ()


def test_what_sounds_like_the_child_counts_against_who_presses_it(engine):
    live = Heard(engine)
    live.says("v1", THREAT)
    live.says("v1", DARE)
    decision = live.overheard("please stop, I'm scared")
    assert (decision.actor, decision.target) == ("v1", "child")
    heard = [reason for reason in decision.reasons if reason.signal.startswith("overheard.")]
    assert {reason.stage for reason in heard} <= {"distress", "refuse"}
    assert heard


def test_a_grown_streamer_is_not_listened_to(engine):
    live = Heard(engine, age=30)
    assert live.overheard(THREAT).level == "none"


def test_the_words_of_platforms_and_games_say_nothing(engine):
    live = Heard(engine)
    said = [
        "SEND GIFT 500 COINS", "Top gifter: alex 5000 coins", "GAME OVER - press start", "do it now",
        "LIVE 1.2K viewers", "follow for more", "new high score", "you died", "quest: collect 500 coins now",
    ]  # fmt: skip
    levels = {live.overheard(text, "screen", after=10).level for text in said * 3}
    assert levels == {"none"}


def test_they_stay_out_of_everybodys_state(engine):
    live = Heard(engine)
    live.overheard(THREAT)
    room = live.state.rooms.get(ROOM)
    assert room is not None
    assert room.speakers == ()
    assert live.state.accounts.get("(overheard)") is None
