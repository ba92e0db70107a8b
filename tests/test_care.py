"""Care over a real vault, on both databases: files into a case, looks that are asked for, reveals that end."""

import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from casebook_cases import NOW, Clock, put
from test_care_likeness import pattern
from underwing.casebook import times
from underwing.casebook.care import Care, Limits, NotNow, load_limits, vault_case
from underwing.casebook.care.care import FIRST_STEP, LOST
from underwing.casebook.care.exhibits import SEALING
from underwing.casebook.cases import Case, Casebook, Priority
from underwing.casebook.custody import Custody, Record, Signer, Verifier, verify
from underwing.casebook.database import CasebookError, Database
from underwing.casebook.vault import Keeping, KeyFile, ObjectStore, Vault, load_retention
from underwing.media.hashing import look
from underwing.media.still import BLURS
from underwing.model import MediaHashes, MediaMatch

CSAM = MediaMatch(bank="list", entry="e1", label="csam", signal="pdq", distance=8)


def png(seed: int) -> bytes:
    """A pattern as a file."""
    out = io.BytesIO()
    pattern(seed).save(out, "PNG")
    return out.getvalue()


class Desk:
    """Care with everything around it, and a clock that a test turns."""

    def __init__(self, database: Database, home: Path, limits: Limits | None = None) -> None:
        self.clock = Clock()
        self.signer = Signer.made()
        moment: times.Clock = lambda: datetime.fromtimestamp(self.clock.now, UTC)  # noqa: E731
        self.custody = Custody(database, self.signer, moment)
        self.objects = home / "objects"
        vault = Vault(
            database,
            ObjectStore.directory(self.objects),
            KeyFile.make(home / "k"),
            self.custody,
            clock=moment,
        )
        self.vault = vault
        self.care = Care(database, vault, self.custody, limits, clock=self.clock)
        self.database = database

    def put(self, seed: int, case: int = 1, event: str = "", matches: tuple[MediaMatch, ...] = ()) -> int:
        data = png(seed)
        return self.care.keep(data, case, event or f"m{seed}", look(data), matches, by="platform").number

    def see(self, who: str, number: int, step: int = FIRST_STEP, reason: str = "") -> bytes:
        body = b"".join(self.care.stream(who, number, step, reason))
        self.care.saw(who, number, step, reason)
        return body

    def hold(self, who: str, number: int, seconds: float, reason: str = "") -> int | None:
        b"".join(self.care.stream(who, number, 0, reason))
        begun = self.care.begin(who, number, reason)
        self.clock.on(seconds=seconds)
        return self.care.end(who, begun.token)

    def records(self, *kinds: str) -> list[Record]:
        return [record for record in self.custody.records() if record.kind in kinds]


