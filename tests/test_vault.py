"""The vault on both stores: what goes in comes out, and nothing in it can be changed, moved or cut unseen."""

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from underwing.casebook.database import CasebookError
from underwing.casebook.vault import KeyFile, Label, ObjectStore, Stored, StoreFailed, Tampered, WrongKey
from underwing.casebook.vault.seal import BrokenSeal, seal, unseal
from underwing.casebook.vault.store import Exists, Missing
from underwing.casebook.vault.tables import holds
from underwing.casebook.vault.tables import objects as table
from vault_cases import SEGMENT, Rig, flipped, seaweed

MANY = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
_numbers = itertools.count()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as options:
        yield options


@pytest.fixture(scope="module", params=("directory", "bucket", "locked bucket"))
def place(request: pytest.FixtureRequest) -> Callable[[], ObjectStore | None]:
    """Gives a fresh place for objects: None for a directory, else a prefix on a real S3 server, also with object lock."""
    if request.param == "directory":
        return lambda: None
    options = request.getfixturevalue("s3")
    bucket = {"bucket": "evidence", "locked bucket": "locked"}[request.param]
    return lambda: ObjectStore.of(f"s3://{bucket}/{next(_numbers)}", options)


@pytest.fixture
def rig(place: Callable[[], ObjectStore | None], tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "vault", place())
    yield made
    made.close()


@pytest.fixture(scope="module")
def laid(
    place: Callable[[], ObjectStore | None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Rig, list[Stored]]]:
    """A vault with objects of several sizes in two cases; a test leaves it as it was."""
    made = Rig(tmp_path_factory.mktemp("laid") / "vault", place())
    sizes = (0, "c1"), (1, "c1"), (SEGMENT, "c1"), (197, "c1"), (197, "c2"), (2 * SEGMENT, "c2")
    objects = [made.put(bytes([n + 1]) * size, case) for n, (size, case) in enumerate(sizes)]
    assert made.problems() == []
    yield made, objects
    assert made.problems() == []
    made.close()


