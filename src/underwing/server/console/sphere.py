"""The network of an account or a case as places on a plane: who stands where, and which line goes from whom to whom.

Pure geometry, in units of the picture's own plane; a template draws it as SVG, with the same as a table beneath. The one
whom it is about stands in the middle, those it approached around it, others outside. Nothing depends on chance: the same
network gives the same picture.
"""

from math import cos, hypot, pi, sin

from msgspec import Struct

from underwing.casebook.cases import Edge, Network, Node, Priority

SIZE = 640.0
RADIUS = 9.0
RINGS = (0.0, 150.0, 270.0)
MOST_NAMED = 40
"""From so many accounts on, names are in the table only: they would cover each other."""
MOST_NAME = 18


class Place(Struct, frozen=True, kw_only=True):
    """An account in the picture. `role` is the weightiest it has; `ring` 0 is the middle."""

    node: Node
    x: float
    y: float
    ring: int
    role: str
    name: str
    """What is written beside it; "" in a crowd."""


class Arrow(Struct, frozen=True, kw_only=True):
    """What one account did towards another: a line that ends at the edge of a circle."""

    edge: Edge
    x1: float
    y1: float
    x2: float
    y2: float
    priority: str


class Sphere(Struct, frozen=True, kw_only=True):
    """A network drawn."""

    size: float
    places: tuple[Place, ...]
    arrows: tuple[Arrow, ...]
    more: bool


_ORDER = ("suspect", "reported", "victim", "reporter", "bystander")


def sphere(network: Network, middle: str | None = None) -> Sphere:
    """A network as a picture; `middle` is the account it is about, by default the one that did most."""
    nodes = {node.account: node for node in network.nodes}
    if not nodes:
        return Sphere(size=SIZE, places=(), arrows=(), more=network.more)
    did: dict[str, int] = {}
    for edge in network.edges:
        did[edge.actor] = did.get(edge.actor, 0) + edge.items
    if middle not in nodes:
        middle = max(nodes, key=lambda a: (did.get(a, 0), a))
    near = {e.target for e in network.edges if e.actor == middle} | {
        e.actor for e in network.edges if e.target == middle
    }
    inner = [a for a in nodes if a in near and a != middle]
    outer = [a for a in nodes if a not in near and a != middle]
    named = len(nodes) <= MOST_NAMED
    places = {
        account: _place(nodes[account], ring, index, len(ringed), named)
        for ring, ringed in enumerate(([middle], inner, outer))
        for index, account in enumerate(ringed)
    }
    arrows = [
        _arrow(edge, places[edge.actor], places[edge.target])
        for edge in network.edges
        if edge.actor in places and edge.target in places and edge.actor != edge.target
    ]
    return Sphere(size=SIZE, places=tuple(places.values()), arrows=tuple(arrows), more=network.more)


def _place(node: Node, ring: int, index: int, count: int, named: bool) -> Place:
    angle = 2 * pi * index / count - pi / 2 + (pi / count if ring == 2 else 0)
    role = min(node.roles, key=lambda r: _ORDER.index(r) if r in _ORDER else len(_ORDER), default="bystander")
    name = node.account if len(node.account) <= MOST_NAME else node.account[: MOST_NAME - 1] + "…"
    return Place(
        node=node, x=round(SIZE / 2 + RINGS[ring] * cos(angle), 2), y=round(SIZE / 2 + RINGS[ring] * sin(angle), 2),
        ring=ring, role=role, name=name if named else "",
    )  # fmt: skip


def _arrow(edge: Edge, start: Place, end: Place) -> Arrow:
    """A little to the side, so that two lines between the same two accounts do not lie on each other."""
    dx, dy = end.x - start.x, end.y - start.y
    length = hypot(dx, dy) or 1.0
    ux, uy = dx / length, dy / length
    aside_x, aside_y = -uy * 3, ux * 3
    return Arrow(
        edge=edge, priority=Priority(edge.priority).name,
        x1=round(start.x + ux * RADIUS + aside_x, 2), y1=round(start.y + uy * RADIUS + aside_y, 2),
        x2=round(end.x - ux * (RADIUS + 6) + aside_x, 2), y2=round(end.y - uy * (RADIUS + 6) + aside_y, 2),
    )  # fmt: skip
