"""How often one may try: free tries, doubling waits, an end for accounts, and a table that stays small."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import func, select

from people_cases import ADDRESS, PHRASE, Rig
from underwing.casebook.database import Database
from underwing.casebook.people import Refused, Session
from underwing.casebook.people.entrance import STRANGERS_AN_HOUR
from underwing.casebook.people.tables import ATTEMPTS
from underwing.casebook.people.throttle import (
    ACCOUNT,
    STOPPED,
    Rule,
    Throttle,
    address_key,
    wait,
)
from underwing.casebook.people.throttle import (
    ADDRESS as BY_ADDRESS,
)


@given(st.integers(0, 200), st.integers(0, 10**9), st.integers(0, 10**6))
def test_waits_grow_and_end(failures: int, last: int, passed: int) -> None:
    now = last + passed
    for rule_ in (ACCOUNT, BY_ADDRESS):
        pause = wait(rule_, failures, last, now)
        assert 0 <= pause <= max(rule_.most, STOPPED if rule_.stop else 0)
        if failures < rule_.free:
            assert pause == 0
        if not rule_.stop or failures < rule_.stop:
            assert wait(rule_, failures, last, last + rule_.most) == 0
            assert pause <= wait(rule_, failures + 1, last, now)


def test_the_nist_bound_holds() -> None:
    """At most 100 wrong tries in a row (SP 800-63B-4, 3.2.2), however patient somebody is."""
    failures = now = last = 0
    while wait(ACCOUNT, failures, last, now) != STOPPED:
        now += wait(ACCOUNT, failures, last, now)
        failures, last = failures + 1, now
    assert failures == 100
    assert now > 20 * 3_600, "and they take the better part of a day"
    assert wait(ACCOUNT, failures, last, last + 10**9) == STOPPED


def test_an_account_waits_whether_it_exists_or_not(casebook_database: Database) -> None:
    rig = Rig(casebook_database)
    anna, _ = rig.enrolled("anna")
    for name in ("anna", "nobody"):
        for _ in range(ACCOUNT.free):
            assert rig.people.sign_in(name, "wrong wrong wrong", "", f"192.0.2.{len(name)}") == Refused(
                "wrong"
            )
        assert rig.people.sign_in(name, "wrong wrong wrong", "", ADDRESS) == Refused("wait", 30)
    good = rig.code(anna)
    assert rig.people.sign_in("anna", PHRASE, good, ADDRESS) == Refused("wait", 30), "the right one as well"
    rig.clock.on(seconds=29)
    assert rig.people.sign_in("anna", PHRASE, rig.code(anna), ADDRESS) == Refused("wait", 1)
    rig.clock.on(seconds=1)
    assert isinstance(rig.people.sign_in("anna", PHRASE, rig.code(anna), ADDRESS), Session)
    for _ in range(ACCOUNT.free):
        assert rig.people.sign_in("anna", "wrong wrong wrong", "", ADDRESS) == Refused("wrong"), (
            "counted anew"
        )


def test_an_address_waits_over_many_accounts(casebook_database: Database) -> None:
    rig = Rig(casebook_database)
    anna, _ = rig.enrolled("anna")
    for number in range(BY_ADDRESS.free):
        assert rig.people.sign_in(f"n{number}", "wrong wrong wrong", "", ADDRESS) == Refused("wrong")
    assert rig.people.sign_in("anna", PHRASE, rig.code(anna), ADDRESS) == Refused("wait", 30)
    assert isinstance(rig.people.sign_in("anna", PHRASE, rig.code(anna), "198.51.100.1"), Session)
    rig.clock.on(seconds=BY_ADDRESS.forget)
    assert isinstance(rig.people.sign_in("anna", PHRASE, rig.code(anna), ADDRESS), Session)


def test_own_sign_ins_do_not_wash_an_address_clean() -> None:
    rig = Rig()
    anna, _ = rig.enrolled("anna")
    for number in range(BY_ADDRESS.free - 1):
        rig.people.sign_in(f"n{number}", "wrong wrong wrong", "", ADDRESS)
    rig.sign_in(anna)
    rig.people.sign_in("n", "wrong wrong wrong", "", ADDRESS)
    assert rig.people.sign_in("m", "wrong wrong wrong", "", ADDRESS) == Refused("wait", 30)


def test_strangers_with_many_addresses_do_not_fill_the_log() -> None:
    rig = Rig()
    rig.add("anna")
    for number in range(STRANGERS_AN_HOUR + 20):
        rig.people.sign_in(f"n{number}", "wrong wrong wrong", "", f"10.0.0.{number}")
    assert len(rig.records("sign-in-refused")) == STRANGERS_AN_HOUR
    rig.people.sign_in("anna", "wrong wrong wrong", "", ADDRESS)
    assert len(rig.records("sign-in-refused")) == STRANGERS_AN_HOUR + 1
    rig.clock.on(hours=1)
    rig.people.sign_in("n", "wrong wrong wrong", "", "10.0.1.1")
    assert len(rig.records("sign-in-refused")) == STRANGERS_AN_HOUR + 2


def test_addresses_of_one_customer_are_one() -> None:
    assert address_key("2001:db8:0:1::5") == address_key("2001:db8:0:1:ffff::1")
    assert address_key("2001:db8:0:1::5") != address_key("2001:db8:0:2::5")
    assert address_key("192.0.2.1") != address_key("192.0.2.2")
    assert address_key("no address") == address_key("no address")


def test_the_table_stays_small_and_keeps_the_worst() -> None:
    rig = Rig()
    throttle = Throttle(rig.database, capacity=50)
    for _ in range(ACCOUNT.free):
        throttle.take("target", "192.0.2.200", 1_000)
    for number in range(400):
        assert throttle.take(f"n{number}", f"10.0.{number // 250}.{number % 250}", 1_001) == 0
        count = rig.database.value(select(func.count()).select_from(ATTEMPTS))
        assert count <= 51
    assert throttle.take("target", "192.0.2.201", 1_002) > 0


class Guessing(RuleBasedStateMachine):
    """One account and one address against a model: what counts, what waits, what a success ends."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.throttle = Throttle(self.rig.database)
        self.now, self.counts, self.last = 10_000, {}, {}  # type: ignore[var-annotated]

    def _pause(self, key: str, rule_: Rule) -> int:
        return wait(rule_, self.counts.get(key, 0), self.last.get(key, 0), self.now)

    @rule(name=st.sampled_from("ab"), address=st.sampled_from(["1.1.1.1", "2.2.2.2"]))
    def tries(self, name: str, address: str) -> None:
        expected = max(self._pause(name, ACCOUNT), self._pause(address, BY_ADDRESS))
        assert self.throttle.take(name, address, self.now) == expected
        if not expected:
            for key, rule_ in ((name, ACCOUNT), (address, BY_ADDRESS)):
                old = rule_.forget and self.now - self.last.get(key, 0) >= rule_.forget
                self.counts[key] = 1 if old else self.counts.get(key, 0) + 1
                self.last[key] = self.now

    @precondition(lambda self: self.counts)
    @rule(name=st.sampled_from("ab"), address=st.sampled_from(["1.1.1.1", "2.2.2.2"]))
    def succeeds(self, name: str, address: str) -> None:
        self.throttle.good(name, address)
        self.counts.pop(name, None)
        if self.counts.get(address, 0) > 0:
            self.counts[address] -= 1

    @rule(seconds=st.sampled_from([1, 15, 30, 60, 900, 3_600]))
    def waits(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def small(self) -> None:
        assert len(self.rig.database.rows(select(ATTEMPTS))) <= 4

    def teardown(self) -> None:
        self.rig.database.close()


TestGuessing = Guessing.TestCase
TestGuessing.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
