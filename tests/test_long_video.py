"""Long videos: their keyframes first, then closely where one came near something known; bounded, and said in the record.

What is long is set to half a minute here, so that the films are short.
"""

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image

from cli_cases import line, run
from media_clips import KNOWN, OTHER, clip, cuts, joined, panned, still
from server_cases import running
from underwing.banks.banked import entry_hashes
from underwing.banks.checker import Checker
from underwing.banks.entries import Bank, Entry
from underwing.banks.matching import Matches
from underwing.banks.store import Store
from underwing.cli import workers
from underwing.engine import Engine
from underwing.media.hashing import look, look_to_bank
from underwing.media.orders import Order
from underwing.media.orders import joined as joined_looks
from underwing.media.pool import Pool
from underwing.media.windows import length_of, shortened, uncovered, united
from underwing.media.workers import Bounds
from underwing.model import MediaHashes

NOW = 1_700_000_000
LONG = 30.0
CLIP = cuts(KNOWN, 4.0, speed=0.3)
AROUND = cuts(OTHER, 4.0, speed=0.3, width=320, height=180)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(1, Bounds(long_video=LONG)) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "banks.db")
    store.create_bank(Bank(name="b", label="test"), by="t", now=NOW)
    yield store
    store.close()


@pytest.fixture(scope="module")
def known() -> MediaHashes:
    return look_to_bank(clip(CLIP, 10, rate=25))


def film(before: float, behind: float, **options: object) -> bytes:
    scene, length = joined((AROUND, 0, before), (CLIP, 0, 10), (AROUND, 40, 40 + behind))
    return clip(scene, length, rate=8, size=(160, 90), **options)  # type: ignore[arg-type]


def streamed(data: bytes) -> bytes:
    """As a browser records it: Matroska written to where nobody can go back to note the length."""

    class Pipe:
        def __init__(self) -> None:
            self.parts: list[bytes] = []

        def write(self, part: bytes) -> int:
            self.parts.append(bytes(part))
            return len(part)

    pipe = Pipe()
    with av.open(io.BytesIO(data)) as source, av.open(pipe, "w", format="matroska") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return b"".join(pipe.parts)


@pytest.fixture(scope="module")
def with_clip() -> bytes:
    return film(61.3, 98.7)


def put(store: Store, hashes: MediaHashes, id: str = "known") -> None:
    store.put("b", [Entry(id=id, label="test", hashes=entry_hashes(hashes))], by="t", now=NOW)


def check(pool: Pool, checker: Checker, data: bytes) -> tuple[MediaHashes, Matches]:
    """As the service and the commands do it."""
    hashes = pool.look(data)
    order = checker.second_look(hashes)
    if order is not None:
        hashes = joined_looks(hashes, pool.look(data, order))
    return hashes, checker.match(hashes)


def test_a_clip_inside_is_found_and_its_range_named(
    pool: Pool, store: Store, known: MediaHashes, with_clip: bytes
) -> None:
    put(store, known)
    hashes, found = check(pool, Checker(store), with_clip)
    (match,) = found.matches
    assert (match.entry, match.signal, match.how) == ("known", "vpdq", "clip")
    assert match.range == pytest.approx((61.3, 71.3), abs=1.2)
    assert (hashes.profile, hashes.error) == ("keyframes-1+vpdq-1s", None)
    ((start, end),) = hashes.closer
    assert start <= 61.3
    assert end >= 71.3
    assert end - start <= LONG
    full = look(with_clip)
    assert full.profile == "vpdq-1s"
    every = {frame.at: frame.pdq for frame in full.frames}
    inside = [frame for frame in hashes.frames if start <= frame.at <= end]
    assert len(inside) >= end - start - 1
    assert all(every[f.at] == f.pdq for f in inside if f.at in every)
    assert len(hashes.frames) < len(full.frames) / 2


