"""Text on the screen, words that are spoken, and a classifier's guess: each plug-in, and all of them in one watch."""

import json
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from classifier_stub import Brightness
from live_sounds import RATE, sounding, tone
from live_words import spoken, written
from media_clips import panned
from underwing.cli.app import app
from underwing.live.attention import Attention, Intervals, Senses
from underwing.live.rapid_ocr import RapidOcr
from underwing.live.screen import Standing
from underwing.live.senses import RATE as HEARD_RATE
from underwing.live.senses import VOICE_STEP, Guess, Line, Noticed, SenseMissingError, Words
from underwing.live.sound import LONGEST, Listener
from underwing.live.thinker import Thinker
from underwing.live.watch import Watch
from underwing.live.whisper import SileroVoices, Whisper

DARE = "do it now, 500 coins"
THREAT = "Do not end the stream, or I will send it to all your friends."


@pytest.fixture(scope="module")
def ocr() -> RapidOcr:
    return RapidOcr()


@pytest.fixture(scope="module")
def voices() -> SileroVoices:
    return SileroVoices()


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper()


def as_heard(sound):
    return sound.astype(np.float32) / 32768


@pytest.mark.parametrize("size", [(640, 360), (1280, 720)])
def test_text_on_a_busy_picture_is_read(ocr, size):
    picture = panned("coffee", width=size[0], height=size[1])(1.0)
    lines = ocr.read(written(picture, DARE, "kim: hello there"))
    assert [line.text for line in lines if line.sure > 0.7] == [DARE, "kim: hello there"]
    assert lines[0].box[0] < 0.1
    assert lines[0].box[1] < lines[1].box[1]


@pytest.mark.parametrize("photo", ["coffee", "rocket"])
def test_a_picture_without_text_says_nothing(ocr, photo):
    assert [
        line.text for line in ocr.read(panned(photo)(1.0)) if line.sure > 0.7 and len(line.text) > 3
    ] == []


def test_speech_is_told_from_other_sounds(voices):
    def share(sound):
        whole = sound[: len(sound) - len(sound) % VOICE_STEP]
        return voices.voiced(as_heard(whole)).mean()

    assert share(spoken(THREAT, HEARD_RATE)) > 0.5
    assert share(tone(4.0)) == 0
    assert share((np.random.default_rng(1).normal(0, 2_000, 4 * HEARD_RATE)).astype(np.int16)) == 0
    assert share(np.zeros(4 * HEARD_RATE, np.int16)) == 0


def test_speech_becomes_words(whisper):
    text, sure = whisper.words(as_heard(spoken(THREAT, HEARD_RATE)))
    assert "send it to all your friends" in text.lower()
    assert sure > 0.4


def test_pieces_of_speech_end_with_pauses_and_are_bounded(voices):
    listener, pause = Listener(voices), np.zeros(2 * HEARD_RATE, np.float32)
    one = as_heard(spoken(THREAT, HEARD_RATE))
    sound = np.concatenate([pause, one, pause, pause, one, one, one, one, pause, pause])
    step, pieces = HEARD_RATE // 50, []
    for start in range(0, len(sound), step):
        pieces += listener.hear(sound[start : start + step], min(len(sound), start + step) / HEARD_RATE)
    assert len(pieces) >= 3
    assert all(len(piece.sound) <= (LONGEST + 2.1) * HEARD_RATE for piece in pieces)
    assert 0 <= pieces[0].second <= 2.1
    assert listener.voice > 8
    assert listener.silence > 4


def test_speech_of_before_a_stream_began_begins_with_it(voices):
    listener, sound = Listener(voices), as_heard(spoken(THREAT, HEARD_RATE))
    pieces = [*listener.hear(sound, 0.1), *listener.hear(np.zeros(3 * HEARD_RATE, np.float32), 3.1)]
    assert [piece.second for piece in pieces] == [0.0]


def test_only_new_lines_are_told():
    standing = Standing()
    first = [Line("kim: hello there", 0.9, (0, 0.1, 0.5, 0.15)), Line("500", 0.9), Line("blurry", 0.3)]
    assert standing.new(first, 10.0) == ["kim: hello there"]
    assert standing.new([Line("Kim:hello there", 0.9)], 15.0) == []
    assert standing.new([Line("kim: hello there", 0.9)], 1000.0) == ["kim: hello there"]


def test_a_wrapped_sentence_is_one():
    lines = [
        Line("do it now, 500 coins", 0.9, (0.1, 0.10, 0.5, 0.15)),
        Line("if you show us", 0.9, (0.1, 0.17, 0.4, 0.22)),
        Line("LIVE now", 0.9, (0.8, 0.10, 0.95, 0.15)),
    ]
    assert sorted(Standing().new(lines, 0.0)) == ["LIVE now", "do it now, 500 coins if you show us"]


