"""The house: which room may import which, and that every room says what it is for."""

import ast
from pathlib import Path

import pytest

import underwing

ROOT = Path(underwing.__file__).parent
MAY_IMPORT = {
    "model": set(),
    "text": {"model"},
    "packs": {"model", "text"},
    "media": {"model"},
    "banks": {"model", "media"},
    "live": {"model", "media"},
    "connectors": {"model"},
    "risk": {"model"},
    "policy": {"model"},
    "casebook": {"model"},
    "engine": {"model", "text", "packs", "risk", "policy"},
    "evaluation": {"model", "engine"},
    "server": {
        "model",
        "text",
        "packs",
        "media",
        "banks",
        "live",
        "connectors",
        "casebook",
        "risk",
        "policy",
        "engine",
    },
    "cli": {
        "model",
        "text",
        "packs",
        "media",
        "banks",
        "live",
        "connectors",
        "casebook",
        "risk",
        "policy",
        "engine",
        "evaluation",
        "server",
    },
}


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide which room is meant"
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {n.split(".")[1] for n in names if n.startswith("underwing.")}
    return found


def test_every_room_is_on_the_plan() -> None:
    rooms = {p.name for p in ROOT.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_downwards_only(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        beyond = imported_rooms(path) - MAY_IMPORT[room] - {room}
        assert not beyond, f"{path.relative_to(ROOT)} imports {', '.join(sorted(beyond))}"


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_every_room_says_its_job(room: str) -> None:
    said = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8")))
    assert said
    assert "May import" in said or "Imports nothing" in said


@pytest.mark.parametrize("room", ["model", "text", "risk", "policy"])
def test_the_core_has_no_clock(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        if path.name in ("file.py", "loader.py"):
            continue
        source = path.read_text(encoding="utf-8")
        for clock in ("time.time(", "datetime.now", "monotonic(", "perf_counter", "random."):
            assert clock not in source, f"{path.relative_to(ROOT)} looks at {clock}"
