"""A decision about a stream opens a case: its last seconds become an exhibit, sealed, and never lie clear on a disk."""

import io
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from console_cases import console
from debian import program
from live_servers import RtmpServer, rtmp_server
from live_sounds import RATE, sounding, tone
from live_words import spoken, written
from media_clips import panned
from server_cases import Running
from stream_cases import CHILD, PRESSING, Asked, asked, say
from test_live_rolling_disk import found_in, marks_of, opened_to_write
from underwing.casebook.care import Exhibit
from underwing.engine import Engine
from underwing.packs import Packs
from underwing.policy import load_policy


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtmpServer]:
    with rtmp_server(tmp_path_factory.mktemp("nginx")) as server:
        yield server


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.flv"
    path.write_bytes(sounding(panned("coffee"), 40.0, tone(40.0), rate=15, gop=15))
    return path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the service and its processes put temporary files."""
    place = tmp_path / "temporary"
    place.mkdir()
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(place))
    monkeypatch.setattr("tempfile.tempdir", None)
    return place


def exhibits(service: Running, case: int) -> list[Exhibit]:
    caring = service.app._caring
    assert caring is not None
    return caring.care.exhibits.of_case(case)


def sent(film: Path, url: str) -> "subprocess.Popen[bytes]":
    """FFmpeg's program sends a file as it is, in real time: its packets are those that are kept."""
    command = [
        program("ffmpeg", "ffmpeg"),
        "-nostdin",
        "-loglevel",
        "error",
        "-re",
        "-i",
        str(film),
        "-c",
        "copy",
    ]
    return subprocess.Popen([*command, "-f", "flv", url], stderr=subprocess.DEVNULL)


def test_the_last_seconds_become_an_exhibit_of_the_case(
    all_packs: Packs, tmp_path: Path, server: RtmpServer, film: Path, temporary: Path
) -> None:
    home = tmp_path / "service"
    home.mkdir()
    marks = marks_of(film)
    engine = Engine(all_packs, load_policy())
    with (
        console(engine, home, stream_hosts="127.0.0.1", stream_keep_seconds=20) as service,
        sent(film, server.url("one")) as sending,
        service.client("platform") as client,
    ):
        client.post("/v1/events", json=CHILD)
        client.post("/v1/streams", json={**asked(server), "control": []})
        one = Asked(service, "one")
        watcher = one.until(lambda told: told["second"] > 12)["watcher"]
        before = time.time()
        opened = [d["event"] for d in say(service, PRESSING) if "open_case" in d["actions"]]
        assert opened
        caring = service.app._caring
        assert caring is not None
        case = caring.evidence.case_of(opened[0])
        assert case is not None
        end = time.monotonic() + 60
        while not (kept := exhibits(service, case)) or not kept[0].address:
            assert time.monotonic() < end, kept
            time.sleep(0.1)
        (exhibit,) = kept
        assert exhibit.problem == ""
        assert opened_to_write_of_watcher(watcher) == []
        sending.kill()
        vault = caring.care.vault
        assert vault is not None
        data = b"".join(vault.read(exhibit.address, by="a test", looking="machine-read"))
        label = vault.label(exhibit.address)
        log = [r for r in service.app._caring.care._custody.records() if r.object == exhibit.address]
    assert exhibit.type == "video/x-matroska"
    assert exhibit.seconds == pytest.approx(12, abs=3)
    assert exhibit.event == opened[0]
    with av.open(io.BytesIO(data)) as clip:
        frames = [frame for packet in clip.demux() for frame in packet.decode()]
    assert sum(isinstance(frame, av.VideoFrame) for frame in frames) > 100
    assert label.name.startswith("one 20")
    assert label.name.endswith(".mkv")
    intake = log[0]
    assert (intake.kind, intake.by) == ("intake", "underwing")
    assert "the last seconds of stream one: seconds 0" in intake.reason
    assert "MD5 " in intake.reason
    assert time.strftime("%Y-%m-%dT%H", time.gmtime(before)) in intake.reason
    assert found_in([_written(tmp_path, data)], marks) != []
    (tmp_path / "control.mkv").unlink()
    assert found_in([path for path in home.rglob("*") if path.is_file()], marks) == []
    assert found_in([path for path in temporary.rglob("*") if path.is_file()], marks) == []


def _written(place: Path, data: bytes) -> Path:
    """The clip in the clear: what is looked for would be found in it."""
    path = place / "control.mkv"
    path.write_bytes(data)
    return path


def opened_to_write_of_watcher(pid: int) -> list[str]:
    assert os.path.exists(f"/proc/{pid}")
    return opened_to_write(pid)


def test_chat_the_screen_and_speech_make_one_warning_with_its_clip(
    all_packs: Packs, tmp_path: Path, server: RtmpServer
) -> None:
    said = spoken("Do not end the stream, or I will send it to all your friends.")
    sound = np.zeros(60 * RATE, np.int16)
    for start in range(6 * RATE, len(sound) - len(said), 12 * RATE):
        sound[start : start + len(said)] = said
    coffee, path, home = panned("coffee"), tmp_path / "film.flv", tmp_path / "service"
    home.mkdir()
    path.write_bytes(
        sounding(lambda at: written(coffee(at), "500 coins if you show us"), 60.0, sound, rate=8, gop=8)
    )
    given = {"stream_hosts": "127.0.0.1", "stream_text": "rapidocr", "stream_words": "whisper"}
    with (
        console(Engine(all_packs, load_policy()), home, **given) as service,
        service.client("platform") as client,
    ):
        client.post("/v1/events", json=CHILD)
        with sent(path, server.url("two")):
            client.post("/v1/streams", json={**asked(server, "two"), "control": []})
            one = Asked(service, "two")
            one.until(lambda told: {"stream_text"} <= {event["type"] for event in told["events"]}, 120)
            say(service, ["do it now, 500 coins if you stand up"], "two")
            told = one.until(lambda told: any("page" in event["actions"] for event in told["events"]), 120)
            paged = [event for event in told["events"] if "page" in event["actions"]]
            assert len(paged) == 1
            caring = service.app._caring
            assert caring is not None
            case = caring.evidence.case_of(paged[0]["event"])
            assert case is not None
            end = time.monotonic() + 60
            while not (kept := exhibits(service, case)) or not kept[0].address:
                assert time.monotonic() < end
                time.sleep(0.1)
        with service.client("reviewer") as reviewer:
            decision = reviewer.get(f"/v1/decisions/{paged[0]['event']}").json()
    signals = {reason["signal"] for reason in decision["reasons"]}
    assert "en.pressure.insist" in signals
    assert any(signal.startswith("overheard.en.threat") for signal in signals)
    assert any("spoken at" in reason["source"] for reason in decision["reasons"])
    assert decision["target"] == "kid"
    assert decision["actor"] in ("v1", None)
    assert (kept[0].type, kept[0].problem) == ("video/x-matroska", "")
