"""Known films streamed as if live: how soon they are found, and whether ten hours of other footage ever match.

Method: nine films are in a bank, ten seconds over three shipped photos that pan and zoom, slowly (a round in 40 s) and fast
(in 12 s, a camera that sweeps). Three of the fast ones have the 20 frames a second of the streams, so that a stream shows a
film's own frames, as a replay does; the others have 10, and know only every second picture that is streamed. Each is
streamed as it is, mirrored, with borders, in another size, and at 300 kbit/s (H.264, 20 frames a second), from its first,
fourth and seventh second, and watched at the raised pace; the figures are the looks until the first match with that film
(-: none in six). The other footage is made frame by frame, 640 x 360: 3,600 looks, as a calm watch takes in ten hours, and
1,200 as in ten raised minutes: pans, zooms, turns and cuts over 18 other photos, with their light changed and noise; waves,
tiles, clouds, screens of text. Each is hashed as a live frame is, in eight orientations, with and without borders, and
matched. The nearest distance (bits, among hashes of usable quality) says how far from a false match it was.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from media_clips import KNOWN, Scene, clip, panned
from media_photos import PHOTOS, photo
from test_live_known import SIZE, bordered, looks, mirrored
from underwing.banks.banked import entry_hashes
from underwing.banks.checker import FollowingIndex
from underwing.banks.entries import Bank, Entry
from underwing.banks.matching import Matcher
from underwing.banks.store import Store
from underwing.live.eye import views_of
from underwing.media.hashing import look_to_bank
from underwing.model import PDQ_QUALITY
from underwing.model.media import View

BAR, NEVER = 3, 99
PACES = {"slow": (0.3, 10), "fast": (1.0, 10), "fast, 20": (1.0, 20)}
"""Of the films: how fast the view moves, and their frames a second."""
_W, _H = SIZE
_Y, _X = np.mgrid[0:_H, 0:_W].astype(np.float32)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calm", type=int, default=3_600)
    parser.add_argument("--raised", type=int, default=1_200)
    given = parser.parse_args()
    print(__doc__)
    store = Store.open(":memory:")
    store.create_bank(Bank(name="known"), by="t", now=0)
    banked: list[str] = []
    for (pace, (speed, rate)), name in product(PACES.items(), KNOWN):
        film = clip(panned(name, speed=speed), 10.0, size=SIZE, rate=rate)
        began = time.process_time()
        seen = look_to_bank(film)
        spent = time.process_time() - began
        print(f"banked {name}, {pace}: {len(seen.frames)} frames of {10 * rate}, {spent:.2f} CPU s")
        hashes = entry_hashes(seen)
        banked += [one.hash for one in hashes if one.kind == "pdq"]
        entry = Entry(id=f"{name}, {pace}", label="test", hashes=hashes, media="video")
        store.put("known", [entry], by="t", now=0)
    matcher = Matcher(store.lookups, FollowingIndex())
    found_how_soon(matcher)
    others(matcher, _bits(banked), given.calm, given.raised)
    store.close()


def found_how_soon(matcher: Matcher) -> None:
    """A table: looks until the first match, for each film and change, from three beginnings."""
    print(f"{'looks until found':22}" + "".join(f"{name:>14}" for name in KNOWN))
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "live.mp4"
        for pace, how in product(PACES, ("plain", "mirrored", "bordered", "rescaled", "300 kbit/s")):
            row = [
                [
                    _first(matcher, film, _changed(name, PACES[pace][0], how, start), f"{name}, {pace}")
                    for start in (0, 3, 6)
                ]
                for name in KNOWN
            ]
            worst = max(max(counts) for counts in row)
            cells = "".join(
                f"{' / '.join('-' if c == NEVER else str(c) for c in counts):>14}" for counts in row
            )
            met = "met" if worst <= BAR else "missed"
            print(f"{f'{pace}, {how}':22}{cells}   bar {BAR}: {met}", flush=True)


def _changed(name: str, speed: float, how: str, start: int) -> bytes:
    whole = panned(name, speed=speed)
    scene: Scene = lambda at: whole(start + at)  # noqa: E731
    size, options = SIZE, {"g": "20"}
    if how == "mirrored":
        scene = mirrored(scene)
    if how == "bordered":
        scene, size = bordered(scene), (760, 450)
    if how == "rescaled":
        size = (480, 270)
    if how == "300 kbit/s":
        options |= {"b": "300000", "maxrate": "300000", "bufsize": "300000"}
    return clip(scene, 3.0, rate=20, size=size, options=options)


def _first(matcher: Matcher, path: Path, film: bytes, entry: str) -> int:
    path.write_bytes(film)
    for number, sighting in enumerate(looks(path), 1):
        if entry in _matches(matcher, sighting.views):
            return number
    return NEVER


def _matches(matcher: Matcher, views: tuple[View, ...]) -> list[str]:
    matches = matcher.match_hashes([], [(view.how, view.pdq) for view in views]).matches
    return [match.entry for match in matches]


def others(matcher: Matcher, banked: np.ndarray, calm: int, raised: int) -> None:
    """False matches among other footage, and the nearest that any came."""
    wrong, usable, nearest = 0, 0, 256
    for picture in footage(calm, raised):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        views = views_of(frame)
        wrong += len(_matches(matcher, views))
        good = [view.pdq.hash for view in views if view.pdq.quality >= PDQ_QUALITY]
        usable += bool(good)
        if good:
            apart = np.bitwise_count(_bits(good)[:, None, :] ^ banked[None]).sum(-1)
            nearest = min(nearest, int(apart.min()))
    print(
        f"other footage: {calm} calm and {raised} raised looks, {usable} of them of usable quality, against "
        f"{len(banked)} hashes: {wrong} matches, nearest {nearest} bits; bar none: {'missed' if wrong else 'met'}"
    )


def _bits(hashes: list[str]) -> np.ndarray:
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(-1, 4)


def footage(calm: int, raised: int) -> Iterator[np.ndarray]:
    """RGB pictures: each calm look a scene of its own, raised ones twelve at a time half a second apart."""
    chance = np.random.default_rng(11)
    for number in range(calm):
        yield _scene(number, chance)(float(chance.uniform(0, 600)))
    for number in range(raised // 12):
        scene, start = _scene(number, chance), float(chance.uniform(0, 600))
        yield from (scene(start + step / 2) for step in range(12))


def _scene(number: int, chance: np.random.Generator) -> Scene:
    makers: tuple[Callable[[np.random.Generator], Scene], ...] = (
        _photo,
        _photo,
        _photo,
        _waves,
        _tiles,
        _clouds,
        _text,
    )
    return makers[number % len(makers)](chance)


def _photo(chance: np.random.Generator) -> Scene:
    """A walk over a photo: another part, turn, light and noise each time."""
    names = [name for name in PHOTOS if name not in KNOWN]
    source = Image.fromarray(photo(str(chance.choice(names))))
    turn, zoom, gain = chance.uniform(-20, 20), chance.uniform(0.3, 0.9), chance.uniform(0.6, 1.3)
    left, top, noise = chance.uniform(0, 1 - zoom), chance.uniform(0, 1 - zoom), chance.uniform(0, 12)
    wide, tall = source.size

    def picture(at: float) -> np.ndarray:
        shift = 0.05 * np.sin(at / 3)
        x, y = (left + shift * (1 - zoom)) * wide, top * tall
        box = (max(0.0, x), y, min(wide, max(0.0, x) + zoom * wide), y + zoom * tall)
        view = source.rotate(turn).resize((_W, _H), Image.Resampling.BILINEAR, box)
        lit = np.asarray(view, np.float32) * gain + np.random.default_rng(int(at * 10)).normal(
            0, noise, (_H, _W, 1)
        )
        return np.clip(lit, 0, 255).astype(np.uint8)

    return picture


def _waves(chance: np.random.Generator) -> Scene:
    a, b, c, d = chance.uniform(0.005, 0.08, 4)
    return lambda at: _colour(
        np.sin(_X * a + at) + np.sin(_Y * b - at / 2) + np.sin((_X + _Y) * c) + np.cos(_X * _Y * d / 99)
    )


def _tiles(chance: np.random.Generator) -> Scene:
    """A level of tiles, as of a game, that scrolls."""
    level, side = chance.normal(0, 1, (40, 200)), int(chance.integers(16, 64))
    return lambda at: _colour(
        level[((_Y // side) % 40).astype(int), (((_X + at * 60) // side) % 200).astype(int)]
    )


def _clouds(chance: np.random.Generator) -> Scene:
    """Soft noise of several sizes that drifts."""
    layers = [(size, chance.normal(0, 1, (size, size))) for size in (3, 6, 12, 24)]

    def picture(at: float) -> np.ndarray:
        total = np.zeros((_H, _W), np.float32)
        for size, layer in layers:
            image = Image.fromarray(np.roll(layer, int(at), 1).astype(np.float32))
            total += np.asarray(image.resize((_W, _H), Image.Resampling.BICUBIC)) / np.sqrt(size)
        return _colour(total)

    return picture


def _text(chance: np.random.Generator) -> Scene:
    """A screen of lines, as of a chat or a desktop."""
    words = ["".join(map(chr, chance.integers(97, 123, int(chance.integers(2, 9))))) for _ in range(60)]
    back, ink = (int(x) for x in chance.choice([(250, 20), (25, 230), (60, 200)]))

    def picture(at: float) -> np.ndarray:
        image = Image.new("RGB", (_W, _H), (back, back, back))
        draw = ImageDraw.Draw(image)
        for line in range(18):
            start = (line * 7 + int(at)) % 50
            draw.text(
                (12 + 9 * (line % 4), 8 + line * 19),
                " ".join(words[start : start + 10]),
                (ink, ink, ink),
                font_size=14,
            )
        return np.asarray(image)

    return picture


def _colour(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    grey = ((values - low) / max(high - low, 1e-6) * 255).astype(np.uint8)
    return np.stack([grey, np.roll(grey, 7, 1), 255 - grey // 2], -1)


if __name__ == "__main__":
    main()
