"""Packets of a stream by its URL: RTMP(S), HLS, MPEG-TS over HTTP, files; SRT through FFmpeg's program where there is one.

One thread reads one source. Opening and reading are bounded in time; whatever goes wrong comes as `SourceLost` with a reason
in plain words, and the caller decides when to try again.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from msgspec import Struct

from underwing.media.video_frames import DECODERS

READ = ("rtmp", "rtmps", "http", "https", "srt", "file")
JOINED = ("livekit+ws", "livekit+wss", "whep+http", "whep+https")
"""Schemes whose streams are read here, and those that are joined (`viewer`)."""
SCHEMES = (*READ, *JOINED)
_FORMATS = "flv,live_flv,hls,mpegts,mov,matroska,webm,h264,aac,mp3"
_SOUNDS = "aac,mp3,opus,vorbis,pcm_s16le"
_PROTOCOLS = {
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tls,tcp",
    "http": "http,tcp,crypto,data",
    "https": "https,tls,tcp,crypto,data,http",
    "file": "file",
}
"""What FFmpeg may open for each scheme: a playlist from outside names no files of this machine."""


class SourceLost(Exception):
    """The stream cannot be read, or no longer; says why. `ended`: it was ended by its publisher or has run out."""

    def __init__(self, why: str, *, ended: bool = False) -> None:
        super().__init__(why)
        self.ended = ended


class Limits(Struct, frozen=True, kw_only=True):
    """Seconds that opening, and silence while reading, may last; pixels of a frame; how often HTTP may send us elsewhere."""

    open: float = 10.0
    read: float = 8.0
    pixels: int = 4096 * 2304
    redirects: int = 8


class Piece(Struct, frozen=True):
    """One packet: the track's kind, the publisher's time in seconds (None: none), whether a decoder can begin here."""

    kind: str
    stamp: float | None
    keyframe: bool
    packet: Any


class Source:
    """An opened stream. `video` and `audio` are its tracks, None where it has none. Frames build on one another: its packets
    do not stand for themselves (`single`)."""

    single = False

    def __init__(self, container: InputContainer) -> None:
        self._container = container
        best = container.streams.best("video")
        self.video: VideoStream | None = best if isinstance(best, VideoStream) else None
        sound = container.streams.best("audio")
        self.audio: AudioStream | None = sound if isinstance(sound, AudioStream) else None
        if self.video is None and self.audio is None:
            raise SourceLost("neither picture nor sound in it")

    @property
    def tracks(self) -> list[Stream]:
        """The track of the picture and that of the sound, as far as they are there."""
        return [track for track in (self.video, self.audio) if track is not None]

    def pieces(self) -> Iterator[Piece]:
        """Its packets as they come. Raises `SourceLost` when no more do."""
        try:
            for packet in self._container.demux():
                if packet.size:
                    yield _piece(packet)
        except av.error.ExitError:
            raise SourceLost("nothing came for too long") from None
        except (av.error.FFmpegError, OSError, EOFError) as error:
            raise SourceLost(f"broke off: {_why(error)}") from None
        raise SourceLost("the publisher ended it", ended=True)


@contextmanager
def opened(url: str, limits: Limits | None = None) -> Iterator[Source]:
    """The stream at a URL, closed at the end.

    Raises:
        ValueError: a URL of a kind that is not watched.
        SourceLost: it cannot be opened.
    """
    limits = limits or Limits()
    scheme = scheme_of(url)
    if scheme == "srt":
        with _through_program(url, limits) as source:
            yield source
        return
    options = {
        "analyzeduration": "3000000",
        "probesize": "1048576",
        "protocol_whitelist": _PROTOCOLS[scheme],
    }
    if scheme in ("http", "https"):
        options["max_redirects"] = str(limits.redirects)
    if scheme in ("rtmp", "rtmps"):
        options["rtmp_live"] = "live"
    try:
        container = av.open(
            url.removeprefix("file://"), mode="r", timeout=(limits.open, limits.read),
            container_options={**options, "format_whitelist": _FORMATS, "codec_whitelist": f"{DECODERS},{_SOUNDS}"},
            metadata_errors="replace",
        )  # fmt: skip
    except av.error.ExitError:
        raise SourceLost(f"did not answer within {limits.open:g} s") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise SourceLost(f"cannot be opened: {_why(error)}") from None
    with container:
        yield Source(container)


@contextmanager
def _through_program(url: str, limits: Limits) -> Iterator[Source]:
    """SRT, which the Python package of FFmpeg does not speak: its program hands it on as MPEG-TS through a pipe."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise SourceLost("srt:// needs the program ffmpeg; install Debian's package ffmpeg")
    waits = ["-connect_timeout", f"{limits.open * 1e3:.0f}", "-timeout", f"{limits.read * 1e6:.0f}"]
    command = [
        program,
        "-nostdin",
        "-loglevel",
        "error",
        *waits,
        "-i",
        url,
        "-c",
        "copy",
        "-f",
        "mpegts",
        "-",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:  # noqa: S603
        assert running.stdout is not None
        try:
            with av.open(
                cast(Any, running.stdout), mode="r", format="mpegts", timeout=(limits.open, limits.read),
                container_options={"analyzeduration": "3000000", "probesize": "1048576"},
            ) as container:  # fmt: skip
                yield Source(cast(InputContainer, container))
        except (av.error.FFmpegError, OSError) as error:
            raise SourceLost(f"cannot be opened: {_why(error)}") from None
        finally:
            running.kill()


def scheme_of(url: str) -> str:
    """The scheme of a URL; a plain path is `file`.

    Raises:
        ValueError: one that is not watched; names those that are.
    """
    scheme, found, _ = url.partition("://")
    scheme = scheme.lower() if found else "file"
    if scheme not in SCHEMES:
        raise ValueError(f"streams are watched by {', '.join(SCHEMES)}; not by {scheme!r}")
    return scheme


def patience(attempt: int) -> float:
    """Seconds until the next attempt after `attempt` failed ones in a row: quick at first, never more than 15."""
    return float(min(15.0, 0.5 * 2 ** min(attempt, 6)))


def _piece(packet: "Packet[Any]") -> Piece:
    stamp = packet.pts if packet.pts is not None else packet.dts
    base = packet.time_base
    return Piece(
        packet.stream.type,
        float(stamp * base) if stamp is not None and base else None,
        packet.is_keyframe,
        packet,
    )


def _why(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def now() -> float:
    """Our own clock for arrivals: seconds that never run backwards."""
    return time.monotonic()
