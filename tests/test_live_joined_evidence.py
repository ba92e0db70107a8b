"""A child that is pressed in a LiveKit room: a moderator is paged, and the case holds what was seen and heard, sealed."""

import html
import io
import time
from pathlib import Path

import av
import numpy as np
import pytest

from console_cases import console
from live_sounds import tone
from livekit_servers import KEY, SECRET, livekit_server, publishing
from media_clips import panned
from stream_cases import CHILD, PRESSING, Asked, say
from test_live_evidence import exhibits, opened_to_write_of_watcher, temporary
from test_live_rolling_disk import found_in, marks_of
from test_live_stills import differs
from underwing.engine import Engine
from underwing.live.clip import NOTE
from underwing.packs import Packs
from underwing.policy import load_policy

__all__ = ["temporary"]


def test_a_pressed_child_in_a_room_pages_and_the_case_holds_a_film_of_what_was_seen(
    all_packs: Packs, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    home, scene = tmp_path / "service", panned("coffee")
    home.mkdir()
    with (
        console(
            Engine(all_packs, load_policy()), home, stream_hosts="127.0.0.1", stream_words="whisper"
        ) as service,
        livekit_server() as server,
        publishing(server, "room", "kid", scene, sound=tone(4.0)) as sending,
        service.client("platform") as client,
    ):
        client.post("/v1/events", json=CHILD)
        control = [f"livekit+{server.http}/room?participant=kid"]
        body = {"id": "one", "url": server.watched("room", "kid"), "streamer": "kid", "control": control}
        client.post("/v1/streams", json=body)
        one = Asked(service, "one")
        one.until(lambda told: told["looks"] >= 2)
        (first,) = say(service, PRESSING[:1])
        assert "open_case" not in first["actions"]
        looks = one.now()["looks"]
        watcher = one.until(lambda told: told["looks"] >= looks + 6)["watcher"]
        paged = [d["event"] for d in say(service, PRESSING[1:], sender="v2") if "page" in d["actions"]]
        assert paged
        caring = service.app._caring
        assert caring is not None
        case = caring.evidence.case_of(paged[0])
        assert case is not None
        end = time.monotonic() + 60
        while not (kept := exhibits(service, case)) or not kept[0].address:
            assert time.monotonic() < end, (kept, one.now())
            time.sleep(0.1)
        (exhibit,) = kept
        written = [Path(name) for name in opened_to_write_of_watcher(watcher)]
        written = [path for path in written if path.exists()]  # the speech recogniser's library has a file
        sending.stop.set()
        vault = caring.care.vault
        assert vault is not None
        data = b"".join(vault.read(exhibit.address, by="a test", looking="machine-read"))
        log = [r for r in caring.care._custody.records() if r.object == exhibit.address]
        with service.browser("senior") as browser:
            pages = [
                html.unescape(browser.get(path).text)
                for path in (
                    f"/console/cases/{case}",
                    f"/console/cases/{case}/files/{exhibit.number}",
                    "/console/streams/one",
                )
            ]
    assert (exhibit.problem, exhibit.type, exhibit.made) == ("", "video/x-matroska", "stills")
    assert (exhibit.width, exhibit.height) == (960, 540)
    with av.open(io.BytesIO(data)) as clip:
        frames = [frame for packet in clip.demux() for frame in packet.decode()]
        assert clip.metadata["COMMENT"] == NOTE
    stills = [frame for frame in frames if isinstance(frame, av.VideoFrame)]
    times = [still.time for still in stills]
    assert len(stills) >= 8
    assert times == sorted(set(times))
    assert max(np.diff(times)) > 5  # calm at first
    assert min(np.diff(times)) < 1.5
    assert max(differs(still, scene) for still in stills) < 12
    heard = sum(frame.samples for frame in frames if isinstance(frame, av.AudioFrame)) / 16_000
    assert heard > 0.8 * (times[-1] - times[0]) - 2
    assert f"{len(stills)} {NOTE}; MD5 " in log[0].reason
    assert all("single frames" in page for page in pages)
    marks = marks_of(_written(tmp_path, data))
    assert found_in([tmp_path / "control.mkv"], marks)
    (tmp_path / "control.mkv").unlink()
    for place in (home, temporary, Path("/dev/shm")):
        written += [path for path in place.rglob("*") if path.is_file()]
    assert found_in(written, marks) == []


def _written(place: Path, data: bytes) -> Path:
    """The clip in the clear: what is looked for would be found in it."""
    path = place / "control.mkv"
    path.write_bytes(data)
    return path
