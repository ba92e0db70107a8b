"""How the commands that judge put an engine together."""

from pathlib import Path
from typing import Annotated, Any

import typer

from underwing.cli.common import err
from underwing.engine import Engine
from underwing.packs import load_packs
from underwing.policy import load_policy, load_switches
from underwing.text import Meaning

PolicyPath = Annotated[
    Path | None, typer.Option("--policy", help="A policy file (default: the shipped one).")
]


def build_engine(
    packs: Path | None = None,
    policy: Path | None = None,
    meaning: bool = True,
    second: bool = False,
    **more: Any,
) -> Engine:
    """An engine with the shipped packs (and an operator's over them) and a policy (default: shipped)."""
    with err.status("reading packs and policy …"):
        reader = Meaning.load(second=second) if meaning else None
        return Engine(
            load_packs(packs), load_policy(policy), meaning=reader, switches=load_switches(), **more
        )
