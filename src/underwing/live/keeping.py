"""What is kept of one stream's last seconds: its packets where it gives any, else what was looked at and heard of it."""

import time

from av.video.frame import VideoFrame

from underwing.live.clip import Clip
from underwing.live.rolling import Keep, Rolling
from underwing.live.senses import Sound
from underwing.live.source import Piece, Source
from underwing.live.stills import Stills


class LastSeconds:
    """Its first three methods are the hooks of a watch; `clips` may be called from any thread."""

    def __init__(self, keep: Keep) -> None:
        self._packets, self._stills = Rolling(keep), Stills(keep)
        self._has_packets = False

    def taken(self, source: Source, piece: Piece, arrived: float, second: float | None) -> None:
        """A packet as it comes."""
        self._has_packets = True
        self._packets.take(source, piece, arrived, second)

    def looked(self, frame: VideoFrame, second: float, at: float) -> None:
        """A frame that was looked at, its second of the stream, our clock when it came (epoch seconds)."""
        if not self._has_packets:
            self._stills.see(frame, time.monotonic() - (time.time() - at), second)

    def sounded(self, track: str, sound: Sound, second: float, arrived: float) -> None:
        """Sound of a track of a stream that is joined, which ends at a second of the stream, as it comes."""
        self._stills.hear(track, sound, arrived, second)

    def clips(self) -> list[Clip]:
        """What is kept, as files that play, oldest first."""
        return self._packets.clips() if self._has_packets else self._stills.clips()
