"""The senses of one stream: what a watch sees and takes goes to those plug-ins that are there, at a bounded pace.

`looked` and `taken` are the two hooks of a watch, called in its thread and quick; all that takes long is a job of the
process's `Thinker`. While calm little is read, heard and scored, while raised more, never all.
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from av.video.frame import VideoFrame
from msgspec import Struct

from underwing.live.screen import Standing, pixels_of
from underwing.live.senses import SURE_OF_WORDS, Guess, Noticed, Reader, Recogniser, Sound, VoiceFinder, Words
from underwing.live.sound import Hearer, Listener, Speech
from underwing.live.source import Piece, Source
from underwing.live.thinker import Thinker
from underwing.live.viewer import MOST_TRACKS
from underwing.media.classifier import Classifier
from underwing.media.scoring import SIDE as SCORED_SIDE
from underwing.media.scoring import scored


class Intervals(Struct, frozen=True, kw_only=True):
    """Seconds of the stream from one to the next, while calm and while raised: frames that are read, pieces of speech that
    are made words, frames that are scored. They bound what a stream costs; 0 is never."""

    read: tuple[float, float] = (60.0, 5.0)
    words: tuple[float, float] = (60.0, 4.0)
    score: tuple[float, float] = (10.0, 2.0)


class Senses(Struct, frozen=True, kw_only=True):
    """The plug-ins of a process; None: there is none of the kind. Words need somebody who finds voices."""

    reader: Reader | None = None
    voices: VoiceFinder | None = None
    recogniser: Recogniser | None = None
    classifier: Classifier | None = None

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return any((self.reader, self.voices, self.classifier))


class Attention:
    """The senses turned to one stream. `guarded` says whether its streamer is, or may be, a child: else nothing is done."""

    def __init__(
        self,
        senses: Senses,
        thinker: Thinker,
        told: Callable[[Noticed], None],
        *,
        guarded: Callable[[], bool] = lambda: True,
        raised: Callable[[], bool] = lambda: False,
        intervals: Intervals | None = None,
        patient: bool = False,
    ) -> None:
        """`told` gets what was noticed, in the thinker's thread; `raised` says whether the stream is watched closely;
        `patient` waits for each job, as a file comes faster than it was streamed."""
        self._patient = patient
        self._senses, self._thinker, self._told = senses, thinker, told
        self._guarded, self.raised, self._intervals = guarded, raised, intervals or Intervals()
        self._standing = Standing()
        self._last: dict[str, float] = {}
        self._source: Source | None = None
        self._hearer: Hearer | None = None
        self._listeners: dict[str, Listener] = {}
        self._clock = 0.0

    @property
    def voice(self) -> float:
        """The part of the sound so far in which somebody speaks, 0 to 1."""
        voice = sum(one.voice for one in self._listeners.values())
        return voice / max(1e-9, voice + sum(one.silence for one in self._listeners.values()))

    @property
    def listens(self) -> bool:
        """Whether there is anybody who finds voices."""
        return self._senses.voices is not None

    def looked(self, frame: VideoFrame, second: float, at: float) -> None:
        """A frame that was looked at, its second of the stream, our clock when it came (epoch seconds)."""
        if not self._guarded():
            return
        if self._senses.reader is not None and self._due("read", second, self._intervals.read):
            self._ask("read", partial(self._read, self._senses.reader, frame, second, at))
        if self._senses.classifier is not None and self._due("score", second, self._intervals.score):
            self._ask("score", partial(self._score, self._senses.classifier, frame, second, at))

    def taken(self, source: Source, piece: Piece, arrived: float, second: float | None) -> None:
        """A packet as it comes; those of the sound are listened to."""
        if second is not None:
            self._clock = second
        if not self.listens or piece.kind != "audio" or not self._guarded():
            return
        if source is not self._source:
            self._source, self._hearer = source, Hearer(source.audio) if source.audio else None
        if self._hearer is None or piece.packet.stream is not source.audio:
            return
        self._hear_of("", self._hearer.heard(piece.packet), arrived)

    def sounded(self, track: str, sound: Sound, second: float, arrived: float) -> None:
        """Sound of a track, which ends at a second of the stream, as it comes. Of more than `MOST_TRACKS` the first is
        forgotten."""
        self._clock = second
        if self.listens and self._guarded():
            self._hear_of(track, sound, arrived)

    def _hear_of(self, track: str, sound: Sound, arrived: float) -> None:
        assert self._senses.voices is not None
        if track not in self._listeners:
            if len(self._listeners) >= MOST_TRACKS:
                del self._listeners[next(iter(self._listeners))]
            self._listeners[track] = Listener(self._senses.voices)
        at = time.time() - (time.monotonic() - arrived)
        for speech in self._listeners[track].hear(sound, self._clock):
            recogniser = self._senses.recogniser
            if recogniser is not None and self._due("words", self._clock, self._intervals.words):
                self._ask("words", partial(self._hear, recogniser, speech, at))

    def _due(self, what: str, second: float, intervals: tuple[float, float]) -> bool:
        every = intervals[self.raised()]
        last = self._last.get(what)
        if every <= 0 or (last is not None and 0 <= second - last < every - 0.05):
            return False
        self._last[what] = second
        return True

    def _ask(self, what: str, job: Callable[[], None]) -> None:
        if not self._thinker.ask((id(self), what), job, urgent=self.raised()):
            self._last.pop(what, None)  # the next one is asked again
        elif self._patient:
            self.finish(60)

    def finish(self, seconds: float) -> bool:
        """Wait for what is being read and heard; whether that was done in time."""
        return self._thinker.wait(seconds)

    # -- jobs of the thinker -----------------------------------------------------------------------------

    def _read(self, reader: Reader, frame: VideoFrame, second: float, at: float) -> None:
        for text in self._standing.new(reader.read(pixels_of(frame)), second):
            self._told(Words(source="screen", text=text, second=second, at=at))

    def _hear(self, recogniser: Recogniser, speech: Speech, at: float) -> None:
        text, sure = recogniser.words(np.asarray(speech.sound, np.float32))
        if text and sure >= SURE_OF_WORDS:
            self._told(Words(source="speech", text=text[:2_000], second=speech.second, at=at))

    def _score(self, classifier: Classifier, frame: VideoFrame, second: float, at: float) -> None:
        score = scored(classifier, [pixels_of(frame, SCORED_SIDE)])
        self._told(Guess(score=score, second=second, at=at))
