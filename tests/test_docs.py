"""What the pages of documentation name is there: commands, options, settings, files they link to."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from underwing.cli.app import app
from underwing.cli.watch import SIGNED_WITH
from underwing.server.settings import Settings

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
NAMED = [page.relative_to(ROOT).as_posix() for page in PAGES]
_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.M | re.S)
_COMMAND = re.compile(r"(?:^|[`$(|=;&]|\s)underwing +([a-z][^\n`#|)]*)", re.M)
_SETTING = re.compile(r"\bUNDERWING_([A-Z_]*[A-Z])\b")
_LINK = re.compile(r"\]\(([^)#\s]+)|(?:src|srcset)=\"([^\"]+)\"")
OF_COMMANDS = {SIGNED_WITH.removeprefix("UNDERWING_")}
"""Variables of the environment that a command reads by itself."""
MAKE = re.compile(r"`?\bmake ([a-z]+)`")


def code(page: Path) -> str:
    return "\n".join(match[0] for match in _CODE.finditer(page.read_text(encoding="utf-8")))


def wrong(words: list[str]) -> str:
    """What of a command's words does not exist, or nothing."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        if words[0] not in command.commands:
            return words[0]
        _, command, words = command.resolve_command(typer.Context(command), words)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = [word.partition("=")[0] for word in words if re.fullmatch(r"--[a-z][a-z-]*(=.*)?", word)]
    return next((one for one in given if one not in known and one != "--help"), "")


@pytest.mark.parametrize("name", NAMED)
def test_commands_and_settings_exist(name: str) -> None:
    text = code(ROOT / name)
    commands = [match[1] for match in _COMMAND.finditer(text) if not match[1].startswith("test phrase")]
    assert not {command: bad for command in commands if (bad := wrong(command.split()))}
    settings = {field.upper() for field in Settings.__struct_fields__} | OF_COMMANDS
    assert not {one for one in _SETTING.findall(text) if one not in settings}


@pytest.mark.parametrize("name", NAMED)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    targets = {one or other for one, other in _LINK.findall(page.read_text(encoding="utf-8"))}
    assert not {one for one in targets if "://" not in one and not (page.parent / one).exists()}


def test_make_has_what_the_pages_name() -> None:
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = {word for page in PAGES for word in MAKE.findall(page.read_text(encoding="utf-8"))}
    assert "screenshots" in named
    assert named <= made
