"""Ten reviewers at once on one queue, over HTTP: no case is taken twice, no decision is lost."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from console_cases import Console
from underwing.casebook.people import Member

CASES, REVIEWERS = 60, 10


def work(service: Console, member: Member, seed: int) -> list[tuple[int, str]]:
    """Take, sometimes give back, close until nothing waits; what this member was told is closed, with its reason."""
    chance, done = random.Random(seed), list[tuple[int, str]]()
    with service.browser(member) as client:
        while True:
            answer = client.send_form("/console/queue/next")
            assert answer.status_code == 303, answer.text
            if "did=queue.empty" in answer.headers["location"]:
                return done
            number = int(answer.headers["location"].split("/")[3].partition("?")[0])
            case = service.book.case(number)
            assert case
            assert case.holder == member.id
            if chance.random() < 0.2:
                assert client.act(case, "release").status_code == 303
                continue
            reason = f"{member.id} decided {number}"
            answer = client.act(
                case, "close", outcome=chance.choice(["harm", "duplicate", "unclear"]), reason=reason
            )
            assert answer.status_code == 303, answer.text
            done.append((number, reason))


def grab(service: Console, member: Member, number: int) -> int:
    """Take one certain case; the answer's status."""
    case = service.book.case(number)
    assert case
    with service.browser(member) as client:
        return client.act(case, "take").status_code


def test_ten_reviewers_on_one_queue(filled_on_both: Console) -> None:
    filled = filled_on_both
    for number in range(CASES - 2):
        filled.book.open("x", "why", target=f"t{number}")
    members = [
        Member(id=f"r{n}", name=f"r{n}", shown=f"R{n}", role="reviewer" if n % 2 else "senior")
        for n in range(REVIEWERS)
    ]
    with ThreadPoolExecutor(REVIEWERS) as pool:
        told = [one for part in pool.map(lambda m: work(filled, m, int(m.id[1:])), members) for one in part]
    assert len(told) == len({number for number, _ in told}) == CASES
    for number, reason in told:
        case = filled.book.case(number)
        assert case
        assert (case.state, case.reason) == ("closed", reason)
        held: str | None = None
        for act in filled.book.history(number):
            if act.what == "took":
                assert held is None, "taken while another held it"
                held = act.who
            elif act.what in ("released", "closed"):
                assert held == act.who
                held = None
    counted = Counter(what for _, what, _ in filled.records())
    assert counted["close"] == CASES
    assert counted["take"] == CASES + counted["release"]


def test_one_case_goes_to_one_of_ten(filled_on_both: Console) -> None:
    filled = filled_on_both
    members = [Member(id=f"r{n}", name=f"r{n}", shown=f"R{n}", role="senior") for n in range(REVIEWERS)]
    with ThreadPoolExecutor(REVIEWERS) as pool:
        statuses = Counter(pool.map(lambda m: grab(filled, m, 1), members))
    assert statuses[303] == 1
    assert set(statuses) <= {303, 409}
    assert [act.what for act in filled.book.history(1)].count("took") == 1
