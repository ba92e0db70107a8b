"""The command line's table of contents. A new command is one line in it."""
# ruff: noqa: E501

from pkgutil import resolve_name
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from underwing import __version__

COMMANDS = {
    "service:serve": "Run the service. Every other setting is an environment variable (docs/settings.md).",
    "demo:demo": "Start the service on loopback, replay shipped conversations, open the console on the cases that come of them.",
    "judge:replay": "Decide on a file of events, in memory, and show each decision with its reasons.",
    "judge:evaluate": "Measure the engine on labelled conversations: what it finds, how early, and what it costs.",
    "judge:backtest": "Show what a new policy would change on past events, decision by decision and in totals.",
    "explain:explain": "Show why: one decision, or all dated contributions about an actor, a target or a pair of them.",
    "media:hash": "Hash files: SHA-256, SHA-1 and MD5 of their bytes, PDQ of what they show. Nothing is looked up or kept.",
    "media:match": "Look files up in the banks: which entries they match, how, and at what distance.",
    "scan:scan": "Look all files of a directory up in the banks, with every core. Nothing is written there.",
    "watch:watch": "Watch a live stream: match its frames with the banks, judge its chat beside it, say what the policy would do.",
    "guide:guide": "I found something, what now? Step by step, and what must not be done.",
    "custody:verify": "Prove the log and the vault, or name the first bad record or object. Exit code 1 if anything is wrong.",
    "stores:backup": "Put everything a service knows into one file, while it runs: casebook, vault, state and decisions, banks, streams.",
    "stores:restore": "Bring a backup back to where nothing is, and prove it. All of it is there in the end, or nothing.",
    "banks:banks": "Banks of known media: make, fill, export, switch off, take out.",
    "exchange:exchange": "Exchanges: bring the lists of sources into banks.",
    "packs:packs": "Signal packs: list, check and test them.",
    "keys:keys": "API keys: create, list, revoke.",
    "policy:policy": "Policies: check a file before it goes live.",
    "cases:cases": "Cases: look at them, take them, decide.",
    "appeals:appeals": "Appeals: look at them, take them, decide.",
    "care:care": "Care for those who look: what it costs, and the limits.",
    "vault:vault": "The evidence vault: nothing in it is ever plainly deleted.",
    "custody:custody": "The custody log: prove it, read it, publish checkpoints.",
    "stores:casebook": "The casebook's database: bring its tables up to date, look whether all is well.",
    "people:people": "People: accounts and roles of the console.",
}
"""Where each command or group is, `module:name` in this folder, and what the list of commands says of it: the first
paragraph of its own help. So the list is shown and completed without importing what the commands need."""


def called(name: str) -> Any:
    """The command of this name, with all that it needs imported: a function of its module, or a `typer.Typer`."""
    place = next(place for place in COMMANDS if place.endswith(f":{name}"))
    found = resolve_name(f"underwing.cli.{place}")
    alone = typer.Typer()
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command(name)(found)
    return typer.main.get_group(alone).commands[name]


class _Commands(TyperGroup):
    """The commands of the table: all are listed, and the one that is called is imported."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for place, said in COMMANDS.items():
            name = place.partition(":")[2]
            self.commands[name] = TyperCommand(name, help=said)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The name and the command that the arguments call, and the arguments that are left for it."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, name and called(name), rest


app = typer.Typer(
    cls=_Commands,
    name="underwing",
    help="Child safety for platforms with chat: events in, explained and early warnings out.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"underwing {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Child safety for platforms with chat: events in, explained and early warnings out."""
