"""The account page: what is known of one account, and the picture of whom it approached."""

from math import hypot

from hypothesis import given, settings
from hypothesis import strategies as st

from casebook_cases import decision, put
from conftest import adult, child, message
from underwing.casebook.cases import Casebook, Edge, Network, Node, Priority
from underwing.engine import Engine, Runner
from underwing.model import Account
from underwing.risk import Facts
from underwing.server.console.known import facts_of, look_up, pairs_of
from underwing.server.console.sphere import RADIUS, SIZE, sphere


def test_facts_come_with_where_they_are_from(engine: Engine) -> None:
    with Runner(engine, ":memory:") as runner:
        runner.process(
            [Account(id="k", declared_age=16, estimated_age=13, minor=True, country="DE"), adult("a")]
        )
        known = look_up(runner, "k")
        nobody = look_up(runner, "nobody")
    assert [(f.key, f.value, f.source) for f in known.facts] == [
        ("estimated_age", 13, "estimated"), ("declared_age", 16, "declared"), ("minor", True, "platform"),
        ("country", "DE", "platform"),
    ]  # fmt: skip
    assert (known.minor, known.age, known.seen) == (True, 13, True)
    assert (nobody.seen, nobody.facts, nobody.minor, nobody.pairs) == (False, (), None, ())
    assert facts_of(Facts()) == ()


def test_both_sides_of_an_account_are_told(engine: Engine) -> None:
    said = [
        ("a", "k", "home alone"),
        ("a", "k", "dont tell"),
        ("a", "k", "picture of you"),
        ("a", "k", "everyone will see"),
        ("a", "m", "home alone"),
        ("k", "a", "im scared"),
    ]
    with Runner(engine, ":memory:") as runner:
        runner.process([
            child("k"), child("m"), adult("a"),
            *(message(n, s, t, text, conversation=s + t) for n, (s, t, text) in enumerate(said, 1)),
        ])  # fmt: skip
        actor, target = look_up(runner, "a"), look_up(runner, "k")
    assert actor.as_actor is not None
    assert actor.as_target is None
    assert target.as_target is not None
    assert {(p.other, p.outward) for p in actor.pairs} == {("k", True), ("m", True)}
    (pair,) = [p for p in target.pairs if p.other == "a"]
    assert not pair.outward
    assert pair.worst == "urgent"
    assert pair.first <= pair.last
    assert actor.across is not None
    assert actor.across.contacts == 2
    assert target.across is None or target.across.contacts == 0
    assert target.pressing == 1


def test_pairs_are_grouped_with_the_worst_first() -> None:
    made = [
        decision("e1", "a", "k", level="watch"), decision("e2", "a", "k", level="urgent"),
        decision("e3", "a", "m", level="review"), decision("e4", "z", "a", level="watch"),
        decision("e5", "a", None), decision("e6", "a", "k", test=True),
    ]  # fmt: skip
    assert [(p.other, p.outward, p.worst, p.decisions) for p in pairs_of("a", made)] == [
        ("k", True, "urgent", 2), ("m", True, "review", 1), ("z", False, "watch", 1),
    ]  # fmt: skip


def test_the_one_it_is_about_stands_in_the_middle(book: Casebook) -> None:
    for n, (actor, target) in enumerate([("a", "k"), ("a", "m"), ("z", "m"), ("a", "n")]):
        put(book, f"e{n}", actor, target, "early threat")
    drawn = sphere(book.network(actor="a"), "a")
    rings = {p.node.account: p.ring for p in drawn.places}
    assert rings == {"a": 0, "k": 1, "m": 1, "n": 1, "z": 2}
    assert {(a.edge.actor, a.edge.target) for a in drawn.arrows} == {
        ("a", "k"),
        ("a", "m"),
        ("z", "m"),
        ("a", "n"),
    }
    assert {a.priority for a in drawn.arrows} == {"extortion"}
    middle = next(p for p in drawn.places if p.ring == 0)
    assert (middle.x, middle.y, middle.role) == (SIZE / 2, SIZE / 2, "suspect")


names = st.sampled_from([f"n{i}" for i in range(60)] + ["x" * 300])


@settings(max_examples=50)
@given(st.lists(st.tuples(names, names), max_size=120))
def test_every_picture_is_bounded_and_the_same_again(pairs: list[tuple[str, str]]) -> None:
    accounts = dict.fromkeys(a for pair in pairs for a in pair)
    network = Network(
        kind="actor", more=False,
        nodes=tuple(Node(account=a, roles=(), minor=None, cases=(1,)) for a in accounts),
        edges=tuple(
            Edge(actor=a, target=b, flags=0, priority=Priority.early, items=1, first=0, last=0) for a, b in pairs
        ),
    )  # fmt: skip
    drawn = sphere(network)
    assert drawn == sphere(network)
    assert len(drawn.places) == len(accounts)
    for place in drawn.places:
        assert RADIUS <= place.x <= SIZE - RADIUS
        assert RADIUS <= place.y <= SIZE - RADIUS
        assert len(place.name) <= 18
    spots = [(p.x, p.y) for p in drawn.places]
    assert len(set(spots)) == len(spots)
    for arrow in drawn.arrows:
        assert hypot(arrow.x2 - arrow.x1, arrow.y2 - arrow.y1) >= 0
