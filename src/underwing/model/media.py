"""Media: what is known of a picture or a video once its bytes were looked at, and what it matched.

Hashes are lower-case hex. PDQ is 256 bits (64 digits) with a quality of 0 to 100; distances are Hamming distances in bits.
PDQ, its quality and the usual thresholds (distance 31 of 256, quality 50): Facebook, "The TMK+PDQF video-hashing algorithm
and the PDQ image-hashing algorithm", 2019.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

PDQ_BITS = 256
PDQ_DISTANCE = 31
"""Two pictures whose PDQ hashes differ in at most so many bits are taken for the same."""
PDQ_QUALITY = 50
"""A PDQ hash of a lower quality says too little of its picture to be compared."""

PdqHex = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
HashKind = Literal["sha256", "sha1", "md5", "pdq"]
"""The kinds of hash a bank holds. A banked video is one entry with a PDQ hash for each of its frames."""
HASH_KINDS: tuple[HashKind, ...] = ("sha256", "sha1", "md5", "pdq")
Signal = Literal["sha256", "sha1", "md5", "pdq", "vpdq", "url"]
"""What a match was found by."""

LABELS = {
    "csam": "Child sexual abuse material by the law of most countries.",
    "exploitative": "Sexualised or otherwise harmful pictures of children below that line.",
    "ncii": "Intimate pictures of adults, shared without consent.",
    "terrorism": "Terrorist and violent extremist content.",
    "blocked": "What an operator does not want, for reasons of their own.",
    "false_match": "Known to match by mistake; an entry so labelled silences others that lie no nearer.",
    "test": "A harmless test entry, which trips the whole way and touches nothing real.",
}
"""The neutral labels. What a source said (`A1`, `csam`, a VICS number with its country) is kept beside them."""


class Pdq(Struct, frozen=True):
    """A PDQ hash and the quality (0 to 100) of the picture for it."""

    hash: PdqHex
    quality: int


class View(Struct, frozen=True):
    """One way a picture was looked at, and its hash.

    `how` names the steps in their order, joined by `+`: `plain`; `trimmed` (borders, letterbox and caption bars
    taken off); `mirrored`, `turned-90`, `turned-180`, `turned-270`, `mirrored+turned-90`, …; `cropped-3`, `tilted-2`
    (of banked pictures, in per cent a side and degrees).
    """

    how: str
    pdq: Pdq


class Frame(Struct, frozen=True):
    """A frame of a video or an animation: `at` in seconds from its beginning."""

    at: float
    pdq: Pdq


class MediaScore(Struct, frozen=True, kw_only=True):
    """What a classifier says of a picture or a video: a guess, of what to look at first, and never a verdict.

    `score` is 0 to 1, of a video or an animation the highest of the frames that were scored; scores of different names or
    versions cannot be compared. `meaning` says in a sentence what a high score stands for.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    version: Annotated[str, Meta(max_length=64)]
    score: Annotated[float, Meta(ge=0, le=1)]
    meaning: Annotated[str, Meta(max_length=200)] = ""


Seconds = tuple[float, float]
"""From and to, in seconds of a video."""


class MediaHashes(Struct, frozen=True, kw_only=True):
    """All that is kept of the bytes of one file.

    `type` is the media type by content (`image/jpeg`, "" when not recognised), `profile` the versioned way of
    decoding that made the perceptual hashes. `error` says why it could not be checked: a picture with an error has no
    verdict and stays held. `views` are those of a picture, the plain one first; `frames` those of a video or an
    animation, `duration` its seconds. `closer` are the seconds of a long video that were looked at each second, after its
    keyframes were. `score` is a classifier's, where one was asked; `unscored` says why it gave none.
    """

    sha256: str
    sha1: str
    md5: str
    size: int
    type: str = ""
    profile: str = ""
    width: int = 0
    height: int = 0
    views: tuple[View, ...] = ()
    frames: tuple[Frame, ...] = ()
    duration: float | None = None
    closer: tuple[Seconds, ...] = ()
    error: str | None = None
    score: MediaScore | None = None
    unscored: str | None = None

    @property
    def pdq(self) -> Pdq | None:
        """The hash of the picture as it is."""
        return self.views[0].pdq if self.views else None


class MediaMatch(Struct, frozen=True, kw_only=True):
    """One entry that a file matched: which, at what distance and how.

    `how` is the view it was found by, and behind a `/` that of the banked picture when it is not the plain one. `range` is
    (from, to) in seconds of the queried video. `distance` is 0 for exact hashes, and of a video the median of its frames'.
    """

    bank: str
    entry: str
    label: str
    signal: Signal
    distance: int
    how: str = "plain"
    range: Seconds | None = None
