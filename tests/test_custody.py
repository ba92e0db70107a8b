"""The custody log: whatever is changed, cut, moved or set back shows, and the first bad record is named."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underwing.casebook.custody import (
    Checkpoint,
    Custody,
    Entry,
    Proof,
    Signer,
    Verifier,
    publish,
    read_published,
    verify,
)
from underwing.casebook.custody.checkpoints import attempt, line, sign
from underwing.casebook.custody.log import signed_message
from underwing.casebook.custody.records import decode, digest, encode
from underwing.casebook.database import CasebookError, Database
from vault_cases import START, flipped

SIGNER = Signer.made()
VERIFIER = Verifier(SIGNER.public)
LENGTH = 9


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


def custody(path: Path | str = ":memory:", clock: Clock | None = None) -> Custody:
    return Custody(Database(path), SIGNER, clock or Clock())


def filled() -> tuple[list[Entry], list[tuple[str, Checkpoint | str]]]:
    """A log of LENGTH records with checkpoints after the fourth and the last."""
    log = custody()
    for number in range(2, LENGTH + 1):
        log.append(
            "saw-metadata", f"p{number % 3}", case="c", reason=f"look {number}", facts={"seconds": number}
        )
        if number in (4, LENGTH):
            log.checkpoint()
    return list(log.entries()), [(f"checkpoint {n}", c) for n, c in enumerate(log.checkpoints(), 1)]


ENTRIES, CHECKPOINTS = filled()


def proof(entries: list[Entry], checkpoints: list[tuple[str, Checkpoint | str]] = CHECKPOINTS) -> Proof:
    return verify(entries, VERIFIER, checkpoints)


def first(found: Proof) -> str:
    return found.problems[0].where


def signed_again(entries: list[Entry], start: int) -> list[Entry]:
    """The records from an index on chained and signed again, as only the holder of the key could."""
    made = list(entries)
    for at in range(start, len(made)):
        previous = made[at - 1].hash if at else "0" * 64
        body = encode(msgspec.structs.replace(decode(made[at].body), previous=previous, number=at + 1))
        hash = digest(body)
        made[at] = Entry(at + 1, body, hash, SIGNER.sign(signed_message(hash)))
    return made


def test_a_whole_log_holds() -> None:
    found = proof(ENTRIES)
    assert (found.count, found.head, found.checkpoints) == (LENGTH, ENTRIES[-1].hash, 2)
    assert found.problems == found.notes == ()
    assert decode(ENTRIES[0].body).kind == "opened"
    assert decode(ENTRIES[0].body).facts == {"key": SIGNER.public}


@given(
    st.integers(0, LENGTH - 1),
    st.sampled_from(("body", "hash", "signature")),
    st.integers(0, 10_000),
    st.integers(1, 255),
)
def test_any_byte_of_any_record_is_named(index: int, part: str, at: int, bits: int) -> None:
    entry = ENTRIES[index]
    old = getattr(entry, part)
    new = flipped(old.encode(), at, bits).decode("latin-1") if part == "hash" else flipped(old, at, bits)
    changed = [*ENTRIES[:index], msgspec.structs.replace(entry, **{part: new}), *ENTRIES[index + 1 :]]
    assert first(proof(changed)) == f"record {index + 1}"


@given(st.integers(0, LENGTH - 1), st.integers(1, LENGTH))
def test_a_cut_is_named_by_the_first_missing_record(start: int, length: int) -> None:
    assert first(proof(ENTRIES[:start] + ENTRIES[start + length :])) == f"record {start + 1}"
    renumbered = [
        msgspec.structs.replace(e, number=n)
        for n, e in enumerate(ENTRIES[:start] + ENTRIES[start + length :], 1)
    ]
    assert first(proof(renumbered)) == f"record {start + 1}"


@given(st.permutations(range(LENGTH)).filter(lambda order: order != list(range(LENGTH))))
def test_a_reordering_is_named_by_the_first_record_out_of_place(order: list[int]) -> None:
    moved = [msgspec.structs.replace(ENTRIES[index], number=n) for n, index in enumerate(order, 1)]
    wrong = next(n for n, index in enumerate(order) if n != index)
    assert first(proof(moved)) == f"record {wrong + 1}"


@given(st.integers(1, LENGTH - 1), st.booleans())
def test_who_holds_the_key_still_cannot_rewrite_what_a_checkpoint_signed(index: int, cut: bool) -> None:
    other = encode(msgspec.structs.replace(decode(ENTRIES[index].body), by="someone else"))
    changed = (
        ENTRIES[:index] + ENTRIES[index + 1 :]
        if cut
        else [*ENTRIES[:index], msgspec.structs.replace(ENTRIES[index], body=other), *ENTRIES[index + 1 :]]
    )
    again = signed_again(changed, index)
    assert not proof(again, []).problems
    found = proof(again)
    between = (1, 4) if index < 4 else (5, LENGTH)
    assert between[0] <= int(first(found).split()[1]) <= between[1]
    assert "checkpoint" in found.problems[0].what


def test_a_cut_at_the_end_shows_against_a_published_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "published"
    known = [c for _, c in CHECKPOINTS if isinstance(c, Checkpoint)]
    assert publish(path, known) == 2
    assert publish(path, known) == 0
    elsewhere = [(f"line {n}", c) for n, c in read_published(path)]
    assert not proof(ENTRIES[:6], []).problems
    found = proof(ENTRIES[:6], elsewhere)
    assert first(found) == "record 7"
    assert f"counted {LENGTH} records" in found.problems[0].what


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_byte_of_a_checkpoint_is_named(at: int, bits: int) -> None:
    good = CHECKPOINTS[0][1]
    assert isinstance(good, Checkpoint)
    changed = attempt(flipped(line(good), at, bits))
    found = proof(ENTRIES, [("checkpoint 1", changed), CHECKPOINTS[1]])
    assert first(found) == "checkpoint 1"
    assert found.count == LENGTH


def test_a_checkpoint_by_another_key_or_of_another_log_is_named() -> None:
    fields = {"count": 4, "head": ENTRIES[3].hash, "at": "2026-02-01T00:00:00.000Z"}
    foreign = sign(Signer.made(), log=ENTRIES[0].hash, **fields)  # type: ignore[arg-type]
    assert first(proof(ENTRIES, [("theirs", foreign)])) == "theirs"
    other = sign(SIGNER, log="1" * 64, **fields)  # type: ignore[arg-type]
    assert first(proof(ENTRIES, [("other", other)])) == "record 1"


def test_another_key_proves_nothing() -> None:
    assert first(verify(ENTRIES, Verifier(Signer.made().public))) == "record 1"
    with pytest.raises(CasebookError, match="64 hex digits"):
        Verifier("abc")


@given(st.integers(1, LENGTH - 1), st.integers(1, 10**6))
def test_a_record_dated_before_the_one_above_it_is_named(index: int, seconds: int) -> None:
    record = decode(ENTRIES[index].body)
    above = datetime.fromisoformat(decode(ENTRIES[index - 1].body).at)
    early = (above - timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = encode(msgspec.structs.replace(record, at=early))
    again = signed_again(
        [*ENTRIES[:index], msgspec.structs.replace(ENTRIES[index], body=body), *ENTRIES[index + 1 :]], index
    )
    found = proof(again, [])
    assert first(found) == f"record {index + 1}"
    assert "turned back" in found.problems[0].what


def test_a_record_has_one_spelling() -> None:
    """So that two logs that say the same are the same, whoever signed them."""
    body = ENTRIES[2].body.replace(b'":', b'": ', 1)
    hash = digest(body)
    spaced = Entry(3, body, hash, SIGNER.sign(signed_message(hash)))
    assert first(proof([*ENTRIES[:2], spaced], [])) == "record 3"


@given(st.lists(st.integers(-5_000, 5_000), min_size=1, max_size=8))
def test_a_clock_turned_back_never_makes_time_run_backwards_and_is_named(steps: list[int]) -> None:
    clock = Clock()
    log = custody(clock=clock)
    log.append("saw-metadata", "p")
    latest, behind = clock.time, []
    for number, step in enumerate(steps, 3):
        clock.time += timedelta(seconds=step)
        record = log.append("saw-metadata", "p")
        if latest - clock.time > timedelta(seconds=2):
            behind.append(f"record {number}")
        latest = max(latest, clock.time)
        assert datetime.fromisoformat(record.at) == latest
    found = verify(log.entries(), VERIFIER)
    assert not found.problems
    assert [note.where for note in found.notes] == behind


def test_a_log_ahead_of_the_clock_is_named() -> None:
    last = datetime.fromisoformat(decode(ENTRIES[-1].body).at)
    assert not verify(ENTRIES, VERIFIER, now=last).problems
    assert first(verify(ENTRIES, VERIFIER, now=last - timedelta(minutes=1))) == f"record {LENGTH}"


def test_records_take_no_content() -> None:
    log = custody()
    for wrong in ({"by": ""}, {"by": "p", "reason": "x" * 501}, {"by": "p", "facts": {"text": "x" * 501}}, {"by": "p" * 201},
                  {"by": "p", "facts": {"bytes": b"x"}}, {"by": "p", "facts": {"n": -1}}):  # fmt: skip
        with pytest.raises(CasebookError, match="cannot stand in the custody log"):
            log.append("saw-metadata", **wrong)  # type: ignore[arg-type]
    with pytest.raises(CasebookError):
        log.append("looked", "p")  # type: ignore[arg-type]


def test_an_act_and_its_record_stand_or_fall_together() -> None:
    log = custody()
    log.append("saw-metadata", "p")

    def half() -> None:
        with log._database.transaction():
            log.append("exported", "p")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert [r.kind for r in log.records()] == ["opened", "saw-metadata"]


def test_the_same_head_has_one_checkpoint() -> None:
    log = custody()
    with pytest.raises(CasebookError, match="empty"):
        log.checkpoint()
    log.append("saw-metadata", "p")
    assert log.checkpoint() == log.checkpoint()
    log.append("saw-metadata", "p")
    assert [c.count for c in (log.checkpoint(),)] == [3]
    assert len(list(log.checkpoints())) == 2


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_byte_of_the_file_itself(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Either the change is found, or the log reads as before (the byte lay in space the file does not use)."""
    path = tmp_path_factory.mktemp("log") / "vault.db"
    log = custody(path)
    for number in range(12):
        log.append("saw-metadata", f"p{number}")
    before = list(log.entries())
    log._database.close()
    whole = path.read_bytes()
    changed = data.draw(st.integers(100, len(whole) - 1))
    path.write_bytes(flipped(whole, changed, data.draw(st.integers(1, 255))))
    try:
        opened = custody(path)
    except CasebookError:
        return
    found = verify(opened.entries(), VERIFIER)
    if not found.problems:
        after = list(opened.entries())
        assert [(e.body, e.hash, e.signature) for e in after] == [
            (e.body, e.hash, e.signature) for e in before
        ]
    opened._database.close()


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE t (a)")
    with pytest.raises(CasebookError, match="another program"):
        Database(foreign)
    with pytest.raises(CasebookError, match="cannot be opened"):
        Database(tmp_path / "no" / "such.db")


def test_the_signing_key_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "custody.key"
    SIGNER.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Signer.of(path).public == SIGNER.public
    with pytest.raises(CasebookError, match="exists already"):
        SIGNER.save(path)
    path.chmod(0o640)
    with pytest.raises(CasebookError, match="chmod 600"):
        Signer.of(path)
    other = tmp_path / "other"
    other.write_text("no key")
    other.chmod(0o600)
    with pytest.raises(CasebookError, match="no Ed25519 key"):
        Signer.of(other)
