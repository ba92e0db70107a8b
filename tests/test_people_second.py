"""The second person: who may be it, for what, how long; and that an act and its confirmation are one."""

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from people_cases import Rig
from underwing.casebook.database import CasebookError, Database
from underwing.casebook.people import May, Member, Request, SecondError, load_rules, may

HOUR = 3_600


@pytest.fixture
def rig(casebook_database: Database) -> Rig:
    return Rig(casebook_database)


@pytest.mark.parametrize(
    ("what", "facts", "needed"),
    [
        ("close", {"priority": "imminent", "outcome": "no_harm"}, True),
        ("close", {"priority": "extortion", "outcome": "no_harm"}, True),
        ("close", {"priority": "early", "outcome": "no_harm"}, False),
        ("close", {"priority": "imminent", "outcome": "confirmed"}, False),
        ("close", {"outcome": "no_harm"}, True),
        ("export", {}, True),
        ("give_role", {"role": "senior"}, True),
        ("give_role", {"role": "administrator"}, True),
        ("give_role", {"role": "reviewer"}, False),  # as long as nobody could be the second person
        ("give_role", {"role": "auditor"}, False),
        ("reset", {"role": "senior"}, True),
        ("reset", {"role": "reviewer"}, False),
        ("change_policy", {}, True),
        ("take", {}, False),
    ],
)
def test_what_takes_two(rig: Rig, what: str, facts: dict[str, str], needed: bool) -> None:
    assert rig.second.needs(what, facts) is needed


def test_the_one_who_asked_cannot_confirm(rig: Rig) -> None:
    asker, other = rig.add("sara", "senior"), rig.add("theo", "senior")
    id = rig.second.ask("close", "case:7", asker.id, "nothing in it", {"outcome": "no_harm"})
    with pytest.raises(SecondError, match="another person"):
        rig.second.confirm(id, asker.id)
    done = rig.second.confirm(id, other.id)
    assert (done.state, done.decided_by, done.body) == ("confirmed", other.id, {"outcome": "no_harm"})
    with pytest.raises(SecondError, match="no longer waits: it is confirmed"):
        rig.second.confirm(id, other.id)
    assert [(r.kind, r.by, r.case) for r in rig.records() if r.kind in ("asked", "confirmed")] == [
        ("asked", asker.id, "7"), ("confirmed", other.id, "7"),
    ]  # fmt: skip


@pytest.mark.parametrize("role", ["reviewer", "author", "administrator", "auditor"])
def test_only_who_may_confirm_confirms(rig: Rig, role: str) -> None:
    asker, _, third = rig.add("anna"), rig.add("sara", "senior"), rig.add("theo", role)  # type: ignore[arg-type]
    id = rig.second.ask("export", "case:7", asker.id, "the police asked", {})
    for act in (rig.second.confirm, rig.second.decline):
        with pytest.raises(SecondError, match="may not confirm"):
            act(id, third.id)
    assert rig.second.pending()


def test_nobody_decides_about_themselves(rig: Rig) -> None:
    boss, sara = rig.add("boss", "administrator"), rig.add("sara", "senior")
    with pytest.raises(SecondError, match="nobody here could be it"):
        rig.second.ask("give_role", f"member:{sara.id}", boss.id, "she leads", {"role": "administrator"})
    theo = rig.add("theo", "senior")
    id = rig.second.ask("give_role", f"member:{sara.id}", boss.id, "she leads", {"role": "administrator"})
    with pytest.raises(SecondError, match="about yourself"):
        rig.second.confirm(id, sara.id)
    rig.second.confirm(id, theo.id)


def test_a_request_runs_out(rig: Rig) -> None:
    anna, sara = rig.add("anna"), rig.add("sara", "senior")
    id = rig.second.ask("close", "case:7", anna.id, "nothing in it", {})
    rig.clock.on(hours=24)
    assert rig.second.pending() == []
    assert rig.second.get(id).state == "expired"
    with pytest.raises(SecondError, match="expired"):
        rig.second.confirm(id, sara.id)
    assert rig.second.ask("close", "case:7", anna.id, "nothing in it", {}) != id


def test_of_one_act_about_one_thing_one_waits(rig: Rig) -> None:
    anna, sara, _ = rig.add("anna"), rig.add("sara", "senior"), rig.add("theo", "senior")
    id = rig.second.ask("close", "case:7", anna.id, "nothing in it", {})
    with pytest.raises(SecondError, match="already"):
        rig.second.ask("close", "case:7", sara.id, "me too", {})
    rig.second.ask("close", "case:8", anna.id, "nothing in it", {})
    assert [r.about for r in rig.second.pending()] == ["case:7", "case:8"]
    with pytest.raises(SecondError, match="only who asked"):
        rig.second.take_back(id, sara.id)
    assert rig.second.take_back(id, anna.id).state == "taken_back"
    assert [r.state for r in rig.second.recent()] == ["waiting", "taken_back"]


