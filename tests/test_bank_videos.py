"""Videos against the banks: a whole one, a clip in a longer one, a picture among the frames, many static frames."""

import pytest

from bank_cases import made_up
from underwing.banks.entries import Bank, Entry, EntryHash
from underwing.banks.index import Index
from underwing.banks.matching import Matcher
from underwing.banks.store import Store
from underwing.banks.videos import known_in_video
from underwing.model import Frame, MediaHashes, Pdq


@pytest.fixture
def store():
    store = Store.open(":memory:")
    store.create_bank(Bank(name="a"), by="t", now=0)
    yield store
    store.close()


def frames(name: str, seconds: range, first: float = 0.0) -> list[Frame]:
    return [Frame(first + n, Pdq(made_up(f"{name} {s}", "pdq"), 90)) for n, s in enumerate(seconds)]


def banked(name: str, seconds: range) -> Entry:
    rows = tuple(EntryHash("pdq", f.pdq.hash, at=f.at, quality=f.pdq.quality) for f in frames(name, seconds))
    return Entry(id=name, label="test", hashes=rows, media="video")


def video(*parts: list[Frame]) -> MediaHashes:
    shown = tuple(frame for part in parts for frame in part)
    kinds = {kind: made_up("file", kind) for kind in ("sha256", "sha1", "md5")}
    return MediaHashes(size=1, profile="vpdq-1s", frames=shown, duration=float(len(shown)), **kinds)


def matches(store: Store, query: MediaHashes):
    return Matcher(store.lookups, Index(), clips=known_in_video).match(query).matches


def test_a_clip_inside_a_longer_video_and_its_range(store: Store) -> None:
    store.put("a", [banked("film", range(10)), banked("other", range(5))], by="t", now=0)
    query = video(
        frames("before", range(60)), frames("film", range(10), 60.0), frames("behind", range(30), 70.0)
    )
    (match,) = matches(store, query)
    assert (match.entry, match.signal, match.how, match.range) == ("film", "vpdq", "clip", (60.0, 70.0))
    (match,) = matches(store, video(frames("film", range(10))))
    assert (match.range, match.distance) == ((0.0, 10.0), 0)
    assert matches(store, video(frames("film", range(2)), frames("nothing", range(20), 2.0))) == ()


def test_a_known_picture_among_the_frames(store: Store) -> None:
    picture = Entry(id="picture", label="test", hashes=(EntryHash("pdq", made_up("slide 3", "pdq")),))
    store.put("a", [picture], by="t", now=0)
    (match,) = matches(store, video(frames("slide", range(8))))
    assert (match.entry, match.signal, match.how, match.range) == ("picture", "pdq", "frame", (3.0, 3.0))
    store.withdraw("a", ["picture"])
    assert matches(store, video(frames("slide", range(8)))) == ()


def test_frames_that_a_false_match_silences(store: Store) -> None:
    store.create_bank(Bank(name="no", negative=True), by="t", now=0)
    store.put("a", [banked("film", range(10))], by="t", now=0)
    store.put("no", [banked("film", range(10))], by="t", now=0)
    assert matches(store, video(frames("film", range(10)))) == ()


def test_banked_videos_of_one_static_scene(store: Store) -> None:
    static = tuple(EntryHash("pdq", made_up("static", "pdq"), at=float(n)) for n in range(3_000))
    store.put("a", [Entry(id="long", label="test", hashes=static)], by="t", now=0)
    still = [Frame(float(n), Pdq(made_up("static", "pdq"), 90)) for n in range(5)]
    (match,) = matches(store, video(still))
    assert (match.entry, match.signal) == ("long", "vpdq")


def test_further_frames_of_a_sweep_do_not_change_what_is_found(store: Store) -> None:
    """Twenty more frames of one second of a film: neither the range nor what counts as enough of it moves."""
    film = banked("film", range(10))
    sweep = tuple(
        EntryHash("pdq", made_up(f"between {n}", "pdq"), at=4.04 + 0.04 * n, quality=90) for n in range(20)
    )
    store.put("a", [film], by="t", now=0)
    around = frames("before", range(20)), frames("behind", range(20), 30.0)
    query = video(around[0], frames("film", range(10), 20.0), around[1])
    (before,) = matches(store, query)
    store.put("a", [Entry(id="film", label="test", hashes=film.hashes + sweep)], by="t", now=1)
    assert matches(store, query) == (before,)
    few = video(around[0], frames("film", range(4, 6), 20.0), around[1])
    assert matches(store, few) == ()