def test_where_nothing_comes_near_the_keyframes_are_enough(
    pool: Pool, store: Store, with_clip: bytes
) -> None:
    put(store, look_to_bank(clip(cuts(("gravel", "horse", "page"), 4.0), 10, rate=25)))
    hashes, found = check(pool, Checker(store), with_clip)
    assert (hashes.profile, hashes.closer, hashes.error, found.matches) == ("keyframes-1", (), None, ())
    assert hashes.duration == pytest.approx(170, abs=0.5)


def test_a_film_that_does_not_say_how_long_it_is_shows_it(
    pool: Pool, store: Store, known: MediaHashes
) -> None:
    data = streamed(film(40.0, 20.0))
    with av.open(io.BytesIO(data)) as film_file:
        assert film_file.duration is None
    put(store, known)
    hashes, found = check(pool, Checker(store), data)
    assert hashes.profile == "keyframes-1+vpdq-1s"
    assert [m.entry for m in found.matches] == ["known"]


def test_a_title_card_that_two_films_share_is_looked_at_and_is_no_match(pool: Pool, store: Store) -> None:
    card = still("cell")
    put(store, look_to_bank(clip(joined((CLIP, 0, 20), (card, 0, 2))[0], 22, rate=10)))
    scene, length = joined((AROUND, 0, 50), (card, 0, 2), (AROUND, 60, 90))
    hashes, found = check(pool, Checker(store), clip(scene, length, rate=8))
    assert hashes.closer
    assert (found.matches, hashes.error) == ((), None)


def test_a_banked_picture_is_found_among_the_frames(pool: Pool, store: Store) -> None:
    out, shown = io.BytesIO(), panned("coffee")(0.0)
    Image.fromarray(shown).save(out, "PNG")
    put(store, look_to_bank(out.getvalue()), "picture")
    scene, length = joined((AROUND, 0, 48), (lambda _: shown, 0, 4), (AROUND, 60, 80))
    hashes, found = check(pool, Checker(store), clip(scene, length, rate=8, size=(160, 90)))
    (match,) = found.matches
    assert (match.entry, match.how) == ("picture", "frame")
    assert match.range is not None
    assert match.range[0] == pytest.approx(48, abs=1.2)
    assert match.range[1] == pytest.approx(51.5, abs=1.2)
    assert len(hashes.closer) == 1


def test_more_near_something_known_than_may_be_looked_at_stays_held(pool: Pool, store: Store) -> None:
    """The whole film is banked: what is looked at closely is bounded, and the match names the film's whole range."""
    data = film(60.0, 60.0)
    put(store, look_to_bank(data), "film")
    hashes, found = check(
        pool, Checker(store), clip(joined((AROUND, 0, 60), (CLIP, 0, 10), (AROUND, 40, 100))[0], 130, rate=12)
    )
    assert hashes.error is not None
    assert "30 s were" in hashes.error
    assert length_of(hashes.closer) == pytest.approx(LONG)
    (match,) = found.matches
    assert match.entry == "film"
    assert match.range == pytest.approx((0, 130), abs=5), "as exact as its keyframes lie"


def test_keyframes_too_far_apart_are_not_relied_upon(pool: Pool) -> None:
    scene = panned("china", speed=0.05)
    data = clip(scene, 50, rate=5, size=(160, 90), options={"x264-params": "keyint=10000:scenecut=0"})
    hashes = pool.look(data)
    assert (hashes.profile, hashes.error) == ("vpdq-1s", None)
    assert len(hashes.frames) >= 48


def test_a_short_video_is_looked_at_each_second(pool: Pool) -> None:
    assert pool.look(clip(AROUND, 12)).profile == "vpdq-1s"


def test_what_was_looked_at_closely_is_not_looked_at_again(
    pool: Pool, store: Store, known: MediaHashes, with_clip: bytes
) -> None:
    put(store, known)
    checker = Checker(store)
    hashes, _ = check(pool, checker, with_clip)
    assert checker.second_look(hashes) is None
    put(store, look_to_bank(clip(lambda at: AROUND(at + 56), 12, rate=25)), "later")
    order = checker.second_look(hashes)
    assert order is not None
    assert order.job == "closer"
    again = joined_looks(hashes, pool.look(with_clip, order))
    assert {m.entry for m in checker.match(again).matches} == {"known", "later"}
    assert set(hashes.closer) <= set(again.closer) or length_of(again.closer) > length_of(hashes.closer)