@pytest.fixture
def desk(casebook_database: Database, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(casebook_database, tmp_path)
    yield made
    assert not verify(made.custody.entries(), Verifier(made.signer.public), [], made.vault.clock()).problems


def refused(desk: Desk, who: str, number: int, step: int = FIRST_STEP, reason: str = "") -> str:
    with pytest.raises(NotNow) as caught:
        desk.care.stream(who, number, step, reason)
    return caught.value.why


def test_a_file_is_sealed_into_the_case_and_noted_once(desk: Desk) -> None:
    number = desk.put(1)
    assert desk.put(1) == number
    [standing] = desk.care.of_case("anna", 1)[1]
    exhibit = standing.exhibit
    assert (exhibit.event, exhibit.type, exhibit.problem, exhibit.width) == ("m1", "image/png", "", 200)
    assert (standing.gone, standing.needs, standing.step) == ("", (), FIRST_STEP)
    stored = desk.vault.index.get(exhibit.address)
    assert (stored.case, stored.sha256) == (vault_case(1), exhibit.sha256)
    assert desk.care.of_case("anna", 2)[1] == []


def half(desk: Desk, seed: int, *, stored: bool) -> int:
    """A file whose process died: noted, and in the vault or not."""
    data = png(seed)
    exhibit = desk.care.missing(1, f"m{seed}", look(data), by="platform", problem=SEALING)
    if stored:
        desk.vault.put(io.BytesIO(data), case=vault_case(1), by="platform")
    return exhibit.number


def test_what_a_process_that_died_was_sealing_is_kept_or_named(desk: Desk) -> None:
    whole, there, gone = desk.put(1), half(desk, 2, stored=True), half(desk, 3, stored=False)
    desk.clock.on(seconds=10)
    late, now = half(desk, 4, stored=False), int(desk.clock())
    assert [exhibit.number for exhibit in desk.care.mend(now - 1)] == [gone]
    assert desk.care.mend(now - 1) == []
    files = {standing.exhibit.number: standing.exhibit for standing in desk.care.of_case("anna", 1)[1]}
    assert files[whole].address
    assert desk.vault.index.get(files[there].address).sha256 == files[there].sha256
    assert {n: files[n].problem for n in (whole, there, gone, late)} == {
        whole: "", there: "", gone: LOST, late: SEALING,
    }  # fmt: skip
    assert desk.put(3) == gone
    exhibit = desk.care.exhibits.get(gone)
    assert exhibit is not None
    assert (bool(exhibit.address), exhibit.problem) == (True, "")


def test_a_file_that_is_named_as_lost_while_it_is_sealed_is_made_good(desk: Desk) -> None:
    number = half(desk, 2, stored=False)
    assert len(desk.care.mend(int(desk.clock()))) == 1
    assert desk.put(2) == number
    exhibit = desk.care.exhibits.get(number)
    assert exhibit is not None
    assert (bool(exhibit.address), exhibit.problem) == (True, "")


def test_steps_are_those_of_the_stills() -> None:
    assert len(BLURS) - 1 == FIRST_STEP


def test_what_is_shown_is_written_down_and_what_is_only_drawn_is_not_called_seen(desk: Desk) -> None:
    number = desk.put(1)
    body = b"".join(desk.care.stream("anna", number, FIRST_STEP))
    assert look(body).type == "image/png"
    assert desk.records("saw-media-blurred") == []
    assert [r.facts["for"] for r in desk.records("machine-read")] == ["blurred"]
    desk.care.saw("anna", number, FIRST_STEP)
    [record] = desk.records("saw-media-blurred")
    assert (record.by, record.case, record.facts) == ("anna", "1", {"item": number, "step": FIRST_STEP})
    assert desk.care.ruling("anna").day.items == 1
    assert desk.care.ruling("ben").day.items == 0


def test_blur_goes_by_steps_and_begins_anew_after_a_while(desk: Desk) -> None:
    number = desk.put(1)
    assert refused(desk, "anna", number, 2) == "step"
    assert refused(desk, "anna", number, FIRST_STEP + 1) == "step"
    for step in (3, 2, 1):
        desk.see("anna", number, step)
    assert desk.care.standing("anna", number).step == 1
    desk.clock.on(hours=1)
    assert refused(desk, "anna", number, 1) == "step"


def test_a_reveal_is_timed_by_our_clock_and_ends_once(desk: Desk) -> None:
    number = desk.put(1)
    assert desk.hold("anna", number, 4) == 4
    begun = desk.care.begin("anna", number)
    desk.clock.on(seconds=2.3)
    assert desk.care.end("ben", begun.token) is None
    assert desk.care.end("anna", "other") is None
    assert desk.care.end("anna", begun.token) == 3
    assert desk.care.end("anna", begun.token) is None
    assert [r.facts["seconds"] for r in desk.records("revealed-media")] == [4, 3]
    assert [r.by for r in desk.records("reveal-begun")] == ["anna", "anna"]
    assert desk.care.ruling("anna").day.seconds == 7


def test_a_client_that_never_reports_the_end_is_ended_by_us(desk: Desk) -> None:
    number, most = desk.put(1), desk.care.limits.reveal.most
    begun = desk.care.begin("anna", number)
    assert begun.until == NOW + most
    desk.clock.on(seconds=most - 1)
    assert desk.care.close_late() == 0
    desk.clock.on(hours=2)
    assert desk.care.ruling("anna").day.seconds == most  # counts while it is open, and no more than that
    assert desk.care.close_late() == 1
    assert desk.care.close_late() == 0
    assert desk.care.end("anna", begun.token) is None
    assert [r.facts["seconds"] for r in desk.records("revealed-media")] == [most]


def test_one_reveal_at_a_time(desk: Desk) -> None:
    first, second = desk.put(1), desk.put(2)
    before = desk.care.begin("anna", first)
    desk.clock.on(seconds=5)
    desk.care.begin("anna", second)
    assert desk.care.end("anna", before.token) is None
    assert [(r.facts["item"], r.facts["seconds"]) for r in desk.records("revealed-media")] == [(first, 5)]


def test_a_match_a_copy_or_enough_ask_for_a_reason(desk: Desk) -> None:
    matched = desk.put(1, matches=(CSAM,))
    assert desk.care.standing("anna", matched).needs == ("known",)
    assert refused(desk, "anna", matched) == "reason"
    assert refused(desk, "anna", matched, reason=" ") == "reason"
    desk.see("anna", matched, reason="the list may be wrong")
    [record] = desk.records("saw-media-blurred")
    assert record.reason == "the list may be wrong"

    seen, copy = desk.put(2), desk.put(2, case=7, event="other")
    desk.see("anna", seen)
    standing = desk.care.standing("ben", copy)
    assert standing.needs == ("same",)
    assert standing.same is not None
    assert (standing.same.number, standing.same.seen_by) == (seen, "anna")
    assert desk.care.standing("ben", seen).same == structs.replace(standing.same)
    assert desk.care.standing("anna", seen).needs == ()

    other = desk.put(3)
    desk.care.enough("anna", 1)
    assert desk.care.standing("ben", other).needs == ("enough",)
    assert desk.care.standing("ben", other).enough_by == "anna"
    assert refused(desk, "anna", other) == "reason"


def test_the_same_to_the_eye_is_seen_once(desk: Desk) -> None:
    seen = desk.put(5)
    desk.see("anna", seen)
    out = io.BytesIO()
    pattern(5).transpose(0).save(out, "JPEG", quality=50)
    data = out.getvalue()
    again = desk.care.keep(data, 9, "m9", look(data), by="platform")
    standing = desk.care.standing("anna", again.number)
    assert standing.needs == ("same",)
    assert standing.same is not None
    assert standing.same.number == seen


def a_case(number: int, priority: int) -> Case:
    return Case(
        id=number, state="open", priority=Priority(priority), due=NOW, opened=NOW, updated=NOW, version=1, origin="policy"
    )  # fmt: skip


def small(**more: object) -> Limits:
    shipped = load_limits()
    return structs.replace(shipped, day=structs.replace(shipped.day, items=2), **more)


def test_over_the_cap_nothing_is_shown_and_files_are_not_offered(
    casebook_database: Database, tmp_path: Path
) -> None:
    desk = Desk(casebook_database, tmp_path, small())
    numbers = [desk.put(n, case=n) for n in (1, 2, 3)]
    cases = [a_case(n, p) for n, p in ((1, 0), (2, 4), (50, 4))]
    assert desk.care.offer("anna")(cases) == cases
    for number in numbers[:2]:
        desk.see("anna", number)
    assert refused(desk, "anna", numbers[2], reason="still") == "over"
    assert [case.id for case in desk.care.offer("anna")(cases)] == [1, 50]
    assert desk.care.offer("ben")(cases) == cases
    assert desk.care.to_support() == ["anna"]
    desk.clock.on(days=1)
    assert desk.care.ruling("anna").looks


def test_who_works_alone_may_go_on_with_a_reason(casebook_database: Database, tmp_path: Path) -> None:
    desk = Desk(casebook_database, tmp_path, small(over="ask"))
    numbers = [desk.put(n) for n in (1, 2, 3)]
    for number in numbers[:2]:
        desk.see("anna", number)
    assert refused(desk, "anna", numbers[2]) == "reason"
    desk.see("anna", numbers[2], reason="nobody else is here")


def test_without_a_vault_or_with_one_that_is_down_the_file_is_noted_as_missing(desk: Desk) -> None:
    hashes = MediaHashes(sha256="ab" * 32, sha1="", md5="", size=3)
    care = Care(desk.database, None, desk.custody, clock=desk.clock)
    noted = care.keep(b"abc", 1, "m1", hashes, (CSAM,), by="platform")
    assert (noted.address, noted.problem) == ("", "no vault is set up")
    assert desk.care.standing("anna", noted.number).gone == "missing"
    assert refused(desk, "anna", noted.number, reason="why not") == "missing"

    desk.objects.rename(desk.objects.with_name("away"))
    desk.objects.write_text("a file stands where the store was")
    down = desk.care.keep(b"abc", 1, "m1", hashes, by="platform")
    assert down.number == noted.number
    assert down.address == ""
    desk.objects.unlink()
    desk.objects.with_name("away").rename(desk.objects)
    again = desk.care.keep(b"abc", 1, "m1", look(b"abc"), by="platform", name="late.bin")
    assert again.problem == ""


def test_a_withdrawn_file_is_not_shown(desk: Desk) -> None:
    number = desk.put(1)
    address = desk.care.standing("anna", number).exhibit.address
    Keeping(desk.vault, load_retention(), desk.signer).withdraw(address, by="anna", reason="asked")
    assert refused(desk, "anna", number) == "withdrawn"
    with pytest.raises(CasebookError, match="no file"):
        desk.care.standing("anna", 999)


def test_many_at_once_do_not_get_past_a_cap(casebook_database: Database, tmp_path: Path) -> None:
    desk = Desk(casebook_database, tmp_path, small())
    numbers = [desk.put(n) for n in range(8)]
    outcomes: list[bool] = []

    def try_one(number: int) -> None:
        try:
            desk.care.saw("anna", number, FIRST_STEP)
            outcomes.append(True)
        except NotNow:
            outcomes.append(False)

    threads = [threading.Thread(target=try_one, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 6 + [True] * 2


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["see", "begin", "end", "late", "wait"]), st.sampled_from(["anna", "ben"]),
        st.integers(0, 3), st.floats(0, 50),
    ),
    max_size=25,
)  # fmt: skip


