"""How long appeals are kept: by region, the longest wins, a legal hold is respected; and what is forgotten then."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from casebook_cases import NOW, decision, put
from test_appeals import House
from underwing.casebook.appeals import Appeal, AppealError, Given, Keeper, statement
from underwing.casebook.appeals.appeals import DAY
from underwing.casebook.appeals.retention import kept_until
from underwing.casebook.appeals.tables import appeals as TABLE
from underwing.casebook.appeals.tables import follows, grants
from underwing.casebook.cases import Marks
from underwing.casebook.custody import Custody, Signer
from underwing.casebook.database import Database
from underwing.casebook.vault import Keeping, KeyFile, ObjectStore, Vault, load_retention

OWN = """
version = 1
[[rule]]
id = "ca-content"
region = "CA"
kind = "content"
years = 3
starts = "report"
says = "a test"
source = "a test"
checked = "2026-11-01"
confirmed = false
[[rule]]
id = "fr-appeal"
region = "FR"
kind = "appeal"
years = 2
starts = "report"
says = "a test"
source = "a test"
checked = "2026-11-01"
confirmed = false
"""


class Place(House):
    """Appeals beside a vault, with rules of an operator's own."""

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__(database)
        (folder / "own.toml").write_text(OWN)
        signer = Signer.made()
        moment: Callable[[], datetime] = lambda: datetime.fromtimestamp(self.clock.now, UTC)  # noqa: E731
        store, keys = ObjectStore.directory(folder / "objects"), KeyFile.make(folder / "k")
        custody = Custody(database, signer, moment)
        self.vault = Vault(database, store, keys, custody, clock=moment)
        self.keeping = Keeping(self.vault, load_retention(folder / "own.toml"), signer)
        self.database = database
        self.keeper = Keeper(
            database, self.book, self.keeping, lambda *record: self.log.append(record), clock=self.clock
        )

    def over(self, event: str = "m1", region: str = "GB", **more: str) -> str:
        """A decided appeal of which nothing is left to do, about a closed case."""
        self.closed(event, marks=Marks(region=region), **more)
        id = self.filed(event)
        self.decided(id, "upheld")
        self.told()
        return id

    def told(self) -> None:
        for follow in self.appeals.follows():
            self.appeals.done(follow)

    def after(self, days: float) -> int:
        """How many are forgotten so many days later."""
        self.clock.on(days=days)
        return self.keeper.sweep()

    def put(self, case: int) -> str:
        """Evidence of a case; its address."""
        return self.vault.put(io.BytesIO(b"pattern"), case=str(case), by="anna", regions=("GB",)).address


@pytest.fixture
def place(casebook_database: Database, tmp_path: Path) -> Place:
    return Place(casebook_database, tmp_path)


def test_what_is_over_is_forgotten_and_still_counted(place: Place) -> None:
    id, complaint = place.over(), place.filed("m1", kind="detection")
    place.decided(complaint, "upheld", who="cleo")
    place.told()
    before = place.appeals.figures(NOW, NOW + DAY)
    assert place.after(364) == 0
    assert place.appeals.get(id).text
    assert place.after(2) == 1
    assert place.keeper.sweep() == 0
    assert place.after(2 * 365) == 1  # a complaint has no case and no region: the longest of all
    for one in (id, complaint):
        with pytest.raises(AppealError):
            place.appeals.get(one)
    assert place.appeals.of_case(1) == place.appeals.queue(("upheld",)) == []
    assert place.appeals.figures(NOW, NOW + DAY) == before
    assert place.database.rows(select(grants)) == place.database.rows(select(follows)) == []
    for row in place.database.rows(select(TABLE)):
        assert (row.account, row.event, row.text, row.answer, row.reason) == ("",) * 5
        assert (row.statement, row.case_id, row.decided_by, row.holder) == (None, None, "", "")
    assert [record[3] for record in place.log if record[1] == "appeals.forgotten"] == [
        {"appeals": 1, "tokens": 0}, {"appeals": 0, "tokens": 1},
    ] * 2  # fmt: skip


def held(place: Place) -> None:
    place.put(1)
    place.keeping.hold(by="dora", reason="a court asks", case="1")


def held_in_part(place: Place) -> None:
    place.keeping.hold(by="dora", reason="a court asks", address=place.put(1))


