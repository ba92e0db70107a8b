"""A classifier's score of a file: of a picture, or of frames spread over a video or an animation.

It is made beside the hashes, in the process that looks at the bytes, and is no part of them: a file that cannot be scored
is checked all the same, and says why it has no score.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from av.video.frame import VideoFrame
from msgspec.structs import replace
from numpy.typing import NDArray

from underwing.media.classifier import Classifier, load_classifier
from underwing.media.decode import DRAFT, Undecodable, small_pictures
from underwing.media.hashing import look
from underwing.media.sniff import VIDEOS
from underwing.media.video import upright
from underwing.media.video_frames import STEP
from underwing.model.media import MediaHashes, MediaScore

SIDE = 512
"""Pixels of the longer side of what is scored, at the most."""
MOST = 16
"""Frames of a video or an animation that are scored, at the most."""
Pixels = NDArray[np.uint8]


class Scorer:
    """One loaded classifier, or the reason why it could not be loaded."""

    def __init__(self, name: str) -> None:
        """Load the classifier `name` and score an empty picture, so that nothing of that counts as a file's."""
        self._classifier: Classifier | None = None
        self._problem = ""
        try:
            self._classifier = load_classifier(name)
            self._classifier.score(np.zeros((64, 64, 3), np.uint8))
        except Exception as error:  # a plug-in raises what it likes; files are looked at nevertheless
            self._problem = f"the classifier {name!r} cannot be used: {_brief(error)}"
            self._classifier = None

    def look(self, data: bytes, long_video: float) -> MediaHashes:
        """The hashes of a file by the reduced profile, and its score; raises nothing for what the bytes hold."""
        spread = Spread()
        hashes = look(data, DRAFT, long_video=long_video, seen=spread.add)
        if self._classifier is None:
            return replace(hashes, unscored=self._problem)
        try:
            pictures = (
                spread.pictures() if hashes.type in VIDEOS else small_pictures(data, hashes.type, SIDE, MOST)
            )
            return replace(hashes, score=scored(self._classifier, pictures))
        except Undecodable as error:
            return replace(hashes, unscored=str(error))
        except Exception as error:
            return replace(hashes, unscored=f"the classifier failed: {_brief(error)}")


def scored(classifier: Classifier, pictures: Iterable[Pixels]) -> MediaScore:
    """The highest score of some pictures.

    Raises:
        Undecodable: there are none.
        ValueError: the classifier gave no number from 0 to 1.
    """
    scores = [float(classifier.score(picture)) for picture in pictures]
    if not scores:
        raise Undecodable("there is no picture in it to score")
    if not all(0.0 <= score <= 1.0 for score in scores):
        raise ValueError(f"a score is a number from 0 to 1, not {max(scores)}")
    return MediaScore(
        name=classifier.name[:64],
        version=classifier.version[:64],
        score=round(max(scores), 4),
        meaning=classifier.meaning[:200],
    )


class Spread:
    """Frames spread evenly over a video of unknown length: each second's, then each second one's, and so on.

    Between `MOST` / 2 and `MOST` are held of a longer video, small ones.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._step, self._next, self._last = STEP, 0.0, -STEP
        self._kept: list[Pixels] = []

    def add(self, at: float, frame: VideoFrame) -> None:
        """A frame and its second. One before the last begins anew: the video is looked at once more."""
        if at <= self._last:
            self._begin()
        self._last = at
        if at < self._next:
            return
        if len(self._kept) == MOST:
            self._kept = self._kept[::2]
            self._step *= 2
        self._kept.append(_small(frame))
        self._next = at + self._step * 0.99

    def pictures(self) -> Iterator[Pixels]:
        """Those that were kept, as they are shown."""
        yield from self._kept


def _small(frame: VideoFrame) -> Pixels:
    scale = min(1.0, SIDE / max(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    small = frame.reformat(width=width, height=height, format="rgb24", threads=1)
    return np.ascontiguousarray(upright(np.asarray(small.to_ndarray(), np.uint8), frame))


def _brief(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:300]