@given(ACTS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ledger_and_custody_agree_whatever_is_done(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str, int, float]]
) -> None:
    database = Database(":memory:")
    try:
        desk = Desk(database, tmp_path_factory.mktemp("care"))
        numbers = [
            desk.care.keep(bytes([n]), 1, f"m{n}", MediaHashes(sha256=f"{n:064x}", sha1="", md5="", size=1), by="p").number
            for n in range(4)
        ]  # fmt: skip
        tokens: dict[str, str] = {}
        refusals: set[str] = set()
        for act, who, which, seconds in acts:
            desk.clock.on(seconds=seconds)
            try:
                if act == "see":
                    desk.care.saw(who, numbers[which], FIRST_STEP, "why")
                elif act == "begin":
                    tokens[who] = desk.care.begin(who, numbers[which], "why").token
                elif act == "end":
                    desk.care.end(who, tokens.get(who, ""))
                elif act == "late":
                    desk.care.close_late()
            except NotNow as no:
                refusals.add(no.why)
        assert refusals <= {"rest", "over", "step"}
        desk.clock.on(minutes=5)
        desk.care.close_late()
        begun, over = desk.records("reveal-begun"), desk.records("revealed-media")
        assert sorted((r.by, r.facts["item"]) for r in begun) == sorted((r.by, r.facts["item"]) for r in over)
        assert all(1 <= r.facts["seconds"] <= desk.care.limits.reveal.most for r in over)
        for who in ("anna", "ben"):
            told = sum(int(r.facts["seconds"]) for r in over if r.by == who)
            assert desk.care.ruling(who).day.seconds == told
        assert desk.care.team()[0].seconds == sum(int(r.facts["seconds"]) for r in over)
    finally:
        database.close()