def test_bad_requests(rig: Rig) -> None:
    anna, sara = rig.add("anna"), rig.add("sara", "senior")
    for why, body, said in (
        ("  ", {}, "say why"),
        ("x" * 501, {}, "say why"),
        ("x", {"a": "x" * 300_000}, "too large"),
    ):
        with pytest.raises(SecondError, match=said):
            rig.second.ask("export", "case:7", anna.id, why, body)
    with pytest.raises(SecondError, match="no such request"):
        rig.second.confirm(99, sara.id)


def test_an_asker_who_left_asks_no_longer(rig: Rig) -> None:
    anna, sara = rig.add("anna"), rig.add("sara", "senior")
    id = rig.second.ask("export", "case:7", anna.id, "the police asked", {})
    rig.people.revoke(anna.id, "test")
    with pytest.raises(SecondError, match="no longer here"):
        rig.second.confirm(id, sara.id)
    assert rig.second.pending(), "it still waits: the refusal changed nothing"
    rig.second.decline(id, sara.id)


def test_carrying_out_and_confirming_are_one(rig: Rig) -> None:
    boss, sara = rig.add("boss", "administrator"), rig.add("sara", "senior")
    anna = rig.add("anna")

    def give(request: Request) -> None:
        rig.people.change(request.about.removeprefix("member:"), request.asked_by, role="senior")
        if request.body.get("fail"):
            raise CasebookError("it cannot be done now")

    rig.second.carry("give_role", give)
    bad = rig.second.ask("give_role", f"member:{anna.id}", boss.id, "she leads", {"fail": "yes"})
    before = len(rig.records())
    with pytest.raises(CasebookError, match="cannot be done"):
        rig.second.confirm(bad, sara.id)
    assert rig.people.member(anna.id).role == "reviewer"  # type: ignore[union-attr]
    assert len(rig.records()) == before
    rig.second.decline(bad, sara.id)
    asked = rig.second.act("give_role", f"member:{anna.id}", boss.id, "she leads", {}, {"role": "senior"})
    assert asked.state == "waiting"
    rig.second.confirm(asked.id, sara.id)
    assert rig.people.member(anna.id).role == "senior"  # type: ignore[union-attr]


def test_what_takes_one_is_done_at_once(rig: Rig) -> None:
    boss, done = rig.add("boss", "administrator"), []
    rig.second.carry("give_role", done.append)
    made = rig.second.act("give_role", "member:x", boss.id, "", {"role": "auditor"}, {"role": "auditor"})
    assert (made.state, made.id) == ("done", 0)
    assert done == [made]


def test_a_new_senior_is_nobody_until_two_agree(rig: Rig) -> None:
    boss = rig.add("boss", "administrator")
    plain, done = rig.people.take_on("anna", "Anna", "reviewer", boss.id, "")
    assert (plain.active, plain.role, done.state) == (True, "reviewer", "done")
    assert rig.people.invited(done.result) == plain
    sara = rig.add("sara", "senior")
    new, asked = rig.people.take_on("theo", "Theo", "senior", boss.id, "we need a second senior")
    assert (new.active, asked.state, asked.result) == (False, "waiting", "")
    confirmed = rig.second.confirm(asked.id, sara.id)
    senior = rig.people.member(new.id)
    assert senior
    assert (senior.active, senior.role) == (True, "senior")
    assert rig.people.invited(confirmed.result) == senior
    assert rig.second.get(asked.id).result == ""
    assert confirmed.result not in str(rig.records())


def test_an_administrator_alone_becomes_nobody_else(rig: Rig) -> None:
    boss, sara = rig.add("boss", "administrator"), rig.add("sara", "senior")
    with pytest.raises(SecondError, match="nobody here could be it"):
        rig.people.ask_reset(sara.id, boss.id, "she lost her phone")
    theo = rig.add("theo", "senior")
    asked = rig.people.ask_reset(sara.id, boss.id, "she lost her phone")
    assert asked.state == "waiting"
    with pytest.raises(SecondError, match="may not confirm"):
        rig.second.confirm(asked.id, boss.id)
    done = rig.second.confirm(asked.id, theo.id)
    assert rig.people.invited(done.result) == sara
    anna, uwe = rig.add("anna"), rig.add("uwe", "auditor")
    assert rig.people.ask_reset(anna.id, boss.id, "lost it").state == "waiting"
    assert rig.people.invited(rig.people.ask_reset(uwe.id, boss.id, "").result) == uwe
    assert rig.people.give_role(boss.id, "senior", boss.id, "I want to see").state == "waiting"


def test_an_administrator_cannot_make_a_reviewer_and_be_it(rig: Rig) -> None:
    boss, sara = rig.add("boss", "administrator"), rig.add("sara", "senior")
    new, asked = rig.people.take_on("rob", "Rob", "reviewer", boss.id, "a new colleague")
    assert (new.active, asked.state, asked.result) == (False, "waiting", "")
    done = rig.second.confirm(asked.id, sara.id)
    assert rig.people.invited(done.result) == rig.people.member(new.id), "shown to who confirmed"
    rig.people.revoke(new.id, boss.id)
    opened = rig.people.reopen(new.id, boss.id, "back from leave")
    assert opened is not None
    assert rig.people.member(new.id).active is False  # type: ignore[union-attr]
    rig.second.confirm(opened.id, sara.id)
    back = rig.people.member(new.id)
    assert (back.active, back.role) == (True, "reviewer")  # type: ignore[union-attr]
    rig.people.revoke(sara.id, boss.id)
    rig.people.revoke(new.id, boss.id)
    assert rig.people.reopen(new.id, boss.id, "") is None, "nobody else is there"


