"""The context buffer: what waits, what is sealed, what goes, and what a reader of the disk sees."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from casebook_cases import NOW, Clock, put, said
from underwing.casebook.cases import Casebook, CaseError
from underwing.casebook.cases.tables import cases
from underwing.casebook.context import (
    ContextBuffer,
    ContextError,
    KeyFileError,
    Line,
    Sealed,
    count,
    load_key,
    share,
    tables,
)
from underwing.casebook.context.buffer import Waiting
from underwing.casebook.database import METADATA, CasebookError, Database
from underwing.casebook.keys import KeyFile
from vault_cases import flipped

KEY = bytes(range(32))
SECRET = "heron-at-dawn"


def wait(
    event: str, conversation: str = "c", text: str = SECRET, count: int = 50, hours: int = 72
) -> Waiting:
    return Waiting(conversation, Line(event=event, at=NOW, sender="anna-account", text=text), count, hours)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "context.db"


@pytest.fixture
def buffer(path: Path) -> Iterator[ContextBuffer]:
    made = ContextBuffer(path, KEY)
    yield made
    made.close()


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile.make(tmp_path / "vault.key")


@pytest.fixture
def sealed(casebook_database: Database, keys: KeyFile) -> Sealed:
    """Sealed context on each of the two databases, with seven cases."""
    casebook_database.run(
        insert(cases),
        [
            {"state": "open", "priority": 1, "due": 1, "opened": 1, "updated": 1, "version": 1, "origin": "hand",
             "regions": "", "why": "", "reason": "", "acted": 0, "items": 0, "test": False}
        ] * 7,
    )  # fmt: skip
    return Sealed(casebook_database, keys)


def lines(*events: str, text: str = SECRET) -> list[Line]:
    return [Line(event=event, at=NOW, sender="anna-account", text=text) for event in events]


def on_disk(path: Path) -> bytes:
    return b"".join(p.read_bytes() for p in path.parent.glob(path.name + "*"))


def shows_nothing(seen: bytes) -> None:
    for plain in (SECRET, "anna-account", "conversation-x", "event-1"):
        assert plain.encode() not in seen
        assert plain.encode("utf-16-le") not in seen


def test_the_disk_shows_no_text_no_account_and_no_conversation(
    path: Path, buffer: ContextBuffer, sealed: Sealed
) -> None:
    for number in range(200):
        buffer.keep([wait(f"event-{number}", "conversation-x", f"{SECRET} {number}")], NOW)
    sealed.seal(1, "conversation-x", buffer.lines("conversation-x", NOW), "buffer")
    seen = on_disk(path)
    assert len(seen) > 10_000
    assert KEY not in seen
    shows_nothing(seen)
    database = sealed._db
    everything = b"".join(
        repr(tuple(row)).encode() + b"".join(v for v in row if isinstance(v, bytes))
        for table in METADATA.sorted_tables
        for row in database.rows(select(table))
    )
    assert len(everything) > 5_000
    shows_nothing(everything)
    if database.kind == "sqlite":
        shows_nothing(on_disk(Path(database.name)))
    assert sealed.read(1)[0].line.text.startswith(SECRET)


def test_count_and_hours(buffer: ContextBuffer) -> None:
    buffer.keep([wait(f"e{n}", count=5) for n in range(12)], NOW)
    buffer.keep([wait("other", "d")], NOW)
    buffer.keep([wait("none", "z", count=0), wait("none", "y", hours=0)], NOW)
    assert buffer.waiting()[0] == 6
    assert [line.event for line in buffer.lines("c", NOW)] == ["e7", "e8", "e9", "e10", "e11"]
    assert buffer.lines("d", NOW + 73 * 3600) == []
    buffer.sweep(NOW + 73 * 3600)
    assert buffer.waiting() == (0, 0)


def test_a_message_kept_again_is_sealed_once(buffer: ContextBuffer, sealed: Sealed) -> None:
    for _ in range(3):
        buffer.keep([wait("e1"), wait("e1", text="changed")], NOW)
    assert buffer.waiting()[0] == 6
    assert sealed.seal(1, "c", buffer.lines("c", NOW), "buffer") == 1
    assert [s.line.text for s in sealed.read(1)] == [SECRET]


def test_the_whole_is_bounded_and_the_oldest_goes(path: Path) -> None:
    buffer = ContextBuffer(path, KEY, most_bytes=20_000)
    for number in range(100):
        buffer.keep([wait(f"e{number}", f"c{number}", "x" * 500)], NOW + number)
        assert buffer.waiting()[1] <= 20_000
    assert buffer.lines("c0", NOW) == []
    assert len(buffer.lines("c99", NOW)) == 1
    buffer.close()


def test_sealed_lines_grow_and_stay(sealed: Sealed) -> None:
    assert sealed.seal(1, "c", lines("e1"), "buffer") == 1
    assert sealed.seal(1, "c", lines("e1", "e2"), "buffer") == 1
    assert sealed.seal(1, "c", lines("e1", "e2", text="changed"), "platform") == 0
    assert sealed.seal(2, "c", [], "buffer") == 0
    assert sealed.seal(3, "unknown", [], "buffer") == 0
    assert [s.line.event for s in sealed.read(1)] == ["e1", "e2"]
    assert sealed.read(2) == sealed.read(1)
    assert [count(sealed._db, case) for case in (1, 2, 3)] == [2, 2, 0]


def test_the_platform_supplies_context(sealed: Sealed) -> None:
    given = [Line(event=f"p{n}", at=NOW + n, sender="a", text="hi", to=("b",)) for n in range(3)]
    assert sealed.seal(1, "c", given, "platform") == 3
    assert {s.origin for s in sealed.read(1)} == {"platform"}
    assert [s.line for s in sealed.read(1)] == given
    with pytest.raises(ContextError, match="at most"):
        sealed.seal(1, "c", given * 5_000, "platform")


def test_destroyed_when_no_case_holds_it(sealed: Sealed) -> None:
    sealed.seal(1, "c", lines("e1"), "buffer")
    share(sealed._db, 1, 2)
    assert sealed.destroy(1) == 0
    assert len(sealed.read(2)) == 1
    assert sealed.destroy(2) == 1
    assert sealed.read(2) == []
    assert sealed._db.rows(select(tables.lines)) == sealed._db.rows(select(tables.seals)) == []
    assert sealed.seal(2, "c", lines("e1"), "buffer") == 1


def test_another_key_opens_nothing(path: Path, buffer: ContextBuffer, sealed: Sealed, tmp_path: Path) -> None:
    buffer.keep([wait("e1")], NOW)
    other = ContextBuffer(path, bytes(32))
    assert other.lines("c", NOW) == []
    other.close()
    sealed.seal(1, "c", lines("e1"), "buffer")
    stranger = Sealed(sealed._db, KeyFile.make(tmp_path / "other.key"))
    with pytest.raises(ContextError, match="sealed with the key"):
        stranger.read(1)
    with pytest.raises(ContextError, match="sealed with the key"):
        stranger.seal(1, "c", lines("e2"), "buffer")


def test_another_key_takes_over(sealed: Sealed, keys: KeyFile, tmp_path: Path) -> None:
    sealed.seal(1, "c", lines("e1"), "buffer")
    new = KeyFile.make(tmp_path / "new.key")
    assert sealed.rewrap(new) == 1
    for one in (sealed, Sealed(sealed._db, new)):
        assert one.seal(1, "c", lines("e1", "e2"), "buffer") == (1 if one is sealed else 0)
        assert len(one.read(1)) == 2
    with pytest.raises(ContextError):
        Sealed(sealed._db, keys).read(1)


@pytest.mark.parametrize(
    ("table", "column"),
    [("context_lines", "body"), ("context_seals", "wrapped"), ("context_lines", "event")],
)
def test_what_was_changed_is_named_and_not_quoted(
    sealed: Sealed, keys: KeyFile, table: str, column: str
) -> None:
    sealed.seal(1, "c", lines("e1"), "buffer")
    changed = METADATA.tables[table]
    body = sealed._db.value(select(changed.c[column]))
    sealed._db.run(update(changed).values({column: flipped(body, 14, 1)}))
    with pytest.raises(ContextError) as told:
        Sealed(sealed._db, keys).read(1)
    assert SECRET not in str(told.value)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.integers(0, 30),
            st.text(max_size=20),
            st.integers(0, 4),
            st.integers(0, 7200),
        ),
        max_size=30,
    )
)
def test_never_more_than_the_window_allows(said: list[tuple[str, int, str, int, int]]) -> None:
    buffer, now = ContextBuffer(":memory:", KEY), NOW
    model: dict[str, list[tuple[str, int]]] = {}
    for conversation, number, text, most, later in said:
        now += later
        event = f"{conversation}{number}"
        buffer.keep([wait(event, conversation, text, most, 1)], now)
        waiting = [(e, until) for e, until in model.get(conversation, [])]
        if most:
            waiting.append((event, now + 3600))
        model[conversation] = waiting[-most:] if most else waiting
        buffer.sweep(now)
        model = {c: [(e, until) for e, until in lines if until > now] for c, lines in model.items()}
    number, size = buffer.waiting()
    assert number == sum(map(len, model.values()))
    assert (size > 0) == (number > 0)
    for conversation, lines in model.items():
        assert [line.event for line in buffer.lines(conversation, now)] == [e for e, _ in lines]
    buffer.close()


@settings(max_examples=25)
@given(st.lists(st.lists(st.sampled_from("abc"), max_size=12), max_size=6))
def test_a_lot_leaves_what_its_lines_one_by_one_would(lots: list[list[str]]) -> None:
    together, apart = ContextBuffer(":memory:", KEY), ContextBuffer(":memory:", KEY)
    most = {"a": 0, "b": 3, "c": 5}
    for number, lot in enumerate(lots):
        lines = [
            wait(f"{number}-{n}", conversation, "x", most[conversation]) for n, conversation in enumerate(lot)
        ]
        together.keep(lines, NOW)
        for line in lines:
            apart.keep([line], NOW)
    assert together.waiting() == apart.waiting()
    for conversation in most:
        assert together.lines(conversation, NOW) == apart.lines(conversation, NOW)
    together.close()
    apart.close()


# -- the key file -------------------------------------------------------------------------------------------


def test_the_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "apart" / "context.key"
    key = load_key(path)
    assert load_key(path) == key
    assert path.stat().st_mode & 0o077 == 0
    assert load_key(tmp_path / "other.key") != key
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="others"):
        load_key(path)


def test_a_bad_key_file_is_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_text("not-hex-" + SECRET)
    path.chmod(0o600)
    with pytest.raises(KeyFileError) as told:
        load_key(path)
    assert SECRET not in str(told.value)


# -- in the casebook ------------------------------------------------------------------------------------------


def test_sealed_when_a_case_opens_and_thrown_away_otherwise(
    casebook_database: Database, buffer: ContextBuffer, keys: KeyFile
) -> None:
    clock = Clock()
    book = Casebook(casebook_database, context=buffer, keys=keys, clock=clock)
    book.keep([(said(f"m{n}", "a", "k", f"{SECRET} {n}"), "") for n in range(60)])
    book.keep([(said(f"o{n}", "x", "y", "harmless"), "") for n in range(3)])
    put(book, "m59", "a", "k")
    assert [s.line.event for s in book.said(1)] == sorted(f"m{n}" for n in range(10, 60))
    clock.on(hours=80)
    buffer.sweep(int(clock()))
    assert buffer.waiting() == (0, 0)
    assert len(book.said(1)) == 50
    book.supply(1, "a-k", [Line(event="p1", at=NOW, sender="k", text="from the platform")])
    assert book.show(1).context == 51
    with pytest.raises(CaseError):
        book.supply(7, "a-k", [])


def test_merge_and_split_keep_the_context(
    casebook_database: Database, buffer: ContextBuffer, keys: KeyFile
) -> None:
    book = Casebook(casebook_database, context=buffer, keys=keys, clock=Clock())
    book.keep([(said("m1", "a", "k"), ""), (said("m2", "b", "z"), "")])
    put(book, "m1", "a", "k")
    put(book, "m2", "b", "z")
    without = Casebook(casebook_database, clock=Clock())
    without.merge(1, 2, "ann", "one person")
    assert len(book.said(1)) == 2
    _, new = without.split(1, ["m2"], "ann", "no")
    assert len(book.said(new.id)) == 2
    assert without.said(1) == []
    with pytest.raises(CaseError, match="no key"):
        without.supply(1, "a-k", [])
    with pytest.raises(CaseError, match="needs a key"):
        Casebook(casebook_database, context=buffer)


def test_a_key_that_is_away_keeps_no_case_out(
    casebook_database: Database, buffer: ContextBuffer, keys: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a key service does not answer: the case is there, and its context follows."""
    told: list[str] = []
    book = Casebook(casebook_database, context=buffer, keys=keys, clock=Clock(), failed=told.append)
    book.keep([(said("m1", "a", "k"), "")])

    def away(key: bytes, context: bytes) -> bytes:
        raise CasebookError("no answer")

    with monkeypatch.context() as gone:
        gone.setattr(keys, "wrap", away)
        put(book, "m1", "a", "k")
    assert told == ["the context cannot be sealed: no answer"]
    assert book.said(1) == []
    assert book.seal_pending() == 1
    assert len(book.said(1)) == 1


def test_what_was_left_unsealed_is_sealed_at_the_start(
    casebook_database: Database, buffer: ContextBuffer, keys: KeyFile
) -> None:
    put(Casebook(casebook_database, clock=Clock()), "m1", "a", "k")
    buffer.keep([wait("m1", "a-k")], NOW)
    book = Casebook(casebook_database, context=buffer, keys=keys, clock=Clock())
    assert len(book.said(1)) == 1