def test_files_go_with_their_events_when_cases_are_merged_and_split(desk: Desk) -> None:
    book = Casebook(desk.database, clock=desk.clock)
    first, second = put(book, "m1", "a", "k"), put(book, "m2", "b", "l")
    assert first != second
    one, two = desk.put(1, case=first, event="m1"), desk.put(2, case=second, event="m2")
    supplied = desk.care.keep(b"x", second, "", look(b"x"), by="platform").number
    book.merge(first, second, "anna", "same matter")

    def files(case: int) -> list[int]:
        return [standing.exhibit.number for standing in desk.care.of_case("anna", case)[1]]

    assert files(first) == [one, two, supplied]
    assert files(second) == []
    _, new = book.split(first, ["m2"], "anna", "apart")
    assert files(new.id) == [two]
    assert files(first) == [one, supplied]
    assert desk.care.standing("anna", two).exhibit.case == new.id


def test_the_next_case_is_the_first_that_is_offered(casebook_database: Database, tmp_path: Path) -> None:
    desk = Desk(casebook_database, tmp_path, small())
    book = Casebook(desk.database, clock=desk.clock)
    cases = [put(book, f"m{n}", f"a{n}", f"k{n}") for n in range(56)]
    for n, case in enumerate(cases[:54]):
        hashes = MediaHashes(sha256=f"{n:064x}", sha1="", md5="", size=1)
        desk.care.missing(case, f"m{n}", hashes, by="p", problem="")
    assert book.take_next("ben", desk.care.offer("ben")).id == cases[0]  # type: ignore[union-attr]
    for seed in (1, 2):
        desk.see("anna", desk.put(seed, case=cases[1], event=f"x{seed}"))
    taken = [book.take_next("anna", desk.care.offer("anna")) for _ in range(3)]
    assert [case and case.id for case in taken] == [cases[54], cases[55], None]
    assert book.take_next("ben").id == cases[1]  # type: ignore[union-attr]