@settings(MANY, max_examples=30)
@given(
    st.one_of(
        st.binary(max_size=5 * SEGMENT), st.sampled_from((0, 1, 2, 3)).map(lambda n: b"\0" * SEGMENT * n)
    )
)
def test_any_bytes_come_out_as_they_went_in(rig: Rig, data: bytes) -> None:
    stored = rig.put(data)
    assert rig.get(stored.address) == data
    assert (stored.sha256, stored.size) == (sha256(data).hexdigest(), len(data))
    assert stored.segments == max(1, -(-len(data) // SEGMENT))


def test_a_stream_that_gives_little_at_a_time(rig: Rig) -> None:
    class Drip:
        def __init__(self) -> None:
            self.left = b"drop" * 60

        def read(self, size: int) -> bytes:
            part, self.left = self.left[: min(size, 7)], self.left[min(size, 7) :]
            return part

    stored = rig.vault.put(Drip(), case="c", by="anna")  # type: ignore[arg-type]
    assert rig.get(stored.address) == b"drop" * 60


def test_the_same_bytes_are_kept_once_a_case_and_the_store_does_not_tell(rig: Rig) -> None:
    data = b"pattern" * 30
    one, again, other = rig.put(data), rig.put(data), rig.put(data, "c2")
    assert one == again
    assert one.address != other.address
    assert len([n for n in rig.names() if n.startswith("contents/")]) == 2
    assert [r.kind for r in rig.custody.records(object=one.address)] == ["intake", "intake-again"]
    plain = sha256(data).hexdigest()
    assert all(plain not in name and plain.encode() not in rig.look(name) and data[:20] not in rig.look(name)
               for name in rig.names())  # fmt: skip
    assert rig.vault.index.same(plain) == [one, other]
    assert rig.problems() == []


def test_a_name_is_written_once(rig: Rig) -> None:
    rig.store.put("objects/x/1", b"first")
    with pytest.raises(Exists):
        rig.store.put("objects/x/1", b"second")
    assert rig.store.get("objects/x/1", 5) == b"first"
    with pytest.raises(StoreFailed, match="5 bytes long"):
        rig.store.get("objects/x/1", 4)
    with pytest.raises(Missing):
        rig.store.get("objects/x/2", 5)
    rig.store.remove("objects/x")
    rig.store.remove("objects/x")
    assert rig.names() == []


@MANY
@given(st.data())
def test_any_byte_in_the_store_is_named(laid: tuple[Rig, list[Stored]], data: st.DataObject) -> None:
    rig, objects = laid
    name = data.draw(st.sampled_from(rig.names()))
    body = rig.look(name)
    changed = flipped(body, data.draw(st.integers(0, len(body) - 1)), data.draw(st.integers(1, 255)))
    change = data.draw(st.sampled_from((changed, body[:-1], body + b"\0", b"", None)))
    owner = next(s for s in objects if s.locator in name or s.address in name)
    rig.lay(name, change) if change is not None else rig.lift(name)
    try:
        assert [p.where for p in rig.problems()] == [f"object {owner.address}"]
        if owner.locator in name:
            with pytest.raises(Tampered, match=f"object {owner.address}, segment {int(name[-8:])}"):
                rig.get(owner.address)
    finally:
        rig.lay(name, body)


@MANY
@given(st.data())
def test_segments_moved_within_and_between_objects_are_named(
    laid: tuple[Rig, list[Stored]], data: st.DataObject
) -> None:
    rig, objects = laid
    kind = data.draw(st.sampled_from(("objects/", "contents/")))
    names = [n for n in rig.names() if n.startswith(kind)]
    one, other = data.draw(st.lists(st.sampled_from(names), min_size=2, max_size=2, unique=True))
    bodies = rig.look(one), rig.look(other)
    owners = {
        f"object {s.address}" for s in objects for n in (one, other) if s.locator in n or s.address in n
    }
    rig.lay(one, bodies[1])
    rig.lay(other, bodies[0])
    try:
        assert {p.where for p in rig.problems()} == owners
    finally:
        rig.lay(one, bodies[0])
        rig.lay(other, bodies[1])


@MANY
@given(st.sampled_from((2, 3)), st.booleans())
def test_a_cut_that_the_index_covers_up_is_named(
    laid: tuple[Rig, list[Stored]], which: int, cut: bool
) -> None:
    """Segments cut or repeated, with the index changed to agree."""
    rig, objects = laid
    stored = objects[which]
    last = f"objects/{stored.locator}/{stored.segments - 1:08d}"
    more = f"objects/{stored.locator}/{stored.segments:08d}"
    body = rig.look(last)
    rig.lift(last) if cut else rig.lay(more, body)
    step = -1 if cut else 1
    change = update(table).where(table.c.address == stored.address)
    rig.database.run(change.values(segments=stored.segments + step))
    try:
        where = [p.where for p in rig.problems()]
        assert where
        assert where[0] == f"object {stored.address}"
        with pytest.raises(Tampered):
            rig.get(stored.address)
    finally:
        rig.database.run(change.values(segments=stored.segments))
        rig.lay(last, body) if cut else rig.lift(more)


COLUMNS = ("locator", "case_id", "sha256", "generation", "size", "segment", "segments", "kind", "regions", "at", "reported",
           "state", "wrapped", "label", "address")  # fmt: skip


@MANY
@given(st.sampled_from(COLUMNS), st.integers(0, 5), st.integers(0, 200), st.integers(1, 255))
def test_any_change_to_the_index_is_named(
    laid: tuple[Rig, list[Stored]], column: str, which: int, at: int, bits: int
) -> None:
    rig, objects = laid
    address = objects[which].address
    old = rig.database.value(select(table.c[column]).where(table.c.address == address))
    if isinstance(old, bytes):
        new: object = flipped(old, at, bits)
    elif isinstance(old, int):
        new = old + bits
    else:
        new = {"state": "withdrawn", "kind": "reference", "regions": "GB"}.get(column) or f"{old}x"
    rig.database.run(update(table).where(table.c.address == address).values({column: new}))
    try:
        assert f"object {address}" in [p.where for p in rig.problems()]
    finally:
        there = new if column == "address" else address
        rig.database.run(update(table).where(table.c.address == there).values({column: old}))


def test_objects_and_holds_that_vanish_or_appear_are_named(laid: tuple[Rig, list[Stored]]) -> None:
    rig, objects = laid
    rig.lay("objects/feed/00000000", b"foreign")
    assert [p.where for p in rig.problems()] == ["store objects/feed/00000000"]
    rig.lift("objects/feed/00000000")
    rig.database.run(insert(holds).values(number=2, object="", case_id="c1", holder="x", reason="y", at="z"))
    assert [p.where for p in rig.problems()] == ["hold 2"]
    rig.database.run(holds.delete())
    number = rig.keeping.hold(by="anna", reason="order 1", address=objects[0].address).number
    rig.database.run(holds.delete())
    assert [p.where for p in rig.problems()] == [f"hold {number}"]
    at = next(rig.custody.records(number - 1)).at
    rig.database.run(
        insert(holds).values(
            number=number, object=objects[0].address, case_id="c1", holder="anna", reason="order 1", at=at
        )
    )


def test_destruction_clears_the_store(rig: Rig) -> None:
    gone, kept = rig.put(b"x" * 300), rig.put(b"y" * 300)
    rig.time += timedelta(days=400)
    rig.keeping.ask_destruction(gone.address, by="anna", reason="end of duty")
    rig.keeping.confirm_destruction(gone.address, by="ben")
    assert not [n for n in rig.names() if gone.address in n or gone.locator in n]
    assert rig.get(kept.address) == b"y" * 300
    assert rig.put(b"x" * 300).generation == 1
    assert rig.problems() == []


@given(st.binary(max_size=40), st.integers(0, 3), st.booleans())
def test_a_segment_opens_in_its_own_place_only(body: bytes, number: int, last: bool) -> None:
    key, locator = AESGCM(bytes(32)), b"l" * 16
    sealed = seal(key, locator, number, last, body)
    assert unseal(key, locator, number, last, sealed) == body
    for elsewhere in ((b"m" * 16, number, last), (locator, number + 1, last), (locator, number, not last)):
        with pytest.raises(BrokenSeal):
            unseal(key, *elsewhere, sealed)


def test_a_case_key_moved_to_another_case_opens_nothing(laid: tuple[Rig, list[Stored]]) -> None:
    rig, objects = laid
    keys = {case: (id, wrapped) for case, id, wrapped in rig.vault.index.case_keys()}
    rig.vault.index.add_case_key("c2", *keys["c1"])
    try:
        with pytest.raises(Tampered, match="wrapped key"):
            rig.get(objects[4].address)
        assert {p.where for p in rig.problems()} == {f"object {s.address}" for s in objects if s.case == "c2"}
    finally:
        rig.vault.index.add_case_key("c2", *keys["c2"])


@MANY
@given(st.integers(0, 4), st.booleans())
def test_a_source_that_breaks_leaves_nothing(rig: Rig, good: int, empty: bool) -> None:
    assume(rig.names() == [])

    class Breaks:
        def __init__(self) -> None:
            self.left = good

        def read(self, size: int) -> bytes:
            if self.left == 0:
                raise ConnectionError("gone")
            self.left -= 1
            return b"" if empty and self.left == 0 else b"x" * size

    if empty and good:
        return
    with pytest.raises(ConnectionError):
        rig.vault.put(Breaks(), case="c", by="anna")  # type: ignore[arg-type]
    assert rig.names() == []
    assert rig.vault.index.intakes() == []
    assert list(rig.vault.index.objects()) == []


def test_every_way_out_is_recorded_before_the_first_byte(rig: Rig) -> None:
    address = rig.put(b"x" * 200).address
    unread = rig.vault.read(address, by="ben", looking="reveal-begun", reason="decide", facts={"seconds": 0})
    last = list(rig.custody.records())[-1]
    assert (last.kind, last.by, last.object, last.case, last.reason) == (
        "reveal-begun",
        "ben",
        address,
        "c1",
        "decide",
    )
    assert b"".join(unread) == b"x" * 200
    with pytest.raises(CasebookError, match="there is no object"):
        rig.vault.read("0" * 64, by="ben", looking="exported")
    with pytest.raises(CasebookError, match="cannot stand"):
        rig.vault.read(address, by="", looking="exported")


def test_the_label_is_sealed(rig: Rig) -> None:
    stored = rig.put(b"x", label=Label(name="holiday.jpg", type="image/jpeg"))
    assert rig.vault.label(stored.address) == Label(name="holiday.jpg", type="image/jpeg")
    rig.database.forget()
    assert b"holiday" not in (rig.home / "casebook.db").read_bytes()


def test_bad_input_is_refused_clearly(rig: Rig) -> None:
    for more, said in (
        ({"case": " "}, "needs a case"),
        ({"regions": ("UK",)}, "is GB"),
        ({"regions": ("gb",)}, "capital"),
    ):
        with pytest.raises(CasebookError, match=said):
            rig.put(b"x", **more)  # type: ignore[arg-type]
    assert rig.names() == []


def test_another_key_file_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "v")
    address = rig.put(b"x").address
    rig.close()
    (tmp_path / "v" / "vault.key").unlink()
    rig = Rig(tmp_path / "v")
    with pytest.raises(WrongKey, match="needs the key"):
        rig.get(address)
    path = tmp_path / "v" / "vault.key"
    path.chmod(0o644)
    with pytest.raises(CasebookError, match="chmod 600"):
        KeyFile(path)
    path.chmod(0o600)
    path.write_text("underwing-key-1:short")
    with pytest.raises(CasebookError, match="holds no key"):
        KeyFile(path)


def test_many_bring_evidence_at_once(rig: Rig) -> None:
    bodies = [bytes([n % 5]) * 150 for n in range(20)]
    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(rig.put, bodies))
    assert len({s.address for s in stored}) == 5
    assert all(rig.get(s.address) == body for s, body in zip(stored, bodies, strict=True))
    assert [r.kind for r in rig.custody.records() if r.kind == "intake"] == ["intake"] * 5
    assert rig.problems() == []


