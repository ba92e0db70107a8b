"""Signing in: who is let in, who is not, what an answer tells, and how long a session lives."""

import pyotp
import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from people_cases import ADDRESS, PHRASE, QUICK, PlainKeys, Rig
from underwing.casebook.database import Database
from underwing.casebook.keys import KeyRefused
from underwing.casebook.people import Identity, Member, PeopleError, Refused, Session, Span, totp
from underwing.casebook.people.hashing import Hasher
from underwing.casebook.people.sessions import MOST, UNFINISHED_SECONDS
from underwing.casebook.people.tables import INVITATIONS, MEMBERS, RECOVERY, SESSIONS


@pytest.fixture
def rig(casebook_database: Database) -> Rig:
    return Rig(casebook_database)


def test_an_invitation_leads_through_pass_phrase_and_second_factor(rig: Rig) -> None:
    people = rig.people
    anna, secret = people.add("Anna", "Anna W", "senior", "cli:test")
    assert anna.name == "anna"
    assert people.invited(secret) == anna
    assert people.sign_in("anna", "", "", ADDRESS) == Refused("wrong")
    with pytest.raises(PeopleError, match="at least 12"):
        people.join(secret, "short", ADDRESS)
    begun = people.join(secret, PHRASE, ADDRESS)
    assert isinstance(begun, Session)
    assert not begun.complete
    assert people.session(begun.token) is None
    assert people.unfinished(begun.token)[0] == anna  # type: ignore[index]
    assert people.join(secret, PHRASE, ADDRESS) == Refused("wrong")
    asked = people.begin_totp(anna)
    assert people.begin_totp(anna) == asked
    assert asked.uri.startswith("otpauth://totp/Underwing:anna?")
    assert people.enrol_totp(anna, "000000") is None
    done = people.enrol_totp(anna, pyotp.TOTP(asked.secret).at(rig.clock.now))
    assert done is not None
    session, codes = done
    assert people.session(session.token)[0] == anna  # type: ignore[index]
    assert people.unfinished(begun.token) is None
    assert len(set(codes)) == totp.RECOVERY_CODES
    assert [r.facts["what"] for r in rig.records("changed")] == [
        "account made", "join with an invitation", "second factor set up",
    ]  # fmt: skip


def test_an_invitation_runs_out(rig: Rig) -> None:
    _, secret = rig.people.add("anna", "Anna", "reviewer", "test")
    rig.clock.on(hours=72)
    assert rig.people.invited(secret) is None
    assert rig.people.join(secret, PHRASE, ADDRESS) == Refused("wrong")


def test_without_a_second_factor_nothing_but_setting_it_up(rig: Rig) -> None:
    rig.add("anna")
    made = rig.people.sign_in("ANNA ", PHRASE, "", ADDRESS)
    assert isinstance(made, Session)
    assert rig.people.session(made.token) is None
    rig.clock.on(seconds=UNFINISHED_SECONDS)
    assert rig.people.unfinished(made.token) is None


def test_a_code_is_good_once(rig: Rig) -> None:
    anna, _ = rig.enrolled("anna")
    code = rig.code(anna)
    assert isinstance(rig.people.sign_in("anna", PHRASE, code, ADDRESS), Session)
    assert rig.people.sign_in("anna", PHRASE, code, ADDRESS) == Refused("wrong")
    before = rig.code(anna, -1)
    assert rig.people.sign_in("anna", PHRASE, before, ADDRESS) == Refused("wrong")
    assert isinstance(rig.people.sign_in("anna", PHRASE, rig.code(anna, 1), ADDRESS), Session)


def test_the_code_of_enrolment_is_used_up(rig: Rig) -> None:
    anna = rig.add("anna")
    rig.secrets[anna.id] = rig.people.begin_totp(anna).secret
    code = rig.code(anna)
    assert rig.people.enrol_totp(anna, code)
    assert rig.people.sign_in("anna", PHRASE, code, ADDRESS) == Refused("wrong")


SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(-3, 3)), max_size=40))
def test_no_code_is_taken_twice_and_none_from_afar(tries: list[tuple[int, int]]) -> None:
    made, now, last, used = pyotp.TOTP(SECRET), 1_000_000_000, 0, set()
    for seconds, offset in tries:
        now += seconds
        code = made.at(now, counter_offset=offset)
        step = totp.step_of(SECRET, code, now, last)
        if step is None:
            continue
        assert abs(step - now // totp.STEP) <= 1
        assert step not in used
        assert step > last
        assert made.at(step * totp.STEP) == code
        used.add(step)
        last = step


@given(st.text(max_size=12))
def test_what_is_no_code_is_none(typed: str) -> None:
    step = totp.step_of(SECRET, typed, 1_000_000_000, 0)
    assert step is None or pyotp.TOTP(SECRET).at(step * totp.STEP) == typed.replace(" ", "")


def test_recovery_codes_are_good_once_and_only_for_their_owner(rig: Rig) -> None:
    anna, codes = rig.enrolled("anna")
    _, others = rig.enrolled("ben")
    spelt = codes[0].lower().replace("-", " ")
    assert isinstance(rig.people.sign_in("anna", PHRASE, spelt, ADDRESS), Session)
    assert rig.people.sign_in("anna", PHRASE, codes[0], ADDRESS) == Refused("wrong")
    assert rig.people.sign_in("anna", PHRASE, others[0], ADDRESS) == Refused("wrong")
    assert rig.people.recovery_left(anna) == totp.RECOVERY_CODES - 1
    fresh = rig.people.new_recovery(anna, PHRASE, ADDRESS)
    assert isinstance(fresh, list)
    assert rig.people.sign_in("anna", PHRASE, codes[1], ADDRESS) == Refused("wrong")
    assert isinstance(rig.people.sign_in("anna", PHRASE, fresh[1], ADDRESS), Session)


@pytest.mark.parametrize("wrong", ["name", "phrase", "code", "closed", "no phrase"])
def test_all_refusals_are_one(rig: Rig, wrong: str) -> None:
    anna, _ = rig.enrolled("anna")
    rig.people.add("carl", "Carl", "reviewer", "test")
    name, phrase, code = "anna", PHRASE, rig.code(anna)
    if wrong == "name":
        name = "nobody-here"
    elif wrong == "phrase":
        phrase = "seven calm otters sleeping"
    elif wrong == "code":
        code = "123456" if code != "123456" else "654321"
    elif wrong == "closed":
        rig.people.revoke(anna.id, "test")
    else:
        name = "carl"
    assert rig.people.sign_in(name, phrase, code, ADDRESS) == Refused("wrong")
    record = rig.records()[-1]
    assert record.kind == "sign-in-refused"
    assert "nobody-here" not in str(record), "people type pass-phrases where the name belongs"


class _Counting(Hasher):
    checked = 0

    def good(self, hash: str, phrase: str) -> bool:
        self.checked += 1
        return super().good(hash, phrase)


def test_every_refusal_costs_one_hash() -> None:
    rig = Rig()
    rig.enrolled("anna")
    counting = _Counting(QUICK)
    rig.people._hasher = counting
    for count, (name, phrase) in enumerate([("anna", "x"), ("nobody", "x"), ("anna", PHRASE)], 1):
        assert rig.people.sign_in(name, phrase, "", ADDRESS) == Refused("wrong")
        assert counting.checked == count


def test_a_hash_of_other_parameters_is_made_anew(rig: Rig) -> None:
    anna, _ = rig.enrolled("anna")
    before = rig.people._members.row(anna.id).password
    better = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    rig.people._hasher = Hasher(better)
    rig.sign_in(anna)
    after = rig.people._members.row(anna.id).password
    assert before.startswith("$argon2id$")
    assert better.check_needs_rehash(before)
    assert not better.check_needs_rehash(after)
    rig.sign_in(anna)


def test_the_shipped_parameters_are_those_of_rfc_9106() -> None:
    hash = Hasher().make("seven calm otters rowing")
    assert hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_nothing_secret_lies_plain(rig: Rig) -> None:
    anna, codes = rig.enrolled("anna")
    session = rig.sign_in(anna)
    _, secret = rig.people.add("ben", "Ben", "reviewer", "test")
    kept = "".join(
        repr(tuple(row))
        for t in (MEMBERS, RECOVERY, INVITATIONS, SESSIONS)
        for row in rig.database.rows(select(t))
    )
    for hidden in (PHRASE, session.token, secret, rig.secrets[anna.id], *codes, codes[0].replace("-", "")):
        assert hidden not in kept


def test_a_sealed_secret_is_for_one_member(rig: Rig) -> None:
    anna, _ = rig.enrolled("anna")
    ben, _ = rig.enrolled("ben")
    rig.people._members.set(anna.id, totp=rig.people._members.row(ben.id).totp)
    with pytest.raises(KeyRefused):
        rig.people.sign_in("anna", PHRASE, rig.code(ben), ADDRESS)


def test_the_key_can_be_changed(rig: Rig) -> None:
    anna, _ = rig.enrolled("anna")
    rig.people.begin_totp(rig.add("ben"))
    assert rig.people.rewrap(PlainKeys()) == 2
    rig.sign_in(anna)


# -- sessions -------------------------------------------------------------------------------------------


def test_each_sign_in_has_a_session_of_its_own(rig: Rig) -> None:
    anna, _ = rig.enrolled("anna")
    first, second = rig.sign_in(anna), rig.sign_in(anna)
    assert first.token != second.token
    assert {s.id for s in rig.people.sessions(anna)} == {first.id, second.id}
    rig.people.sign_out(first.token)
    assert rig.people.session(first.token) is None
    assert rig.people.session(second.token)
    assert rig.people.end_session(anna, second.id)
    assert not rig.people.end_session(anna, second.id)
    assert rig.people.session(second.token) is None


def test_what_a_page_asks_by_itself_keeps_no_session_alive(rig: Rig) -> None:
    anna, _ = rig.enrolled("anna")
    session = rig.sign_in(anna)
    for _ in range(29):
        rig.clock.on(minutes=1)
        assert rig.people.session(session.token, touch=False)
    rig.clock.on(minutes=1)
    assert rig.people.session(session.token) is None


def test_sessions_of_one_member_are_bounded(rig: Rig) -> None:
    anna, _ = rig.enrolled("anna")
    made = [rig.sign_in(anna) for _ in range(MOST + 2)]
    assert [bool(rig.people.session(s.token)) for s in made] == [False, False] + [True] * MOST


@settings(max_examples=40)
@given(st.integers(60, 3_600), st.integers(60, 20_000), st.lists(st.integers(0, 4_000), max_size=30))
def test_a_session_ends_when_idle_or_old(idle: int, most: int, pauses: list[int]) -> None:
    rig = Rig(span=Span(idle=idle, most=most))
    anna, _ = rig.enrolled("anna")
    session = rig.sign_in(anna)
    began = seen = rig.clock.now
    for pause in pauses:
        rig.clock.on(seconds=pause)
        now, found = rig.clock.now, rig.people.session(session.token)
        if now >= began + most or now >= seen + idle:
            assert found is None
            break
        if now < seen + idle - 30:  # what is noted of the last request may be 30 s old
            assert found is not None
        seen = now if found else seen
        if not found:
            break
    rig.database.close()


@pytest.mark.parametrize("act", ["pass-phrase", "role", "closed", "reset", "ended", "second factor"])
def test_what_ends_all_sessions(rig: Rig, act: str) -> None:
    boss = rig.add("boss", "administrator")
    anna, _ = rig.enrolled("anna")
    session, new = rig.sign_in(anna), None
    if act == "pass-phrase":
        new = rig.people.set_password(anna, PHRASE, "eight loud otters sleeping", ADDRESS)
    elif act == "role":
        rig.people.change(anna.id, boss.id, role="auditor")
    elif act == "closed":
        rig.people.revoke(anna.id, boss.id)
    elif act == "reset":
        rig.people.reset(anna.id, boss.id)
    elif act == "ended":
        assert rig.people.end_sessions(anna.id, boss.id) == 1
    else:
        asked = rig.people.renew_totp(anna, PHRASE, ADDRESS)
        assert not isinstance(asked, Refused)
        done = rig.people.enrol_totp(anna, pyotp.TOTP(asked.secret).at(rig.clock.now))
        new = done[0] if done else None
    assert rig.people.session(session.token) is None
    if act in ("pass-phrase", "second factor"):
        assert isinstance(new, Session)
        assert rig.people.session(new.token)


def test_the_role_of_a_session_is_the_one_of_now(rig: Rig) -> None:
    anna, _ = rig.enrolled("anna")
    session = rig.sign_in(anna)
    rig.people.change(anna.id, "test", shown="Anna Maria")
    found = rig.people.session(session.token)
    assert found
    assert found[0].shown == "Anna Maria"


# -- own account ----------------------------------------------------------------------------------------


def test_a_change_of_the_pass_phrase_wants_the_old_one(rig: Rig) -> None:
    anna, _ = rig.enrolled("anna")
    new = "eight loud otters sleeping"
    assert rig.people.set_password(anna, "not it at all, no", new, ADDRESS) == Refused("wrong")
    with pytest.raises(PeopleError, match="the old one"):
        rig.people.set_password(anna, PHRASE, PHRASE, ADDRESS)
    with pytest.raises(PeopleError, match="a name"):
        rig.people.set_password(anna, PHRASE, "Underwing Anna 1", ADDRESS)
    assert isinstance(rig.people.set_password(anna, PHRASE, new, ADDRESS), Session)
    rig.clock.on(minutes=1)
    assert rig.people.sign_in("anna", PHRASE, rig.code(anna), ADDRESS) == Refused("wrong")
    assert isinstance(rig.people.sign_in("anna", new, rig.code(anna), ADDRESS), Session)


def test_a_reset_begins_again(rig: Rig) -> None:
    anna, codes = rig.enrolled("anna")
    for _ in range(5):
        rig.people.sign_in("anna", "wrong wrong wrong", "", ADDRESS)
    secret = rig.people.reset(anna.id, "test")
    assert rig.people.sign_in("anna", PHRASE, codes[0], ADDRESS) == Refused("wrong")
    begun = rig.people.join(secret, PHRASE, ADDRESS)
    assert isinstance(begun, Session)
    assert not begun.complete
    assert rig.people.begin_totp(anna).secret != rig.secrets[anna.id]


def test_languages(rig: Rig) -> None:
    anna = rig.add("anna")
    rig.people.set_language(anna, "de")
    assert rig.people.member(anna.id).language == "de"  # type: ignore[union-attr]
    with pytest.raises(PeopleError, match="language"):
        rig.people.set_language(anna, "../../etc")


# -- administration -------------------------------------------------------------------------------------


def test_names_are_checked_and_taken_once(rig: Rig) -> None:
    rig.add("anna")
    for name, said in (("ANNA", "already"), ("an na", "letters"), ("", "letters"), ("a" * 65, "letters")):
        with pytest.raises(PeopleError, match=said):
            rig.people.add(name, "X", "reviewer", "test")
    with pytest.raises(PeopleError, match="printable"):
        rig.people.add("ben", "Ben\u202e", "reviewer", "test")
    with pytest.raises(PeopleError, match="no role"):
        rig.people.add("ben", "Ben", "king", "test")  # type: ignore[arg-type]
    assert [m.name for m in rig.people.members()] == ["anna"]


def test_the_last_administrator_stays(rig: Rig) -> None:
    boss, other = rig.add("boss", "administrator"), rig.add("anna")
    for change in ({"role": "reviewer"}, {"active": False}):
        with pytest.raises(PeopleError, match="last administrator"):
            rig.people.change(boss.id, "test", **change)  # type: ignore[arg-type]
    rig.people.change(other.id, "test", role="administrator")
    assert not rig.people.revoke(boss.id, "test").active
    with pytest.raises(PeopleError, match="last administrator"):
        rig.people.revoke(other.id, "test")
    with pytest.raises(PeopleError, match="is closed"):
        rig.people.reset(boss.id, "test")
    assert rig.people.change(boss.id, "test", active=True).active


def test_what_administration_sees(rig: Rig) -> None:
    anna, _ = rig.enrolled("anna")
    rig.sign_in(anna)
    rig.people.add("ben", "Ben", "auditor", "test")
    one, two = rig.people.standings()
    assert (one.has_password, one.has_totp, one.recovery_left, one.sessions) == (True, True, 10, 1)
    assert (two.has_password, two.has_totp, two.sessions) == (False, False, 0)
    assert two.invited_until > rig.clock.now


def test_an_act_and_its_record_stand_or_fall_together(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = rig.add("anna")

    def fails(*_: object, **__: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(rig.custody, "append", fails)
    with pytest.raises(OSError, match="no space"):
        rig.people.change(anna.id, "test", role="senior")
    assert rig.people.member(anna.id).role == "reviewer"  # type: ignore[union-attr]


# -- identity providers ---------------------------------------------------------------------------------


def test_an_identity_needs_an_account_or_leave_to_make_one(rig: Rig) -> None:
    who = Identity(subject="https://id.example 7", name="Ida", shown="Ida", role="reviewer")
    assert rig.people.sign_in_as(who, ADDRESS) == Refused("wrong")
    linked, secret = rig.people.add("ida", "Ida", "reviewer", "test", subject=who.subject)
    assert secret == ""
    made = rig.people.sign_in_as(who, ADDRESS)
    assert isinstance(made, Session)
    assert made.complete
    assert made.member == linked.id
    new = Identity(subject="https://id.example 8", name="Jo", shown="Jo", role="auditor", create=True)
    made = rig.people.sign_in_as(new, ADDRESS)
    assert isinstance(made, Session)
    assert _role(rig, made) == "auditor"


def test_an_identity_that_would_take_another_name_is_refused(rig: Rig) -> None:
    rig.add("ida")
    who = Identity(subject="https://id.example 7", name="IDA", shown="Ida", role="reviewer", create=True)
    with pytest.raises(PeopleError, match="already"):
        rig.people.sign_in_as(who, ADDRESS)


def test_the_role_follows_the_provider(rig: Rig) -> None:
    who = Identity(subject="https://id.example 7", name="ida", shown="Ida", role="reviewer", create=True)
    first = rig.people.sign_in_as(who, ADDRESS)
    assert isinstance(first, Session)
    higher = Identity(subject=who.subject, name="ida", shown="Ida", role="senior")
    second = rig.people.sign_in_as(higher, ADDRESS)
    assert isinstance(second, Session)
    assert _role(rig, second) == "senior"
    assert rig.people.session(first.token) is None
    rig.people.revoke(second.member, "test")
    assert rig.people.sign_in_as(who, ADDRESS) == Refused("wrong")


def test_one_subject_is_one_member(rig: Rig) -> None:
    anna, ben = rig.add("anna"), rig.add("ben")
    rig.people.change(anna.id, "test", subject="https://id.example 7")
    with pytest.raises(PeopleError, match="already linked"):
        rig.people.change(ben.id, "test", subject="https://id.example 7")
    rig.people.change(anna.id, "test", subject="")
    rig.people.change(ben.id, "test", subject="https://id.example 7")


def _role(rig: Rig, session: Session) -> str:
    found = rig.people.session(session.token)
    assert found is not None
    member: Member = found[0]
    return member.role