def test_an_operators_rules(tmp_path: Path) -> None:
    own = tmp_path / "second.toml"
    own.write_text("format = 1\n[act.export]\nneeds = false\n[act.close]\nneeds = true\nhours = 1\n")
    rules = load_rules(own)
    assert rules.of("export", {}) is None
    assert rules.of("close", {"priority": "early", "outcome": "confirmed"}).hours == 1  # type: ignore[union-attr]
    assert rules.of("change_policy", {})
    for text, said in (
        ("format = 2", "format 2"),
        ("format = 1\n[act.closse]\nneeds = true", "closse: no such act"),
        ("format = 1\n[act.close]\nneed = true", "need"),
        ("format = 1\n[act.close]\nneeds = true\nhours = 0", "hours"),
        ("format =", "second.toml"),
    ):
        own.write_text(text)
        with pytest.raises(CasebookError, match=said):
            load_rules(own)
    with pytest.raises(CasebookError, match="cannot be read"):
        load_rules(tmp_path / "none.toml")


class Two(RuleBasedStateMachine):
    """Members come, go and change their role; requests are made and decided. A model says what must come of it."""

    members = Bundle("members")
    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.carried: list[int] = []
        self.model: dict[int, Request] = {}
        self.rig.second.carry("export", lambda request: self.carried.append(request.id))
        self.rig.add("boss", "administrator")

    def _now(self, id: str) -> Member:
        found = self.rig.people.member(id)
        assert found is not None
        return found

    def _state(self, id: int) -> str:
        request = self.model[id]
        late = request.state == "waiting" and request.expires <= self.rig.clock.now
        return "expired" if late else request.state

    @rule(target=members, role=st.sampled_from(["reviewer", "senior", "senior", "auditor"]))
    def comes(self, role: str) -> str:
        return self.rig.add(f"n{len(self.rig.people.members())}", role).id  # type: ignore[arg-type]

    @rule(id=members, role=st.sampled_from(["reviewer", "senior"]), active=st.booleans())
    def changes(self, id: str, role: str, active: bool) -> None:
        self.rig.people.change(id, "test", role=role, active=active)  # type: ignore[arg-type]

    @rule(hours=st.sampled_from([1, 12, 24]))
    def time_passes(self, hours: int) -> None:
        self.rig.clock.on(hours=hours)

    @rule(target=requests, by=members, about=members, number=st.integers(1, 2), of_member=st.booleans())
    def asks(self, by: str, about: str, number: int, of_member: bool) -> int:
        subject = f"member:{about}" if of_member else f"case:{number}"
        could = self._now(by).active and any(
            may(m, May.confirm) and m.id != by and f"member:{m.id}" != subject
            for m in self.rig.people.members()
        )
        waits = any(r.about == subject and self._state(i) == "waiting" for i, r in self.model.items())
        try:
            id = self.rig.second.ask("export", subject, by, "because", {"n": str(number)})
        except SecondError:
            assert waits or not could
            return 0
        assert could
        assert not waits
        self.model[id] = self.rig.second.get(id)
        return id

    @rule(id=requests, by=members, act=st.sampled_from(["confirm", "decline"]))
    def decides(self, id: int, by: str, act: str) -> None:
        if id == 0:
            return
        request, member = self.model[id], self._now(by)
        allowed = (
            self._state(id) == "waiting"
            and may(member, May.confirm)
            and by != request.asked_by
            and request.about != f"member:{by}"
            and (act == "decline" or self._now(request.asked_by).active)
        )
        try:
            self.model[id] = getattr(self.rig.second, act)(id, by)
        except SecondError:
            assert not allowed
        else:
            assert allowed

    @rule(id=requests, by=members)
    def takes_back(self, id: int, by: str) -> None:
        if id == 0:
            return
        allowed = self._state(id) == "waiting" and self.model[id].asked_by == by
        try:
            self.model[id] = self.rig.second.take_back(id, by)
        except SecondError:
            assert not allowed
        else:
            assert allowed

    @invariant()
    def agrees(self) -> None:
        for id in self.model:
            assert self.rig.second.get(id).state == self._state(id)
        confirmed = sorted(i for i in self.model if self._state(i) == "confirmed")
        assert sorted(self.carried) == confirmed, "carried out once, and only what was confirmed"
        waiting = [i for i in self.model if self._state(i) == "waiting"]
        assert [r.id for r in self.rig.second.pending()] == sorted(waiting)

    def teardown(self) -> None:
        self.rig.database.close()


TestTwo = Two.TestCase
TestTwo.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