def test_the_outermost_key_can_be_changed(rig: Rig) -> None:
    one, two = rig.put(b"one"), rig.put(b"two", "c2")
    old, new = rig.keys, KeyFile.make(rig.home / "new.key")
    with pytest.raises(CasebookError, match="already"):
        rig.vault.rewrap(old, by="anna", reason="yearly")
    assert rig.vault.rewrap(new, by="anna", reason="yearly") == 2
    assert (rig.get(one.address), rig.get(two.address)) == (b"one", b"two")
    assert rig.put(b"one") == one
    rig.vault._keys = old
    with pytest.raises(WrongKey, match=f"needs the key {new.id}"):
        rig.get(one.address)
    rig.vault._keys = new
    assert rig.problems() == []
    assert [r.facts for r in rig.custody.records(kind="key-changed")] == [{"old": old.id, "new": new.id}]


MEMORY = """
import io, resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from vault_cases import Rig
from underwing.casebook.vault.seal import SEGMENT_BYTES

class Big(io.RawIOBase):
    left = {size}
    block = bytes(range(256)) * 256
    def read(self, size=-1):
        size = min(size, self.left, len(self.block))
        self.left -= size
        return self.block[:size]

rig = Rig(Path({home!r}), segment=SEGMENT_BYTES)
rig.get(rig.put(b"x" * 9_000_000).address)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
stored = rig.vault.put(Big(), case="c", by="anna")
count = sum(len(part) for part in rig.vault.read(stored.address, by="ben", looking="exported"))
assert count == stored.size == {size}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_is_bounded_for_300_megabytes(tmp_path: Path) -> None:
    code = MEMORY.format(tests=str(Path(__file__).parent), size=300_000_000, home=str(tmp_path / "v"))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 24 * 1024, "KiB more than for 9 MB"
