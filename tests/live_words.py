"""Words for the tests of leaflet level: spoken by espeak-ng, or drawn into a picture."""

import io
import subprocess
from functools import lru_cache

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from debian import program
from live_sounds import RATE


@lru_cache
def spoken(text: str, rate: int = RATE) -> NDArray[np.int16]:
    """A text as a machine speaks it, 16 bits, one channel."""
    wave = subprocess.run(
        [program("espeak-ng", "espeak-ng"), "-v", "en-gb", "-s", "150", "--stdout", text],
        check=True,
        capture_output=True,
    ).stdout
    resampler = av.AudioResampler("s16", "mono", rate)
    with av.open(io.BytesIO(wave)) as file:
        parts = [part for frame in file.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([part.to_ndarray()[0] for part in [*parts, *resampler.resample(None)]])


def written(picture: NDArray[np.uint8], *lines: str) -> NDArray[np.uint8]:
    """A picture with lines of white text on black bars, as overlays of streams have them."""
    image = Image.fromarray(picture)
    draw, size = ImageDraw.Draw(image), picture.shape[0] // 18
    font = ImageFont.load_default(size)
    for number, line in enumerate(lines):
        top = size + number * size * 3
        draw.rectangle((size, top, size * 2 + draw.textlength(line, font), top + size * 3 // 2), fill="black")
        draw.text((size + size // 2, top + size // 6), line, font=font, fill="white")
    return np.asarray(image)
