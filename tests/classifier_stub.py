"""Classifiers for tests, as an operator would bring an own one: nothing of Underwing's is imported here."""

import numpy as np

BRIGHTNESS = "classifier_stub:Brightness"
BROKEN = "classifier_stub:Broken"


class Brightness:
    """How bright a picture is, 0 to 1."""

    name, version, meaning = "brightness", "1", "Bright (a guess)."

    def score(self, picture: np.ndarray) -> float:
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        return float(picture.mean()) / 255


class Broken(Brightness):
    """Works when it is tried, and fails with the first picture that shows anything."""

    def score(self, picture: np.ndarray) -> float:
        if picture.any():
            raise RuntimeError("it broke")
        return 0.0


class Boundless(Brightness):
    """Gives what is no score."""

    def score(self, picture: np.ndarray) -> float:
        return float("nan")