def held_before_it_was_merged(place: Place) -> None:
    held(place)
    place.book.reopen(1, "anna", "merge")
    other = put(place.book, "m9", "z", "q")
    place.book.merge(other, 1, "anna", "same matter")
    place.book.close(other, "anna", "harm", "seen")


def reported_later(place: Place) -> None:
    address = place.put(1)
    place.clock.on(days=300)
    place.keeping.reported(address, by="dora", to="the authority")
    place.clock.on(days=-300)


def reopened(place: Place) -> None:
    place.book.reopen(1, "anna", "look again")


def still_to_be_told(place: Place) -> None:
    place.closed("m2", actor="b", target="q", marks=Marks(region="GB"))
    place.decided(place.filed("m2", account="b"), "upheld")


def with_a_good_token(place: Place) -> None:
    told = statement(decision("m1"), Given(), decided=NOW, person=True)
    _, grant = place.appeals.grant("a", event="m1", statement=told, days=400)
    place.decided(place.appeals.file(grant, "decision", "no").id, "upheld")
    place.told()


def not_decided(place: Place) -> None:
    place.filed()


@pytest.mark.parametrize(
    ("how", "lets_go"),
    [
        (held, 1), (held_in_part, 1), (held_before_it_was_merged, 1), (reported_later, 1), (reopened, 1),
        (still_to_be_told, 0), (with_a_good_token, 0), (not_decided, 0),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_what_somebody_still_needs_is_kept(place: Place, how: Callable[[Place], None], lets_go: int) -> None:
    """`lets_go` 1: it keeps the appeal that is there; 0: it makes another one, which is kept."""
    place.over()
    how(place)
    assert place.after(367) == 1 - lets_go
    kept = place.database.rows(select(TABLE).where(TABLE.c.account != ""))
    assert len(kept) == 1


def test_a_hold_that_is_released_lets_go(place: Place) -> None:
    place.over()
    place.put(1)
    hold = place.keeping.hold(by="dora", reason="a court asks", case="1")
    assert place.after(3_000) == 0
    place.keeping.release(hold.number, by="dora", reason="it is over")
    assert place.after(0) == 1


@pytest.mark.parametrize(("region", "years"), [("GB", 1), ("CA", 3), ("FR", 2), ("", 3), ("NZ", 1)])
def test_the_longest_rule_of_the_region_counts(place: Place, region: str, years: int) -> None:
    place.over(region=region)
    assert place.after(365 * years - 1) == 0
    assert place.after(3) == 1


def test_a_token_that_nobody_used_goes_when_it_runs_out(place: Place) -> None:
    put(place.book, "m1")
    place.appeals.grant("a", event="m1", days=10)
    _, used = place.appeals.grant("b", days=10)
    place.appeals.file(used, "detection", "no")
    place.after(9)
    assert len(place.database.rows(select(grants))) == 2
    place.after(2)
    assert [row.account for row in place.database.rows(select(grants))] == ["b"]
    assert place.log[-1][3] == {"appeals": 0, "tokens": 1}


def test_many_are_forgotten_in_parts(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("underwing.casebook.appeals.retention.BATCH", 2)
    ids = [place.over(f"m{n}", actor=f"a{n}", target=f"k{n}") for n in range(5)]
    place.keeping.hold(by="dora", reason="a court asks", address=place.put(2))
    assert place.after(400) == 4
    assert place.appeals.get(ids[1]).id == ids[1]


@given(
    regions=st.sets(st.sampled_from(["GB", "US", "CA", "FR", "NZ"])),
    waited=st.integers(0, 500),
    evidence=st.lists(st.none() | st.datetimes(datetime(2025, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))),
)  # fmt: skip
def test_nothing_shortens_what_is_kept(
    regions: set[str], waited: int, evidence: list[datetime | None]
) -> None:
    decided = NOW + waited * DAY
    appeal = Appeal(id="x", kind="decision", account="a", filed=NOW, due=NOW, state="upheld", decided=decided)
    rules, end = load_retention(), datetime.fromtimestamp(decided, UTC)
    until = kept_until(appeal, regions, rules, evidence)
    assert until is not None
    assert all(until >= one for one in evidence if one is not None)
    assert until >= end + timedelta(days=365)
    for region in regions:
        alone = kept_until(appeal, {region}, rules)
        assert alone is not None
        assert until >= alone