def test_a_second_look_that_dies_leaves_the_file_unchecked(known: MediaHashes) -> None:
    first = replace(known, profile="keyframes-1")
    second = replace(known, frames=(), profile="", error="took longer than 1 s to look at")
    both = joined_looks(first, second)
    assert (both.error, both.frames) == ("took longer than 1 s to look at", first.frames)


# -- the service and the commands -------------------------------------------------------------------------


def test_the_service_looks_at_a_long_film_within_its_bounds(
    engine: Engine, tmp_path: Path, with_clip: bytes
) -> None:
    with (
        running(engine, tmp_path, media_workers=1, media_long_video=int(LONG)) as service,
        service.client() as client,
    ):
        service.with_banks()
        client.post("/v1/banks", json={"name": "b", "label": "csam"})
        banked = clip(CLIP, 10, rate=25)
        assert client.post("/v1/banks/b/entries", content=banked).status_code == 201
        answer = client.post("/v1/media", content=with_clip).json()
        (match,) = answer["matches"]
        assert match["range"] == pytest.approx([61.3, 71.3], abs=1.2)
        assert answer["error"] is None
        assert answer["frames"] < 120


def test_match_and_scan_look_twice_and_remember(
    tmp_path: Path, with_clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "BOUNDS", replace(workers.BOUNDS, long_video=LONG))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "film.mp4").write_bytes(with_clip)
    (tmp_path / "known.mp4").write_bytes(clip(CLIP, 10, rate=25))
    banks = ("--banks", tmp_path / "banks.db")
    run("banks", "create", "b", "--label", "csam", *banks)
    run("banks", "add", "b", tmp_path / "known.mp4", *banks)
    matched = line("match", tmp_path / "in" / "film.mp4", *banks, code=1)
    scan = ("scan", tmp_path / "in", *banks, "--state", tmp_path / "state.db")
    scanned = line(*scan, code=1)
    assert scanned["matches"] == matched["matches"]
    assert matched["matches"][0]["range"] == pytest.approx([61.3, 71.3], abs=1.2)
    run("banks", "create", "other", "--label", "test", *banks)  # the banks changed: hashes are looked up anew
    assert line(*scan, code=1)["matches"] == matched["matches"]


# -- windows ----------------------------------------------------------------------------------------------

seconds = st.tuples(st.floats(0, 10_000), st.floats(0, 500)).map(lambda two: (two[0], two[0] + two[1]))


@given(st.lists(seconds, max_size=30), st.floats(1, 5_000))
def test_windows_are_shortened_to_what_may_be_looked_at(
    given_: list[tuple[float, float]], most: float
) -> None:
    windows = united(given_)
    kept = shortened(windows, most)
    assert length_of(kept) <= most + 1e-3
    assert [start for start, _ in kept] == [start for start, _ in windows]
    if length_of(windows) <= most:
        assert kept == windows
    else:
        assert length_of(kept) == pytest.approx(most)


@given(st.lists(seconds, max_size=30))
def test_united_windows_lie_apart_and_cover_all(given_: list[tuple[float, float]]) -> None:
    windows = united(given_)
    assert all(a[1] < b[0] for a, b in pairwise(windows))
    assert uncovered(tuple(given_), windows) == ()
    assert uncovered(tuple(given_), ()) == tuple(given_)


def test_an_order_survives_the_pipe(pool: Pool) -> None:
    data = clip(AROUND, 20)
    seen = pool.look(data, Order("closer", ((2.0, 6.0), (10.0, 12.0))))
    assert seen.closer == ((2.0, 6.0), (10.0, 12.0))
    assert all(2 <= f.at <= 7 or 10 <= f.at <= 13 for f in seen.frames)