def test_what_is_not_installed_names_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rapidocr", None)
    with pytest.raises(SenseMissingError, match=r"underwing\[screen\]"):
        RapidOcr()


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A calm picture of ten seconds, then one with a text on it; somebody speaks from the second second on."""
    before, sound = panned("coffee"), np.zeros(16 * RATE, np.int16)
    said = spoken(THREAT)
    sound[2 * RATE : 2 * RATE + len(said)] = said
    path = tmp_path_factory.mktemp("senses") / "film.flv"
    path.write_bytes(
        sounding(
            lambda at: written(before(at), DARE) if at > 10 else before(at), 16.0, sound, rate=10, gop=20
        )
    )
    return path


def watched(film: Path, senses: Senses, intervals: Intervals, **more) -> tuple[list[Noticed], Attention]:
    noticed: list[Noticed] = []
    thinker = Thinker()
    attention = Attention(senses, thinker, noticed.append, intervals=intervals, **more)
    watch = Watch(
        str(film),
        lambda _: thinker.wait(30),
        lambda _: None,
        taken=attention.taken,
        looked=attention.looked,
    )
    watch.raise_for(1e6)
    watch.run()
    assert thinker.wait(60)
    assert thinker.failed == 0
    thinker.close()
    return noticed, attention


ALWAYS = Intervals(read=(2.0, 2.0), words=(1.0, 1.0), score=(4.0, 4.0))


def test_all_senses_in_one_watch(film, ocr, voices, whisper):
    senses = Senses(reader=ocr, voices=voices, recogniser=whisper, classifier=Brightness())
    noticed, attention = watched(film, senses, ALWAYS)
    screen = [one for one in noticed if isinstance(one, Words) and one.source == "screen"]
    speech = [one for one in noticed if isinstance(one, Words) and one.source == "speech"]
    guesses = [one for one in noticed if isinstance(one, Guess)]
    assert [one.text for one in screen] == [DARE]
    assert screen[0].second == pytest.approx(11, abs=1.6)
    assert "send it to all your friends" in " ".join(one.text for one in speech).lower()
    assert speech[0].second == pytest.approx(2, abs=2.2)
    assert 3 <= len(guesses) <= 5
    assert guesses[0].score.name == Brightness().name
    assert abs(time.time() - screen[0].at) < 120
    assert 0.05 < attention.voice < 0.5


def test_nothing_is_read_or_heard_of_a_grown_streamer(film, ocr, voices, whisper):
    senses = Senses(reader=ocr, voices=voices, recogniser=whisper, classifier=Brightness())
    noticed, attention = watched(film, senses, ALWAYS, guarded=lambda: False)
    assert noticed == []
    assert attention.voice == 0


def test_a_pace_bounds_what_is_done(film, ocr):
    count = 0

    class Counting:
        name = "counting"

        def read(self, picture):
            nonlocal count
            count += 1
            return ()

    watched(film, Senses(reader=Counting()), Intervals(read=(60.0, 5.0)), raised=lambda: True)
    assert 3 <= count <= 4
    count = 0
    watched(film, Senses(reader=Counting()), Intervals(read=(60.0, 5.0)), raised=lambda: False)
    assert count == 1
    count = 0
    watched(film, Senses(reader=Counting()), Intervals(read=(0.0, 0.0)))
    assert count == 0


def test_a_plug_in_that_fails_costs_nothing_else(film):
    class Broken:
        name = "broken"

        def read(self, picture):
            raise RuntimeError("no")

    thinker, noticed = Thinker(), []
    attention = Attention(Senses(reader=Broken(), classifier=Brightness()), thinker, noticed.append)
    frame = av.VideoFrame.from_ndarray(panned("coffee")(0.0), format="rgb24")
    attention.looked(frame, 1.0, 5.0)
    assert thinker.wait(10)
    assert thinker.failed == 1
    assert [type(one) for one in noticed] == [Guess]
    thinker.close()


def test_too_much_is_passed_over_and_the_urgent_goes_first():
    gate, done = threading.Event(), []
    thinker = Thinker(most=3)
    thinker.ask("first", lambda: gate.wait(10))
    time.sleep(0.2)
    for number in range(5):
        thinker.ask(number, lambda n=number: done.append(n))
    assert thinker.ask("soon", lambda: done.append("soon"), urgent=True)
    assert thinker.ask("soon", lambda: done.append("sooner"), urgent=True)
    gate.set()
    assert thinker.wait(10)
    assert done[0] == "sooner"
    assert len(done) == 3
    assert thinker.passed_over == 4
    thinker.close()


def test_the_command_reads_and_hears_and_says_where(film, tmp_path):
    arguments = ["watch", str(film), "--banks", str(tmp_path / "none.db"), "--json", "--often"]
    result = CliRunner().invoke(app, [*arguments, "--text", "rapidocr", "--words", "whisper"])
    assert result.exit_code in (0, 1), result.output
    decisions = [json.loads(line) for line in result.stdout.splitlines()]
    reasons = [reason for decision in decisions for reason in decision["reasons"]]
    sources = {reason["source"].partition(", ")[2].partition(" at ")[0] for reason in reasons}
    assert sources == {"on the screen", "spoken"}
    assert {decision["actor"] for decision in decisions} == {None}
    assert any("threat" in reason["signal"] for reason in reasons)


@pytest.mark.parametrize(
    ("option", "said"),
    [(["--text", "nothing"], "there are: rapidocr"), (["--words", "no.such:thing"], "no module")],
)
def test_an_unknown_plug_in_is_told_in_one_line(option, said, tmp_path):
    result = CliRunner().invoke(app, ["watch", "film.mp4", *option, "--banks", str(tmp_path / "none.db")])
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
