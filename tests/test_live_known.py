"""Known material that is streamed as if live: found within three looks, however it was changed; and nothing else is."""

from pathlib import Path

import numpy as np
import pytest

from media_clips import Scene, clip, panned
from underwing.banks.banked import entry_hashes
from underwing.banks.checker import FollowingIndex
from underwing.banks.entries import Bank, Entry
from underwing.banks.matching import Matcher
from underwing.banks.store import Store
from underwing.live.guard import Guard, Watched
from underwing.live.watch import Sighting, Watch
from underwing.media.hashing import look_to_bank
from underwing.model import StreamFrame

KNOWN = "coffee"
SWEPT = "china"
SIZE = (640, 360)


@pytest.fixture(scope="module")
def matcher():
    store = Store.open(":memory:")
    store.create_bank(Bank(name="known"), by="t", now=0)
    for name in (KNOWN, SWEPT):
        film = clip(panned(name), 10.0, size=SIZE)
        entry = Entry(id=name, label="test", hashes=entry_hashes(look_to_bank(film)), media="video")
        store.put("known", [entry], by="t", now=0)
    yield Matcher(store.lookups, FollowingIndex())
    store.close()


def mirrored(scene: Scene) -> Scene:
    return lambda at: np.ascontiguousarray(scene(at)[:, ::-1])


def bordered(scene: Scene) -> Scene:
    def picture(at: float):
        inner = scene(at)
        out = np.zeros((inner.shape[0] + 90, inner.shape[1] + 120, 3), np.uint8)
        out[45:-45, 60:-60] = inner
        return out

    return picture


def looks(path: Path) -> list[Sighting]:
    seen: list[Sighting] = []
    eye = Watch(str(path), seen.append, lambda _: None)
    eye.raise_for(1e6)
    eye.run()
    return seen


@pytest.mark.parametrize(("name", "start"), [(KNOWN, 0), (SWEPT, 3)])
@pytest.mark.parametrize("how", ["plain", "mirrored", "bordered", "rescaled", "poor"])
def test_known_material_is_found_within_three_looks(how, name, start, matcher, tmp_path):
    """From its third second on, the second film sweeps so fast that frames 50 ms apart do not match each other."""
    whole, size, options = panned(name), SIZE, {"g": "20"}
    scene = lambda at: whole(start + at)  # noqa: E731
    if how == "mirrored":
        scene = mirrored(scene)
    if how == "bordered":
        scene, size = bordered(scene), (760, 450)
    if how == "rescaled":
        size = (480, 270)
    if how == "poor":
        options |= {"b": "300000", "maxrate": "300000", "bufsize": "300000"}
    film = tmp_path / "live.mp4"
    film.write_bytes(clip(scene, 3.0, rate=20, size=size, options=options))
    guard = Guard(Watched(id="s", streamer="k", conversation="c"))
    told = [
        guard.seen(sighting, matcher.match_hashes([], [(v.how, v.pdq) for v in sighting.views]).matches)
        for sighting in looks(film)
    ]
    assert any(told[:3])
    (event,) = next(events for events in told if events)
    assert isinstance(event, StreamFrame)
    assert {match.entry for match in event.matches} == {name}


@pytest.mark.parametrize("name", ["chelsea", "rocket", "motorcycle_left"])
def test_other_footage_matches_nothing(name, matcher, tmp_path):
    film = tmp_path / "live.mp4"
    film.write_bytes(clip(panned(name), 10.0, rate=20, size=SIZE, options={"g": "20"}))
    for sighting in looks(film):
        assert not matcher.match_hashes([], [(v.how, v.pdq) for v in sighting.views]).matches
