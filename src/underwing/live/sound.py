"""The sound of a stream as one channel of 16 kHz, and the pieces of it in which somebody speaks.

A piece of speech ends with a pause, or at ten seconds; what is silence or noise is thrown away at once.
"""

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from msgspec import Struct

from underwing.live.senses import RATE, VOICE_STEP, Sound, VoiceFinder

STEP_SECONDS = 2.048
"""Voices are looked for in so much sound at a time: 64 steps."""
LONGEST = 10.0
PAUSE = 0.5
LEAST = 0.5
"""Seconds of a piece of speech at most, of silence that ends it, of voice that it must hold."""
_STEP = round(STEP_SECONDS * RATE)


class Speech(Struct, frozen=True):
    """A piece of sound in which somebody speaks, and the second of the stream in which it began."""

    sound: Sound
    second: float


class Hearer:
    """Makes samples of a stream's packets of sound."""

    def __init__(self, track: Any) -> None:
        self._context = track.codec_context
        self._resampler = av.AudioResampler("flt", "mono", RATE)

    def heard(self, packet: Any) -> Sound:
        """The samples of a packet; none where it cannot be decoded."""
        try:
            frames = self._context.decode(packet)
            made = [part.to_ndarray()[0] for frame in frames for part in self._resampler.resample(frame)]
        except (av.error.FFmpegError, ValueError, EOFError):
            return np.zeros(0, np.float32)
        return np.concatenate(made) if made else np.zeros(0, np.float32)


class Listener:
    """Finds the pieces of speech in a stream's samples. `voice` and `silence` count their seconds."""

    def __init__(self, finder: VoiceFinder) -> None:
        self._finder = finder
        self._waiting: list[Sound] = []
        self._samples = 0
        self._speech: list[Sound] = []
        self._begun, self._voiced = 0.0, 0.0
        self.voice = self.silence = 0.0

    def hear(self, sound: Sound, second: float) -> Iterator[Speech]:
        """Take samples that end at a second of the stream; the pieces of speech that are complete by them."""
        self._waiting.append(sound)
        self._samples += len(sound)
        if self._samples < _STEP:
            return
        whole = np.concatenate(self._waiting)
        used = len(whole) - len(whole) % VOICE_STEP
        self._waiting, self._samples = [whole[used:]], len(whole) - used
        yield from self._cut(whole[:used], max(0.0, second - len(whole) / RATE))

    def _cut(self, sound: Sound, second: float) -> Iterator[Speech]:
        voiced = self._finder.voiced(sound)
        each = VOICE_STEP / RATE
        self.voice += float(voiced.sum()) * each
        self.silence += float((~voiced).sum()) * each
        if not voiced.any():
            yield from self._over()
            return
        if not self._speech:
            self._begun = second
        self._speech.append(sound)
        self._voiced += float(voiced.sum()) * each
        quiet = int(np.argmax(voiced[::-1])) * each
        if quiet >= PAUSE or sum(map(len, self._speech)) >= LONGEST * RATE:
            yield from self._over()

    def _over(self) -> Iterator[Speech]:
        if self._speech and self._voiced >= LEAST:
            yield Speech(np.concatenate(self._speech), round(self._begun, 3))
        self._speech, self._voiced = [], 0.0
