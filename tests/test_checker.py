"""The checker: when a full decode is asked for, that it follows other processes, and its index beside a dictionary."""

import io
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_cases import pattern
from underwing.banks.checker import Checker, FollowingIndex
from underwing.banks.entries import Agreement, Bank, Entry, EntryHash, Withdrawn
from underwing.banks.store import Store
from underwing.media.decode import DRAFT, FULL
from underwing.media.hashing import look, look_to_bank
from underwing.media.orders import Order

NOW = 1_700_000_000


def photo(seed: int) -> bytes:
    """A JPEG so large that it is decoded at a smaller scale first."""
    out = io.BytesIO()
    pattern(seed, (1600, 1200)).save(out, "JPEG", quality=80)
    return out.getvalue()


@pytest.fixture
def store(tmp_path: Path):
    store = Store.open(tmp_path / "banks.db", "normal")
    store.create_bank(Bank(name="b", label="test"), by="t", now=NOW)
    yield store
    store.close()


def banked(data: bytes, key: str) -> Entry:
    views = look_to_bank(data).views
    return Entry(
        id=key,
        label="test",
        hashes=tuple(EntryHash("pdq", v.pdq.hash, v.how, None, v.pdq.quality) for v in views),
    )


def test_what_lies_near_is_decoded_in_full_before_it_counts(store: Store) -> None:
    store.put("b", [banked(photo(1), "one")], by="t", now=NOW)
    checker = Checker(store)
    near, far, full = look(photo(1), DRAFT), look(photo(2), DRAFT), look(photo(1), FULL)
    assert (near.profile, far.profile) == (DRAFT, DRAFT)
    assert [checker.second_look(h) for h in (near, far, full)] == [Order("full"), None, None]
    (match,) = checker.match(full).matches
    assert (match.entry, match.distance, match.how) == ("one", 0, "plain")
    assert checker.match(far).matches == ()


def test_what_was_far_is_found_once_it_is_banked(store: Store) -> None:
    checker, hashes = Checker(store), look(photo(1), DRAFT)
    assert checker.second_look(hashes) is None
    assert checker.match(hashes).matches == ()
    store.put("b", [banked(photo(1), "one")], by="t", now=NOW)
    assert [m.entry for m in checker.match(hashes).matches] == ["one"]
    assert checker.second_look(hashes) == Order("full")


def test_it_follows_what_others_write(store: Store, tmp_path: Path) -> None:
    checker, other = Checker(store), Store.open(tmp_path / "banks.db", "normal")
    hashes = look(photo(1), FULL)
    seen = [checker.fingerprint()]
    assert checker.match(hashes).matches == ()
    changes = (
        (lambda: other.put("b", [banked(photo(1), "one")], by="t", now=NOW), 1),
        (lambda: other.disable("b", ["one"]), 0),
        (lambda: other.enable("b", ["one"], now=NOW), 1),
        (lambda: other.put("b", [Withdrawn(id="one")], by="t", now=NOW), 0),
        (lambda: other.put("b", [banked(photo(1), "two")], by="t", now=NOW), 1),
        (lambda: other.put_agreement(Agreement(name="a", party="p", expires_at=NOW + 9), now=NOW), 1),
        (lambda: other.change_bank(Bank(name="b", label="test", agreement="a")), 1),
        (lambda: other.expire(NOW + 10), 0),
    )  # fmt: skip
    for number, (change, expected) in enumerate(changes):
        change()
        assert len(checker.match(hashes).matches) == expected, number
        seen.append(checker.fingerprint())
        assert checker.fingerprint() == seen[-1]
    assert len(set(seen)) == len(seen) - 1, "all are other states, but for an agreement that no bank is under"
    other.add_feedback("b", "two", up=True, reason="", by="t", now=NOW)
    assert checker.fingerprint() == seen[-1], "nothing that may match has changed"
    assert Checker(other).fingerprint() == seen[-1], "the same in every process"
    other.close()


ROWS = np.random.default_rng(1).integers(0, 256, (12, 32), np.uint8)
STEPS = st.lists(
    st.tuples(st.sampled_from(("add", "remove", "ask")), st.sets(st.integers(0, 11), min_size=1)), max_size=8
)


@given(STEPS)
def test_the_following_index_is_a_dictionary(steps: list[tuple[str, set[int]]]) -> None:
    index, held = FollowingIndex(), dict[int, bytes]()
    for what, some in [*steps, ("ask", set(range(12)))]:
        numbers = np.array(sorted(some), np.int64)
        if what == "add":
            fresh = numbers[~np.isin(numbers, list(held))]
            index.add(fresh, ROWS[fresh])
            held |= {int(n): ROWS[n].tobytes() for n in fresh}
        elif what == "remove":
            index.remove(numbers)
            held = {n: row for n, row in held.items() if n not in some}
        else:
            for n in some:
                expected = [(n, 0)] if n in held else []
                assert [tuple(hit) for hit in index.query(ROWS[n].tobytes().hex(), 0, 9).near] == expected


def test_a_snapshot_is_used_only_for_the_banks_that_it_was_made_of(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("underwing.banks.checker.WORTH_KEEPING", 1)
    path, hashes = tmp_path / "banks.db", look(photo(1), FULL)
    store.put("b", [banked(photo(1), "one")], by="t", now=NOW)
    with sqlite3.connect(path) as db:
        db.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))

    def checked(store: Store, path: Path) -> tuple[list[str], int]:
        checker = Checker(store, beside=path)
        return [m.entry for m in checker.match(hashes).matches], checker._index.came

    assert checked(store, path)[0] == ["one"]
    (kept,) = tmp_path.glob("banks.db.index-*")
    assert checked(store, path) == (["one"], 0), "nothing was read anew"
    store.put("b", [Withdrawn(id="one"), banked(photo(2), "two")], by="t", now=NOW)
    found, came = checked(store, path)
    assert (found, came > 0) == ([], True)
    (later,) = tmp_path.glob("banks.db.index-*")
    assert later != kept
    copy = Store.open(tmp_path / "copy.db")
    copy.put(
        "b", [banked(photo(3), "three"), banked(photo(4), "four"), banked(photo(1), "one")], by="t", now=NOW
    )
    later.rename(tmp_path / later.name.replace("banks", "copy"))
    found, came = checked(copy, tmp_path / "copy.db")
    assert (found, came > 0) == (["one"], True), "the snapshot of another history is not used"
    copy.close()
    (own,) = tmp_path.glob("copy.db.index-*")
    own.write_bytes(own.read_bytes()[:-100])
    assert checked(Store.open(tmp_path / "copy.db"), tmp_path / "copy.db")[0] == ["one"], (
        "a damaged one neither"
    )
