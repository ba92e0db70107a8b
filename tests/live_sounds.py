"""Streams with sound for the tests: a panned photo with a tone, or with given samples, as a file's bytes."""

import io
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from media_clips import Scene

RATE = 48_000
_QUICK = {"preset": "ultrafast", "tune": "zerolatency"}


def tone(seconds: float, pitch: float = 440.0) -> NDArray[np.int16]:
    """A sine, 16 bits, one channel."""
    at = np.arange(round(seconds * RATE)) / RATE
    return (8_000 * np.sin(2 * np.pi * pitch * at)).astype(np.int16)


def sounding(
    scene: Scene, seconds: float, sound: NDArray[np.int16], *, rate: int = 15, gop: int = 30, format: str = "flv",
    video: str = "libx264", audio: str = "aac",
) -> bytes:  # fmt: skip
    """A file of picture and sound (48 kHz, one channel), interleaved as a publisher sends them."""
    whole = io.BytesIO()
    with av.open(whole, mode="w", format=format) as file:
        picture = file.add_stream(video, rate=rate, options=_QUICK if "26" in video else {})
        first = scene(0.0)
        picture.width, picture.height, picture.pix_fmt, picture.gop_size = *first.shape[1::-1], "yuv420p", gop
        hearing = file.add_stream(audio, rate=RATE, layout="mono")
        sent = 0
        for number in range(round(seconds * rate)):
            frame = av.VideoFrame.from_ndarray(scene(number / rate), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            file.mux(picture.encode(frame))
            until = min(len(sound), round((number + 1) / rate * RATE))
            heard = av.AudioFrame.from_ndarray(sound[None, sent:until], format="s16", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = RATE, sent, Fraction(1, RATE)
            if until > sent:
                file.mux(hearing.encode(heard))
            sent = until
        file.mux(picture.encode())
        file.mux(hearing.encode())
    return whole.getvalue()
